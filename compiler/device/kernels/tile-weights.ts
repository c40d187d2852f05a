/**
 * Weights of a term in tiles of 16 outputs, as the lanes of a warp hold them: how a tile comes from memory, the words of
 * an activation that its products want, and the products. Dense tiles are read as they lie; of tiles with 2 of every 4
 * inputs a word more says which inputs they stand for; of tiles that store entries alone a lane finds its own by bitmaps;
 * tiles of codes become levels in registers.
 */
import { type Code, name, put, type Registers, registers, set, unrolled } from "../device-builder.ts";
import {
  add,
  binary,
  bits,
  ceilDiv,
  compare,
  convert,
  div,
  int,
  load,
  mul,
  popcount,
  rem,
  select,
  sub,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceTerm } from "../device-step.ts";
import type { KernelParts } from "../kernel-parts.ts";
import {
  type CodedTiles,
  codedTiles,
  decodeTile,
  inputsOfCodes,
  isCodedAligned,
  loadCodes,
  loadScales,
  multiplyCoded,
  scalesPlace,
  wordsOfCodes,
} from "./coded-tiles.ts";
import {
  isAligned,
  loadFour,
  loadWords,
  multiply,
  type TensorType,
  type WordsAt,
  wordsOf,
} from "./tensor-lanes.ts";

/** A term whose tiles stand `across` in a row; rows of tiles beyond `lastTile` are not there. */
export interface TileTerm {
  readonly term: DeviceTerm;
  readonly picks: boolean;
  /** Of a term that stores entries alone: a bit for each place of a tile, and where its values begin. */
  readonly bitmap: { readonly masks: string; readonly starts: string } | null;
  /** Of a term that stores codes, which has no values. */
  readonly coded: CodedTiles | null;
  readonly values: string;
  /** Words of places of a term that picks its inputs, else no memory. */
  readonly kept: string;
  readonly across: Value;
  readonly lastTile: Value;
}

/** Places 0 and 1 of every four, what a product may be given where no tile is. */
const firstTwo = bits(0x44444444);
/** Words that say which inputs a tile of 2 of every 4 stands for. */
export const keptWords = 16;

export const picksInputs = ({ format }: Pick<DeviceTerm, "format">): boolean => format.name === "nm-tiles";

export const isBitmap = ({ format }: Pick<DeviceTerm, "format">): boolean => format.name === "bitmap-tiles";

/** What decides how a lane holds a tile, and multiplies it. */
export type TileKind = Pick<TileTerm, "picks" | "coded">;

/** Words of weights that a lane holds of a tile. */
const wordsOfTile = ({ picks, coded }: TileKind): 2 | 4 | 8 =>
  coded !== null ? wordsOfCodes(coded.bits) : picks ? 4 : 8;

export function tileTerm(parts: KernelParts, term: DeviceTerm, { inputs }: TensorType): TileTerm {
  const { code } = parts;
  const picks = picksInputs(term);
  const coded = codedTiles(parts, term);
  const across = coded === null ? ceilDiv(term.columns, inputs) : mul(coded.runs, coded.perRun);
  return {
    term,
    picks,
    bitmap: isBitmap(term) ? { masks: term.buffer("masks"), starts: term.buffer("starts") } : null,
    coded,
    values: coded === null ? term.buffer("values") : "",
    kept: picks ? term.buffer("kept") : "",
    across: name(code, "tiles_across", across),
    lastTile: name(code, "last_tile", sub(ceilDiv(term.rows, 16), int(1))),
  };
}

/** Words of several tiles: those of weights, of the inputs that they stand for, and the scales of two rows each. */
export interface TileWords {
  readonly weights: Registers;
  readonly kept: Registers | null;
  readonly scales: Registers | null;
}

export const wordsOfTiles = (code: Code, kind: TileKind, tiles: number): TileWords => ({
  weights: wordsOf(code, kind.coded === null ? "a" : "codes", tiles * wordsOfTile(kind)),
  kept: kind.picks ? registers(code, "kept", firstTwo, tiles) : null,
  scales: kind.coded === null ? null : registers(code, "scales", zero, tiles * 2),
});

/** Whether 16 bytes of the term's activation can be read at once, wherever a tile begins. */
export const isTileAligned = (code: Code, { term, coded }: TileTerm, type: TensorType): Value =>
  coded === null ? isAligned(code, term.input, type) : isCodedAligned(code, coded, term, type);

/** The first input of tile `at`, and the end of those that it may read. */
export const inputsOfTile = (
  code: Code,
  { term, coded }: TileTerm,
  { inputs }: TensorType,
  at: Value,
): { readonly first: Value; readonly end: Value } =>
  coded === null ? { first: mul(at, int(inputs)), end: term.columns } : inputsOfCodes(code, coded, term, at);

/** Where the word of a lane about the kept inputs of tile number `tile` of a memory lies; lanes 2 and 3 of four repeat. */
export const keptPlace = (tile: Value, lane: Value): Value =>
  add(mul(tile, int(keptWords)), mul(div(lane, int(4)), int(2)), rem(lane, int(2)));

