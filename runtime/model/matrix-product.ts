/** Products, Kronecker products and block diagonals of matrix values; products of dense ones are handed out. */
import {
  type BlockDiagonalMatrix,
  columnsOf,
  type DiagonalMatrix,
  type MatrixValue,
  rowsOf,
  type SparseMatrix,
  toSparse,
} from "../formats/matrix-value.ts";
import { addRow, buildSparse } from "./matrix-algebra.ts";
import type { Work } from "./product-work.ts";

/** The product of a chain, multiplied in the order that needs the fewest dense multiplications. */
export function* multiplyChain(factors: readonly MatrixValue[]): Work<MatrixValue> {
  const [first, ...rest] = factors;
  if (first === undefined) throw new RangeError("a product without factors has no shape");
  if (rest.length === 0) return first;
  const split = cheapestSplit([rowsOf(first), ...factors.map(columnsOf)]);
  const left = yield* multiplyChain(factors.slice(0, split));
  const right = yield* multiplyChain(factors.slice(split));
  return left.kind === "dense" && right.kind === "dense" ? yield { left, right } : multiply(left, right);
}

/** Where the last multiplication of the chain splits it: matrix chain ordering over the sizes. */
function cheapestSplit(sizes: readonly number[]): number {
  const count = sizes.length - 1;
  const cost = Array.from({ length: count }, () => new Array<number>(count).fill(0));
  let splitOfAll = 1;
  for (let length = 2; length <= count; length++) {
    for (let from = 0; from + length <= count; from++) {
      const to = from + length - 1;
      let best = Number.POSITIVE_INFINITY;
      for (let split = from + 1; split <= to; split++) {
        const multiplications = (sizes[from] ?? 0) * (sizes[split] ?? 0) * (sizes[to + 1] ?? 0);
        const total = (cost[from]?.[split - 1] ?? 0) + (cost[split]?.[to] ?? 0) + multiplications;
        if (total >= best) continue;
        best = total;
        if (length === count) splitOfAll = split;
      }
      const line = cost[from];
      if (line !== undefined) line[to] = best;
    }
  }
  return splitOfAll;
}

/** One of them is not dense. */
function multiply(left: MatrixValue, right: MatrixValue): MatrixValue {
  if (left.kind === "diag") return scaleRows(left, right);
  if (right.kind === "diag") return scaleColumns(left, right);
  if (left.kind === "blockdiag" && right.kind === "blockdiag" && left.blocks === right.blocks) {
    return multiplyBlocks(left, right);
  }
  const rows = rowsOf(left);
  const columns = columnsOf(right);
  const factor = right.kind === "dense" ? right : toSparse(right);
  if (left.kind !== "dense" && factor.kind === "sparse") return multiplySparse(toSparse(left), factor);
  const source = left.kind === "dense" ? left : toSparse(left);
  const values = new Float32Array(rows * columns);
  const line = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    line.fill(0);
    if (source.kind === "dense") {
      for (let k = 0; k < source.columns; k++)
        addRow(factor, k, source.values[row * source.columns + k] ?? 0, line);
    } else {
      const end = source.rowStarts[row + 1] ?? 0;
      for (let entry = source.rowStarts[row] ?? 0; entry < end; entry++) {
        addRow(factor, source.columnIndices[entry] ?? 0, source.values[entry] ?? 0, line);
      }
    }
    values.set(line, row * columns);
  }
  return { kind: "dense", rows, columns, values };
}

function multiplySparse(left: SparseMatrix, right: SparseMatrix): SparseMatrix {
  return buildSparse(left.rows, right.columns, (row, collect) => {
    const end = left.rowStarts[row + 1] ?? 0;
    for (let entry = left.rowStarts[row] ?? 0; entry < end; entry++) {
      const k = left.columnIndices[entry] ?? 0;
      const weight = left.values[entry] ?? 0;
      const last = right.rowStarts[k + 1] ?? 0;
      for (let other = right.rowStarts[k] ?? 0; other < last; other++) {
        collect(right.columnIndices[other] ?? 0, weight * (right.values[other] ?? 0));
      }
    }
  });
}

/** (A₁ ⊕ A₂ …)(B₁ ⊕ B₂ …) = A₁B₁ ⊕ A₂B₂ … */
function multiplyBlocks(left: BlockDiagonalMatrix, right: BlockDiagonalMatrix): BlockDiagonalMatrix {
  const { blocks, blockRows, blockColumns: inner } = left;
  const { blockColumns } = right;
  const values = new Float32Array(blocks * blockRows * blockColumns);
  const line = new Float64Array(blockColumns);
  for (let block = 0; block < blocks; block++) {
    const part = right.values.subarray(block * inner * blockColumns, (block + 1) * inner * blockColumns);
    const factor = { kind: "dense", rows: inner, columns: blockColumns, values: part } as const;
    for (let row = 0; row < blockRows; row++) {
      line.fill(0);
      for (let k = 0; k < inner; k++)
        addRow(factor, k, left.values[(block * blockRows + row) * inner + k] ?? 0, line);
      values.set(line, (block * blockRows + row) * blockColumns);
    }
  }
  return { kind: "blockdiag", blocks, blockRows, blockColumns, values };
}

