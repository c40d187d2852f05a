/**
 * A step of an optimizer over the values of one parameter, as they are stored: a sparse one has a number for each of its
 * positions and nothing else. AdamW with the decay of weights apart from the gradient (Loshchilov and Hutter, "Decoupled
 * weight decay regularization", 2019), all in one pass: 16 bytes read and 12 written for each value.
 */
import { adamWNumbers } from "../../runtime/contract/manifest.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { atEnd, createEntryRun, floatSymbol, forVectors } from "./entry-runs.ts";
import { type Block, define, store } from "./loop-builder.ts";
import { add, batch, binary, f32x16, fma, load, mul, unary } from "./loop-expression.ts";
import type { BufferSpace, LoopExpression, LoopProgram } from "./loop-node.ts";

/** Values of a tile. */
const runLength = 1 << 14;

const buffer = (name: string, space: BufferSpace) =>
  ({ name, element: "f32", space, length: batch }) as const;

/**
 * y = the values, x = their gradient g, m and v = the running means, all [batch]:
 * m = β₁ m + (1 - β₁) s g, v = β₂ v + (1 - β₂) (s g)², y = decay y - step m / (√v root + ε).
 */
export function lowerAdamW(target: X86Target, name: string): LoopProgram {
  const run = createEntryRun(runLength, [...adamWNumbers, "m", "v"]);
  const { block, tile, runs, first, whole } = run;
  const number = (which: (typeof adamWNumbers)[number]): LoopExpression => floatSymbol(block, which);
  const [scale, decay, step, root, epsilon] = [
    number("scale"),
    number("decay"),
    number("step"),
    number("root"),
    number("epsilon"),
  ];
  const [beta1, new1, beta2, new2] = [number("beta1"), number("new1"), number("beta2"), number("new2")];
  const update = (inner: Block, at: LoopExpression, count: LoopExpression | null): void => {
    const value = (from: string): LoopExpression => define(inner, from, load(from, at, f32x16, count));
    const g = define(inner, "g", mul(value("x"), scale));
    const m = define(inner, "mean", fma(beta1, value("m"), mul(new1, g)));
    const v = define(inner, "square", fma(beta2, value("v"), mul(mul(new2, g), g)));
    const size = add(mul(unary("sqrt", v), root), epsilon);
    const moved = binary("sub", mul(decay, value("y")), mul(step, binary("div", m, size)));
    store(inner, "y", at, moved, count);
    store(inner, "m", at, m, count);
    store(inner, "v", at, v, count);
  };
  forVectors(block, first, whole, (inner, at) => update(inner, at, null));
  atEnd(run, (inner, count) => update(inner, whole, count));
  return {
    name,
    level: target.name,
    buffers: [buffer("x", "input"), buffer("y", "output"), buffer("m", "result"), buffer("v", "result")],
    symbols: adamWNumbers,
    phases: [{ name: "update", tile, tiles: runs, body: block.statements }],
  };
}
