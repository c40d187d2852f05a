/** Hand-written plans over matrices of small integers, with the dense weight that each of them stands for. */
import type { Layout, MergePlan, Operand, Plan, Step, Variant } from "../../compiler/plan/plan.ts";
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { MatrixValue } from "../../runtime/formats/matrix-value.ts";
import type { QuantizedMatrix } from "../../runtime/tensor/quantized-matrix.ts";

/** The same numbers for the same seed, on every machine. */
export function createRandom(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(((state >>> 8) / 2 ** 24) * below);
  };
}

/** A row-major matrix in float64; small integers, so that every order of summation gives the same result. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export function matrix(rows: number, columns: number, at: (row: number, column: number) => number): Matrix {
  const values = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) values[row * columns + column] = at(row, column);
  }
  return { rows, columns, values };
}

export const entry = ({ columns, values }: Matrix, row: number, column: number): number =>
  values[row * columns + column] ?? Number.NaN;

export function product(left: Matrix, right: Matrix): Matrix {
  return matrix(left.rows, right.columns, (row, column) => {
    let sum = 0;
    for (let k = 0; k < left.columns; k++) sum += entry(left, row, k) * entry(right, k, column);
    return sum;
  });
}

export const total = (first: Matrix, ...others: readonly Matrix[]): Matrix =>
  matrix(first.rows, first.columns, (row, column) =>
    others.reduce((sum, other) => sum + entry(other, row, column), entry(first, row, column)),
  );

/** (P v)[k * stride + j] = v[j * (size / stride) + k]. */
export function stridePermutation(size: number, stride: number): Matrix {
  const quotient = size / stride;
  return matrix(size, size, (row, column) => {
    const [k, j] = [Math.floor(row / stride), row % stride];
    return Number(column === j * quotient + k);
  });
}

const nonzero = (random: (below: number) => number): number => (random(2) === 0 ? -1 : 1) * (1 + random(3));

export const denseMatrix = (rows: number, columns: number, random: (below: number) => number): Matrix =>
  matrix(rows, columns, () => nonzero(random));

/** About `percent` of the entries. */
export const sparseMatrix = (
  rows: number,
  columns: number,
  percent: number,
  random: (below: number) => number,
): Matrix => matrix(rows, columns, () => (random(100) < percent ? nonzero(random) : 0));

/** Exactly n of each m entries along the rows. */
export function nmMatrix(
  rows: number,
  columns: number,
  { n, m }: { readonly n: number; readonly m: number },
  random: (below: number) => number,
): Matrix {
  const values = new Float64Array(rows * columns);
  for (let group = 0; group < values.length / m; group++) {
    const free = Array.from({ length: m }, (_, index) => index);
    for (let kept = 0; kept < n; kept++) {
      const [taken = 0] = free.splice(random(free.length), 1);
      values[group * m + taken] = nonzero(random);
    }
  }
  return { rows, columns, values };
}

/** Blocks of height x width, each kept with `percent`. */
export function blockMatrix(
  rows: number,
  columns: number,
  block: { readonly height: number; readonly width: number; readonly percent: number },
  random: (below: number) => number,
): Matrix {
  const kept = new Map<string, boolean>();
  return matrix(rows, columns, (row, column) => {
    const key = `${Math.floor(row / block.height)},${Math.floor(column / block.width)}`;
    const keep = kept.get(key) ?? random(100) < block.percent;
    kept.set(key, keep);
    return keep ? nonzero(random) : 0;
  });
}

export function blockDiagonal(
  blocks: number,
  blockRows: number,
  blockColumns: number,
  repeated: boolean,
  random: (below: number) => number,
): Matrix {
  const stored = Float64Array.from({ length: blocks * blockRows * blockColumns }, () => nonzero(random));
  return matrix(blocks * blockRows, blocks * blockColumns, (row, column) => {
    const block = Math.floor(row / blockRows);
    if (block !== Math.floor(column / blockColumns)) return 0;
    const which = repeated ? 0 : block;
    return stored[(which * blockRows + (row % blockRows)) * blockColumns + (column % blockColumns)] ?? 0;
  });
}

