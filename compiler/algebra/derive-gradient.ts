/**
 * The backward pass on the algebra. The gradient of a node is kept as a pair (L, R), meaning L Rᵀ summed over the
 * tokens, that starts as (dy, x) at the weight and is carried to the leaves, where it is formed in the format of the
 * leaf. Where a mask or an elementwise factor stands over a product, no pair passes: there the gradient is formed at
 * the entries that stay, as that of an intermediate tensor, whose formula takes it on to the parameters.
 * Requires a normal form; stands before planning, so that backward is planned like forward.
 * size: the rules of one recursion, each for a kind of term.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import type { CheckedPattern, CheckedTensor } from "../check/checked-module.ts";
import { addNumbers, multiplyNumbers, nonEmpty, type TermFactory } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { forwardTerm } from "./forward-value.ts";
import { intermediateTensor } from "./intermediate-tensor.ts";
import { copiesOf, type KronSides, kronSides } from "./kron-sides.ts";
import { normaliseTerm } from "./normalise.ts";
import { isDifferentiable, zeroStructure } from "./structure.ts";

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

/** left rightᵀ, summed over tokens and copies, times `scale`. */
export interface GradientPair {
  readonly left: Side;
  readonly right: Side;
  readonly scale: NumberExpression;
  /** Times that the leaf stands on a diagonal, as in I ⊗ A. */
  readonly copies: NumberExpression;
}

/** The gradient of one occurrence of a parameter, a derived or an intermediate tensor: weight ⊙ pattern ⊙ any of its pairs. */
export interface LeafGradient {
  readonly leaf: GradientLeaf;
  /** Equal in value: beside other factors of a Kronecker product, each of these acts on x or, transposed, on dy. */
  readonly pairs: readonly [GradientPair, ...GradientPair[]];
  /** Entries outside do not exist; `transposed` when the leaf stands transposed under the mask. */
  readonly pattern: { readonly pattern: CheckedPattern; readonly transposed: boolean } | null;
  /** Elementwise factor, in the shape of the leaf. */
  readonly weight: Term | null;
}

export interface Gradients {
  /** Wᵀ in normal form: dx = Wᵀ dy. */
  readonly transposed: Term;
  /** Every occurrence of every parameter and derived tensor, in the order of the weight. */
  readonly leaves: readonly LeafGradient[];
  /** Terms that no pair passes, by the tensor that stands for their gradient. */
  readonly intermediates: ReadonlyMap<CheckedTensor, Term>;
}

interface Cotangent extends Omit<LeafGradient, "leaf" | "pairs">, GradientPair {
  /** False below a mask, an elementwise factor, a block or copies: no further matrix can be taken to the sides. */
  readonly whole: boolean;
}

/** Raised where no pair passes, caught by the mask or the elementwise factor above. */
class NoPair extends Error {}

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
  // What moves the axes of a Kronecker product stays with it, because its factors move them as well.
  if (last?.kind !== "permutation" || rest[0]?.kind === "kron")
    return { side: { ...side, term: operand }, scale: factor };
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
  if (reason !== null) throw new NoPair(reason);
  const { pattern, weight, copies } = cotangent;
  const left = splitSide(cotangent.left, factory);
  const right = splitSide(cotangent.right, factory);
  const scale = multiplyNumbers(cotangent.scale, left.scale, right.scale);
  return { leaf, pattern, weight, pairs: [{ left: left.side, right: right.side, scale, copies }] };
}

