/**
 * The product of two row-major matrices, y = x R with x [batch, inner] and R [inner, columns]: what the runtime calls for
 * derived tensors, their gradients and decompositions, whose factors are not packed. A tile is a square of y; inside it
 * a run of R's rows passes at a time, small enough for the second-level cache, and the register tile is added to y.
 * Sums have one order at every level and on any number of threads.
 */
import type { ProductElement } from "../../runtime/contract/manifest.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import {
  assign,
  type Block,
  createBlock,
  createNames,
  declareRegister,
  define,
  loop,
  store,
  when,
} from "./loop-builder.ts";
import {
  add,
  batch,
  binary,
  ceilDiv,
  compare,
  constant,
  div,
  fma,
  int,
  load,
  min,
  mul,
  rem,
  splat,
  sub,
  symbol,
} from "./loop-expression.ts";
import type { LoopExpression, LoopProgram, ValueType } from "./loop-node.ts";

/** Side of a tile's square of y. */
const squareSide = 64;
/** Rows of R that pass at once: with 64 columns half a second-level cache of binary64. */
const rowsAtOnce = 256;

/** Rows of x and vectors of 16 columns in registers; sixteen registers of sums, eight where there are sixteen in all. */
const registerTiles: Readonly<
  Record<
    X86Target["base"],
    Readonly<Record<ProductElement, { readonly rows: number; readonly vectors: number }>>
  >
> = {
  "x86-64-v4": { f32: { rows: 4, vectors: 4 }, f64: { rows: 4, vectors: 2 } },
  "x86-64-v3": { f32: { rows: 4, vectors: 1 }, f64: { rows: 2, vectors: 1 } },
};

interface Square {
  readonly endRow: LoopExpression;
  readonly endColumn: LoopExpression;
  readonly from: LoopExpression;
  readonly to: LoopExpression;
}

/** The program `name`: `y` is added to, so that it starts as zeros; the frame holds R, then inner and columns. */
export function lowerProduct(element: ProductElement, target: X86Target, name: string): LoopProgram {
  const [inner, columns] = [symbol("inner"), symbol("columns")];
  const names = createNames(["batch", "x", "y", "right", "inner", "columns"]);
  const vector: ValueType = { scalar: element, lanes: 16 };
  const { rows, vectors } = registerTiles[target.base][element];

  /** `count` is null where all columns of the vectors exist. */
  const sumTile = (
    block: Block,
    square: Square,
    row: LoopExpression,
    column: LoopExpression,
    wide: number,
    count: LoopExpression | null,
  ): void => {
    const sums = Array.from({ length: rows * wide }, () =>
      declareRegister(block, "sum", constant(vector, 0)),
    );
    const last = define(block, "last", sub(square.endRow, int(1)));
    // Rows beyond the end are those of the last one, and are not stored.
    const starts = Array.from({ length: rows }, (_, offset) =>
      define(block, "left", mul(min(add(row, int(offset)), last), inner)),
    );
    loop(block, "k", { from: square.from, to: square.to }, (body, k) => {
      const line = define(body, "line", add(mul(k, columns), column));
      const values = Array.from({ length: wide }, (_, at) =>
        define(body, "right", load("right", add(line, int(16 * at)), vector, count)),
      );
      for (const [offset, start] of starts.entries()) {
        const factor = splat(load("x", add(start, k), { scalar: element, lanes: 1 }));
        const repeated = define(body, "factor", factor);
        for (const [at, value] of values.entries()) {
          const sum = sums[offset * wide + at];
          if (sum !== undefined) assign(body, sum, fma(repeated, value, sum.read));
        }
      }
    });
    for (let offset = 0; offset < rows; offset += 1) {
      const place = add(row, int(offset));
      when(block, compare("lt", place, square.endRow), (present) => {
        const line = define(present, "out", add(mul(place, columns), column));
        for (let at = 0; at < wide; at += 1) {
          const sum = sums[offset * wide + at];
          if (sum === undefined) continue;
          const where = add(line, int(16 * at));
          const before = load("y", where, vector, count);
          store(present, "y", where, binary("add", before, sum.read), count);
        }
      });
    }
  };

  const tile = names.fresh("tile");
  const block = createBlock(names);
  const across = define(block, "across", ceilDiv(columns, squareSide));
  const firstRow = define(block, "first_row", mul(div(symbol(tile), across), int(squareSide)));
  const firstColumn = define(block, "first_column", mul(rem(symbol(tile), across), int(squareSide)));
  const endRow = define(block, "end_row", min(batch, add(firstRow, int(squareSide))));
  const endColumn = define(block, "end_column", min(columns, add(firstColumn, int(squareSide))));
  const width = 16 * vectors;
  const whole = define(
    block,
    "whole",
    add(firstColumn, mul(div(sub(endColumn, firstColumn), int(width)), int(width))),
  );
  loop(block, "from", { from: int(0), to: inner, step: rowsAtOnce }, (chunk, from) => {
    const to = define(chunk, "to", min(inner, add(from, int(rowsAtOnce))));
    const square = { endRow, endColumn, from, to };
    loop(chunk, "row", { from: firstRow, to: endRow, step: rows }, (line, row) => {
      loop(line, "column", { from: firstColumn, to: whole, step: width }, (body, column) =>
        sumTile(body, square, row, column, vectors, null),
      );
      loop(line, "column", { from: whole, to: endColumn, step: 16 }, (body, column) =>
        sumTile(body, square, row, column, 1, define(body, "count", sub(endColumn, column))),
      );
    });
  });
  const tiles = mul(ceilDiv(batch, squareSide), ceilDiv(columns, squareSide));
  return {
    name,
    level: target.name,
    buffers: [
      { name: "right", element, space: "constant", length: mul(inner, columns) },
      { name: "x", element, space: "input", length: mul(batch, inner) },
      { name: "y", element, space: "output", length: mul(batch, columns) },
    ],
    symbols: ["inner", "columns"],
    phases: [{ name: "product", tile, tiles, body: block.statements }],
  };
}
