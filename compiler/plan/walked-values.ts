/**
 * Stored values of an operand with the padding that kernels compute on, as expressions: what a price multiplies by its
 * rates.
 */

import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { applyFolded } from "../types/fold-number.ts";
import { isQuads, over, plus, quadSlots, times, unless, windowSlots } from "./packed-size.ts";
import type { Operand } from "./plan.ts";

/** Rows with the padding of the kernel's row tile. */
export const paddedRows = (rows: NumberExpression, tile: NumberExpression): NumberExpression =>
  tile.kind === "number" && tile.value === 1 ? rows : times(applyFolded("ceil", over(rows, tile)), tile);

/** Slots of a mixed-ell operand: one of the two is 0, by the density of the entries. */
export function entrySlots({ rows, columns, multiplies, aligned }: Operand): {
  readonly quads: NumberExpression;
  readonly windows: NumberExpression;
} {
  if (aligned === true) return { quads: number(0), windows: multiplies };
  const few = isQuads(rows, columns, multiplies);
  return {
    quads: times(few, quadSlots(rows, multiplies)),
    windows: times(unless(few), windowSlots(rows, columns, multiplies)),
  };
}

/** Values that are walked: whole tiles of rows, lines of windows, quads. */
export function walkedValues(operand: Operand, rowTile: NumberExpression): NumberExpression {
  const { rows, columns, format, multiplies } = operand;
  switch (format.name) {
    case "mixed-ell": {
      const { quads, windows } = entrySlots(operand);
      return plus(quads, windows);
    }
    case "panel16":
    case "table4-panel16":
    case "int8-panel16":
    case "bf16-panel16":
      return times(paddedRows(rows, rowTile), columns);
    case "blockdiag16":
      return times(columns, paddedRows(over(rows, format.blocks), rowTile));
    default:
      return multiplies;
  }
}

/** Rows of groups that share the inputs of their group while those are near, with a lane a token. */
const rowsOfGroups = 4;
/** Inputs that come from the second level beneath each multiply-add. */
const hiddenInputs = 0.5;

/** Inputs of a group that each of its entries brings from the second level beyond those that multiply-adds hide. */
export const inputsOfEntry = (format: OperandFormat): number =>
  format.name === "nm-rows" ? Math.max(0, format.m / (format.n * rowsOfGroups) - hiddenInputs) : 0;
