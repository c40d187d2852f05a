/** The intrinsics that take a matrix apart, one row each. None depends on what it is computed for. */
import type { IntrinsicName } from "../contract/recipe.ts";
import { leastSquares } from "../linalg/least-squares.ts";
import { contextFactors } from "./context-factors.ts";
import { fixed, type Intrinsic, matrixOf, ofTensor, tensorValue } from "./intrinsic.ts";
import { requireFinite } from "./largest-entries.ts";
import { quantizedFactors, type SideWeights } from "./quantized-factors.ts";
import type { Call } from "./recipe-value.ts";
import { type Factors, svdFactors, weightedFactors } from "./svd-factors.ts";

/** Two results: B and A. */
const factors = (compute: (call: Call) => Factors): Intrinsic =>
  fixed((call) => {
    const { left, right } = compute(call);
    return { kind: "outputs", values: [ofTensor(left), ofTensor(right)] };
  });

const weightOf = ({ tensor }: Call) => matrixOf(tensor("weight"));

const splitOf = (call: Call, sides: SideWeights): Factors => {
  const { number } = call;
  const split = {
    rank: number("rank"),
    bits: number("bits"),
    block: number("block"),
    rounds: number("rounds"),
  };
  return quantizedFactors(weightOf(call), split, sides);
};

const sidesOf = ({ tensor }: Call) => ({ left: tensor("left").tensor, right: tensor("right").tensor });

export const decompositions = {
  svd_factors: factors((call) => svdFactors(weightOf(call), call.number("rank"))),
  trailing_svd: factors((call) => svdFactors(weightOf(call), call.number("rank"), "smallest")),
  context_svd: factors((call) =>
    contextFactors(weightOf(call), matrixOf(call.tensor("C")), call.number("rank"), "largest"),
  ),
  trailing_context_svd: factors((call) =>
    contextFactors(weightOf(call), matrixOf(call.tensor("C")), call.number("rank"), "smallest"),
  ),
  weighted_svd: factors((call) => {
    const { left, right } = sidesOf(call);
    return weightedFactors(weightOf(call), left, right, call.number("rank"));
  }),
  quantized_split: factors((call) => splitOf(call, null)),
  weighted_quantized_split: factors((call) => splitOf(call, sidesOf(call))),
  lstsq: fixed(({ tensor }) => {
    const [a, b] = [matrixOf(tensor("A")), matrixOf(tensor("B"))];
    for (const { name, values, columns } of [a, b]) requireFinite(name, values, columns);
    const [left, right] = [Float64Array.from(a.values), Float64Array.from(b.values)];
    const solution = leastSquares(left, right, a.rows, a.columns, b.columns);
    return tensorValue([a.columns, b.columns], Float32Array.from(solution));
  }),
} satisfies Partial<Record<IntrinsicName, Intrinsic>>;
