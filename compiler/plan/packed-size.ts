/** Sizes of packed operands, as expressions: stored values, slots with padding, bytes. */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { csrTileInputs, nmTable, type OperandFormat } from "../../runtime/contract/operand-format.ts";
import { quadDensity, quadPadding, windowPadding } from "../targets/cpu-rates.ts";
import { applyFolded, foldNumber } from "../types/fold-number.ts";
import { entryCount, type PieceStructure, type StructuredMatrix } from "./piece-structure.ts";

const fold = (
  operator: "+" | "-" | "*" | "/" | "min" | "max" | "sqrt" | "ceil",
  ...operands: NumberExpression[]
): NumberExpression => applyFolded(operator, ...operands);
export const plus = (...terms: NumberExpression[]): NumberExpression =>
  terms.length === 0 ? number(0) : fold("+", ...terms);
export const times = (...factors: NumberExpression[]): NumberExpression => fold("*", ...factors);
export const over = (a: NumberExpression, b: NumberExpression): NumberExpression => fold("/", a, b);
/** ceil(a / b). */
export const ceilOver = (a: NumberExpression, b: number): NumberExpression =>
  fold("ceil", over(a, number(b)));

/** Values stored for a matrix of this structure, without padding: the multiplies for one token. */
export function storedValues(piece: StructuredMatrix, format: OperandFormat): NumberExpression {
  const { rows, columns } = piece;
  switch (format.name) {
    case "vector":
      return rows;
    case "blockdiag16":
      return over(times(rows, columns), format.blocks);
    case "nm-lanes":
    case "nm-rows":
      return over(times(rows, columns, number(format.n)), number(format.m));
    case "nm-tiles":
      return times(rows, columns, number(1 / 2));
    case "panel16":
    case "half-tiles":
    case "bitmap-tiles":
    case "code-tiles":
    case "tf32-tiles":
    case "row-major":
      return times(rows, columns);
    default:
      return entryCount(piece);
  }
}

/** Whether neighbouring rows have their entries beside one another, as blocks on the diagonal and a diagonal have. */
export const isAligned = ({ kind }: PieceStructure): boolean => kind === "blocks" || kind === "diagonal";

/** Lines of windows hold its entries: its nonzeros and the padding that random positions need, in slots. */
export function windowSlots(
  rows: NumberExpression,
  columns: NumberExpression,
  count: NumberExpression,
): NumberExpression {
  const area = fold("max", times(rows, columns), number(1));
  const density = fold("max", over(count, area), number(1e-9));
  const gaps = fold("max", number(0), plus(over(number(1), density), number(-1)));
  const { constant, root, most } = windowPadding;
  const excess = over(gaps, plus(number(constant), times(number(root), fold("sqrt", gaps))));
  return times(count, fold("min", number(most), plus(number(1), excess)));
}

/** 1 where the entries of a mixed-ell operand, spread at random, are held as quads; 0 where as lines of windows. */
export const isQuads = (
  rows: NumberExpression,
  columns: NumberExpression,
  count: NumberExpression,
): NumberExpression => applyFolded("<", count, times(number(quadDensity), rows, columns));

/** 1 for 0, 0 for 1. */
export const unless = (truth: NumberExpression): NumberExpression =>
  plus(number(1), times(number(-1), truth));

/** Slots of quads: the entries, and those that the longest of four rows of similar lengths leaves empty. */
export function quadSlots(rows: NumberExpression, count: NumberExpression): NumberExpression {
  // count + padding * count / sqrt(count / rows), without a division by zero.
  const empty = fold(
    "min",
    times(number(3), count),
    times(number(quadPadding), fold("sqrt", times(rows, count))),
  );
  return plus(count, empty);
}

/** Rows of all tiles of a csr operand. */
export const csrParts = (
  rows: NumberExpression,
  columns: NumberExpression,
  count: NumberExpression,
): NumberExpression =>
  times(rows, fold("ceil", over(columns, foldNumber(csrTileInputs(rows, columns, count)))));

/** Bytes of the packed operand; for window-ell the expected ones. */
export function packedBytes(
  { rows, columns }: Omit<StructuredMatrix, "structure">,
  format: OperandFormat,
  count: NumberExpression,
  aligned = false,
): NumberExpression {
  const panels = ceilOver(rows, 16);
  switch (format.name) {
    case "panel16":
      return times(panels, columns, number(64));
    case "table4-panel16": {
      const runs = over(columns, format.block);
      return plus(times(panels, plus(ceilOver(columns, 8), runs), number(64)), number(64));
    }
    case "int8-panel16":
      return times(panels, plus(times(columns, number(16)), times(over(columns, format.block), number(64))));
    case "bf16-panel16":
      return times(panels, ceilOver(columns, 2), number(64));
    case "nm-lanes": {
      const table = nmTable(format.m);
      const groups = Math.floor(table / format.m);
      const windows = ceilOver(columns, format.m * groups);
      const lines = times(windows, number(format.n * groups));
      const words = ceilOver(lines, 32 / Math.log2(table));
      return times(panels, plus(lines, words), number(64));
    }
    case "nm-rows":
      return times(count, number(5));
    case "window-ell":
      return plus(
        times(aligned ? count : windowSlots(rows, columns, count), number(4.75)),
        times(plus(panels, number(1)), number(4)),
      );
    case "mixed-ell": {
      const headers = plus(times(panels, number(36)), number(8));
      if (aligned) return plus(times(count, number(4.75)), headers);
      const few = isQuads(rows, columns, count);
      return plus(
        times(few, quadSlots(rows, count), number(6)),
        times(unless(few), windowSlots(rows, columns, count), number(4.75)),
        headers,
      );
    }
    case "csr":
      return plus(times(count, number(6)), times(csrParts(rows, columns, count), number(5)), number(8));
    case "block-strips": {
      const blocks = over(count, number(format.height * format.width));
      return plus(
        times(count, number(4)),
        times(blocks, number(2)),
        times(plus(over(rows, number(format.height)), number(1)), number(4)),
      );
    }
    case "blockdiag16": {
      const stored = format.repeated ? number(1) : format.blocks;
      return times(
        stored,
        fold("ceil", over(over(rows, format.blocks), number(16))),
        over(columns, format.blocks),
        number(64),
      );
    }
    case "half-tiles":
      return times(panels, ceilOver(columns, 32), number(1024));
    case "tf32-tiles":
      return times(panels, ceilOver(columns, 16), number(1024));
    case "nm-tiles":
      return times(panels, ceilOver(columns, 32), number(576));
    case "bitmap-tiles":
      return plus(times(count, number(2)), times(panels, ceilOver(columns, 32), number(68)), number(4));
    case "code-tiles": {
      const runs = over(columns, format.block);
      const tiles = times(ceilOver(format.block, 32), number(64 * format.bits));
      return plus(times(panels, runs, plus(tiles, number(64))), number(32));
    }
    case "vector":
      return times(rows, number(4));
    case "positions":
      return times(count, number(12));
    case "row-major":
      return times(rows, columns, number(4));
  }
}
