/** What `spxc explain` says about the candidates behind a plan: how many were priced, and what those without kernels cost. */
import type { SymbolValues } from "../../runtime/contract/number-expression.ts";
import type { LevelName } from "../targets/rate-table.ts";
import { costAt } from "./envelope.ts";
import type { Plan } from "./plan.ts";

export interface ExplainedSearch {
  readonly priced: number;
  /** Ways that exist; more than `priced` when the budget cut the enumeration off. */
  readonly total: number;
  /** Sampled sizes, batches, arguments and levels. */
  readonly points: number;
  /** The nearest to being chosen first. */
  readonly leftOut: readonly LeftOutCandidate[];
}

/** A candidate that has no kernels. */
export interface LeftOutCandidate {
  readonly name: string;
  readonly form: string;
  readonly reason: string;
  readonly rules: readonly string[];
  /** Predicted, at the sizes of the explanation and `leftOutBatches`. */
  readonly nanoseconds: readonly { readonly batch: number; readonly nanoseconds: number }[];
}

/** Batches at which candidates without kernels are priced: a token, a few, a short sequence, several. */
export const leftOutBatches = [1, 16, 128, 1024] as const;

/** @param values every dimension and number argument of the transform. */
export function explainSearch({ search }: Plan, values: SymbolValues, level: LevelName): ExplainedSearch {
  const { priced, total, points, rejected } = search;
  const leftOut = rejected.map(({ name, form, reason, rules, costs }) => ({
    name,
    form,
    reason,
    rules,
    nanoseconds: leftOutBatches.map((batch) => ({ batch, nanoseconds: costAt(costs[level], values, batch) })),
  }));
  return { priced, total, points, leftOut };
}

/** One line; `--json` has every candidate. */
export function printExplainedSearch({ priced, total, leftOut }: ExplainedSearch): string {
  const [nearest] = leftOut;
  const counts = `${priced} candidates priced of ${total}`;
  if (nearest === undefined) return counts;
  return `${counts}, ${leftOut.length} left out, the nearest ${nearest.name}: ${nearest.form} (${nearest.reason})`;
}
