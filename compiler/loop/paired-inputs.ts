/**
 * Activations rounded to bfloat16, two inputs to a word, for the terms that multiply pairs: a phase writes them before the
 * first step that reads them. Stands beside the lowering of a variant, which knows where activations lie.
 */
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { createBlock, define, loop, type Names, store } from "./loop-builder.ts";
import {
  add,
  batch,
  ceilDiv,
  f32x16,
  int,
  load,
  max,
  mul,
  roundPairs,
  sub,
  symbol as tileSymbol,
} from "./loop-expression.ts";
import type { BufferDeclaration, LoopPhase } from "./loop-node.ts";
import { featureAt, featureStride, type Place, type ResolvedStep } from "./step-node.ts";

/** Inputs of a vector of 16 pairs. */
const vectorInputs = 32;

/** The rounded form of an activation: its buffer, and the bytes of that. */
export interface PairedInput {
  readonly place: Place;
  readonly buffer: BufferDeclaration;
  readonly bytes: NumberExpression;
}

/**
 * Words from one token to the next are whole vectors and one more, so that the tokens of a tile, which are read side by
 * side, do not fall into one set of a cache where the inputs are a power of two.
 */
export function pairedInput(names: Names, from: Place, width: NumberExpression): PairedInput {
  const words = add(mul(ceilDiv(from.width, vectorInputs), int(16)), int(16));
  const name = names.fresh(`${from.buffer}_pairs`);
  const vectors = apply("+", apply("ceil", apply("/", width, number(vectorInputs))), number(1));
  return {
    place: { buffer: name, width: words, form: "rows" },
    buffer: { name, element: "u32", space: "workspace", length: mul(batch, words) },
    bytes: apply("*", number(64), symbol("batch"), vectors),
  };
}

/** The phase that rounds a row-major activation, a tile for each token; the second of a pair beyond the end is zero. */
export function pairsPhase(names: Names, from: Place, to: Place): LoopPhase {
  const tile = names.fresh("tile");
  const token = tileSymbol(tile);
  const block = createBlock(names);
  const source = define(block, "row", featureAt(from, mul(token, featureStride(from))));
  const target = define(block, "pairs", mul(token, to.width));
  loop(block, "vector", { from: int(0), to: ceilDiv(from.width, vectorInputs) }, (inner, vector) => {
    const feature = define(inner, "feature", mul(vector, int(vectorInputs)));
    const half = (offset: number) => {
      const left = max(int(0), sub(from.width, add(feature, int(offset))));
      return load(from.buffer, add(source, add(feature, int(offset))), f32x16, left);
    };
    store(inner, to.buffer, add(target, mul(vector, int(16))), roundPairs(half(0), half(16)));
  });
  return { name: `${to.buffer}`, tile, tiles: batch, body: block.statements };
}

/** Whether a step of a level that rounds multiplies pairs in this term. */
export const isPaired = ({ format, transposed }: ResolvedStep["terms"][number]): boolean =>
  format.name === "bf16-panel16" && !transposed;
