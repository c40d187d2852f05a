/**
 * What it costs that threads share a step: tiles are handed out, activations go from those who write them to those who
 * read them, and with a lane a token they are transposed on both ends.
 */
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { applyFolded } from "../types/fold-number.ts";
import type { PricedMachine, PricedVariant } from "./cost-model.ts";
import type { OperandLookup } from "./operand-table.ts";
import { ceilOver, over, plus, times } from "./packed-size.ts";
import type { StepTerm } from "./plan.ts";

/** Of the time of one thread, what is left when the tiles are dealt out: whole tiles, to no more threads than there are. */
export function sharing(tiles: NumberExpression, threads: number): NumberExpression {
  if (threads === 1) return number(1);
  return over(ceilOver(tiles, threads), applyFolded("max", tiles, number(1)));
}

/** Whether each input is read by the rows of one block or one row alone. */
const readsOnce = ({ operand }: StepTerm, operands: OperandLookup): boolean =>
  ["blockdiag16", "vector"].includes(operands.find(operand).format.name);

/**
 * Share of an activation that a thread takes over from others, where a thread that reads all of it takes 1: half where
 * each value is read by one thread, nothing where that is the one that wrote it; nobody reads y with a lane an output.
 */
export function passedShare(
  activation: string,
  { layout, activations, steps }: PricedVariant,
  operands: OperandLookup,
): number {
  const moved = steps.some(
    ({ output, outputPermutation }) => output === activation && outputPermutation !== null,
  );
  if (activation === activations[1]?.name) return layout === "lane-token" && moved ? 0.5 : 0;
  const readers = steps.flatMap(({ terms }) => terms.filter(({ input }) => input === activation));
  if (!readers.every((term) => readsOnce(term, operands))) return 1;
  return moved || readers.some(({ inputPermutation }) => inputPermutation !== null) ? 0.5 : 0;
}

/** Handing out tiles, if there are several and somebody to take them. */
export const sweepCost = (tiles: NumberExpression, { threads, rates }: PricedMachine): NumberExpression =>
  threads === 1 ? number(0) : times(apply(">", tiles, number(1)), number(rates.calls.sweepNanoseconds));

/** Values that one thread has written and another one reads. */
export const passingCost = (
  values: NumberExpression,
  share: number,
  tiles: NumberExpression,
  layout: PricedVariant["layout"],
  { threads, rates }: PricedMachine,
): NumberExpression =>
  threads === 1 || share === 0
    ? number(0)
    : times(apply(">", tiles, number(1)), values, number(share * rates.calls.passNanoseconds[layout]));

/** Features of an activation that one tile of a transposition moves (compiler/loop/transpose-panels). */
export const transposedFeatures = 128;

/** An activation between row-major and panels of tokens, which is a phase of its own. */
export function transposingCost(
  width: NumberExpression,
  share: number,
  machine: PricedMachine,
): NumberExpression {
  const panels = ceilOver({ kind: "symbol", name: "batch" }, 16);
  const tiles = times(panels, ceilOver(width, transposedFeatures));
  const values = times(panels, number(16), width);
  return plus(
    sweepCost(tiles, machine),
    passingCost(values, share, tiles, "lane-token", machine),
    times(values, number(machine.rates.calls.transposeNanoseconds), sharing(tiles, machine.threads)),
  );
}
