/**
 * A term as a chain of factors that steps can apply, with permutations folded into the steps around them.
 * A ⊗ B becomes (I ⊗ A), (I ⊗ B) and stride permutations; a block diagonal of equal blocks stays one factor.
 */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { divideNumbers, multiplyNumbers, nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { isTrainable } from "../algebra/structure.ts";
import type { Range } from "./activation-parts.ts";
import { type MaskStorage, type MatrixPiece, multiplyPieces, pieceOf } from "./matrix-operand.ts";
import type { Layout, StridePermutation } from "./plan.ts";

/** One point in the space of plans of a transform. */
export interface Choices {
  readonly layout: Layout;
  readonly masks: MaskStorage;
  /** Which factor of a Kronecker product acts first. */
  readonly kron: "first-factor-first" | "last-factor-first";
  /** Frozen neighbours multiplied at load: keys from `productPoints`. */
  readonly products: ReadonlySet<string>;
}

export type LinearFactor =
  | { readonly kind: "permutation"; readonly permutation: StridePermutation }
  /** Takes a range of `size` features. */
  | { readonly kind: "window"; readonly range: Range; readonly size: NumberExpression }
  /** Puts what it gets into a range of `size` features, zeros around it. */
  | { readonly kind: "embedding"; readonly range: Range; readonly size: NumberExpression }
  /** One packed operand, or whatever `piece` becomes in the layout. */
  | { readonly kind: "matrix"; readonly piece: MatrixPiece; readonly note: string | null }
  /** Equal blocks; `repeated` when all are the piece itself. */
  | {
      readonly kind: "blocks";
      readonly piece: MatrixPiece;
      readonly blocks: NumberExpression;
      readonly repeated: boolean;
    }
  | { readonly kind: "diagonal"; readonly piece: MatrixPiece }
  /** A sum with parameters between other factors. */
  | { readonly kind: "sum"; readonly term: Term };

export type Move = Extract<LinearFactor, { kind: "permutation" | "window" | "embedding" }>;

/** Identifies the gap behind factor `index` of a chain, or (index -1) a frozen structured term as a whole. */
export const productKey = (term: Term, index: number): string => `${term.id}:${index}`;

const isStructured = (term: Term): boolean => term.kind === "kron" || term.kind === "blockdiag";
const isWindow = (term: Term): boolean => term.kind === "window";
const isEmbedding = (term: Term): boolean => term.kind === "transpose" && isWindow(term.operand);
/** Multiplying two permutations would turn two free moves into a dense matrix. */
const isMove = (term: Term): boolean => term.kind === "permutation" || isWindow(term) || isEmbedding(term);
/** A window makes a matrix smaller only when it takes some of its rows, or its transpose some of its columns. */
const widens = (left: Term, right: Term): boolean => isEmbedding(left) || isWindow(right);

/** Every place where frozen factors could be multiplied once at load, in order of appearance. */
export function productPoints(term: Term): readonly string[] {
  switch (term.kind) {
    case "sum":
      return term.terms.flatMap(productPoints);
    case "scale":
      return productPoints(term.operand);
    case "chain": {
      const gaps = term.factors.flatMap((factor, index) => {
        const next = term.factors[index + 1];
        const stays =
          next === undefined ||
          isTrainable(factor) ||
          isTrainable(next) ||
          (isMove(factor) && isMove(next)) ||
          widens(factor, next);
        return stays ? [] : [productKey(term, index)];
      });
      return [...gaps, ...term.factors.flatMap(productPoints)];
    }
    default:
      return isStructured(term) && !isTrainable(term) ? [productKey(term, -1)] : [];
  }
}

/** The factors of a chain in runs that are multiplied at load; a run of one stays as it is. */
export function segmentsOf(
  term: Extract<Term, { kind: "chain" }>,
  choices: Choices,
): readonly (readonly Term[])[] {
  const segments: Term[][] = [];
  for (const [index, factor] of term.factors.entries()) {
    const current = segments.at(-1);
    if (current !== undefined && choices.products.has(productKey(term, index - 1))) current.push(factor);
    else segments.push([factor]);
  }
  return segments;
}

const matrix = (piece: MatrixPiece, note: string | null = null): LinearFactor => ({
  kind: "matrix",
  piece,
  note,
});

const permutation = (size: NumberExpression, stride: NumberExpression): LinearFactor => ({
  kind: "permutation",
  permutation: { size, stride },
});

/** I ⊗ (X Y) = (I ⊗ X) (I ⊗ Y): a trained product is not formed at every step; the part that acts first is first. */
function actingParts(factor: Term): readonly Term[] {
  if (factor.kind === "identity") return [];
  return factor.kind === "chain" && isTrainable(factor) ? factor.factors.toReversed() : [factor];
}

/**
 * Viewing the input of A₁ ⊗ … ⊗ Aₖ as an array [q₁, …, qₖ], each factor acts on one axis; a rotation of the axes,
 * which is a stride permutation, brings that axis to the end. For two factors (A: p x q, B: s x t):
 * A ⊗ B = P(s) (I_s ⊗ A) P(q) (I_q ⊗ B), the last factor first, or (I_p ⊗ B) P(t) (I_t ⊗ A) P(q), the first one first.
 */
function kronFactors(factors: readonly Term[], order: Choices["kron"]): readonly LinearFactor[] {
  const acting: LinearFactor[] = [];
  let total = multiplyNumbers(...factors.map((factor) => factor.columns));
  for (const factor of order === "first-factor-first" ? factors : factors.toReversed()) {
    const rest = divideNumbers(total, factor.columns);
    if (order === "first-factor-first") acting.push(permutation(total, factor.columns));
    total = multiplyNumbers(rest, factor.rows);
    for (const part of actingParts(factor)) {
      acting.push({ kind: "blocks", piece: pieceOf(part), blocks: rest, repeated: true });
    }
    if (order === "last-factor-first") acting.push(permutation(total, rest));
  }
  return acting.toReversed();
}

/** Of equal blocks: others have been written with windows. */
function blockFactors(term: Extract<Term, { kind: "blockdiag" }>): readonly LinearFactor[] {
  const [first, ...rest] = nonEmpty(term.blocks);
  const repeated = rest.every((block) => block === first);
  return [
    {
      kind: "blocks",
      piece: repeated ? pieceOf(first) : pieceOf(term),
      blocks: number(term.blocks.length),
      repeated,
    },
  ];
}

/** The factors of a term without a scale, in written order; an identity gives none. */
export function expandFactors(term: Term, choices: Choices): readonly LinearFactor[] {
  if (isStructured(term) && choices.products.has(productKey(term, -1))) return [matrix(pieceOf(term))];
  switch (term.kind) {
    case "chain":
      return segmentsOf(term, choices).flatMap((segment) => {
        const [only] = segment;
        return segment.length === 1 && only !== undefined
          ? expandFactors(only, choices)
          : [matrix(multiplyPieces(nonEmpty(segment.map(pieceOf))))];
      });
    case "kron":
      return kronFactors(term.factors, choices.kron);
    case "blockdiag":
      return blockFactors(term);
    case "permutation":
      return [permutation(term.rows, term.stride)];
    case "identity":
      return [];
    case "diag":
      return [{ kind: "diagonal", piece: pieceOf(term) }];
    case "sum":
      return isTrainable(term) ? [{ kind: "sum", term }] : [matrix(pieceOf(term))];
    case "window":
      return [{ kind: "window", range: { offset: term.offset, width: term.rows }, size: term.columns }];
    case "leaf":
    case "transpose": {
      if (term.kind === "transpose" && term.operand.kind === "window") {
        const { offset, rows, columns } = term.operand;
        return [{ kind: "embedding", range: { offset, width: rows }, size: columns }];
      }
      const leaf = term.kind === "leaf" ? term : term.operand;
      if (leaf.kind !== "leaf" || leaf.tensor.structure !== "blockdiag" || leaf.tensor.blocks === null)
        return [matrix(pieceOf(term))];
      return [{ kind: "blocks", piece: pieceOf(term), blocks: leaf.tensor.blocks, repeated: false }];
    }
    default:
      return [matrix(pieceOf(term))];
  }
}
