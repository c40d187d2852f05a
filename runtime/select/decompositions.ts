/** The intrinsics that take a matrix apart, one row each. None depends on what it is computed for. */
import type { IntrinsicName } from "../contract/recipe.ts";
import { singularValuesOf } from "../linalg/gram-svd.ts";
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
  return quantizedFactors(weightOf(call), split, sides, call.multiply());
};

const sidesOf = ({ tensor }: Call) => ({ left: tensor("left").tensor, right: tensor("right").tensor });

/** (s - least) / (largest - least), descending; where all are the same, each is as good as the largest. */
function normalizedSpectrum(values: Float32Array, rows: number, columns: number): Float32Array {
  const spectrum = singularValuesOf(Float64Array.from(values), rows, columns);
  const [largest, least] = [spectrum[0] ?? 0, spectrum[spectrum.length - 1] ?? 0];
  const range = largest - least;
  return Float32Array.from(spectrum, (s) => (range === 0 ? 1 : (s - least) / range));
}

export const decompositions = {
  svd_factors: factors((call) => svdFactors(weightOf(call), call.number("rank"), "largest", call.multiply())),
  trailing_svd: factors((call) =>
    svdFactors(weightOf(call), call.number("rank"), "smallest", call.multiply()),
  ),
  context_svd: factors((call) =>
    contextFactors(
      weightOf(call),
      matrixOf(call.tensor("C")),
      call.number("rank"),
      "largest",
      call.multiply(),
    ),
  ),
  trailing_context_svd: factors((call) =>
    contextFactors(
      weightOf(call),
      matrixOf(call.tensor("C")),
      call.number("rank"),
      "smallest",
      call.multiply(),
    ),
  ),
  weighted_svd: factors((call) => {
    const { left, right } = sidesOf(call);
    return weightedFactors(weightOf(call), left, right, call.number("rank"), call.multiply());
  }),
  quantized_split: factors((call) => splitOf(call, null)),
  weighted_quantized_split: factors((call) => splitOf(call, sidesOf(call))),
  normalized_spectrum: fixed((call) => {
    const { name, rows, columns, values } = weightOf(call);
    requireFinite(name, values, columns);
    return tensorValue([1, Math.min(rows, columns)], normalizedSpectrum(values, rows, columns));
  }),
  lstsq: fixed(({ tensor }) => {
    const [a, b] = [matrixOf(tensor("A")), matrixOf(tensor("B"))];
    for (const { name, values, columns } of [a, b]) requireFinite(name, values, columns);
    const [left, right] = [Float64Array.from(a.values), Float64Array.from(b.values)];
    const solution = leastSquares(left, right, a.rows, a.columns, b.columns);
    return tensorValue([a.columns, b.columns], Float32Array.from(solution));
  }),
} satisfies Partial<Record<IntrinsicName, Intrinsic>>;
