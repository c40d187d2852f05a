/** The register tiles of the two layouts, and where their activations start. */
import type { X86Target } from "../targets/x86-targets.ts";
import { type Block, declareRegister, define, type Register } from "./loop-builder.ts";
import { add, binary, int, min, mul, sub, zeros } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import { featureAt, featureStride, type Place } from "./step-node.ts";

/** Lane = output: sums[token][chain] of 16 outputs each; chains are added up before the store. */
export interface OutputTile {
  readonly token: LoopExpression;
  readonly chains: number;
  readonly sums: readonly (readonly Register[])[];
}

/** Lane = token: sums[row][vector] of 16 tokens each. */
export interface TokenTile {
  /** Number of the first panel of 16 tokens. */
  readonly panel: LoopExpression;
  readonly vectors: number;
  /** First row (output) of the tile. */
  readonly row: LoopExpression;
  readonly sums: readonly (readonly Register[])[];
}

/** `outer` x `inner` accumulators that start at zero, or where `start` says. */
export const declareSums = (
  block: Block,
  outer: number,
  inner: number,
  start: (outer: number, inner: number) => LoopExpression = () => zeros,
): Register[][] =>
  Array.from({ length: outer }, (_, first) =>
    Array.from({ length: inner }, (_, second) => declareRegister(block, "sum", start(first, second))),
  );

/** Lane = output: chains of sums that fit the registers beside a window of each token. */
export const chainsFor = ({ vectorBits }: X86Target, tokens: number, most = 4): number =>
  Math.min(most, Math.max(1, Math.floor((vectorBits === 512 ? 8 : 4) / tokens)));

/** Adds up the chains pairwise, so that the result does not depend on more than the number of chains. */
export function sumOfChains(chains: readonly LoopExpression[]): LoopExpression {
  const [first, ...rest] = chains;
  if (first === undefined) throw new Error("a tile without chains");
  if (rest.length === 0) return first;
  const half = Math.ceil(chains.length / 2);
  return binary("add", sumOfChains(chains.slice(0, half)), sumOfChains(chains.slice(half)));
}

/** Index of the first feature of each token of the tile in a row-major activation. */
export const rowBases = (block: Block, place: Place, tile: OutputTile): LoopExpression[] =>
  tile.sums.map((_, offset) =>
    define(block, "row", featureAt(place, mul(add(tile.token, int(offset)), featureStride(place)))),
  );

/** Index of the first feature of a panel of 16 tokens. */
export const panelStart = (place: Place, panel: LoopExpression): LoopExpression => {
  const start = mul(panel, mul(featureStride(place), int(16)));
  return place.within === undefined ? start : add(start, mul(place.within.offset, int(16)));
};

/** Index of the first feature of each vector of the tile in a panelled activation. */
export const tokenBases = (block: Block, place: Place, tile: TokenTile): LoopExpression[] =>
  Array.from({ length: tile.vectors }, (_, vector) =>
    define(block, "panel", panelStart(place, add(tile.panel, int(vector)))),
  );

/**
 * The rows of a tile in an operand whose rows are stored one by one. Rows beyond the last one repeat it: their
 * sums are never stored, and every tile has the same code.
 */
export const tileRows = (block: Block, rows: LoopExpression, tile: TokenTile): LoopExpression[] =>
  tile.sums.map((_, offset) => define(block, "row", min(add(tile.row, int(offset)), sub(rows, int(1)))));
