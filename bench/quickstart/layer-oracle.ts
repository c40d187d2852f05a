/** What a layer should compute, in float64, from the algebra as written and the layer's own values and patterns. */
import type { DenseMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { TensorValues, WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";

export interface GivenMatrix {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

type Parameters = Readonly<Record<string, DenseParameter | SparseParameter>>;

/** Dimensions bound by the shapes of the given tensors, and the layer's number arguments. */
function numbersOf(stages: TransformStages, layer: Layer, given: Readonly<Record<string, GivenMatrix>>) {
  const numbers = new Map<string, number>(Object.entries(layer.arguments));
  for (const argument of stages.checked.arguments) {
    if (argument.kind !== "tensor") continue;
    argument.dimensions.forEach((dimension, axis) => {
      const size = given[argument.name]?.shape[axis];
      if (dimension.kind === "symbol" && size !== undefined) numbers.set(dimension.name, size);
    });
  }
  for (const { name, measured } of stages.checked.patterns)
    if (measured !== null) numbers.set(measured.symbol, layer.patterns()[name]?.positions.length ?? 0);
  return numbers;
}

/** The layer's numbers, tensors and patterns in float64, as the oracle reads them. */
export function oracleValues(
  stages: TransformStages,
  layer: Layer,
  given: Readonly<Record<string, GivenMatrix>>,
): WeightValues {
  const tensors = new Map<string, TensorValues>();
  for (const [name, tensor] of Object.entries(given)) {
    tensors.set(name, { values: Float64Array.from(tensor.data), positions: null });
  }
  const computed = { ...layer.frozen(), ...(layer.parameters() as Parameters) };
  for (const [name, parameter] of Object.entries(computed)) {
    const positions = "positions" in parameter ? [...parameter.positions] : null;
    tensors.set(name, { values: Float64Array.from(parameter.values), positions });
  }
  const patterns = new Map(
    Object.entries(layer.patterns()).map(([name, { columns, positions }]) => {
      const kept = new Set(positions);
      return [name, (row: number, column: number) => kept.has(row * columns + column)];
    }),
  );
  return { tensors, patterns, numbers: numbersOf(stages, layer, given) };
}

/** The dense weight [out, in] of `layer`. */
export function oracleWeight(
  stages: TransformStages,
  layer: Layer,
  given: Readonly<Record<string, GivenMatrix>>,
): DenseMatrix {
  return densify(stages.built.root, oracleValues(stages, layer, given));
}

/** y [batch, rows] = x [batch, columns] times the transposed weight. */
export function oracleForward(
  { rows, columns, values }: DenseMatrix,
  x: Float32Array,
  batch: number,
): Float64Array {
  const y = new Float64Array(batch * rows);
  for (let token = 0; token < batch; token += 1) {
    for (let row = 0; row < rows; row += 1) {
      let sum = 0;
      for (let column = 0; column < columns; column += 1) {
        sum += (values[row * columns + column] ?? 0) * (x[token * columns + column] ?? 0);
      }
      y[token * rows + row] = sum;
    }
  }
  return y;
}

/** ||found - expected|| / ||expected||, or the plain distance when the expected norm is zero. */
export function relativeError(found: Float32Array, expected: Float64Array): number {
  let difference = 0;
  let norm = 0;
  expected.forEach((value, index) => {
    const distance = (found[index] ?? Number.NaN) - value;
    difference += distance * distance;
    norm += value * value;
  });
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}
