/**
 * Many tokens on matrix units: a block computes 128 outputs of 128 tokens, of 64 where a term stores codes, from tiles that asynchronous copies bring into
 * on-chip memory several steps ahead. The terms of the step are one chain of tiles after the other, so that a low-rank
 * term is a few more of them and no kernel of its own.
 */
import { type Code, comment, loop, name, put, registers, unrolled, when } from "../device-builder.ts";
import {
  add,
  blockNumber,
  ceilDiv,
  compare,
  div,
  int,
  mul,
  rem,
  sub,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceProgram } from "../device-node.ts";
import type { DeviceStep, DeviceTerm } from "../device-step.ts";
import { batchOf, type KernelParts, type KernelTitle, kernelProgram } from "../kernel-parts.ts";
import { isCodedTile } from "./coded-tiles.ts";
import { rowOfSum, storeSum, type TensorType, tensorType, tokenOfSum } from "./tensor-lanes.ts";
import {
  firstTileOf,
  firstTokenOf,
  multiplyStage,
  squareWarps,
  type TileWarp,
  wideWarps,
} from "./tile-products.ts";
import {
  bringTile,
  keptPieces,
  type StagedTerm,
  stagePieces,
  stageScales,
  type TileScene,
  tileSide,
  tileThreads,
} from "./tile-stages.ts";
import { isTileAligned, picksInputs, tileTerm } from "./tile-weights.ts";

/** Batches from which on tiles pay. */
export const tileFrom = 65;
/** Tiles of inputs that are on their way or being used. */
const stages = 4;

/** Tokens of a block: half as many where a term stores codes, whose levels want registers. */
export const tileTokens = (terms: readonly Pick<DeviceTerm, "format">[]): 64 | 128 =>
  terms.some(isCodedTile) ? 64 : tileSide;

/** A term in the chain of all: `begin` is the number of its first tile, `end` that of the first one after it. */
interface TileSegment extends StagedTerm {
  readonly begin: Value;
  readonly end: Value;
}

/** Brings tile number `number` of the chain, if there is one, and closes the group in any case. */
function bringFromChain(code: Code, scene: TileScene, segments: readonly TileSegment[], number: Value): void {
  const home = name(code, "home", mul(rem(number, int(stages)), int(stagePieces * scene.type.perLane)));
  const from = (inner: Code, [segment, ...rest]: readonly TileSegment[]): void => {
    if (segment === undefined) return;
    when(
      inner,
      compare("lt", number, segment.end),
      (body) => {
        const tile = name(body, "tile", sub(number, segment.begin));
        bringTile(body, scene, segment, tile, home);
      },
      rest.length === 0 ? undefined : (body) => from(body, rest),
    );
  };
  from(code, segments);
  put(code, { kind: "commit" });
}

/**
 * The products of tile number `number` of the chain; neighbouring terms of one kind have one piece of code. Codes have
 * what they stand for in registers of their own.
 */
function multiplyFromChain(
  code: Code,
  segments: readonly TileSegment[],
  number: Value,
  products: (inner: Code, segment: TileSegment) => void,
): void {
  const last = segments.filter(({ picks, coded }, index) => {
    const next = segments[index + 1];
    return coded !== null || next?.picks !== picks || next.coded !== null;
  });
  const from = (inner: Code, [segment, ...rest]: readonly TileSegment[]): void => {
    if (segment === undefined) return;
    if (rest.length === 0) products(inner, segment);
    else
      when(
        inner,
        compare("lt", number, segment.end),
        (body) => products(body, segment),
        (body) => from(body, rest),
      );
  };
  from(code, last);
}

function segmentsOf(parts: KernelParts, step: DeviceStep, type: TensorType): readonly TileSegment[] {
  const { code } = parts;
  let begin: Value = int(0);
  return step.terms.map((term) => {
    const tiles = tileTerm(parts, term, type);
    const end = name(code, "chain_end", add(begin, tiles.across));
    const segment = { ...tiles, aligned: isTileAligned(code, tiles, type), begin, end };
    begin = end;
    return segment;
  });
}

/** The program of a step of terms in tiles; `grid` is outputs by 128 times tokens by `tileTokens`. */
export function tileKernel(parts: KernelParts, step: DeviceStep, about: KernelTitle): DeviceProgram {
  const { code } = parts;
  const type = tensorType(about.elements);
  const batch = batchOf(parts);
  const lane = name(code, "lane", rem(thread, int(32)));
  const warp = name(code, "warp", div(thread, int(32)));
  const shape = step.terms.some(isCodedTile) ? wideWarps : squareWarps;
  const tokensOfBlock = tileTokens(step.terms);
  const abreast = tokensOfBlock / (8 * shape.eights);
  const rows = name(code, "warp_rows", div(warp, int(abreast)));
  const tokens = name(code, "warp_tokens", rem(warp, int(abreast)));
  const own: TileWarp = { shape, lane, rows, tokens };
  const across = name(code, "blocks_across", ceilDiv(step.output.width, tileSide));
  const scene: TileScene = {
    type,
    weights: parts.onChip("weights", type.tiles, stages * stagePieces * type.perLane),
    inputs: parts.onChip("inputs", type.activation, stages * stagePieces * type.perLane),
    kept: step.terms.some(picksInputs) ? parts.onChip("kept", "u32", stages * keptPieces * 4) : "",
    scales: step.terms.some(isCodedTile) ? parts.onChip("scales", "f32", stages * stageScales) : "",
    firstTile: name(code, "first_tile", mul(rem(blockNumber, across), int(tileSide / 16))),
    firstToken: name(code, "first_token", mul(div(blockNumber, across), int(tokensOfBlock))),
    tokens: tokensOfBlock,
    lastToken: name(code, "last_token", sub(batch, int(1))),
  };
  const segments = segmentsOf(parts, step, type);
  const total = segments.at(-1)?.end ?? int(0);
  const sums = registers(code, "sums", zero, 4 * shape.rowTiles * shape.eights);
  comment(code, "the first stages are on their way before the first product");
  unrolled(code, "ahead", stages - 1, (body, ahead) => bringFromChain(body, scene, segments, ahead));
  loop(code, "k", { to: total }, (body, k) => {
    put(body, { kind: "wait", pending: stages - 2 }, { kind: "barrier" });
    bringFromChain(body, scene, segments, name(body, "next", add(k, int(stages - 1))));
    const home = name(body, "home", mul(rem(k, int(stages)), int(stagePieces * type.perLane)));
    multiplyFromChain(body, segments, k, (inner, segment) =>
      multiplyStage(inner, scene, segment, own, home, sums),
    );
  });
  const firstRow = mul(add(scene.firstTile, firstTileOf(own)), int(16));
  unrolled(code, "m", shape.rowTiles, (body, m) =>
    unrolled(body, "n", shape.eights, (inner, n) =>
      unrolled(inner, "i", 4, (deep, i) => {
        const row = name(deep, "row", add(firstRow, mul(m, int(16)), rowOfSum(lane, i)));
        const first = add(scene.firstToken, firstTokenOf(own), mul(n, int(8)));
        const token = name(deep, "token", add(first, tokenOfSum(lane, i)));
        const sum = sums.read(add(mul(add(mul(m, int(shape.eights)), n), int(4)), i));
        storeSum(deep, step.output, step.accumulate, batch, { row, token }, sum);
      }),
    ),
  );
  return kernelProgram(parts, about, { threads: tileThreads, blocksPerProcessor: 2 });
}
