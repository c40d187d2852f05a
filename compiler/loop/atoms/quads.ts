/**
 * The quads of unstructured operands, lane = output: four rows side by side, each entry with its own input, which four
 * loads bring together. A gather of the processor takes longer than those on every core that was measured.
 */
import { assign, type Block, declareRegister, define, loop, when } from "../loop-builder.ts";
import {
  add,
  binary,
  compare,
  constant,
  f32,
  f32x4,
  fma,
  i32x16,
  inEachQuarter,
  int,
  load,
  loadIndex,
  mul,
  permute,
  shuffle,
  splat,
  zeros,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import { bufferOf, type OperandTerm, type ResolvedTerm } from "../step-node.ts";
import type { OutputTile } from "../tile-node.ts";

const four = [0, 1, 2, 3] as const;

/** What quad number `quad` of the operand holds in its lines, one after the other. */
export function forEachQuadLine(
  block: Block,
  term: OperandTerm,
  quad: LoopExpression,
  visit: (inner: Block, inputs: readonly LoopExpression[], firstSlot: LoopExpression) => void,
): void {
  const [columns, quadLines] = [bufferOf(term, "columns"), bufferOf(term, "quadLines")];
  const from = define(block, "first_line", loadIndex(quadLines, quad));
  const to = define(block, "end_line", loadIndex(quadLines, add(quad, int(1))));
  loop(block, "line", { from, to }, (inner, line) => {
    const slot = define(inner, "slot", mul(line, int(4)));
    const inputs = four.map((place) => define(inner, "input", loadIndex(columns, add(slot, int(place)))));
    visit(inner, inputs, slot);
  });
}

/** Visits the panel if it has quads: `visit(block, firstQuad)`, four from there on. */
export function whenQuads(
  block: Block,
  term: OperandTerm,
  panel: LoopExpression,
  visit: (inner: Block, firstQuad: LoopExpression) => void,
): void {
  const quadLines = bufferOf(term, "quadLines");
  const first = define(block, "first_quad", mul(panel, int(4)));
  const [from, to] = [loadIndex(quadLines, first), loadIndex(quadLines, add(first, int(4)))];
  when(block, compare("lt", from, to), (inner) => visit(inner, first));
}

/** Four numbers as a vector. */
function joined([a, b, c, d]: readonly LoopExpression[]): LoopExpression {
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new Error("four are joined");
  const pair = (left: LoopExpression, right: LoopExpression): LoopExpression =>
    shuffle(splat(left, 4), splat(right, 4), [0, 4, 0, 4]);
  return shuffle(pair(a, b), pair(c, d), [0, 1, 4, 5]);
}

/** The sums of four quads, one after the other, out of those of three and one more. */
const shiftedIn = (sums: LoopExpression, quad: LoopExpression): LoopExpression => {
  return shuffle(
    sums,
    inEachQuarter(quad),
    Array.from({ length: 16 }, (_, lane) => lane + 4),
  );
};

/** acc[token] += weight * x[input], first in the order of the rows of the panel, then put where each output belongs. */
export function accumulateQuads(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  bases: readonly LoopExpression[],
  tile: OutputTile,
): void {
  whenQuads(block, term, panel, (few, first) => {
    const ordered = bases.map(() => declareRegister(few, "ordered", zeros));
    loop(few, "quad", { from: first, to: add(first, int(4)) }, (inner, quad) => {
      const sums = bases.map(() => declareRegister(inner, "sum", constant(f32x4, 0)));
      forEachQuadLine(inner, term, quad, (body, inputs, slot) => {
        const weight = define(body, "w", load(bufferOf(term, "weights"), slot, f32x4));
        for (const [token, base] of bases.entries()) {
          const sum = sums[token];
          if (sum === undefined) continue;
          const x = inputs.map((input) => load(term.input.buffer, add(base, input), f32));
          assign(body, sum, fma(weight, define(body, "x", joined(x)), sum.read));
        }
      });
      for (const [token, register] of ordered.entries()) {
        const sum = sums[token];
        if (sum !== undefined) assign(inner, register, shiftedIn(register.read, sum.read));
      }
    });
    const places = define(few, "places", load(bufferOf(term, "order"), mul(panel, int(16)), i32x16));
    for (const [token, register] of ordered.entries()) {
      const sum = tile.sums[token]?.[0];
      if (sum !== undefined) assign(few, sum, binary("add", sum.read, permute(register.read, places)));
    }
  });
}
