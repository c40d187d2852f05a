/**
 * Gradients that exist at single entries: of a sparse parameter at its positions, of a masked dense one at the
 * positions of the mask, of a diagonal at (i, i). A register holds the products of one entry for 16 tokens; a group of
 * entries is summed over the lanes together and stored side by side, or each at its place.
 */
import { featureStarts, type GradientSide, panelStride, type ResolvedGradient } from "./gradient-node.ts";
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
  ceilDiv,
  compare,
  extract,
  f32,
  f32x16,
  fma,
  int,
  load,
  loadIndex,
  min,
  mul,
  splat,
  sub,
  symbol,
  zeros,
} from "./loop-expression.ts";
import type { LoopExpression, LoopPhase } from "./loop-node.ts";

export interface EntriesShape {
  readonly entries: LoopExpression;
  /** Buffers of a `positions` operand; null for the entries (i, i). */
  readonly positions: { readonly rows: string; readonly columns: string; readonly weights: string } | null;
  /** Row length of the matrix whose entries are written at their place; null when they lie side by side. */
  readonly columns: LoopExpression | null;
}

/** Entries of a parallel tile. */
const entriesPerTile = 64;
/** Accumulators beside the two vectors that each entry loads. */
const groupSize = ({ target }: ResolvedGradient): number => (target.vectorBits === 512 ? 16 : 4);

interface Group {
  readonly first: LoopExpression;
  readonly left: LoopExpression;
  readonly rows: readonly LoopExpression[];
  readonly columns: readonly LoopExpression[];
}

/** Entries beyond the last one repeat it: their sums are not stored. */
function groupAt(block: Block, shape: EntriesShape, first: LoopExpression, size: number): Group {
  const left = define(block, "left", sub(shape.entries, first));
  const last = define(block, "last_entry", sub(shape.entries, int(1)));
  const indices = Array.from({ length: size }, (_, offset) =>
    define(block, "entry", min(add(first, int(offset)), last)),
  );
  const { positions } = shape;
  const read = (buffer: string | undefined): LoopExpression[] =>
    buffer === undefined ? indices : indices.map((at) => define(block, "index", loadIndex(buffer, at)));
  return { first, left, rows: read(positions?.rows), columns: read(positions?.columns) };
}

const startsOf = (
  block: Block,
  side: GradientSide,
  copy: LoopExpression,
  features: readonly LoopExpression[],
) => features.flatMap((feature) => featureStarts(block, side, copy, feature, 1));

function sumGroup(block: Block, gradient: ResolvedGradient, group: Group): LoopExpression {
  const { left, right } = gradient;
  const sums = group.rows.map(() => declareRegister(block, "sum", zeros));
  loop(block, "copy", { from: int(0), to: gradient.copies }, (inner, copy) => {
    const rows = startsOf(inner, left, copy, group.rows);
    const columns = startsOf(inner, right, copy, group.columns);
    loop(inner, "panel", { from: int(0), to: ceilDiv(batch, 16) }, (body, panel) => {
      const leftPanel = define(body, "left_panel", mul(panel, panelStride(left)));
      const rightPanel = define(body, "right_panel", mul(panel, panelStride(right)));
      for (const [index, sum] of sums.entries()) {
        const a = load(left.place.buffer, add(leftPanel, rows[index] ?? int(0)), f32x16);
        const b = load(right.place.buffer, add(rightPanel, columns[index] ?? int(0)), f32x16);
        assign(body, sum, fma(a, b, sum.read));
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

function addGroup(
  block: Block,
  gradient: ResolvedGradient,
  shape: EntriesShape,
  group: Group,
  total: LoopExpression,
): void {
  const { first, left, rows, columns } = group;
  const count = define(block, "count", min(int(rows.length), left));
  const { positions } = shape;
  const weighted =
    positions === null
      ? total
      : define(block, "weighted", binary("mul", total, load(positions.weights, first, f32x16, count)));
  if (shape.columns === null) {
    const at = define(block, "out", add(gradient.start, first));
    const before = load(gradient.output, at, f32x16, count);
    store(block, gradient.output, at, binary("add", before, weighted), count);
    return;
  }
  for (const [lane, row] of rows.entries()) {
    const place = add(add(gradient.start, mul(row, shape.columns)), columns[lane] ?? int(0));
    when(block, compare("lt", int(lane), left), (inner) => {
      const at = define(inner, "out", place);
      store(
        inner,
        gradient.output,
        at,
        binary("add", load(gradient.output, at, f32), extract(weighted, lane)),
      );
    });
  }
}

export function lowerEntryGradient(gradient: ResolvedGradient, shape: EntriesShape): LoopPhase {
  const tile = gradient.names.fresh("tile");
  const block = createBlock(gradient.names);
  // A pattern that keeps nothing, whatever the sizes, has no last entry that others could repeat.
  if (shape.entries.kind === "constant" && shape.entries.value === 0)
    return { name: gradient.name, tile, tiles: int(0), body: [] };
  const from = define(block, "first_entry", mul(symbol(tile), int(entriesPerTile)));
  const to = define(block, "end_entry", min(shape.entries, add(from, int(entriesPerTile))));
  const size = groupSize(gradient);
  loop(block, "group", { from, to, step: size }, (inner, first) => {
    const group = groupAt(inner, shape, first, size);
    addGroup(inner, gradient, shape, group, sumGroup(inner, gradient, group));
  });
  return { name: gradient.name, tile, tiles: ceilDiv(shape.entries, entriesPerTile), body: block.statements };
}
