/**
 * In-register transposition between lane = token and row-major. Networks of constant shuffles over 1, 2, 4, 8 or
 * 16 rows: four rows at a time inside 128-bit lanes (cheap), then whole 128-bit lanes.
 */
import { type Block, createBlock, define, loop, type Names, store, when } from "./loop-builder.ts";
import {
  add,
  batch,
  binary,
  both,
  ceilDiv,
  compare,
  div,
  f32x16,
  int,
  load,
  min,
  mul,
  rem,
  select,
  shuffle,
  sub,
  symbol,
} from "./loop-expression.ts";
import type { LoopExpression, LoopPhase } from "./loop-node.ts";
import { featureAt, featureStride, type Place } from "./step-node.ts";

/** A register that holds, for each of `tokens` in order, the values of all rows of the tile. */
export interface Transposed {
  readonly value: LoopExpression;
  readonly tokens: readonly number[];
}

const laneNumbers = Array.from({ length: 16 }, (_, lane) => lane);

/** Lane pattern inside each 128-bit lane; 4 to 7 stand for the second operand. */
const insideLanes = (pattern: readonly [number, number, number, number]): number[] =>
  laneNumbers.map((lane) => {
    const pick = pattern[lane & 3] ?? 0;
    return (lane & ~3) + (pick & 3) + (pick >= 4 ? 16 : 0);
  });

/** Pattern of whole 128-bit lanes; 4 to 7 stand for the second operand. */
const wholeLanes = (pattern: readonly [number, number, number, number]): number[] =>
  laneNumbers.map((lane) => (pattern[lane >> 2] ?? 0) * 4 + (lane & 3));

const interleaveLow = insideLanes([0, 4, 1, 5]);
const interleaveHigh = insideLanes([2, 6, 3, 7]);
const pairsLow = insideLanes([0, 1, 4, 5]);
const pairsHigh = insideLanes([2, 3, 6, 7]);
const quartersLow = wholeLanes([0, 4, 1, 5]);
const quartersHigh = wholeLanes([2, 6, 3, 7]);
const halvesLow = wholeLanes([0, 1, 4, 5]);
const halvesHigh = wholeLanes([2, 3, 6, 7]);

/** The network of 16 rows, from its first stage to its last: what a stage takes of two registers for either of its results. */
export const mixingPatterns: readonly (readonly [low: readonly number[], high: readonly number[]])[] = [
  [interleaveLow, interleaveHigh],
  [pairsLow, pairsHigh],
  [quartersLow, quartersHigh],
  [halvesLow, halvesHigh],
];

/**
 * Transposes `rows` (a power of two up to 16, one value for each of 16 tokens).
 * @throws RangeError for another number of rows.
 */
export function transposeRows(block: Block, rows: readonly LoopExpression[]): Transposed[] {
  const [a, b, c, d] = rows;
  const mix = (left: LoopExpression, right: LoopExpression, lanes: readonly number[]): LoopExpression =>
    define(block, "mix", shuffle(left, right, lanes));
  if (a !== undefined && rows.length === 1) return [{ value: a, tokens: laneNumbers }];
  if (a !== undefined && b !== undefined && rows.length === 2) {
    const tokens = (first: number): number[] =>
      [0, 4, 8, 12].flatMap((lane) => [lane + first, lane + first + 1]);
    return [
      { value: mix(a, b, interleaveLow), tokens: tokens(0) },
      { value: mix(a, b, interleaveHigh), tokens: tokens(2) },
    ];
  }
  if (a !== undefined && b !== undefined && c !== undefined && d !== undefined && rows.length === 4) {
    const low = [mix(a, b, interleaveLow), mix(c, d, interleaveLow)] as const;
    const high = [mix(a, b, interleaveHigh), mix(c, d, interleaveHigh)] as const;
    return [
      mix(low[0], low[1], pairsLow),
      mix(low[0], low[1], pairsHigh),
      mix(high[0], high[1], pairsLow),
      mix(high[0], high[1], pairsHigh),
    ].map((value, first) => ({ value, tokens: [0, 4, 8, 12].map((lane) => lane + first) }));
  }
  if (rows.length !== 8 && rows.length !== 16) throw new RangeError(`cannot transpose ${rows.length} rows`);
  const first = transposeRows(block, rows.slice(0, rows.length / 2));
  const second = transposeRows(block, rows.slice(rows.length / 2));
  const [low, high] = rows.length === 8 ? [quartersLow, quartersHigh] : [halvesLow, halvesHigh];
  return first.flatMap((left, index) => {
    const right = second[index];
    if (right === undefined) return [];
    const half = left.tokens.length / 2;
    return [
      { value: mix(left.value, right.value, low), tokens: left.tokens.slice(0, half) },
      { value: mix(left.value, right.value, high), tokens: left.tokens.slice(half) },
    ];
  });
}

