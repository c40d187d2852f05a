/**
 * The gradient of a dense or block-diagonal parameter: gradient[i, j] += scale * sum over tokens of left[i] right[j].
 * A tile is a square of the gradient; inside it a few panels of tokens pass at a time, and for those a register tile
 * of rows x columns vectors, whose lanes (tokens) are summed at the end. Tiles write disjoint values.
 */
import { featureStarts, panelStride, panelsAtOnce, type ResolvedGradient } from "./gradient-node.ts";
import { sumLanes } from "./lane-sums.ts";
import {
  assign,
  type Block,
  createBlock,
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
  both,
  ceilDiv,
  compare,
  div,
  f32,
  f32x16,
  fma,
  int,
  load,
  min,
  mul,
  rem,
  shuffle,
  splat,
  sub,
  symbol,
  typeOf,
  zeros,
} from "./loop-expression.ts";
import type { LoopExpression, LoopPhase } from "./loop-node.ts";

export interface MatrixShape {
  readonly blocks: LoopExpression;
  readonly rows: LoopExpression;
  readonly columns: LoopExpression;
  /** Buffer of row-major factors; null for none. */
  readonly weights: string | null;
}

/** Side of a tile's square: both halves of it, 8 panels long, fit the second-level cache. */
const squareSide = 64;

/** Rows and columns of the register tile: 16 accumulators of 16 lanes fill half of 32 registers, 4 half of 16 twice as narrow ones. */
const registerSide = (gradient: ResolvedGradient): number => (gradient.target.vectorBits === 512 ? 4 : 2);

interface Square {
  readonly block: LoopExpression;
  readonly firstRow: LoopExpression;
  readonly endRow: LoopExpression;
  readonly firstColumn: LoopExpression;
  readonly endColumn: LoopExpression;
}

function squareOf(block: Block, shape: MatrixShape, tile: LoopExpression): Square {
  const across = define(block, "across", ceilDiv(shape.columns, squareSide));
  const down = define(block, "down", ceilDiv(shape.rows, squareSide));
  const line = define(block, "line", div(tile, across));
  const firstRow = define(block, "first_row", mul(rem(line, down), int(squareSide)));
  const firstColumn = define(block, "first_column", mul(rem(tile, across), int(squareSide)));
  return {
    block: define(block, "block", div(line, down)),
    firstRow,
    endRow: define(block, "end_row", min(shape.rows, add(firstRow, int(squareSide)))),
    firstColumn,
    endColumn: define(block, "end_column", min(shape.columns, add(firstColumn, int(squareSide)))),
  };
}

/** One register tile over the panels [from, to) and all copies. */
function sumTile(
  block: Block,
  gradient: ResolvedGradient,
  shape: MatrixShape,
  square: Square,
  row: LoopExpression,
  column: LoopExpression,
  panels: { readonly from: LoopExpression; readonly to: LoopExpression },
): LoopExpression {
  const { left, right } = gradient;
  const side = registerSide(gradient);
  const sums = Array.from({ length: side * side }, () => declareRegister(block, "sum", zeros));
  loop(block, "copy", { from: int(0), to: gradient.copies }, (inner, copy) => {
    const rows = featureStarts(inner, left, copy, add(mul(square.block, shape.rows), row), side);
    const columns = featureStarts(inner, right, copy, add(mul(square.block, shape.columns), column), side);
    loop(inner, "panel", panels, (body, panel) => {
      const [leftPanel, rightPanel] = [left, right].map((given) =>
        define(body, "panel_start", mul(panel, panelStride(given))),
      );
      const values = columns.map((start) =>
        define(body, "right", load(right.place.buffer, add(rightPanel ?? int(0), start), f32x16)),
      );
      for (const [r, start] of rows.entries()) {
        const value = define(body, "left", load(left.place.buffer, add(leftPanel ?? int(0), start), f32x16));
        for (const [c, other] of values.entries()) {
          const sum = sums[r * side + c];
          if (sum !== undefined) assign(body, sum, fma(value, other, sum.read));
        }
      }
    });
  });
  const total = sumLanes(
    block,
    sums.map(({ read }) => read),
  );
  const { scale } = gradient;
  return scale === null
    ? total
    : define(block, "scaled", binary("mul", total, splat(load(scale, int(0), f32))));
}

function addTile(
  block: Block,
  gradient: ResolvedGradient,
  shape: MatrixShape,
  square: Square,
  place: { readonly row: LoopExpression; readonly column: LoopExpression; readonly total: LoopExpression },
): void {
  const side = registerSide(gradient);
  const { row, column, total } = place;
  const count = define(block, "columns_left", min(int(side), sub(square.endColumn, column)));
  const rowsLeft = define(block, "rows_left", sub(square.endRow, row));
  const first = define(
    block,
    "first",
    add(mul(add(mul(square.block, shape.rows), row), shape.columns), column),
  );
  /** One row of the register tile; `limit` is null where all of its columns exist. */
  const addRow = (inner: Block, offset: number, limit: LoopExpression | null): void => {
    const line = define(inner, "line", add(first, mul(shape.columns, int(offset))));
    const lanes = Array.from(
      { length: limit === null ? side : 16 },
      (_, lane) => (offset * side + lane) % 16,
    );
    const own = define(inner, "own", shuffle(total, total, lanes));
    const weighted =
      shape.weights === null ? own : binary("mul", own, load(shape.weights, line, typeOf(own), limit));
    const at = define(inner, "out", add(gradient.start, line));
    const before = load(gradient.output, at, typeOf(own), limit);
    store(inner, gradient.output, at, binary("add", before, weighted), limit);
  };
  const offsets = Array.from({ length: side }, (_, offset) => offset);
  when(
    block,
    both(compare("ge", rowsLeft, int(side)), compare("ge", count, int(side))),
    (whole) => {
      for (const offset of offsets) addRow(whole, offset, null);
    },
    (part) => {
      for (const offset of offsets)
        when(part, compare("lt", int(offset), rowsLeft), (inner) => addRow(inner, offset, count));
    },
  );
}

export function lowerMatrixGradient(gradient: ResolvedGradient, shape: MatrixShape): LoopPhase {
  const tile = gradient.names.fresh("tile");
  const block = createBlock(gradient.names);
  const square = squareOf(block, shape, symbol(tile));
  const side = registerSide(gradient);
  const all = define(block, "panels", ceilDiv(batch, 16));
  loop(block, "first_panel", { from: int(0), to: all, step: panelsAtOnce }, (chunk, from) => {
    const to = define(chunk, "end_panel", min(all, add(from, int(panelsAtOnce))));
    loop(chunk, "row", { from: square.firstRow, to: square.endRow, step: side }, (line, row) => {
      loop(line, "column", { from: square.firstColumn, to: square.endColumn, step: side }, (body, column) => {
        const total = sumTile(body, gradient, shape, square, row, column, { from, to });
        addTile(body, gradient, shape, square, { row, column, total });
      });
    });
  });
  const tiles = mul(shape.blocks, mul(ceilDiv(shape.rows, squareSide), ceilDiv(shape.columns, squareSide)));
  return { name: gradient.name, tile, tiles, body: block.statements };
}
