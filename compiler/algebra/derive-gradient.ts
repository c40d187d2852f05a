/**
 * The backward pass on the algebra. The gradient of a node is kept as a pair (L, R), meaning L Rᵀ summed over the
 * tokens, that starts as (dy, x) at the weight and is carried to the leaves, where it is formed in the format of the
 * leaf: a dense gradient of a sparse or low-rank weight cannot be expressed. Requires a normal form; stands before
 * planning, so that backward is planned like forward.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import type { CheckedPattern } from "../check/checked-module.ts";
import { addNumbers, childrenOf, multiplyNumbers, nonEmpty, type TermFactory } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { copiesOf, expandKrons } from "./expand-kron.ts";
import { normaliseTerm } from "./normalise.ts";
import { isTrainable, zeroStructure } from "./structure.ts";

export type GradientLeaf = Extract<Term, { kind: "leaf" | "diag" }>;

/** One half of a pair: `permutation` after `term`, applied to x or dy, of which the leaf reads its share. */
export interface Side {
  readonly input: "x" | "dy";
  /** Without a scale; null for the input itself. */
  readonly term: Term | null;
  readonly permutation: Extract<Term, { kind: "permutation" }> | null;
  /** First feature that belongs to the leaf, and the features from one copy of the leaf to the next. */
  readonly offset: NumberExpression;
  readonly stride: NumberExpression;
}

/** The gradient of one occurrence of a parameter: scale * weight ⊙ pattern ⊙ (sum over tokens and copies of left rightᵀ). */
export interface LeafGradient {
  readonly leaf: GradientLeaf;
  readonly left: Side;
  readonly right: Side;
  readonly scale: NumberExpression;
  /** Entries outside do not exist; `transposed` when the leaf stands transposed under the mask. */
  readonly pattern: { readonly pattern: CheckedPattern; readonly transposed: boolean } | null;
  /** Frozen elementwise factor, in the shape of the leaf. */
  readonly weight: Term | null;
  /** Times that the leaf stands on a diagonal, as in I ⊗ A. */
  readonly copies: NumberExpression;
}

export interface Gradients {
  /** Wᵀ in normal form: dx = Wᵀ dy. */
  readonly transposed: Term;
  /** Every occurrence of every parameter, in the order of the weight. */
  readonly leaves: readonly LeafGradient[];
  /** The parameter that no pair reaches, and why; then `leaves` is empty. */
  readonly refused: { readonly parameter: string; readonly reason: string } | null;
}

interface Cotangent extends Omit<LeafGradient, "leaf"> {
  /** False below a mask, an elementwise factor, a block or copies: no further matrix can be taken to the sides. */
  readonly whole: boolean;
}

class NoGradient extends Error {
  readonly parameter: string;
  constructor(parameter: string, reason: string) {
    super(reason);
    this.parameter = parameter;
  }
}

/** The first parameter of a term, in order of appearance; empty for a frozen one. */
function firstParameter(term: Term): string {
  if ("tensor" in term) return term.tensor.role === "param" ? term.tensor.name : "";
  return (
    childrenOf(term)
      .map(firstParameter)
      .find((name) => name !== "") ?? ""
  );
}

const swap = (cotangent: Cotangent, factory: TermFactory): Cotangent => ({
  ...cotangent,
  left: cotangent.right,
  right: cotangent.left,
  pattern: cotangent.pattern && { ...cotangent.pattern, transposed: !cotangent.pattern.transposed },
  weight: cotangent.weight && normaliseTerm(factory.transpose(cotangent.weight), factory).term,
});

/** The scale, the window and the permutation that act last on a side, taken from its term. */
function splitSide(
  side: Side,
  factory: TermFactory,
): { readonly side: Side; readonly scale: NumberExpression } {
  if (side.term === null) return { side, scale: number(1) };
  const { factor, operand } =
    side.term.kind === "scale" ? side.term : { factor: number(1), operand: side.term };
  const [last, ...rest] = operand.kind === "chain" ? operand.factors : [operand];
  const remaining = rest.length === 0 ? null : factory.chain(nonEmpty(rest));
  if (last?.kind === "window") {
    const offset = addNumbers(last.offset, side.offset);
    const inner = splitSide({ ...side, term: remaining, offset }, factory);
    return { side: inner.side, scale: multiplyNumbers(factor, inner.scale) };
  }
  if (last?.kind !== "permutation") return { side: { ...side, term: operand }, scale: factor };
  return { side: { ...side, term: remaining, permutation: last }, scale: factor };
}

