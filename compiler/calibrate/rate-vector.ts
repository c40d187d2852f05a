/** A level's rates as a vector, and back: what a fit needs. Sizes of caches are no rates and stay as they are. */
import type { LevelRates } from "../targets/rate-table.ts";

/** Path of a rate inside its level's record, as in `atoms.dense.lane-token.multiplyNanoseconds`. */
export interface NamedRate {
  readonly path: string;
  readonly value: number;
}

const isRate = (name: string): boolean => name.endsWith("Nanoseconds");

function collect(value: unknown, path: string, inside: boolean): readonly NamedRate[] {
  if (typeof value === "number") return inside ? [{ path, value }] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    collect(inner, path === "" ? name : `${path}.${name}`, inside || isRate(name)),
  );
}

/** Every rate of a level, in an order that depends on its record alone. */
export const ratesOf = (rates: LevelRates): readonly NamedRate[] => collect(rates, "", false);

/** The record with the rates that `value` gives for their paths. */
export function withRates(rates: LevelRates, value: (path: string, before: number) => number): LevelRates {
  const replace = (node: unknown, path: string, inside: boolean): unknown => {
    if (typeof node === "number") return inside ? value(path, node) : node;
    if (typeof node !== "object" || node === null) return node;
    return Object.fromEntries(
      Object.entries(node).map(([name, inner]) => [
        name,
        replace(inner, path === "" ? name : `${path}.${name}`, inside || isRate(name)),
      ]),
    );
  };
  return replace(rates, "", false) as LevelRates;
}