function scaleRows(diagonal: DiagonalMatrix, matrix: MatrixValue): MatrixValue {
  const factorOf = (row: number): number => diagonal.values[row] ?? 0;
  if (matrix.kind === "diag")
    return { kind: "diag", values: matrix.values.map((value, row) => value * factorOf(row)) };
  if (matrix.kind === "sparse") {
    const values = matrix.values.slice();
    for (let row = 0; row < matrix.rows; row++) {
      const end = matrix.rowStarts[row + 1] ?? 0;
      for (let entry = matrix.rowStarts[row] ?? 0; entry < end; entry++)
        values[entry] = (values[entry] ?? 0) * factorOf(row);
    }
    return { ...matrix, values };
  }
  const width = matrix.kind === "dense" ? matrix.columns : matrix.blockColumns;
  return { ...matrix, values: matrix.values.map((value, at) => value * factorOf(Math.floor(at / width))) };
}

function scaleColumns(matrix: MatrixValue, diagonal: DiagonalMatrix): MatrixValue {
  const factorOf = (column: number): number => diagonal.values[column] ?? 0;
  switch (matrix.kind) {
    case "diag":
      return scaleRows(matrix, diagonal);
    case "sparse":
      return {
        ...matrix,
        values: matrix.values.map((value, at) => value * factorOf(matrix.columnIndices[at] ?? 0)),
      };
    case "dense":
      return { ...matrix, values: matrix.values.map((value, at) => value * factorOf(at % matrix.columns)) };
    case "blockdiag": {
      const { blockRows, blockColumns } = matrix;
      const first = (at: number): number => Math.floor(at / (blockRows * blockColumns)) * blockColumns;
      return {
        ...matrix,
        values: matrix.values.map((value, at) => value * factorOf(first(at) + (at % blockColumns))),
      };
    }
  }
}

/** left ⊗ right: entry (i * p + k, j * q + l) is left[i, j] * right[k, l] for right [p, q]. */
export function kronMatrices(left: MatrixValue, right: MatrixValue): MatrixValue {
  const rows = rowsOf(right);
  const columns = columnsOf(right);
  if (left.kind === "diag" && right.kind === "dense") {
    const values = new Float32Array(left.values.length * right.values.length);
    left.values.forEach((factor, block) => {
      values.set(
        right.values.map((value) => factor * value),
        block * right.values.length,
      );
    });
    return { kind: "blockdiag", blocks: left.values.length, blockRows: rows, blockColumns: columns, values };
  }
  if (left.kind !== "dense" || right.kind !== "dense") return kronSparse(toSparse(left), toSparse(right));
  const width = left.columns * columns;
  const values = new Float32Array(left.rows * rows * width);
  left.values.forEach((factor, at) => {
    const first = Math.floor(at / left.columns) * rows * width + (at % left.columns) * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        values[first + row * width + column] = factor * (right.values[row * columns + column] ?? 0);
      }
    }
  });
  return { kind: "dense", rows: left.rows * rows, columns: width, values };
}

function kronSparse(left: SparseMatrix, right: SparseMatrix): SparseMatrix {
  return buildSparse(left.rows * right.rows, left.columns * right.columns, (row, collect) => {
    const outer = Math.floor(row / right.rows);
    const inner = row % right.rows;
    const end = left.rowStarts[outer + 1] ?? 0;
    const last = right.rowStarts[inner + 1] ?? 0;
    for (let entry = left.rowStarts[outer] ?? 0; entry < end; entry++) {
      const first = (left.columnIndices[entry] ?? 0) * right.columns;
      for (let other = right.rowStarts[inner] ?? 0; other < last; other++) {
        collect(
          first + (right.columnIndices[other] ?? 0),
          (left.values[entry] ?? 0) * (right.values[other] ?? 0),
        );
      }
    }
  });
}

/** A₁ ⊕ A₂ ⊕ …: equal dense blocks as such, others as a sparse matrix. */
export function blockDiagonalOf(blocks: readonly MatrixValue[]): MatrixValue {
  const dense = blocks.filter((block) => block.kind === "dense");
  const blockRows = dense[0]?.rows ?? 0;
  const blockColumns = dense[0]?.columns ?? 0;
  const equal = dense.every(({ rows, columns }) => rows === blockRows && columns === blockColumns);
  if (dense.length === blocks.length && equal) {
    const values = new Float32Array(blocks.length * blockRows * blockColumns);
    for (const [index, block] of dense.entries()) values.set(block.values, index * blockRows * blockColumns);
    return { kind: "blockdiag", blocks: blocks.length, blockRows, blockColumns, values };
  }
  const parts = blocks.map(toSparse);
  const places = parts.flatMap((part, index) =>
    Array.from({ length: part.rows }, (_, row) => ({ part, row, index })),
  );
  const firstColumns = parts.map((_, index) =>
    parts.slice(0, index).reduce((sum, part) => sum + part.columns, 0),
  );
  const columns = parts.reduce((sum, part) => sum + part.columns, 0);
  return buildSparse(places.length, columns, (place, collect) => {
    const found = places[place];
    if (found === undefined) return;
    const { part, row, index } = found;
    const end = part.rowStarts[row + 1] ?? 0;
    for (let entry = part.rowStarts[row] ?? 0; entry < end; entry++) {
      collect((firstColumns[index] ?? 0) + (part.columnIndices[entry] ?? 0), part.values[entry] ?? 0);
    }
  });
}
