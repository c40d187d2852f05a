/**
 * Exact selections from a tensor in memory: the k largest entries in two readings, and the n largest of each m in one.
 * `bracket` counts what lies above an interval and gathers what lies inside it, so that the k-th largest is found among
 * few; `mark` sets one bit for each entry that is kept; `groups` ranks the entries of each group among themselves. The
 * runtime's table of selections calls them in turn. Tiles are runs of entries, so that any number of threads gives the
 * same bits.
 */
import { type SelectionOrder, selectionRun } from "../../runtime/contract/manifest.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { atEnd, createEntryRun, type EntryRun, floatSymbol, forVectors } from "./entry-runs.ts";
import { assign, type Block, compress, declareRegister, define, store } from "./loop-builder.ts";
import {
  add,
  batch,
  binary,
  both,
  ceilDiv,
  compare,
  constant,
  convert,
  div,
  extract,
  i32,
  i32x16,
  int,
  load,
  mask,
  max,
  min,
  mul,
  reinterpret,
  select,
  shuffle,
  splat,
  sub,
  symbol,
  unary,
  vector,
} from "./loop-expression.ts";
import type { BufferDeclaration, CompareOperator, LoopExpression, LoopProgram } from "./loop-node.ts";

const withoutSign = constant(i32x16, 0x7fffffff);

const createRun = (reserved: readonly string[]): EntryRun => createEntryRun(selectionRun, reserved);
const runs = ceilDiv(batch, selectionRun);

const xBuffer: BufferDeclaration = { name: "x", element: "u32", space: "input", length: batch };
const bitsBuffer: BufferDeclaration = {
  name: "y",
  element: "u16",
  space: "output",
  length: ceilDiv(batch, 16),
};
const countsBuffer: BufferDeclaration = {
  name: "counts",
  element: "u32",
  space: "result",
  length: mul(runs, int(4)),
};

const bitsAt = (at: LoopExpression, count: LoopExpression | null): LoopExpression =>
  load("x", at, i32x16, count);
const magnitudeOf = (bits: LoopExpression): LoopExpression => binary("and", bits, withoutSign);

/** What entries are compared by, as floats: both zeros are equal, as they are among keys. */
const scoreOf: Readonly<Record<SelectionOrder, (bits: LoopExpression) => LoopExpression>> = {
  magnitude: (bits) => reinterpret(magnitudeOf(bits)),
  value: reinterpret,
};

/** Bits of the first `count` lanes. */
const firstLanes = (count: LoopExpression): LoopExpression =>
  sub(binary("shl", constant(i32, 1), convert(count, "i32")), constant(i32, 1));

const largestLane = (block: Block, values: LoopExpression): LoopExpression =>
  Array.from({ length: 16 }, (_, lane) => extract(values, lane)).reduce((most, lane) =>
    define(block, "most", binary("max", most, lane)),
  );
const laneTotal = (block: Block, values: LoopExpression): LoopExpression =>
  Array.from({ length: 16 }, (_, lane) => extract(values, lane)).reduce((sum, lane) =>
    define(block, "sum", binary("add", sum, lane)),
  );

/**
 * y gets the scores from `low` to `high` (both as the bits of a float), those of run t from t * (room + 16) on and no more
 * than `room` of them; counts[4 t ..] how many scores of the run are above `high`, how many are from `low` to `high`, and
 * the largest magnitude as bits.
 */
export function lowerBracket(order: SelectionOrder, target: X86Target, name: string): LoopProgram {
  const run = createRun(["counts", "low", "high", "room"]);
  const { block, tile, first, whole } = run;
  const room = add(symbol("room"), int(16));
  const [low, high] = [floatSymbol(block, "low"), floatSymbol(block, "high")];
  const area = define(block, "area", mul(symbol(tile), room));
  const fullAt = define(block, "full_at", add(area, symbol("room")));
  const place = declareRegister(block, "place", area);
  const above = declareRegister(block, "above", constant(i32x16, 0));
  const most = declareRegister(block, "most", constant(i32x16, 0));
  const rest = declareRegister(block, "rest", constant(i32, 0));
  const gather = (inner: Block, at: LoopExpression, count: LoopExpression | null): void => {
    const bits = define(inner, "bits", bitsAt(at, count));
    const score = define(inner, "score", scoreOf[order](bits));
    assign(inner, most, binary("max", most.read, magnitudeOf(bits)));
    const isAbove = define(inner, "is_above", compare("gt", score, high));
    const inside = both(compare("ge", score, low), compare("le", score, high));
    const isInside = define(inner, "is_inside", inside);
    compress(inner, "y", min(place.read, fullAt), score, isInside);
    const set = count === null ? mask(isInside) : binary("and", mask(isInside), firstLanes(count));
    assign(inner, place, add(place.read, convert(unary("popcount", set), "i64")));
    if (count === null) {
      const one = select(isAbove, constant(i32x16, 1), constant(i32x16, 0));
      assign(inner, above, binary("add", above.read, one));
    } else {
      assign(inner, rest, unary("popcount", binary("and", mask(isAbove), firstLanes(count))));
    }
  };
  forVectors(block, first, whole, (inner, at) => gather(inner, at, null));
  atEnd(run, (inner, count) => gather(inner, whole, count));
  const own = define(block, "own", mul(symbol(tile), int(4)));
  store(block, "counts", own, binary("add", laneTotal(block, above.read), rest.read));
  store(block, "counts", add(own, int(1)), convert(sub(place.read, area), "i32"));
  store(block, "counts", add(own, int(2)), largestLane(block, most.read));
  store(block, "counts", add(own, int(3)), constant(i32, 0));
  return {
    name,
    level: target.name,
    buffers: [xBuffer, { name: "y", element: "f32", space: "output", length: mul(runs, room) }, countsBuffer],
    symbols: ["low", "high", "room"],
    phases: [{ name: "bracket", tile, tiles: runs, body: block.statements }],
  };
}

