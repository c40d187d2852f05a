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
  constant,
  div,
  extract,
  f32,
  f32x16,
  fma,
  int,
  load,
  loadIndex,
  max,
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

/** Tiles that the entries are dealt into where there are enough of them; the activations that a tile reads are used again. */
const tilesWanted = 8;
/** Entries of a tile at least. */
const leastEntries = 64;
/** Panels that pass before the next entries are begun, times the features they are read of: what the second-level cache holds. */
const linesAtOnce = 16384;
const mostPanels = 16;
/** Entries (i, i) lie in as many rows. */
const never = constant({ scalar: "bool", lanes: 1 }, 0);
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

/** The panels of tokens that pass before the next entries are begun. */
interface PanelRange {
  readonly from: LoopExpression;
  readonly to: LoopExpression;
}

/** @param inOneRow all entries lie in the row of the first one, whose activations are loaded once. */
function sumGroup(
  block: Block,
  gradient: ResolvedGradient,
  group: Group,
  panels: PanelRange,
  inOneRow: boolean,
): LoopExpression {
  const { left, right } = gradient;
  const sums = group.rows.map(() => declareRegister(block, "sum", zeros));
  loop(block, "copy", { from: int(0), to: gradient.copies }, (inner, copy) => {
    const rows = startsOf(inner, left, copy, inOneRow ? group.rows.slice(0, 1) : group.rows);
    const columns = startsOf(inner, right, copy, group.columns);
    loop(inner, "panel", panels, (body, panel) => {
      const leftPanel = define(body, "left_panel", mul(panel, panelStride(left)));
      const rightPanel = define(body, "right_panel", mul(panel, panelStride(right)));
      const [firstRow = int(0)] = rows;
      const shared = define(body, "left", load(left.place.buffer, add(leftPanel, firstRow), f32x16));
      for (const [index, sum] of sums.entries()) {
        const own = load(left.place.buffer, add(leftPanel, rows[index] ?? int(0)), f32x16);
        const a = inOneRow || index === 0 ? shared : own;
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
  const groups = ceilDiv(shape.entries, leastEntries);
  const each = define(
    block,
    "entries_of_tile",
    mul(max(int(1), ceilDiv(groups, tilesWanted)), int(leastEntries)),
  );
  const from = define(block, "first_entry", mul(symbol(tile), each));
  const to = define(block, "end_entry", min(shape.entries, add(from, each)));
  const size = groupSize(gradient);
  const all = define(block, "panels", ceilDiv(batch, 16));
  const fitting = div(int(linesAtOnce), max(int(1), gradient.right.place.width));
  const together = define(block, "panels_at_once", max(int(1), min(int(mostPanels), fitting)));
  const turns = define(block, "turns", ceilDiv(all, together));
  loop(block, "turn", { from: int(0), to: turns }, (chunk, turn) => {
    const firstPanel = define(chunk, "first_panel", mul(turn, together));
    const panels = { from: firstPanel, to: define(chunk, "end_panel", min(all, add(firstPanel, together))) };
    loop(chunk, "group", { from, to, step: size }, (inner, first) => {
      const group = groupAt(inner, shape, first, size);
      const addSums = (branch: Block, inOneRow: boolean): void =>
        addGroup(branch, gradient, shape, group, sumGroup(branch, gradient, group, panels, inOneRow));
      const [row = int(0)] = group.rows;
      when(
        inner,
        shape.positions === null ? never : compare("eq", row, group.rows.at(-1) ?? row),
        (branch) => addSums(branch, true),
        (branch) => addSums(branch, false),
      );
    });
  });
  return { name: gradient.name, tile, tiles: min(int(tilesWanted), groups), body: block.statements };
}
