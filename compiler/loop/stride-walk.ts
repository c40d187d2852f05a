/**
 * Walks over the indices of a stride permutation one after the other, by comparison and addition:
 * a division for each index would cost more than the multiply it serves.
 */
import { assign, type Block, declareRegister, define, snapshot } from "./loop-builder.ts";
import { add, compare, div, int, mul, rem, select } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import type { StrideMap } from "./stride-map.ts";

interface Position {
  readonly remainder: LoopExpression;
  readonly quotient: LoopExpression;
  readonly index: LoopExpression;
}

function startAt(block: Block, map: StrideMap<LoopExpression>, start: LoopExpression): Position {
  const remainder = define(block, "remainder", rem(start, map.period));
  const quotient = define(block, "quotient", div(start, map.period));
  return { remainder, quotient, index: define(block, "strided", add(mul(remainder, map.jump), quotient)) };
}

function following(block: Block, map: StrideMap<LoopExpression>, position: Position): Position {
  const next = snapshot(block, "next", add(position.remainder, int(1)));
  const wraps = snapshot(block, "wraps", compare("eq", next, map.period));
  const quotient = snapshot(
    block,
    "quotient",
    select(wraps, add(position.quotient, int(1)), position.quotient),
  );
  const index = snapshot(block, "strided", select(wraps, quotient, add(position.index, map.jump)));
  return { remainder: snapshot(block, "remainder", select(wraps, int(0), next)), quotient, index };
}

/** The places of `count` consecutive indices from `start`; `map` null leaves them in order. */
export function stridedIndices(
  block: Block,
  map: StrideMap<LoopExpression> | null,
  start: LoopExpression,
  count: number,
): LoopExpression[] {
  if (map === null) return Array.from({ length: count }, (_, offset) => add(start, int(offset)));
  const indices: LoopExpression[] = [];
  let position = startAt(block, map, start);
  for (let offset = 0; offset < count; offset++) {
    if (offset > 0) position = following(block, map, position);
    indices.push(position.index);
  }
  return indices;
}

/** A cursor for loops: `take` must be called once for every index, in order. */
export interface StrideCursor {
  /** The place of index start + `offset`. */
  take(block: Block, offset: LoopExpression): LoopExpression;
}

export function createCursor(
  block: Block,
  map: StrideMap<LoopExpression> | null,
  start: LoopExpression,
): StrideCursor {
  if (map === null) return { take: (_, offset) => add(start, offset) };
  const first = startAt(block, map, start);
  const remainder = declareRegister(block, "walk_remainder", first.remainder);
  const quotient = declareRegister(block, "walk_quotient", first.quotient);
  const index = declareRegister(block, "walk", first.index);
  return {
    take(inner) {
      const taken = snapshot(inner, "source", index.read);
      const next = following(inner, map, {
        remainder: remainder.read,
        quotient: quotient.read,
        index: taken,
      });
      assign(inner, remainder, next.remainder);
      assign(inner, quotient, next.quotient);
      assign(inner, index, next.index);
      return taken;
    },
  };
}