/** Reads tile `at` of a row of tiles (an i64) from memory into the words of tile number `into`. */
export function readTile(
  code: Code,
  tiles: TileTerm,
  { perLane }: TensorType,
  place: { readonly row: Value; readonly at: Value; readonly lane: Value },
  words: TileWords,
  into: Value,
): void {
  const { bitmap, coded, values, kept, across } = tiles;
  const { row, at, lane } = place;
  const count = wordsOfTile(tiles);
  const tile = add(mul(row, across), at);
  if (coded !== null && words.scales !== null) {
    const index = mul(add(mul(tile, int(32)), lane), int(count));
    const [codes, scales] = [
      { registers: words.weights, at: mul(into, int(count)) },
      { registers: words.scales, at: mul(into, int(2)) },
    ];
    loadCodes(code, coded, codes, coded.codes, index, true);
    loadScales(code, scales, coded.scales, scalesPlace(coded, row, at), lane);
    return;
  }
  if (bitmap !== null) {
    const given = { ...bitmap, values, tile: name(code, "tile_number", tile), lane };
    readBitmap(code, given, words.weights, mul(into, int(count)));
    return;
  }
  const start = name(code, "tile_start", mul(tile, int(count * 8 * perLane)));
  unrolled(code, "s", count / 4, (inner, s) => {
    const index = add(start, mul(add(mul(s, int(32)), lane), int(perLane)));
    loadFour(inner, words.weights, add(mul(into, int(count)), mul(s, int(4))), values, index, true);
  });
  if (words.kept !== null) set(code, words.kept, load(kept, keptPlace(tile, lane), "u32"), into);
}

/** Puts the entries of a tile into eight words from `word` on: a lane counts the bits before its own. */
function readBitmap(
  code: Code,
  tile: {
    readonly masks: string;
    readonly starts: string;
    readonly values: string;
    readonly tile: Value;
    readonly lane: Value;
  },
  words: Registers,
  word: Value,
): void {
  const lane = name(code, "own_bit", convert(tile.lane, "u32"));
  const below = name(code, "below", binary("sub", binary("shl", bits(1), lane), bits(1)));
  const masks = wordsOf(code, "masks", 16);
  unrolled(code, "q", 4, (inner, q) => {
    const index = add(mul(tile.tile, int(16)), mul(q, int(4)));
    loadFour(inner, masks, mul(q, int(4)), tile.masks, index, true);
  });
  const next = registers(code, "next", load(tile.starts, tile.tile, "i32"));
  unrolled(code, "w", 8, (inner, w) => {
    const half = (which: 0 | 1): Value => {
      const mask = name(inner, "mask", masks.read(add(mul(w, int(2)), int(which))));
      const own = binary("and", binary("shr", mask, lane), bits(1));
      const before = popcount(binary("and", mask, below));
      const value = load(tile.values, add(next.read(), before), "u32");
      const found = name(inner, "entry", select(compare("ne", own, bits(0)), value, bits(0)));
      set(inner, next, add(next.read(), popcount(mask)));
      return found;
    };
    const [low, high] = [half(0), half(1)];
    set(inner, words, binary("or", low, binary("shl", high, bits(16))), add(word, w));
  });
}

/** Sets the four words of tile `at` of an activation that a lane multiplies, from `word` on. */
export function readInputs(
  code: Code,
  tiles: TileTerm,
  type: TensorType,
  aligned: Value,
  place: { readonly token: Value; readonly at: Value; readonly lane: Value },
  words: Registers,
  word: Value,
): void {
  const { token, at, lane } = place;
  const { first, end } = inputsOfTile(code, tiles, type, at);
  const source = { input: tiles.term.input, columns: end };
  const quarter = rem(lane, int(4));
  if (!tiles.picks) {
    const input = name(code, "input", add(first, mul(quarter, int(type.perLane))));
    loadWords(code, type, source, aligned, { token, input }, { registers: words, at: word, count: 4 });
    return;
  }
  unrolled(code, "j", 4, (inner, j) => {
    const input = name(inner, "input", add(first, mul(j, int(8)), mul(quarter, int(2))));
    const target = { registers: words, at: add(word, j), count: 1 } as const;
    loadWords(inner, type, source, aligned, { token, input }, target);
  });
}

/** The words of tile number `tile` as its products want them. */
export function readyTile(
  code: Code,
  kind: TileKind,
  type: TensorType,
  { weights }: TileWords,
  tile: Value,
): WordsAt {
  const { coded } = kind;
  const at = mul(tile, int(wordsOfTile(kind)));
  if (coded === null) return { registers: weights, at };
  const ready = { registers: wordsOf(code, "a", 8), at: int(0) };
  decodeTile(code, coded, type, { registers: weights, at }, ready);
  return ready;
}

/** Adds the products of tile number `tile`, whose words are `ready`, with four words of an activation to four sums. */
export function multiplyTile(
  code: Code,
  { picks }: TileKind,
  type: TensorType,
  sums: WordsAt,
  { kept, scales }: TileWords,
  tile: Value,
  ready: WordsAt,
  inputs: WordsAt,
): void {
  if (scales !== null) {
    multiplyCoded(code, type, sums, ready, { registers: scales, at: mul(tile, int(2)) }, inputs);
    return;
  }
  if (picks) {
    put(code, {
      kind: "matrix-product",
      shape: "m16n8k32-sparse",
      element: type.half ?? "tf32",
      sums: sums.registers.span(sums.at),
      a: ready.registers.span(ready.at),
      b: inputs.registers.span(inputs.at),
      metadata: kept?.read(tile) ?? null,
    });
    return;
  }
  unrolled(code, "s", 2, (inner, s) =>
    multiply(
      inner,
      type,
      sums,
      { registers: ready.registers, at: add(ready.at, mul(s, int(4))) },
      { registers: inputs.registers, at: add(inputs.at, mul(s, int(2))) },
    ),
  );
}
