/** What is true of a term without looking at its numbers: trainable or not, where its zeros lie, a bound on its rank. */
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor, PatternShape } from "../check/checked-module.ts";
import { childrenOf, divideNumbers, multiplyNumbers } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";

/** True when a parameter enters the term; otherwise it can be computed once at load. */
export function isTrainable(term: Term): boolean {
  if (term.kind === "leaf" || term.kind === "diag") return changesEachStep(term.tensor);
  return childrenOf(term).some(isTrainable);
}

/** True for a parameter, and for what is derived from one. */
export const changesEachStep = ({ role, derivation }: CheckedTensor): boolean =>
  role === "param" || derivation?.stage === "step";

/** True when a gradient is wanted: unlike `isTrainable` not for what is detached. */
export function isDifferentiable(term: Term): boolean {
  if (term.kind === "leaf" || term.kind === "diag")
    return term.tensor.role === "param" || term.tensor.derivation?.differentiable === true;
  return childrenOf(term).some(isDifferentiable);
}

/** Where entries may be nonzero. `count` is the number of positions, exact or expected. */
export type ZeroStructure =
  | { readonly kind: "dense" }
  /** A mask over a dense matrix. */
  | { readonly kind: "masked"; readonly count: NumberExpression }
  /** Stored as values on a support. */
  | { readonly kind: "sparse"; readonly count: NumberExpression }
  | { readonly kind: "nm"; readonly n: number; readonly m: number; readonly axis: "input" | "output" }
  | {
      readonly kind: "block";
      readonly height: number;
      readonly width: number;
      readonly count: NumberExpression;
    };

function ofPattern(shape: PatternShape, count: NumberExpression): ZeroStructure {
  switch (shape.kind) {
    case "unstructured":
      return { kind: "masked", count };
    case "nm":
      return shape;
    case "block":
      return { ...shape, count };
  }
}

function transposeStructure(structure: ZeroStructure): ZeroStructure {
  if (structure.kind === "nm") return { ...structure, axis: structure.axis === "input" ? "output" : "input" };
  if (structure.kind === "block") return { ...structure, height: structure.width, width: structure.height };
  return structure;
}

/** A sparser operand wins over the pattern around it: its zeros stay zeros. */
export function zeroStructure(term: Term): ZeroStructure {
  switch (term.kind) {
    case "leaf": {
      const { structure, supportShape, drawn, count } = term.tensor;
      if (structure !== "sparse") return { kind: "dense" };
      // What a mask made sparse may be as full as the mask is, and then runs better with its zeros.
      return supportShape === null || (supportShape.kind === "unstructured" && drawn === "stored")
        ? { kind: "sparse", count }
        : ofPattern(supportShape, count);
    }
    case "indicator":
      return { kind: "sparse", count: term.pattern.count };
    case "scale":
      return zeroStructure(term.operand);
    case "transpose":
      return transposeStructure(zeroStructure(term.operand));
    case "mask": {
      const inner = zeroStructure(term.operand);
      return inner.kind === "sparse" ? inner : ofPattern(term.pattern.shape, term.pattern.count);
    }
    case "hadamard": {
      const inner = term.factors.map(zeroStructure);
      return (
        inner.find(({ kind }) => kind === "sparse") ??
        inner.find(({ kind }) => kind !== "dense") ?? { kind: "dense" }
      );
    }
    default:
      return { kind: "dense" };
  }
}

/** Expected share of nonzero entries, 0 to 1, as if patterns were random and independent. */
export function densityOf(term: Term): NumberExpression {
  const share = (count: NumberExpression): NumberExpression =>
    divideNumbers(count, multiplyNumbers(term.rows, term.columns));
  switch (term.kind) {
    case "zero":
      return number(0);
    case "diag":
    case "identity":
    case "permutation":
      return divideNumbers(number(1), term.rows);
    case "window":
      return divideNumbers(number(1), term.columns);
    case "indicator":
      return share(term.pattern.count);
    case "leaf":
      if (term.tensor.structure === "sparse") return share(term.tensor.count);
      return term.tensor.structure === "blockdiag" && term.tensor.blocks !== null
        ? divideNumbers(number(1), term.tensor.blocks)
        : number(1);
    case "scale":
    case "transpose":
      return densityOf(term.operand);
    case "mask":
      return multiplyNumbers(share(term.pattern.count), densityOf(term.operand));
    case "hadamard":
    case "kron":
      return multiplyNumbers(...term.factors.map(densityOf));
    case "sum":
      return apply("min", number(1), apply("+", ...term.terms.map(densityOf)));
    case "chain":
      return term.factors.every((factor) => ["permutation", "identity", "diag"].includes(factor.kind))
        ? divideNumbers(number(1), term.rows)
        : number(1);
    case "blockdiag": {
      const stored = term.blocks.map((block) => multiplyNumbers(densityOf(block), block.rows, block.columns));
      return divideNumbers(apply("+", ...stored), multiplyNumbers(term.rows, term.columns));
    }
  }
}

/** An upper bound of the rank. Masks and Hadamard products forget it: a random half mask of a rank-2 matrix is nearly full. */
export function rankBound(term: Term): NumberExpression {
  const full = apply("min", term.rows, term.columns);
  switch (term.kind) {
    case "zero":
      return number(0);
    case "scale":
    case "transpose":
      return rankBound(term.operand);
    case "sum":
      return apply("min", full, apply("+", ...term.terms.map(rankBound)));
    case "chain":
      return apply("min", ...term.factors.map(rankBound));
    case "kron":
      return multiplyNumbers(...term.factors.map(rankBound));
    case "blockdiag":
      return apply("+", ...term.blocks.map(rankBound));
    case "indicator":
      return apply("min", full, term.pattern.count);
    case "leaf":
      return term.tensor.structure === "sparse" ? apply("min", full, term.tensor.count) : full;
    default:
      return full;
  }
}
