/**
 * Where the entries of a formed matrix may be nonzero: the zero structures of the algebra, diagonals and block diagonals,
 * and the transfer tables of sums, products and Kronecker products. Counts of unions and products are upper bounds.
 */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { type ZeroStructure, zeroStructure } from "../algebra/structure.ts";
import { isOrdering } from "../algebra/structure-transfer.ts";
import { sameDimension } from "../types/dimension.ts";
import { applyFolded } from "../types/fold-number.ts";

export type PieceStructure =
  | ZeroStructure
  | { readonly kind: "diagonal" }
  /** One entry in each row and each column: it moves what it is multiplied by. */
  | { readonly kind: "permutation" }
  /** Equal blocks on the diagonal. */
  | { readonly kind: "blocks"; readonly blocks: NumberExpression };

/** A matrix of which only the shape and the structure matter. */
export interface StructuredMatrix {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly structure: PieceStructure;
}

const fold = (operator: "+" | "*" | "/" | "min", ...operands: NumberExpression[]): NumberExpression =>
  applyFolded(operator, ...operands);

/** The structure of a term as one matrix. */
export function termStructure(term: Term): PieceStructure {
  if (term.kind === "diag" || term.kind === "identity") return { kind: "diagonal" };
  const leaf = term.kind === "transpose" ? term.operand : term;
  if (leaf.kind === "leaf" && leaf.tensor.structure === "blockdiag" && leaf.tensor.blocks !== null)
    return { kind: "blocks", blocks: leaf.tensor.blocks };
  if (leaf.kind === "permutation" || (leaf.kind === "indicator" && isOrdering(leaf.pattern)))
    return { kind: "permutation" };
  if (leaf.kind === "window") return { kind: "sparse", count: leaf.rows };
  if (term.kind === "blockdiag") return blocksStructure(term);
  return zeroStructure(term);
}

function blocksStructure(term: Extract<Term, { kind: "blockdiag" }>): PieceStructure {
  const [first, ...rest] = term.blocks;
  const equal =
    first !== undefined &&
    rest.every(
      ({ rows, columns }) => sameDimension(rows, first.rows) && sameDimension(columns, first.columns),
    );
  return equal ? { kind: "blocks", blocks: number(term.blocks.length) } : { kind: "dense" };
}

/** Positions that may be nonzero. */
export function entryCount({ rows, columns, structure }: StructuredMatrix): NumberExpression {
  switch (structure.kind) {
    case "dense":
      return fold("*", rows, columns);
    case "diagonal":
    case "permutation":
      return rows;
    case "blocks":
      return fold("/", fold("*", rows, columns), structure.blocks);
    case "nm":
      return fold("/", fold("*", rows, columns, number(structure.n)), number(structure.m));
    default:
      return structure.count;
  }
}

const isDense = ({ structure }: StructuredMatrix): boolean => structure.kind === "dense";

/** At most as many entries as the shape has. */
const scattered = (shape: Omit<StructuredMatrix, "structure">, count: NumberExpression): PieceStructure => ({
  kind: "sparse",
  count: fold("min", fold("*", shape.rows, shape.columns), count),
});

/** X + Y + …: dense if one is; diagonals and equal blocks among themselves; else the union of the entries. */
export function sumStructure(terms: readonly [StructuredMatrix, ...StructuredMatrix[]]): PieceStructure {
  const [first, ...rest] = terms;
  if (terms.some(isDense)) return { kind: "dense" };
  if (terms.every(({ structure }) => structure.kind === "diagonal")) return { kind: "diagonal" };
  const { structure } = first;
  const sameBlocks = rest.every(
    (other) =>
      structure.kind === "blocks" &&
      (other.structure.kind === "diagonal" ||
        (other.structure.kind === "blocks" && sameDimension(structure.blocks, other.structure.blocks))),
  );
  if (structure.kind === "blocks" && sameBlocks) return structure;
  return scattered(first, fold("+", ...terms.map(entryCount)));
}

/**
 * What is left of a structure when rows or columns change places: counts. Scattered blocks count as dense, because apart
 * they are panels beside a permutation that costs nothing.
 */
function movedStructure(moved: StructuredMatrix): PieceStructure {
  const { kind } = moved.structure;
  if (kind === "dense" || kind === "blocks") return { kind: "dense" };
  if (kind === "permutation") return { kind: "permutation" };
  return { kind: kind === "sparse" ? "sparse" : "masked", count: entryCount(moved) };
}

/**
 * X Y: a diagonal keeps the structure of the other side, equal blocks stay blocks. Of a side that stores few values each
 * one reaches no more than a row or a column of the product, which may then be mostly zero: entries are a way to store it.
 */
export function productStructure(left: StructuredMatrix, right: StructuredMatrix): PieceStructure {
  if (left.structure.kind === "diagonal") return right.structure;
  if (right.structure.kind === "diagonal") return left.structure;
  if (left.structure.kind === "permutation") return movedStructure(right);
  if (right.structure.kind === "permutation") return movedStructure(left);
  if (
    left.structure.kind === "blocks" &&
    right.structure.kind === "blocks" &&
    sameDimension(left.structure.blocks, right.structure.blocks)
  )
    return left.structure;
  const reached = [
    ...(left.structure.kind === "sparse" ? [fold("*", entryCount(left), right.columns)] : []),
    ...(right.structure.kind === "sparse" ? [fold("*", left.rows, entryCount(right))] : []),
  ];
  if (reached.length === 0) return { kind: "dense" };
  return { kind: "masked", count: fold("min", fold("*", left.rows, right.columns), ...reached) };
}

/** X ⊗ Y: I ⊗ Y is block diagonal; otherwise entries multiply. */
export function kronStructure(left: StructuredMatrix, right: StructuredMatrix): PieceStructure {
  if (isDense(left) && isDense(right)) return { kind: "dense" };
  if (left.structure.kind === "diagonal")
    return right.structure.kind === "diagonal" ? right.structure : { kind: "blocks", blocks: left.rows };
  const shape = { rows: fold("*", left.rows, right.rows), columns: fold("*", left.columns, right.columns) };
  return scattered(shape, fold("*", entryCount(left), entryCount(right)));
}
