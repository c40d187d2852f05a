/**
 * What changes while a layer is trained beside its params: operands that read scheduled numbers or refreshed patterns
 * are packed at every step, although nothing in them is trained.
 */
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";

/** Names of schedules, phases, refreshed patterns and their counts. */
export function movingNames({ time, patterns }: CheckedTransform): ReadonlySet<string> {
  const refreshed = new Set(time?.refreshes.map(({ pattern }) => pattern));
  const counts = patterns.flatMap(({ name, measured }) =>
    measured !== null && refreshed.has(name) ? [measured.symbol] : [],
  );
  return new Set([...(time?.numbers ?? []).map(({ name }) => name), ...refreshed, ...counts]);
}

function partsOf(source: MatrixSource): readonly MatrixSource[] {
  if ("of" in source) return [source.of];
  if ("terms" in source) return source.terms;
  if ("factors" in source) return source.factors;
  return "blocks" in source ? source.blocks : [];
}

/** True when `source` reads one of the names. */
export function readsAny(source: MatrixSource, names: ReadonlySet<string>): boolean {
  if (names.size === 0) return false;
  const own =
    (source.kind === "scale" && symbolsOf(source.factor).some((name) => names.has(name))) ||
    (source.kind === "mask" && names.has(source.pattern)) ||
    (source.kind === "pattern" && names.has(source.name));
  return own || partsOf(source).some((part) => readsAny(part, names));
}