/** Features that one tile of a transposition phase moves. */
export const featuresPerTile = 128;

/** Walks over the 16 x 16 squares of an activation; `move` gets null for a square that lies inside it. */
function squaresPhase(
  names: Names,
  name: string,
  width: LoopExpression,
  move: (
    block: Block,
    square: { readonly panel: LoopExpression; readonly feature: LoopExpression },
    left: { readonly tokens: LoopExpression; readonly features: LoopExpression } | null,
  ) => void,
): LoopPhase {
  const tile = names.fresh("tile");
  const block = createBlock(names);
  const chunks = define(block, "chunks", ceilDiv(width, featuresPerTile));
  const panel = define(block, "panel", div(symbol(tile), chunks));
  const from = define(block, "from", mul(rem(symbol(tile), chunks), int(featuresPerTile)));
  const to = define(block, "to", min(width, add(from, int(featuresPerTile))));
  const tokens = define(block, "tokens_left", sub(batch, mul(panel, int(16))));
  loop(block, "feature", { from, to, step: 16 }, (inner, feature) => {
    const features = define(inner, "features_left", min(int(16), sub(to, feature)));
    when(
      inner,
      both(compare("ge", tokens, int(16)), compare("eq", features, int(16))),
      (whole) => move(whole, { panel, feature }, null),
      (part) => move(part, { panel, feature }, { tokens, features }),
    );
  });
  return {
    name,
    tile,
    tiles: mul(ceilDiv(batch, 16), ceilDiv(width, featuresPerTile)),
    body: block.statements,
  };
}

const rowIndex = (
  place: Place,
  panel: LoopExpression,
  token: number,
  feature: LoopExpression,
): LoopExpression =>
  add(mul(add(mul(panel, int(16)), int(token)), featureStride(place)), featureAt(place, feature));

const panelIndex = (place: Place, panel: LoopExpression, feature: LoopExpression): LoopExpression =>
  mul(add(mul(panel, featureStride(place)), featureAt(place, feature)), int(16));

/** Runs `body` if number `index` is below `left`; null means that it is. */
const guarded = (
  block: Block,
  index: number,
  left: LoopExpression | undefined,
  body: (inner: Block) => void,
): void => (left === undefined ? body(block) : when(block, compare("lt", int(index), left), body));

/** The phase that writes a row-major activation as panels; the missing tokens of the last panel are zero. */
export function panelsPhase(names: Names, from: Place, to: Place): LoopPhase {
  return squaresPhase(names, `${from.buffer} to panels`, from.width, (block, { panel, feature }, left) => {
    const rows = laneNumbers.map((token) => {
      const count =
        left === null ? null : select(compare("lt", int(token), left.tokens), left.features, int(0));
      return define(block, "row", load(from.buffer, rowIndex(from, panel, token, feature), f32x16, count));
    });
    for (const { value, tokens } of transposeRows(block, rows)) {
      const offset = tokens[0] ?? 0;
      guarded(block, offset, left?.features, (inner) =>
        store(inner, to.buffer, panelIndex(to, panel, add(feature, int(offset))), value),
      );
    }
  });
}

/** The phase that writes panels as a row-major activation, or adds them to it. */
export function rowsPhase(names: Names, from: Place, to: Place, accumulate: boolean): LoopPhase {
  return squaresPhase(names, `${to.buffer} from panels`, to.width, (block, { panel, feature }, left) => {
    const columns = laneNumbers.map((offset) => {
      const count = left === null ? null : select(compare("lt", int(offset), left.features), int(16), int(0));
      const at = panelIndex(from, panel, add(feature, int(offset)));
      return define(block, "column", load(from.buffer, at, f32x16, count));
    });
    for (const { value, tokens } of transposeRows(block, columns)) {
      const token = tokens[0] ?? 0;
      guarded(block, token, left?.tokens, (inner) => {
        const at = define(inner, "out", rowIndex(to, panel, token, feature));
        const count = left?.features ?? null;
        const before = load(to.buffer, at, f32x16, count);
        store(inner, to.buffer, at, accumulate ? binary("add", before, value) : value, count);
      });
    }
  });
}