/** What the formats of gradients cannot hold, by the structure of the parameter. */
function refusalOf({ tensor }: GradientLeaf, { pattern, weight }: Cotangent): string | null {
  const kind = tensor.dimensions.length === 1 ? "diag" : tensor.structure;
  if (kind === "dense") {
    const isPartial = pattern !== null && weight !== null && zeroStructure(weight).kind !== "dense";
    return isPartial ? "a mask and a sparse elementwise factor lie over it" : null;
  }
  if (pattern !== null) return "a mask lies over a parameter that is not dense";
  if (weight === null) return null;
  if (kind !== "sparse") return "it is multiplied elementwise and is not a dense or sparse matrix";
  return zeroStructure(weight).kind === "dense"
    ? null
    : "it is sparse and multiplied elementwise with a sparse factor";
}

/** M ⊙ S = S for S on the support M, so that the mask narrows nothing. */
function withoutOwnMask({ tensor }: GradientLeaf, cotangent: Cotangent): Cotangent {
  const { pattern } = cotangent;
  const isOwn = pattern !== null && !pattern.transposed && pattern.pattern.name === tensor.support;
  return isOwn ? { ...cotangent, pattern: null } : cotangent;
}

function leafGradient(leaf: GradientLeaf, carried: Cotangent, factory: TermFactory): LeafGradient {
  const cotangent = withoutOwnMask(leaf, carried);
  const reason = refusalOf(leaf, cotangent);
  if (reason !== null) throw new NoGradient(leaf.tensor.name, reason);
  const { whole: _, ...gradient } = cotangent;
  const left = splitSide(cotangent.left, factory);
  const right = splitSide(cotangent.right, factory);
  const scale = multiplyNumbers(cotangent.scale, left.scale, right.scale);
  return { ...gradient, leaf, left: left.side, right: right.side, scale };
}

