/**
 * Reverse mode over a matrix source on dense float64 matrices with plain loops, one rule for each kind of node from its
 * differential: what the interpreter of backward plans takes the gradients of intermediates on with.
 * size: one rule for each kind of source, read side by side.
 */
import type { ElementFunction, MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import {
  combineEntries,
  type DenseMatrix,
  denseMatrix,
  entryOf,
  hadamardProduct,
  kroneckerProduct,
  multiplyMatrices,
  scaleMatrix,
  transposeMatrix,
} from "./dense-matrix.ts";
import { evaluateSource, patternOf, type WeightValues } from "./evaluate-source.ts";

/** Takes the gradient of a tensor's matrix, dense; a vector's as a column. */
export type GiveDense = (tensor: CheckedTensor, slice: number | null, gradient: DenseMatrix) => void;

interface Pull {
  readonly value: (source: MatrixSource) => DenseMatrix;
  readonly size: (expression: Parameters<typeof evaluateNumber>[0]) => number;
  readonly keeps: (pattern: string) => (row: number, column: number) => boolean;
  readonly pull: (source: MatrixSource, gradient: DenseMatrix) => void;
}

/** Derivatives, from x. */
const slopes: Readonly<Record<ElementFunction, (x: number) => number>> = {
  sigmoid: (x) => Math.exp(-x) / (1 + Math.exp(-x)) ** 2,
  tanh: (x) => 1 / Math.cosh(x) ** 2,
  exp: (x) => Math.exp(x),
  log: (x) => 1 / x,
  sqrt: (x) => 1 / (2 * Math.sqrt(x)),
  abs: (x) => Math.sign(x),
  relu: (x) => Number(x > 0),
};

/** Gradients of all leaves of `source`; derived tensors are followed to what they are computed from. */
export function pullDense(
  source: MatrixSource,
  gradient: DenseMatrix,
  tensors: readonly CheckedTensor[],
  values: WeightValues,
  give: GiveDense,
): void {
  const value = (part: MatrixSource): DenseMatrix => evaluateSource(part, tensors, values);
  const pull = (part: MatrixSource, given: DenseMatrix): void => {
    if (part.kind === "leaf") {
      const tensor = tensors.find(({ name }) => name === part.name);
      if (tensor === undefined) throw new ReferenceError(`no tensor \`${part.name}\``);
      const { derivation } = tensor;
      if (derivation === undefined) give(tensor, part.slice, given);
      else pullDense(derivation.formula, given, derivation.reads, values, give);
      return;
    }
    pullNode(part, given, {
      value,
      pull,
      size: (expression) => evaluateNumber(expression, values.numbers),
      keeps: (name) => patternOf(name, values),
    });
  };
  pull(source, gradient);
}

type Node = Exclude<MatrixSource, { kind: "leaf" }>;

function pullNode(source: Node, gradient: DenseMatrix, scope: Pull): void {
  const { pull, value } = scope;
  switch (source.kind) {
    case "sum":
      for (const term of source.terms) pull(term, gradient);
      return;
    case "scale":
      pull(source.of, scaleMatrix(scope.size(source.factor), gradient));
      return;
    case "transpose":
      pull(source.of, transposeMatrix(gradient));
      return;
    case "product":
      pullFolded(source.factors, gradient, scope, multiplyMatrices, {
        left: (given, _, right) => multiplyMatrices(given, transposeMatrix(right)),
        right: (given, left) => multiplyMatrices(transposeMatrix(left), given),
      });
      return;
    case "hadamard":
      pullFolded(source.factors, gradient, scope, hadamardProduct, {
        left: (given, _, right) => hadamardProduct(given, right),
        right: (given, left) => hadamardProduct(given, left),
      });
      return;
    case "kron":
      pullFolded(source.factors, gradient, scope, kroneckerProduct, { left: kronByLeft, right: kronByRight });
      return;
    case "mask": {
      const keeps = scope.keeps(source.pattern);
      pull(
        source.of,
        mapEntries(gradient, (given, row, column) => (keeps(row, column) ? given : 0)),
      );
      return;
    }
    case "blockdiag": {
      let [top, side] = [0, 0];
      for (const block of source.blocks) {
        const { rows, columns } = value(block);
        const [firstRow, firstColumn] = [top, side];
        pull(
          block,
          denseMatrix(rows, columns, (row, column) =>
            entryOf(gradient, firstRow + row, firstColumn + column),
          ),
        );
        top += rows;
        side += columns;
      }
      return;
    }
    default:
      pullFunction(source, gradient, scope);
  }
}

type FunctionNode = Exclude<
  Node,
  { kind: "sum" | "scale" | "transpose" | "product" | "hadamard" | "kron" | "mask" | "blockdiag" }
>;

function pullFunction(source: FunctionNode, gradient: DenseMatrix, { pull, value }: Pull): void {
  switch (source.kind) {
    case "pattern":
    case "identity":
    case "window":
    case "stride-permutation":
    case "ones":
    case "detach":
      return;
    case "diag": {
      const of = value(source.of);
      if (of.columns !== 1)
        pull(
          source.of,
          mapEntries(gradient, (given, i, j) => (i === j ? given : 0)),
        );
      else
        pull(
          source.of,
          denseMatrix(of.rows, 1, (row) => entryOf(gradient, row, row)),
        );
      return;
    }
    case "map": {
      const slope = slopes[source.function];
      pull(
        source.of,
        combineEntries(gradient, value(source.of), (given, x) => given * slope(x)),
      );
      return;
    }
    case "quotient": {
      const [left, right] = [value(source.left), value(source.right)];
      pull(
        source.left,
        combineEntries(gradient, right, (given, b) => given / b),
      );
      const factor = combineEntries(left, right, (a, b) => -a / (b * b));
      pull(source.right, hadamardProduct(gradient, factor));
      return;
    }
    case "row-norm": {
      const [of, norms] = [value(source.of), value(source)];
      pull(
        source.of,
        mapEntries(of, (x, row) => {
          const norm = entryOf(norms, row, 0);
          return norm === 0 ? 0 : (entryOf(gradient, row, 0) * x) / norm;
        }),
      );
      return;
    }
    case "row-softmax": {
      // dyⱼ / dxₖ = yⱼ (δⱼₖ - yₖ)
      const y = value(source);
      pull(
        source.of,
        mapEntries(y, (yk, row, k) => {
          let sum = 0;
          for (let j = 0; j < y.columns; j++)
            sum += entryOf(gradient, row, j) * entryOf(y, row, j) * (Number(j === k) - yk);
          return sum;
        }),
      );
      return;
    }
    case "entry":
      pull(
        source.of,
        mapEntries(value(source.of), (_, row, column) =>
          row === source.row && column === source.column ? entryOf(gradient, 0, 0) : 0,
        ),
      );
      return;
    case "fill":
      pull(
        source.of,
        denseMatrix(1, 1, () => gradient.values.reduce((sum, given) => sum + given, 0)),
      );
      return;
    case "inverse": {
      const turned = transposeMatrix(value(source));
      pull(source.of, scaleMatrix(-1, multiplyMatrices(multiplyMatrices(turned, gradient), turned)));
      return;
    }
    case "face-splitting": {
      const [left, right] = [value(source.left), value(source.right)];
      const at = (row: number, k: number, l: number): number => entryOf(gradient, row, k * right.columns + l);
      const over = (count: number, term: (index: number) => number): number =>
        Array.from({ length: count }, (_, index) => term(index)).reduce((sum, part) => sum + part, 0);
      pull(
        source.left,
        mapEntries(left, (_, row, k) => over(right.columns, (l) => at(row, k, l) * entryOf(right, row, l))),
      );
      pull(
        source.right,
        mapEntries(right, (_, row, l) => over(left.columns, (k) => at(row, k, l) * entryOf(left, row, k))),
      );
      return;
    }
    case "skew":
      pull(source.of, skewTriangles(value(source.of), gradient));
      return;
    case "strict-upper":
      pull(
        source.of,
        mapEntries(gradient, (given, row, column) => (column > row ? given : 0)),
      );
  }
}

const mapEntries = (
  { rows, columns, values }: DenseMatrix,
  f: (value: number, row: number, column: number) => number,
): DenseMatrix =>
  denseMatrix(rows, columns, (row, column) => f(values[row * columns + column] ?? Number.NaN, row, column));

type Binary = (left: DenseMatrix, right: DenseMatrix) => DenseMatrix;
type ByPart = (given: DenseMatrix, left: DenseMatrix, right: DenseMatrix) => DenseMatrix;

/** An associative product of several factors, as first · rest. */
function pullFolded(
  factors: readonly MatrixSource[],
  gradient: DenseMatrix,
  scope: Pull,
  multiply: Binary,
  by: { readonly left: ByPart; readonly right: ByPart },
): void {
  const [first, ...rest] = factors;
  if (first === undefined) return;
  if (rest.length === 0) {
    scope.pull(first, gradient);
    return;
  }
  const [left, right] = [scope.value(first), rest.map(scope.value).reduce(multiply)];
  scope.pull(first, by.left(gradient, left, right));
  pullFolded(rest, by.right(gradient, left, right), scope, multiply, by);
}

/** Σₖₗ G[(i, k), (j, l)] B[k, l] */
const kronByLeft: ByPart = (given, left, right) =>
  denseMatrix(left.rows, left.columns, (i, j) => {
    let sum = 0;
    for (let k = 0; k < right.rows; k++)
      for (let l = 0; l < right.columns; l++)
        sum += entryOf(given, i * right.rows + k, j * right.columns + l) * entryOf(right, k, l);
    return sum;
  });

/** Σᵢⱼ G[(i, k), (j, l)] A[i, j] */
const kronByRight: ByPart = (given, left, right) =>
  denseMatrix(right.rows, right.columns, (k, l) => {
    let sum = 0;
    for (let i = 0; i < left.rows; i++)
      for (let j = 0; j < left.columns; j++)
        sum += entryOf(given, i * right.rows + k, j * right.columns + l) * entryOf(left, i, j);
    return sum;
  });

/** An entry above the diagonal stands below with the other sign. */
function skewTriangles(triangles: DenseMatrix, gradient: DenseMatrix): DenseMatrix {
  const size = triangles.rows === 0 ? 0 : gradient.rows / triangles.rows;
  const entries: number[] = [];
  for (let block = 0; block < triangles.rows; block++) {
    for (let row = block * size; row < (block + 1) * size; row++)
      for (let column = row + 1; column < (block + 1) * size; column++)
        entries.push(entryOf(gradient, row, column) - entryOf(gradient, column, row));
  }
  return { ...triangles, values: Float64Array.from(entries) };
}
