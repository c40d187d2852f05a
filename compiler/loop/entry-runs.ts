/**
 * What kernels over the entries of a tensor have in common: a tile is a run of entries, read vector by vector, the last
 * ones of all counted. Numbers that are no sizes stand in the frame by the bits of a float.
 */
import { type Block, createBlock, createNames, define, loop, type Names, when } from "./loop-builder.ts";
import {
  add,
  batch,
  ceilDiv,
  compare,
  convert,
  div,
  int,
  min,
  mul,
  reinterpret,
  splat,
  sub,
  symbol,
} from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";

/** Vectors that one turn of an inner loop reads. */
const vectorsAtOnce = 4;

export interface EntryRun {
  readonly names: Names;
  readonly block: Block;
  readonly tile: string;
  /** How many runs there are. */
  readonly runs: LoopExpression;
  readonly first: LoopExpression;
  readonly end: LoopExpression;
  /** The entries of whole vectors end here. */
  readonly whole: LoopExpression;
}

/** Run number `tile` of `batch` entries, `length` of them, a multiple of 16. */
export function createEntryRun(length: number, reserved: readonly string[]): EntryRun {
  const names = createNames(["batch", "x", "y", ...reserved]);
  const tile = names.fresh("tile");
  const block = createBlock(names);
  const first = define(block, "first", mul(symbol(tile), int(length)));
  const end = define(block, "end", min(batch, add(first, int(length))));
  const whole = define(block, "whole", mul(div(end, int(16)), int(16)));
  return { names, block, tile, runs: ceilDiv(batch, length), first, end, whole };
}

/** A float that stands in the frame by its bits, in all lanes. */
export const floatSymbol = (block: Block, name: string): LoopExpression =>
  define(block, name, splat(reinterpret(convert(symbol(name), "i32"))));

/** All vectors from `from` to `to`, several a turn and then one by one. */
export function forVectors(
  block: Block,
  from: LoopExpression,
  to: LoopExpression,
  body: (inner: Block, at: LoopExpression) => void,
): void {
  const step = 16 * vectorsAtOnce;
  const together = define(block, "together", add(from, mul(div(sub(to, from), int(step)), int(step))));
  loop(block, "at", { from, to: together, step }, (inner, at) => {
    for (let number = 0; number < vectorsAtOnce; number += 1)
      body(inner, define(inner, "place", add(at, int(16 * number))));
  });
  loop(block, "at", { from: together, to, step: 16 }, body);
}

/** The entries after the last whole vector, if there are any; `count` of them. */
export const atEnd = (
  { block, end, whole }: EntryRun,
  body: (inner: Block, count: LoopExpression) => void,
): void =>
  when(block, compare("lt", whole, end), (inner) => body(inner, define(inner, "count", sub(end, whole))));
