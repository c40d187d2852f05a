/** What is true of a term without looking at its numbers: trainable or not, where its zeros lie, a bound on its rank. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor, PatternShape } from "../check/checked-module.ts";
import { childrenOf } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { structureOf } from "./infer-structure.ts";

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

/** An upper bound of the rank. */
export const rankBound = (term: Term): NumberExpression => structureOf(term).rank;