/** Carries pairs down from the weight to the leaves. */
function createDerivation(factory: TermFactory, found: LeafGradient[]) {
  const through = (side: Side, matrices: readonly Term[]): Side => {
    if (matrices.length === 0) return side;
    const product = factory.chain(nonEmpty([...matrices, ...(side.term === null ? [] : [side.term])]));
    const { term } = normaliseTerm(product, factory);
    return { ...side, term: term.kind === "identity" ? null : term };
  };

  function visitChain(factors: readonly Term[], cotangent: Cotangent): void {
    factors.forEach((factor, index) => {
      if (!isTrainable(factor)) return;
      const before = factors.slice(0, index).toReversed().map(factory.transpose);
      const { left, right } = cotangent;
      // (A B) from (L, R): A gets (L, B R), B gets (Aᵀ L, R). The matrix next to the side acts first.
      visit(factor, {
        ...cotangent,
        left: through(left, before),
        right: through(right, factors.slice(index + 1)),
      });
    });
  }

  function visitCopies(term: Term, copies: Term, block: Term, cotangent: Cotangent): void {
    const again = (part: Term): Term => factory.kron([copies, part]);
    if (block.kind === "chain") {
      visitChain(block.factors.map(again), cotangent);
      return;
    }
    if (block.kind === "sum") {
      for (const part of block.terms) visit(again(part), cotangent);
      return;
    }
    if (!cotangent.whole)
      throw new NoGradient(firstParameter(term), "copies of it stand inside another selection");
    const { left, right } = cotangent;
    visit(block, {
      ...cotangent,
      copies: copies.rows,
      whole: false,
      left: { ...left, stride: block.rows },
      right: { ...right, stride: block.columns },
    });
  }

  function visitBlocks(blocks: readonly Term[], cotangent: Cotangent): void {
    if (cotangent.pattern !== null || cotangent.weight !== null)
      throw new NoGradient(
        blocks.map(firstParameter).find((name) => name !== "") ?? "",
        "it is a block of a diagonal under a mask or an elementwise factor",
      );
    let { offset: row } = cotangent.left;
    let { offset: column } = cotangent.right;
    for (const block of blocks) {
      visit(block, {
        ...cotangent,
        whole: false,
        left: { ...cotangent.left, offset: row },
        right: { ...cotangent.right, offset: column },
      });
      row = addNumbers(row, block.rows);
      column = addNumbers(column, block.columns);
    }
  }

  function visitHadamard(term: Extract<Term, { kind: "hadamard" }>, cotangent: Cotangent): void {
    const trained = term.factors.filter(isTrainable);
    const [leaf, second] = trained;
    if (leaf === undefined) return;
    if (second !== undefined)
      throw new NoGradient(firstParameter(leaf), "it is multiplied elementwise with another parameter");
    const frozen = term.factors.filter((factor) => factor !== leaf);
    const weight = factory.hadamard(
      nonEmpty([...frozen, ...(cotangent.weight === null ? [] : [cotangent.weight])]),
    );
    visit(leaf, { ...cotangent, weight, whole: false });
  }

  function visit(term: Term, cotangent: Cotangent): void {
    if (!isTrainable(term)) return;
    switch (term.kind) {
      case "leaf":
      case "diag":
        found.push(leafGradient(term, cotangent, factory));
        return;
      case "sum":
        for (const part of term.terms) visit(part, cotangent);
        return;
      case "scale":
        visit(term.operand, { ...cotangent, scale: multiplyNumbers(cotangent.scale, term.factor) });
        return;
      case "transpose":
        visit(term.operand, swap(cotangent, factory));
        return;
      case "mask":
        // The backward of a straight-through mask is that of its operand: entries it hides are trained as well.
        if (term.pattern.mode === "straight_through") {
          visit(term.operand, cotangent);
          return;
        }
        if (cotangent.pattern !== null) throw new NoGradient(firstParameter(term), "two masks lie over it");
        visit(term.operand, {
          ...cotangent,
          whole: false,
          pattern: { pattern: term.pattern, transposed: false },
        });
        return;
      case "hadamard":
        visitHadamard(term, cotangent);
        return;
      case "blockdiag":
        visitBlocks(term.blocks, cotangent);
        return;
      case "chain":
        if (!cotangent.whole)
          throw new NoGradient(
            firstParameter(term),
            "it is a factor of a product of which only a part is used: a mask, an elementwise factor or a block diagonal stands over the product",
          );
        visitChain(term.factors, cotangent);
        return;
      case "kron": {
        const repeated = copiesOf(term);
        if (repeated === null)
          throw new NoGradient(
            firstParameter(term),
            "it is a factor of a Kronecker product under a mask or an elementwise factor",
          );
        visitCopies(term, repeated.copies, repeated.block, cotangent);
        return;
      }
      default:
        throw new TypeError(`a ${term.kind} has no parameters`);
    }
  }
  return visit;
}

/** @param factory the one that made `root`, which is in normal form. */
export function deriveGradients(root: Term, factory: TermFactory): Gradients {
  const { term: expanded } = normaliseTerm(expandKrons(root, factory), factory);
  const transposed = normaliseTerm(factory.transpose(expanded), factory).term;
  const leaves: LeafGradient[] = [];
  const whole = { term: null, permutation: null, offset: number(0), stride: number(0) };
  try {
    createDerivation(factory, leaves)(expanded, {
      left: { input: "dy", ...whole },
      right: { input: "x", ...whole },
      scale: number(1),
      pattern: null,
      weight: null,
      copies: number(1),
      whole: true,
    });
  } catch (problem) {
    if (!(problem instanceof NoGradient)) throw problem;
    return { transposed, leaves: [], refused: { parameter: problem.parameter, reason: problem.message } };
  }
  return { transposed, leaves, refused: null };
}
