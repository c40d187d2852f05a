/**
 * Elementary operations of computing a matrix from its leaves outside of kernels: one for each multiply-add of a product,
 * each addition of a sum and each entry of a Kronecker product. Masks, scales and transposes go with the packing.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { childrenOf, multiplyNumbers } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { applyFolded } from "../types/fold-number.ts";
import { plus, times } from "./packed-size.ts";
import {
  entryCount,
  kronStructure,
  type PieceStructure,
  productStructure,
  type StructuredMatrix,
  sumStructure,
  termStructure,
} from "./piece-structure.ts";

export interface WorkedMatrix extends StructuredMatrix {
  /** Operations that give it. */
  readonly work: NumberExpression;
}

const isOneEach = ({ structure }: StructuredMatrix): boolean =>
  structure.kind === "diagonal" || structure.kind === "permutation";

/**
 * Multiply-adds of one product: the entries of a structured side meet the whole width of the other; those of a diagonal
 * or a permutation one entry each.
 */
export function productWork(left: StructuredMatrix, right: StructuredMatrix): NumberExpression {
  if (isOneEach(left)) return entryCount(right);
  if (isOneEach(right)) return entryCount(left);
  if (right.structure.kind === "dense") return times(entryCount(left), right.columns);
  if (left.structure.kind === "dense") return times(left.rows, entryCount(right));
  return applyFolded("min", ...[times(entryCount(left), right.columns), times(left.rows, entryCount(right))]);
}

/**
 * The product of a chain by dynamic programming over its intervals: a cell holds the structure and the least work of the
 * product of its factors, over every place where its last multiplication may split it.
 */
export function productOf(factors: readonly [WorkedMatrix, ...WorkedMatrix[]]): WorkedMatrix {
  const cells = new Map<string, WorkedMatrix>();
  const cell = (from: number, to: number): WorkedMatrix => {
    const known = cells.get(`${from}:${to}`);
    if (known !== undefined) return known;
    const found = from + 1 === to ? (factors[from] ?? factors[0]) : joined(from, to);
    cells.set(`${from}:${to}`, found);
    return found;
  };
  const joined = (from: number, to: number): WorkedMatrix => {
    const ways = Array.from({ length: to - from - 1 }, (_, index) => {
      const [left, right] = [cell(from, from + index + 1), cell(from + index + 1, to)];
      return { left, right, work: plus(left.work, right.work, productWork(left, right)) };
    });
    const works = ways.map(({ work }) => work);
    const structures = ways.map(({ left, right }) => productStructure(left, right));
    const [work = number(0)] = works;
    return {
      rows: cell(from, from + 1).rows,
      columns: cell(to - 1, to).columns,
      structure: jointStructure(structures),
      work: works.length > 1 ? applyFolded("min", ...works) : work,
    };
  };
  return cell(0, factors.length);
}

/** Every split gives the same matrix: what one of them shows of it is true, and the least count of entries. */
function jointStructure(structures: readonly PieceStructure[]): PieceStructure {
  const counts = structures.flatMap((structure) => (structure.kind === "masked" ? [structure.count] : []));
  const [only, ...more] = counts;
  const shown = structures.find(({ kind }) => kind !== "dense" && kind !== "masked");
  if (shown !== undefined || only === undefined) return shown ?? { kind: "dense" };
  return { kind: "masked", count: more.length === 0 ? only : applyFolded("min", ...counts) };
}

/** Additions that join terms of one shape. */
export const sumWork = (terms: readonly WorkedMatrix[]): NumberExpression =>
  plus(...terms.map(({ work }) => work), ...(terms.length > 1 ? terms.map(entryCount) : []));

/** The Kronecker product, factor by factor. */
export const kronOf = ([first, ...rest]: readonly [WorkedMatrix, ...WorkedMatrix[]]): WorkedMatrix =>
  rest.reduce<WorkedMatrix>((left, right) => {
    const rows = multiplyNumbers(left.rows, right.rows);
    const columns = multiplyNumbers(left.columns, right.columns);
    const work = plus(left.work, right.work, times(rows, columns));
    return { rows, columns, structure: kronStructure(left, right), work };
  }, first);

/** A term as one matrix, with the work of forming it. */
export function workedTerm(term: Term): WorkedMatrix {
  const { rows, columns } = term;
  const structure = termStructure(term);
  const inner = childrenOf(term).map(workedTerm);
  const [first, ...rest] = inner;
  if (first === undefined) return { rows, columns, structure, work: number(0) };
  if (term.kind === "chain") return productOf([first, ...rest]);
  const parts = plus(...inner.map(({ work }) => work));
  if (term.kind === "sum")
    return { rows, columns, structure: sumStructure([first, ...rest]), work: sumWork(inner) };
  if (term.kind === "kron") return kronOf([first, ...rest]);
  // A factor goes with the packing and leaves zeros where they are.
  if (term.kind === "scale") return first;
  return { rows, columns, structure, work: parts };
}
