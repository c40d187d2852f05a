/**
 * A stage of the kernel for many tokens: a tile of inputs of 128 outputs and 128 tokens in on-chip memory, as dense terms
 * and terms with 2 of every 4 inputs bring it there, and what a warp multiplies of it.
 */
import {
  type Code,
  name,
  put,
  type Registers,
  registers,
  set,
  store,
  unrolled,
  when,
} from "../device-builder.ts";
import {
  add,
  binary,
  compare,
  convert,
  div,
  int,
  load,
  max,
  min,
  mul,
  rem,
  select,
  sub,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import { rowOf } from "../device-step.ts";
import { loadFour, multiply, type TensorType, wordsOf } from "./tensor-lanes.ts";
import { keptPlace, keptWords, multiplyTile, type TileTerm, wordsOfTiles } from "./tile-weights.ts";

/** Outputs and tokens of a block; four warps hold a quarter of them each. */
export const tileSide = 128;
export const tileThreads = 128;
/** Pieces of 16 bytes of a stage, of weights and of x each: 128 rows of 64 bytes. */
export const stagePieces = (tileSide * 64) / 16;
/** The same of the words of places of eight tiles. */
export const keptPieces = (tileSide / 16) * (keptWords / 4);
/** Elements of the weights of a stage for each word of places in it. */
const stageOfKept = (perLane: number): number => (stagePieces * perLane) / (keptPieces * 4);

/** A term, and whether 16 bytes of its activation can be read at once. */
export interface StagedTerm extends TileTerm {
  readonly aligned: Value;
}

export interface TileScene {
  readonly type: TensorType;
  readonly weights: string;
  readonly inputs: string;
  /** Words of places, of terms that pick their inputs; no memory without such a term. */
  readonly kept: string;
  readonly firstTile: Value;
  readonly firstToken: Value;
  readonly lastToken: Value;
}

/** Begins to copy 16 bytes. */
const copy = (
  code: Code,
  to: readonly [memory: string, index: Value],
  from: readonly [memory: string, index: Value],
  valid: Value | null = null,
): void =>
  put(code, {
    kind: "copy-async",
    to: to[0],
    toIndex: to[1],
    from: from[0],
    fromIndex: from[1],
    bytes: 16,
    valid,
  });

/** Row of tiles that piece `piece` of a stage is of, where each has `pieces` of them. */
const rowOfPiece = (scene: TileScene, { lastTile }: TileTerm, piece: Value, perTile: number): Value =>
  convert(min(add(scene.firstTile, div(piece, int(perTile))), lastTile), "i64");

/** Begins to bring piece `piece` of tile `at` of an activation to `to`. */
function bringInput(
  code: Code,
  scene: TileScene,
  { term, aligned }: StagedTerm,
  at: Value,
  piece: Value,
  to: Value,
): void {
  const { type, inputs } = scene;
  const { perLane } = type;
  const token = min(add(scene.firstToken, div(piece, int(4))), scene.lastToken);
  const input = name(code, "input", add(mul(at, int(type.inputs)), mul(rem(piece, int(4)), int(perLane))));
  const base = name(code, "x_start", add(rowOf(term.input, token), input));
  when(
    code,
    aligned,
    (inner) => {
      const left = mul(sub(term.columns, input), int(type.bytes));
      copy(inner, [inputs, to], [term.input.memory, base], min(max(left, int(0)), int(16)));
    },
    (inner) =>
      unrolled(inner, "j", perLane, (deep, j) => {
        const isThere = compare("lt", add(input, j), term.columns);
        store(deep, inputs, add(to, j), select(isThere, load(term.input.memory, add(base, j), "f32"), zero));
      }),
  );
}

/** Begins to bring tile `at` of a dense term into a stage. */
function bringDense(code: Code, scene: TileScene, segment: StagedTerm, at: Value, home: Value): void {
  const { type, weights } = scene;
  const { perLane } = type;
  unrolled(code, "i", stagePieces / tileThreads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(tileThreads)), thread));
    const to = name(body, "to", add(home, mul(piece, int(perLane))));
    const row = rowOfPiece(scene, segment, piece, 64);
    const start = mul(add(mul(row, segment.across), at), int(64 * perLane));
    copy(body, [weights, to], [segment.values, add(start, mul(rem(piece, int(64)), int(perLane)))]);
    bringInput(body, scene, segment, at, piece, to);
  });
}

/**
 * Where piece `piece` of an activation lies for products that load its matrices by rows: turned inside its token, so that
 * the eight rows of a matrix are in banks of their own.
 */
const turnedPiece = (token: Value, quarter: Value): Value =>
  add(mul(token, int(4)), binary("xor", quarter, rem(div(token, int(2)), int(4))));

