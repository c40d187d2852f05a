/** Claims of generated programs on how their weight is applied; of some no plan keeps them. */
import { tileTokens } from "../../compiler/targets/x86-targets.ts";
import { childrenOf } from "./expression-parts.ts";
import type { Expression, Pin } from "./program.ts";
import type { Random } from "./random.ts";

type Format = Extract<Pin, { claim: "format" }>["format"];

/** How a matrix of a form may be stored; none for what has no one form. */
function formatsOf(expression: Expression): readonly Format[] {
  if (expression.kind === "diag") return ["vector"];
  if (expression.kind === "mask" && expression.member === null)
    return expression.pattern.shape.kind === "unstructured"
      ? ["dense", "csr", "windows"]
      : ["groups", "groups", "dense", "csr"];
  if (expression.kind !== "tensor" || expression.slice !== null) return [];
  switch (expression.tensor.structure) {
    case "dense":
      return ["dense"];
    case "sparse":
      return ["csr", "windows", "dense"];
    case "blockdiag":
      return ["blocks", "dense"];
    default:
      return ["vector"];
  }
}

/** Nodes outside of sums and products over an index. */
function* partsOf(expression: Expression): Generator<Expression> {
  yield expression;
  if (expression.kind !== "loop" && expression.kind !== "call")
    for (const child of childrenOf(expression)) yield* partsOf(child);
}

export function generatePins(random: Random, weight: Expression): Pin[] {
  const terms = weight.kind === "sum" ? weight.terms : [weight];
  const pins: Pin[] = [];
  if (random.chance(0.05)) pins.push({ claim: "layout", layout: random.pick(["lane_output", "lane_token"]) });
  if (random.chance(0.03))
    pins.push({
      claim: "tile",
      tokens: random.pick([...tileTokens["lane-output"], ...tileTokens["lane-token"]]),
    });
  if (random.chance(0.05)) {
    const subject = random.chance(0.5) ? weight : random.pick(terms);
    pins.push({ claim: random.pick(["merge", "separate"]), subject });
  }
  if (random.chance(0.05)) {
    const subject = random.pick([...partsOf(weight)]);
    const formats = formatsOf(subject);
    if (formats.length > 0) pins.push({ claim: "format", subject, format: random.pick(formats) });
  }
  return pins;
}
