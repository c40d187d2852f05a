/**
 * The least time that the machine needs for what the chosen plan has to do: bytes of the packed operands and
 * activations, multiply-adds, permutes that decode positions, each against the rate that a probe of the same run gave.
 */
import type { CacheSizes } from "../../compiler/calibrate/cache-sizes.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import type { MachineRates, MemoryLevel } from "./probes.ts";

export interface Work {
  readonly bytes: number;
  readonly multiplies: number;
  readonly permutes: number;
}

export interface Roofline {
  readonly seconds: number;
  /** What takes longest. */
  readonly bound: "bytes" | "multiplies" | "permutes";
  readonly level: MemoryLevel;
}

/** Formats whose lines of 16 are decoded by one permute each, and how many tokens share one. */
const permuted: Readonly<Record<string, number>> = { "nm-lanes": 1, "mixed-ell": 1, "table4-panel16": 4 };

/**
 * What a call of the variant does at these sizes. With `rounds` weights held in bf16 multiply tokens rounded to bf16, two
 * products in the time of one. @throws ReferenceError for a variant that the plan does not hold.
 */
export function workOf(
  plan: Plan,
  variantName: string,
  symbols: ReadonlyMap<string, number>,
  batch: number,
  rounds = false,
): Work {
  const variant = plan.variants.find(({ name }) => name === variantName);
  if (variant === undefined) throw new ReferenceError(`the plan has no variant ${variantName}`);
  const read = new Set(variant.steps.flatMap(({ terms }) => terms.map(({ operand }) => operand)));
  const widths = variant.activations
    .filter(({ name }) => name === "x" || name === "y")
    .map(({ width }) => evaluateNumber(width, symbols));
  let bytes = 4 * batch * widths.reduce((sum, width) => sum + width, 0);
  let multiplies = 0;
  let permutes = 0;
  for (const operand of plan.operands.filter(({ name }) => read.has(name))) {
    const stored = evaluateNumber(operand.multiplies, symbols);
    bytes += evaluateNumber(operand.bytes, symbols);
    multiplies += (stored * batch) / (rounds && operand.format.name === "bf16-panel16" ? 2 : 1);
    const together = permuted[operand.format.name];
    if (together !== undefined) permutes += (stored / 16) * Math.ceil(batch / together);
  }
  return { bytes, multiplies, permutes };
}

/** Where so many bytes stay between two calls. */
export function levelOf(bytes: number, caches: CacheSizes, threads: number, isCold: boolean): MemoryLevel {
  if (isCold) return "memory";
  if (bytes <= 0.75 * caches.secondLevel * threads) return "L2";
  return bytes <= 0.75 * caches.thirdLevel ? "L3" : "memory";
}

export function rooflineOf(work: Work, rates: MachineRates, level: MemoryLevel): Roofline {
  const times = {
    bytes: work.bytes / rates.read[level],
    multiplies: work.multiplies / rates.multiplies,
    permutes: work.permutes / rates.permutes,
  };
  const bounds = ["bytes", "multiplies", "permutes"] as const;
  const bound = bounds.reduce((slowest, next) => (times[next] > times[slowest] ? next : slowest));
  return { seconds: times[bound], bound, level };
}