/** Begins to bring tile `at` of a term with 2 of every 4 inputs: half the weights, and the words of their places. */
function bringPicked(code: Code, scene: TileScene, segment: StagedTerm, at: Value, home: Value): void {
  const { type, weights, kept } = scene;
  const { perLane } = type;
  unrolled(code, "i", stagePieces / 2 / tileThreads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(tileThreads)), thread));
    const row = rowOfPiece(scene, segment, piece, 32);
    const start = mul(add(mul(row, segment.across), at), int(32 * perLane));
    const to = add(home, mul(piece, int(perLane)));
    copy(body, [weights, to], [segment.values, add(start, mul(rem(piece, int(32)), int(perLane)))]);
  });
  when(code, compare("lt", thread, int(keptPieces)), (body) => {
    const row = rowOfPiece(scene, segment, thread, keptWords / 4);
    const start = mul(add(mul(row, segment.across), at), int(keptWords));
    const from = add(start, mul(rem(thread, int(keptWords / 4)), int(4)));
    const to = add(div(home, int(stageOfKept(perLane))), mul(thread, int(4)));
    copy(body, [kept, to], [segment.kept, from]);
  });
  unrolled(code, "i", stagePieces / tileThreads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(tileThreads)), thread));
    const turned = turnedPiece(div(piece, int(4)), rem(piece, int(4)));
    const to = name(body, "to", add(home, mul(turned, int(perLane))));
    bringInput(body, scene, segment, at, piece, to);
  });
}

/** Begins to bring tile `at` of a term into the stage whose weights begin at `home`. */
export const bringTile = (code: Code, scene: TileScene, term: StagedTerm, at: Value, home: Value): void =>
  (term.picks ? bringPicked : bringDense)(code, scene, term, at, home);

/** Lane, and which rows of tiles and which half of the tokens a warp has. */
export interface TileWarp {
  readonly lane: Value;
  readonly rows: Value;
  readonly tokens: Value;
}

/** The products of a stage of a dense term: 4 tiles of outputs times 8 eights of tokens for each warp. */
function multiplyDense(code: Code, scene: TileScene, warp: TileWarp, home: Value, sums: Registers): void {
  const { type, weights, inputs } = scene;
  const { perLane } = type;
  const { lane, rows, tokens } = warp;
  const b = wordsOf(code, "b", 32);
  unrolled(code, "n", 8, (body, n) => {
    const token = add(mul(tokens, int(64)), mul(n, int(8)), div(lane, int(4)));
    const index = add(home, mul(add(mul(token, int(4)), rem(lane, int(4))), int(perLane)));
    if (type.half !== null) {
      loadFour(body, b, mul(n, int(4)), inputs, index);
      return;
    }
    const xs = registers(body, "xs", zero, 4);
    loadFour(body, xs, int(0), inputs, index);
    unrolled(body, "i", 4, (inner, i) =>
      put(inner, {
        kind: "set",
        name: b.name,
        index: add(mul(n, int(4)), i),
        value: { kind: "round-tf32", value: xs.read(i) },
      }),
    );
  });
  unrolled(code, "s", 2, (body, s) => {
    const a = wordsOf(body, "a", 16);
    unrolled(body, "m", 4, (inner, m) => {
      const tile = add(mul(rows, int(4)), m);
      const index = add(home, mul(add(mul(add(mul(tile, int(2)), s), int(32)), lane), int(perLane)));
      loadFour(inner, a, mul(m, int(4)), weights, index);
    });
    unrolled(body, "m", 4, (inner, m) =>
      unrolled(inner, "n", 8, (deep, n) =>
        multiply(
          deep,
          type,
          { registers: sums, at: mul(add(mul(m, int(8)), n), int(4)) },
          { registers: a, at: mul(m, int(4)) },
          { registers: b, at: add(mul(n, int(4)), mul(s, int(2))) },
        ),
      ),
    );
  });
}

/** The same for a term with 2 of every 4 inputs: one product where a dense term has two. */
function multiplyPicked(
  code: Code,
  scene: TileScene,
  { lane, rows, tokens }: TileWarp,
  home: Value,
  sums: Registers,
): void {
  const { type, weights, inputs, kept } = scene;
  const { perLane } = type;
  const words = wordsOfTiles(code, { picks: true }, 4);
  unrolled(code, "m", 4, (body, m) => {
    const tile = name(body, "tile", add(mul(rows, int(4)), m));
    const index = add(home, mul(add(mul(tile, int(32)), lane), int(perLane)));
    loadFour(body, words.weights, mul(m, int(4)), weights, index);
    const place = add(div(home, int(stageOfKept(perLane))), keptPlace(tile, lane));
    if (words.kept !== null) set(body, words.kept, load(kept, place, "u32"), m);
  });
  const row = name(code, "row", add(mul(tokens, int(64)), rem(lane, int(8))));
  unrolled(code, "n", 8, (body, n) => {
    const b = wordsOf(body, "b", 4);
    const turned = turnedPiece(add(row, mul(n, int(8))), div(lane, int(8)));
    const index = add(home, mul(turned, int(perLane)));
    put(body, { kind: "load-matrices", target: b.span(int(0)), memory: inputs, index });
    unrolled(body, "m", 4, (inner, m) => {
      const sum = { registers: sums, at: mul(add(mul(m, int(8)), n), int(4)) };
      multiplyTile(inner, { picks: true }, type, sum, words, m, { registers: b, at: int(0) });
    });
  });
}

/** Adds the products of a stage to the sums of a warp, [row of tiles][eight tokens][4]. */
export const multiplyStage = (
  code: Code,
  scene: TileScene,
  picks: boolean,
  warp: TileWarp,
  home: Value,
  sums: Registers,
): void => (picks ? multiplyPicked : multiplyDense)(code, scene, warp, home, sums);