/** Carries pairs down from the weight to the leaves. */
function createDerivation(
  factory: TermFactory,
  found: LeafGradient[],
  intermediates: Map<CheckedTensor, Term>,
) {
  const through = (side: Side, matrices: readonly Term[]): Side => {
    if (matrices.length === 0) return side;
    const product = factory.chain(nonEmpty([...matrices, ...(side.term === null ? [] : [side.term])]));
    const { term } = normaliseTerm(product, factory);
    return { ...side, term: term.kind === "identity" ? null : term };
  };

  function visitChain(factors: readonly Term[], cotangent: Cotangent): void {
    factors.forEach((factor, index) => {
      if (!isDifferentiable(factor)) return;
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

  function visitCopies(copies: Term, block: Term, cotangent: Cotangent): void {
    const again = (part: Term): Term => factory.kron([copies, part]);
    if (!cotangent.whole) throw new NoPair("copies stand inside another selection");
    if (block.kind === "chain") {
      visitChain(block.factors.map(again), cotangent);
      return;
    }
    if (block.kind === "sum") {
      for (const part of block.terms) visit(again(part), cotangent);
      return;
    }
    const { left, right } = cotangent;
    visit(block, {
      ...cotangent,
      copies: copies.rows,
      whole: false,
      left: { ...left, stride: block.rows },
      right: { ...right, stride: block.columns },
    });
  }

  /** The gradients found with each way to write what is around a part, as gradients with a pair for each way. */
  function visitKronPart(ways: readonly KronSides[], cotangent: Cotangent): void {
    const before = found.length;
    const lists = ways.map(({ repeated, left, right }) => {
      visit(normaliseTerm(repeated, factory).term, {
        ...cotangent,
        left: through(cotangent.left, left),
        right: through(cotangent.right, right),
      });
      return found.splice(before);
    });
    const [first = [], ...others] = lists;
    // A way with a single copy may part otherwise, where blocks of products stand inside.
    const alike = others.filter(
      (list) => list.length === first.length && list.every(({ leaf }, at) => leaf === first[at]?.leaf),
    );
    found.push(
      ...first.map((gradient, at) => {
        const more = alike.flatMap((list) => list[at]?.pairs ?? []);
        return { ...gradient, pairs: nonEmpty([...gradient.pairs, ...more]) };
      }),
    );
  }

  function visitBlocks(blocks: readonly Term[], cotangent: Cotangent): void {
    if (cotangent.pattern !== null || cotangent.weight !== null)
      throw new NoPair("blocks of a diagonal stand under a mask or an elementwise factor");
    const parts = blocks.map(splitProduct);
    if (cotangent.whole && blocks.some((block) => block.kind === "chain" && isDifferentiable(block))) {
      // (A B) ⊕ C = (A ⊕ I) (B ⊕ C)
      const sides = [parts.map(({ first }) => first), parts.map(({ rest }) => rest)];
      visitChain(
        sides.map((side) => factory.blockdiag(nonEmpty(side))),
        cotangent,
      );
      return;
    }
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

  /** The first factor of a product and the rest; of any other block the identity stands first. */
  function splitProduct(block: Term): { readonly first: Term; readonly rest: Term } {
    if (block.kind !== "chain") return { first: factory.identity(block.rows), rest: block };
    return { first: block.factors[0] as Term, rest: factory.chain(nonEmpty(block.factors.slice(1))) };
  }

  function visitHadamard(term: Extract<Term, { kind: "hadamard" }>, cotangent: Cotangent): void {
    for (const [index, factor] of term.factors.entries()) {
      if (!isDifferentiable(factor)) continue;
      const others = term.factors.filter((_, other) => other !== index);
      const weight = factory.hadamard(
        nonEmpty([...others, ...(cotangent.weight === null ? [] : [cotangent.weight])]),
      );
      visit(factor, { ...cotangent, weight, whole: false });
    }
  }

  /** Forms the gradient of `term` itself, at the entries that it can have. */
  function stopAt(term: Term, cotangent: Cotangent): void {
    const known = [...intermediates].find(([, other]) => other === term)?.[0];
    const tensor = known ?? intermediateTensor(term, intermediates.size + 1);
    intermediates.set(tensor, term);
    const leaf = factory.leaf(tensor, null);
    if (leaf.kind !== "leaf") throw new TypeError("an intermediate is a matrix");
    found.push(leafGradient(leaf, cotangent, factory));
  }

  function visit(term: Term, cotangent: Cotangent): void {
    if (!isDifferentiable(term)) return;
    const before = found.length;
    try {
      descend(term, cotangent);
    } catch (problem) {
      const isOutermost = cotangent.pattern === null && cotangent.weight === null;
      if (!(problem instanceof NoPair) || !isOutermost) throw problem;
      found.length = before;
      stopAt(term, cotangent);
    }
  }

  function descend(term: Term, cotangent: Cotangent): void {
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
        if (cotangent.pattern !== null) throw new NoPair("two masks lie over each other");
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
        if (!cotangent.whole) throw new NoPair("only a part of a product is used");
        visitChain(term.factors, cotangent);
        return;
      case "kron": {
        const repeated = copiesOf(term);
        if (repeated !== null) visitCopies(repeated.copies, repeated.block, cotangent);
        else if (!cotangent.whole) throw new NoPair("a Kronecker product stands under a mask");
        else for (const ways of kronSides(term.factors, factory)) visitKronPart(ways, cotangent);
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
  const transposed = forwardTerm(factory.transpose(root), factory);
  const leaves: LeafGradient[] = [];
  const intermediates = new Map<CheckedTensor, Term>();
  const whole = { term: null, permutation: null, offset: number(0), stride: number(0) };
  createDerivation(
    factory,
    leaves,
    intermediates,
  )(root, {
    left: { input: "dy", ...whole },
    right: { input: "x", ...whole },
    scale: number(1),
    pattern: null,
    weight: null,
    copies: number(1),
    whole: true,
  });
  return { transposed, leaves, intermediates };
}