/**
 * Bit p of y tells whether entry p is kept: those up to position `cut`, a multiple of 16, with a score of at least
 * `threshold` (as the bits of a float), those from there on with a larger one.
 */
export function lowerMark(order: SelectionOrder, target: X86Target, name: string): LoopProgram {
  const run = createRun(["threshold", "cut"]);
  const { block, tile, first, end, whole } = run;
  const threshold = floatSymbol(block, "threshold");
  const cut = define(block, "here", max(first, min(symbol("cut"), whole)));
  const kept = (at: LoopExpression, count: LoopExpression | null, operator: CompareOperator) =>
    mask(compare(operator, scoreOf[order](bitsAt(at, count)), threshold));
  const pass = (from: LoopExpression, to: LoopExpression, operator: CompareOperator): void =>
    forVectors(block, from, to, (inner, at) => store(inner, "y", div(at, int(16)), kept(at, null, operator)));
  pass(first, cut, "ge");
  pass(cut, whole, "gt");
  atEnd(run, (inner, count) => {
    const operators: readonly CompareOperator[] = ["ge", "gt"];
    const [least, more] = operators.map((operator) => define(inner, "kept", kept(whole, count, operator)));
    if (least === undefined || more === undefined) throw new RangeError("two comparisons");
    const bits = select(compare("le", end, symbol("cut")), least, more);
    store(inner, "y", div(whole, int(16)), binary("and", bits, firstLanes(count)));
  });
  return {
    name,
    level: target.name,
    buffers: [xBuffer, bitsBuffer],
    symbols: ["threshold", "cut"],
    phases: [{ name: "mark", tile, tiles: runs, body: block.statements }],
  };
}

/**
 * Bit p of y tells whether entry p is one of the `n` largest by magnitude of its group of m consecutive entries, the
 * first of equal ones; counts[4 t] is the largest magnitude of run t as bits.
 * @param m divides 16
 */
export function lowerGroups(m: number, target: X86Target, name: string): LoopProgram {
  if (16 % m !== 0) throw new RangeError(`groups of ${m} do not fill a vector`);
  const run = createRun(["counts", "n"]);
  const { block, tile, first, whole } = run;
  const most = declareRegister(block, "most", constant(i32x16, 0));
  const n = define(block, "n", splat(convert(symbol("n"), "i32")));
  const lanes = Array.from({ length: 16 }, (_, lane) => lane);
  const ranked = (inner: Block, at: LoopExpression, count: LoopExpression | null): LoopExpression => {
    const magnitude = define(inner, "magnitude", magnitudeOf(bitsAt(at, count)));
    assign(inner, most, binary("max", most.read, magnitude));
    const key = define(inner, "key", binary("add", magnitude, constant(i32x16, 1)));
    let rank: LoopExpression = constant(i32x16, 0);
    for (let turn = 1; turn < m; turn += 1) {
      const others = lanes.map((lane) => lane - (lane % m) + ((lane + turn) % m));
      const other = shuffle(key, key, others);
      // An entry before this one wins where they are equal.
      const isBefore = others.map((position, lane) => Number(position < lane));
      const wins = compare("gt", other, binary("sub", key, vector("i32", isBefore)));
      const one = select(wins, constant(i32x16, 1), constant(i32x16, 0));
      rank = define(inner, "rank", binary("add", rank, one));
    }
    return mask(compare("lt", rank, n));
  };
  forVectors(block, first, whole, (inner, at) =>
    store(inner, "y", div(at, int(16)), ranked(inner, at, null)),
  );
  atEnd(run, (inner, count) =>
    store(inner, "y", div(whole, int(16)), binary("and", ranked(inner, whole, count), firstLanes(count))),
  );
  const own = define(block, "own", mul(symbol(tile), int(4)));
  store(block, "counts", own, largestLane(block, most.read));
  return {
    name,
    level: target.name,
    buffers: [xBuffer, bitsBuffer, countsBuffer],
    symbols: ["n"],
    phases: [{ name: "groups", tile, tiles: runs, body: block.statements }],
  };
}