export interface CaseOperand {
  readonly name: string;
  /** The codes of `matrix`, for formats that hold codes. */
  readonly quantized?: QuantizedMatrix;
  readonly format: OperandFormat;
  readonly matrix: Matrix;
  /** Dimensions as the plan names them; literal sizes when left out. */
  readonly rows?: NumberExpression;
  readonly columns?: NumberExpression;
}

export interface WeightCase {
  readonly plan: Plan;
  readonly variant: Variant;
  readonly operands: readonly CaseOperand[];
  readonly symbols: ReadonlyMap<string, number>;
  /** What y = x Wᵀ has to use. */
  readonly weight: Matrix;
}

interface CaseRequest {
  readonly layout: Layout;
  readonly operands: readonly CaseOperand[];
  readonly steps: readonly Step[];
  readonly weight: Matrix;
  readonly activations?: Variant["activations"];
  readonly symbols?: Readonly<Record<string, number>>;
  readonly merge?: MergePlan;
}

/** A plan of one variant; its rows and columns are the symbols `out` and `in`. */
export function weightCase(request: CaseRequest): WeightCase {
  const { layout, operands, steps, weight } = request;
  const variant: Variant = {
    name: "only",
    form: "",
    layout,
    activations: request.activations ?? [],
    steps,
    merged: false,
    cost: number(0),
    costs: { "x86-64-v4": number(0), "x86-64-v3": number(0) },
    rules: [],
  };
  const planned = operands.map(
    ({ name, format, matrix: values, rows, columns }): Operand => ({
      name,
      format,
      rows: rows ?? number(values.rows),
      columns: columns ?? number(values.columns),
      source: { kind: "leaf", name, slice: null },
      stage: "load",
      production: "pack",
      bytes: number(0),
      multiplies: number(0),
      work: number(0),
      description: name,
    }),
  );
  return {
    plan: {
      transform: "Case",
      rows: symbol("out"),
      columns: symbol("in"),
      derived: [],
      operands: planned,
      variants: [variant],
      rates: { name: "none", id: "00000000", threads: 1 },
      merge: request.merge ?? { method: "identity", variant: "only" },
      backward: {
        activations: [],
        steps: [],
        parameters: [],
        intermediates: [],
        cost: number(0),
        search: { priced: 0, total: 0 },
        rules: [],
      },
      search: { priced: 1, total: 1, points: 0, rejected: [] },
      notes: [],
      specializations: [],
    },
    variant,
    operands,
    symbols: new Map(Object.entries({ out: weight.rows, in: weight.columns, ...request.symbols })),
    weight,
  };
}

/** The matrix as the packers want it. */
export function matrixValue(
  { format, matrix: { rows, columns, values } }: CaseOperand,
  blocks: number,
): MatrixValue {
  if (format.name === "vector") {
    return {
      kind: "diag",
      values: Float32Array.from({ length: rows }, (_, row) => values[row * columns + row] ?? 0),
    };
  }
  if (format.name !== "blockdiag16")
    return { kind: "dense", rows, columns, values: Float32Array.from(values) };
  const [blockRows, blockColumns] = [rows / blocks, columns / blocks];
  if (format.repeated) {
    const one = matrix(blockRows, blockColumns, (row, column) => values[row * columns + column] ?? 0);
    return { kind: "dense", rows: blockRows, columns: blockColumns, values: Float32Array.from(one.values) };
  }
  const stored = Float32Array.from({ length: blocks * blockRows * blockColumns }, (_, index) => {
    const column = index % blockColumns;
    const row = Math.floor(index / blockColumns);
    return values[row * columns + Math.floor(row / blockRows) * blockColumns + column] ?? 0;
  });
  return { kind: "blockdiag", blocks, blockRows, blockColumns, values: stored };
}
