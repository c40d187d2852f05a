/**
 * What changes while a layer is trained beside its params: operands that read scheduled numbers or refreshed patterns
 * are packed at every step, although nothing in them is trained.
 */
import { type MatrixSource, partsOfSource } from "../../runtime/contract/matrix-source.ts";
import { symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";

/** Names of schedules, phases, refreshed patterns and their counts, and of tensors derived from any of them. */
export function movingNames({ time, patterns, tensors }: CheckedTransform): ReadonlySet<string> {
  const refreshed = new Set(time?.refreshes.map(({ pattern }) => pattern));
  const counts = patterns.flatMap(({ name, measured }) =>
    measured !== null && refreshed.has(name) ? [measured.symbol] : [],
  );
  const names = new Set([...(time?.numbers ?? []).map(({ name }) => name), ...refreshed, ...counts]);
  // Derived tensors stand in the order in which they are computed.
  for (const { name, derivation } of tensors)
    if (derivation !== undefined && readsAny(derivation.formula, names)) names.add(name);
  return names;
}

/** True when `source` reads one of the names. */
export function readsAny(source: MatrixSource, names: ReadonlySet<string>): boolean {
  if (names.size === 0) return false;
  const own =
    (source.kind === "scale" && symbolsOf(source.factor).some((name) => names.has(name))) ||
    (source.kind === "leaf" && names.has(source.name)) ||
    (source.kind === "mask" && names.has(source.pattern)) ||
    (source.kind === "pattern" && names.has(source.name));
  return own || partsOfSource(source).some((part) => readsAny(part, names));
}
