/**
 * Unstructured operands with lane = token: a phase of its own, because its tiles are not those of dense rows. A tile is
 * a strip of 128 rows for a group of token panels: for one tile of inputs after the other, whose activations stay in
 * the nearest cache meanwhile, every row takes its sums from memory, adds its entries and puts them back.
 */
import { csrTileRows } from "../../runtime/contract/operand-format.ts";
import {
  assign,
  type Block,
  createBlock,
  declareRegister,
  define,
  loop,
  type Register,
  store,
} from "./loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  div,
  f32,
  f32x16,
  fma,
  inEachQuarter,
  int,
  load,
  loadIndex,
  min,
  mul,
  rem,
  shuffle,
  splat,
  sub,
  zeros,
} from "./loop-expression.ts";
import { type LoopExpression, type LoopPhase, lanes, type ValueType } from "./loop-node.ts";
import { bufferOf, type Place, type ResolvedStep, type ResolvedTerm } from "./step-node.ts";
import { panelStart } from "./tile-node.ts";
import { type TokenGroup, tokenGrid, withTokenGroup } from "./token-groups.ts";

/** The strip of rows of a tile. */
interface Strip {
  readonly firstRow: LoopExpression;
  readonly rows: LoopExpression;
}

/** Entries whose values come in one load: a broadcast of each takes a cycle of the nearest cache, which the activations need. */
const entriesAtOnce = 4;
const valuesAtOnce: ValueType = { scalar: "f32", lanes: entriesAtOnce };

/** Independent sums along a row that keep the multiply-add units busy while each one waits for its last result. */
const chainsAlongRow = (vectors: number): number => Math.ceil(entriesAtOnce / vectors);

/** The values of the entries from `entry` on, each in all lanes. */
function valuesFrom(block: Block, values: string, entry: LoopExpression): LoopExpression[] {
  const loaded = define(block, "values", load(values, entry, valuesAtOnce));
  const quarters = define(block, "quarters", inEachQuarter(loaded));
  return Array.from({ length: entriesAtOnce }, (_, place) =>
    define(
      block,
      "w",
      shuffle(
        quarters,
        quarters,
        Array.from({ length: lanes }, (_, lane) => lane - (lane % 4) + place),
      ),
    ),
  );
}

/** sums[vector] += value * x over the entries [from, to). */
function addEntries(
  block: Block,
  term: ResolvedTerm,
  bases: readonly LoopExpression[],
  range: { readonly from: LoopExpression; readonly to: LoopExpression },
  sums: readonly Register[],
): void {
  const [columns, values] = [bufferOf(term, "columns"), bufferOf(term, "values")];
  const { from, to } = range;
  const whole = define(block, "whole", sub(to, rem(sub(to, from), int(entriesAtOnce))));
  const others = Array.from({ length: chainsAlongRow(bases.length) - 1 }, () =>
    sums.map(() => declareRegister(block, "part", zeros)),
  );
  const chains = [sums, ...others];
  const addEntry = (
    inner: Block,
    entry: LoopExpression,
    w: LoopExpression,
    into: readonly Register[],
  ): void => {
    const input = define(inner, "input", mul(loadIndex(columns, entry), int(16)));
    for (const [vector, base] of bases.entries()) {
      const sum = into[vector];
      if (sum === undefined) continue;
      assign(inner, sum, fma(load(term.input.buffer, add(base, input), f32x16), w, sum.read));
    }
  };
  loop(block, "entry", { from, to: whole, step: entriesAtOnce }, (inner, entry) => {
    for (const [place, w] of valuesFrom(inner, values, entry).entries())
      addEntry(inner, add(entry, int(place)), w, chains[place % chains.length] ?? sums);
  });
  loop(block, "entry", { from: whole, to }, (inner, entry) =>
    addEntry(inner, entry, define(inner, "w", splat(load(values, entry, f32))), sums),
  );
  for (const part of others) {
    for (const [vector, register] of part.entries()) {
      const sum = sums[vector];
      if (sum !== undefined) assign(block, sum, binary("add", sum.read, register.read));
    }
  }
}

/** Adds a term to the strip's sums in memory. */
function addTerm(
  block: Block,
  term: ResolvedTerm,
  group: TokenGroup,
  { firstRow, rows }: Strip,
  sumAt: (row: LoopExpression) => readonly LoopExpression[],
  output: Place,
): void {
  const [order, starts] = [bufferOf(term, "order"), bufferOf(term, "starts")];
  const width = define(block, "width", loadIndex(bufferOf(term, "width"), int(0)));
  const across = define(block, "across", ceilDiv(term.columns, width));
  const firstPart = define(block, "first_part", mul(firstRow, across));
  loop(block, "tile_across", { from: int(0), to: across }, (inner, number) => {
    const firstInput = define(inner, "first_input", mul(mul(number, width), int(16)));
    const bases = Array.from({ length: group.vectors }, (_, vector) =>
      define(inner, "panel", add(panelStart(term.input, add(group.panel, int(vector))), firstInput)),
    );
    const from = define(inner, "from", add(firstPart, mul(number, rows)));
    loop(inner, "part", { from, to: add(from, rows) }, (body, part) => {
      const places = sumAt(define(body, "row", add(firstRow, loadIndex(order, part))));
      const sums = places.map((at) => declareRegister(body, "sum", load(output.buffer, at, f32x16)));
      const entries = {
        from: define(body, "from", loadIndex(starts, part)),
        to: define(body, "to", loadIndex(starts, add(part, int(1)))),
      };
      addEntries(body, term, bases, entries, sums);
      for (const [vector, at] of places.entries())
        store(body, output.buffer, at, sums[vector]?.read ?? zeros);
    });
  });
}

/** output = the sum of the csr terms of the step, or that added to it; the output lies in panels, in order. */
export function lowerSparseTokenPhase(step: ResolvedStep): LoopPhase {
  const { output } = step;
  const block = createBlock(step.names);
  const strips = div(add(output.width, int(csrTileRows - 1)), int(csrTileRows));
  const grid = tokenGrid(block, step.names, step.target.sparseTokenTile.vectors, strips);
  const firstRow = define(block, "first_row", mul(grid.across, int(csrTileRows)));
  const rows = define(block, "rows", min(int(csrTileRows), sub(output.width, firstRow)));
  withTokenGroup(block, grid, (inner, group) => {
    const starts = Array.from({ length: group.vectors }, (_, vector) =>
      define(inner, "sums", panelStart(output, add(group.panel, int(vector)))),
    );
    const sumAt = (row: LoopExpression): LoopExpression[] =>
      starts.map((start) => add(start, mul(row, int(16))));
    if (!step.accumulate) {
      loop(inner, "row", { from: firstRow, to: add(firstRow, rows) }, (body, row) => {
        for (const at of sumAt(row)) store(body, output.buffer, at, zeros);
      });
    }
    for (const term of step.terms) addTerm(inner, term, group, { firstRow, rows }, sumAt, output);
  });
  return { name: step.name, tile: grid.tile, tiles: grid.tiles, body: block.statements };
}
