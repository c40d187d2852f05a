/**
 * Quantized types: matrices whose entries lie on a grid, stored as small codes with one scale for each run of
 * consecutive entries of a row. Stands in the contract because checker, packers and kernels count the same bytes.
 */
import { apply, type NumberExpression, number } from "./number-expression.ts";

/**
 * `nf2`, `nf3`, `nf4`: quantiles of the normal distribution between -1 and 1. `int4`, `int8`: whole numbers from -7 to
 * 7 and -127 to 127. The scale maps the entry of largest magnitude of a run onto the end of the grid. `bf16`: numbers
 * with 8 bits of exponent and 8 significant ones, which need no scale.
 */
export type GridName = "nf2" | "nf3" | "nf4" | "int4" | "int8" | "bf16";
/** Grids whose levels are few enough to be listed; an entry is a level times a scale. */
export type ScaledGrid = Exclude<GridName, "bf16">;

export interface QuantizedType {
  readonly grid: GridName;
  /** Entries of a row that share a scale; divides the columns. Null: one scale a row, or none for `bf16`. */
  readonly block: NumberExpression | null;
}

/** Bits of a code. */
export const codeBits: Readonly<Record<GridName, number>> = {
  ...{ nf2: 2, nf3: 3, nf4: 4 },
  ...{ int4: 4, int8: 8, bf16: 16 },
};

/** Bytes of a stored matrix: packed codes, and a float32 scale for each run of a grid that has scales. */
export function quantizedBytes(
  { grid, block }: QuantizedType,
  rows: NumberExpression,
  columns: NumberExpression,
): NumberExpression {
  if (grid === "bf16") return apply("*", number(2), rows, columns);
  const runs = block === null ? rows : apply("*", rows, apply("/", columns, block));
  const codes = apply("ceil", apply("/", apply("*", number(codeBits[grid]), rows, columns), number(8)));
  return apply("+", codes, apply("*", number(4), runs));
}
