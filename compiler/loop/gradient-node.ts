/** A gradient step with its names resolved to buffers and dimensions, and the walk over one of its sides. */
import type { X86Target } from "../targets/x86-targets.ts";
import { type Block, define, type Names } from "./loop-builder.ts";
import { add, int, min, mul, sub } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import type { Place } from "./step-node.ts";
import type { StrideMap } from "./stride-map.ts";
import { stridedIndices } from "./stride-walk.ts";

/** Features of a side belong to the parameter from `offset` on; `stride` features on stands its next copy. */
export interface GradientSide {
  readonly place: Place;
  readonly map: StrideMap<LoopExpression> | null;
  readonly offset: LoopExpression;
  readonly stride: LoopExpression;
}

export interface ResolvedGradient {
  readonly name: string;
  readonly names: Names;
  readonly target: X86Target;
  readonly left: GradientSide;
  readonly right: GradientSide;
  readonly copies: LoopExpression;
  /** Buffer of one float; null for 1. */
  readonly scale: string | null;
  /** The gradient, and the first of its values that the step adds to. */
  readonly output: string;
  readonly start: LoopExpression;
}

/** Panels of 16 tokens that pass before the next values of a gradient are begun: what both sides read of them stays in cache. */
export const panelsAtOnce = 8;

/**
 * Elements of panel 0 at which features `from` … `from + count - 1` of one copy begin. Features beyond the last one
 * repeat it: what is computed of them is not stored.
 */
export function featureStarts(
  block: Block,
  side: GradientSide,
  copy: LoopExpression,
  from: LoopExpression,
  count: number,
): LoopExpression[] {
  const last = define(block, "last", sub(side.place.width, int(1)));
  const first = define(block, "feature", add(add(mul(copy, side.stride), side.offset), from));
  return stridedIndices(block, side.map, first, count).map((place) =>
    define(block, "at", mul(min(place, last), int(16))),
  );
}

/** Elements from one panel of a side to the next. */
export const panelStride = ({ place }: GradientSide): LoopExpression => mul(place.width, int(16));
