/** The stored values of a parameter: made from an initial value, and seen as a matrix or as a dense tensor. */
import { SpxError } from "../errors.ts";
import { type MatrixValue, toDense } from "../formats/matrix-value.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { indicatorOf, rowsOfPattern } from "../select/pattern.ts";
import type { ParameterTarget } from "../select/recipe-target.ts";
import type { RecipeValue } from "../select/recipe-value.ts";

/** A parameter of a layer with its values, in the order in which they are stored. */
export interface LayerParameter {
  readonly target: ParameterTarget;
  readonly values: Float32Array;
}

export const storedCount = (target: ParameterTarget): number =>
  target.stored.reduce((count, size) => count * size, 1);

/**
 * The values of `target` from what its recipe gave: a number fills, a tensor of the stored shape is taken, a
 * matrix of the declared shape is read at the positions that exist.
 * @throws SpxError SPX8405 for a tensor of any other shape.
 */
export function storeInitialValue(value: RecipeValue, target: ParameterTarget): Float32Array {
  if (value.kind === "number") return new Float32Array(storedCount(target)).fill(value.value);
  if (value.kind === "outputs") throw wrongShape(target, "several tensors");
  const tensor =
    value.kind === "tensor"
      ? value.tensor
      : { shape: [value.pattern.rows, value.pattern.columns], values: indicatorOf(value.pattern) };
  if (tensor.shape.length === 0) return new Float32Array(storedCount(target)).fill(tensor.values[0] ?? 0);
  if (sameSizes(tensor.shape, target.stored)) return tensor.values.slice();
  if (target.structure === "diag" && sameSizes(tensor.shape, [...target.stored, ...target.stored])) {
    const size = target.stored[0] ?? 0;
    return Float32Array.from({ length: size }, (_, index) => tensor.values[index * size + index] ?? 0);
  }
  if (!sameSizes(tensor.shape, target.dimensions)) throw wrongShape(target, `[${tensor.shape.join(", ")}]`);
  return target.structure === "blockdiag" ? readBlocks(tensor, target) : readSupport(tensor, target);
}

const sameSizes = (left: readonly number[], right: readonly number[]): boolean =>
  left.length === right.length && left.every((size, axis) => size === right[axis]);

function readSupport({ values }: DenseTensor, target: ParameterTarget): Float32Array {
  if (target.support === null) throw wrongShape(target, "a matrix");
  const { rowStarts, columnIndices } = rowsOfPattern(target.support);
  const kept = new Float32Array(columnIndices.length);
  for (let row = 0; row < target.support.rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      kept[entry] = values[row * target.support.columns + (columnIndices[entry] ?? 0)] ?? 0;
    }
  }
  return kept;
}

function readBlocks({ values }: DenseTensor, target: ParameterTarget): Float32Array {
  const [, columns = 0] = target.dimensions;
  const [, blockRows = 0, blockColumns = 0] = target.stored;
  return Float32Array.from({ length: storedCount(target) }, (_, at) => {
    const row = Math.floor(at / blockColumns);
    const first = Math.floor(row / blockRows) * blockColumns;
    return values[row * columns + first + (at % blockColumns)] ?? 0;
  });
}

function wrongShape(target: ParameterTarget, found: string): SpxError {
  return new SpxError(
    "SPX8405",
    `the initial value of \`${target.name}\` is ${found}, expected [${target.dimensions.join(", ")}]`,
    {
      facts: { parameter: target.name, expected: target.dimensions, found },
      help: "give a number, or a tensor of the parameter's own shape",
    },
  );
}

/** The parameter as a matrix over its live values; `slice` picks one of a stacked parameter, a vector is one column. */
export function parameterMatrix({ target, values }: LayerParameter, slice: number | null): MatrixValue {
  const { structure, stored, support } = target;
  if (structure === "diag") return { kind: "diag", values };
  if (structure === "sparse" && support !== null) {
    return {
      kind: "sparse",
      rows: support.rows,
      columns: support.columns,
      ...rowsOfPattern(support),
      values,
    };
  }
  if (structure === "blockdiag") {
    const [blocks = 1, blockRows = 0, blockColumns = 0] = stored;
    return { kind: "blockdiag", blocks, blockRows, blockColumns, values };
  }
  return tensorMatrix({ shape: stored, values }, slice);
}

/** A tensor of one to three dimensions as a matrix; of three, the one at `slice`. */
export function tensorMatrix({ shape, values }: DenseTensor, slice: number | null): MatrixValue {
  const [first = 1, second = 1, third = 1] = shape;
  if (shape.length < 3) return { kind: "dense", rows: first, columns: second, values };
  const size = second * third;
  const start = (slice ?? 0) * size;
  return { kind: "dense", rows: second, columns: third, values: values.subarray(start, start + size) };
}

/** The parameter written out: its declared shape, zeros where it has no values. */
export function parameterTensor(parameter: LayerParameter): DenseTensor {
  const { target, values } = parameter;
  if (target.structure === "dense") return { shape: target.stored, values };
  const dense = toDense(parameterMatrix(parameter, null));
  return { shape: [dense.rows, dense.columns], values: dense.values };
}
