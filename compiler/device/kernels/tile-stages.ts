/**
 * A stage of the kernel for many tokens: a tile of inputs of 128 outputs and 128 tokens in on-chip memory, as dense terms,
 * codes and terms with 2 of every 4 inputs bring it there.
 */
import { type Code, name, put, store, unrolled, when } from "../device-builder.ts";
import {
  add,
  binary,
  compare,
  constant,
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
import { type CodedTiles, scalesPlace, tileScales, wordsOfCodes } from "./coded-tiles.ts";
import type { TensorType } from "./tensor-lanes.ts";
import { inputsOfTile, keptWords, type TileTerm } from "./tile-weights.ts";

/** Outputs and tokens of a block; four warps hold a quarter of them each. */
export const tileSide = 128;
export const tileThreads = 128;
/** Pieces of 16 bytes of a stage, of weights and of x each: 128 rows of 64 bytes. */
export const stagePieces = (tileSide * 64) / 16;
/** The same of the words of places of eight tiles. */
export const keptPieces = (tileSide / 16) * (keptWords / 4);
/** Scales of a stage of codes. */
export const stageScales = (tileSide / 16) * tileScales;
/** Elements of the weights of a stage for each word of places in it, and for each scale. */
export const stageOfKept = (perLane: number): number => (stagePieces * perLane) / (keptPieces * 4);
export const stageOfScale = (perLane: number): number => (stagePieces * perLane) / stageScales;

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
  /** Scales of terms that store codes; no memory without such a term. */
  readonly scales: string;
  readonly firstTile: Value;
  readonly firstToken: Value;
  /** Tokens of a block. */
  readonly tokens: 64 | 128;
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
  segment: StagedTerm,
  at: Value,
  piece: Value,
  to: Value,
): void {
  const { type, inputs } = scene;
  const { perLane } = type;
  const { term, aligned } = segment;
  const { first, end } = inputsOfTile(code, segment, type, at);
  const token = min(add(scene.firstToken, div(piece, int(4))), scene.lastToken);
  const input = name(code, "input", add(first, mul(rem(piece, int(4)), int(perLane))));
  const base = name(code, "x_start", add(rowOf(term.input, token), input));
  when(
    code,
    aligned,
    (inner) => {
      const left = mul(sub(end, input), int(type.bytes));
      copy(inner, [inputs, to], [term.input.memory, base], min(max(left, int(0)), int(16)));
    },
    (inner) =>
      unrolled(inner, "j", perLane, (deep, j) => {
        const isThere = compare("lt", add(input, j), end);
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
    const isOfBlock =
      scene.tokens === tileSide ? constant("bool", 1) : compare("lt", piece, int(inputPieces(scene)));
    when(body, isOfBlock, (inner) => bringInput(inner, scene, segment, at, piece, to));
  });
}

/** Pieces of x of a stage. */
const inputPieces = ({ tokens }: TileScene): number => tokens * 4;

/**
 * Where piece `piece` of an activation lies for products that load its matrices by rows: turned inside its token, so that
 * the eight rows of a matrix are in banks of their own.
 */
export const turnedPiece = (token: Value, quarter: Value): Value =>
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
  unrolled(code, "i", inputPieces(scene) / tileThreads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(tileThreads)), thread));
    const turned = turnedPiece(div(piece, int(4)), rem(piece, int(4)));
    const to = name(body, "to", add(home, mul(turned, int(perLane))));
    bringInput(body, scene, segment, at, piece, to);
  });
}

/** Begins to bring tile `at` of a term that stores codes, and the scales of its run. */
function bringCoded(
  code: Code,
  scene: TileScene,
  segment: StagedTerm,
  coded: CodedTiles,
  at: Value,
  home: Value,
): void {
  const { type, weights, scales } = scene;
  const { perLane } = type;
  const perTile = 8 * wordsOfCodes(coded.bits);
  unrolled(code, "i", ((tileSide / 16) * perTile) / tileThreads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(tileThreads)), thread));
    const row = rowOfPiece(scene, segment, piece, perTile);
    const start = mul(add(mul(row, segment.across), at), int(4 * perTile));
    const from = add(start, mul(rem(piece, int(perTile)), int(4)));
    copy(body, [weights, add(home, mul(piece, int(perLane)))], [coded.codes, from]);
  });
  when(code, compare("lt", thread, int(stageScales / 4)), (body) => {
    const row = rowOfPiece(scene, segment, thread, tileScales / 4);
    const from = add(scalesPlace(coded, row, at), mul(rem(thread, int(tileScales / 4)), int(4)));
    const to = add(div(home, int(stageOfScale(perLane))), mul(thread, int(4)));
    copy(body, [scales, to], [coded.scales, from]);
  });
  unrolled(code, "i", inputPieces(scene) / tileThreads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(tileThreads)), thread));
    bringInput(body, scene, segment, at, piece, name(body, "to", add(home, mul(piece, int(perLane)))));
  });
}

/** Begins to bring tile `at` of a term into the stage whose weights begin at `home`. */
export function bringTile(code: Code, scene: TileScene, term: StagedTerm, at: Value, home: Value): void {
  if (term.coded !== null) bringCoded(code, scene, term, term.coded, at, home);
  else (term.picks ? bringPicked : bringDense)(code, scene, term, at, home);
}
