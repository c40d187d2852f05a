/** Tensors made by the compiler: parts of the weight that have a gradient of their own, and factors that rules introduce. */
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import type { CheckedPattern, CheckedTensor } from "../check/checked-module.ts";
import { multiplyNumbers } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { isDifferentiable, isTrainable } from "./structure.ts";
import { sourceOf, tensorObjectsOf } from "./term-source.ts";

const nowhere = { file: "", start: 0, end: 0 };

/** The positions that a term can have, where one pattern says so. */
function supportOf(term: Term): Pick<CheckedPattern, "name" | "count" | "shape"> | null {
  if (term.kind === "mask") return term.pattern.mode === "straight_through" ? null : term.pattern;
  if (term.kind === "hadamard") {
    for (const factor of term.factors) {
      const support = supportOf(factor);
      if (support !== null) return support;
    }
  }
  if (term.kind !== "leaf") return null;
  const { support, supportShape, count } = term.tensor;
  return support === null || supportShape === null ? null : { name: support, shape: supportShape, count };
}

/** A tensor that stands for the value of `term`, sparse where a mask stands over it. */
export function intermediateTensor(term: Term, index: number): CheckedTensor {
  const { rows, columns } = term;
  const support = supportOf(term);
  return {
    name: `part.${index}`,
    role: "derived",
    dimensions: [rows, columns],
    structure: support === null ? "dense" : "sparse",
    support: support?.name ?? null,
    supportShape: support?.shape ?? null,
    drawn: "stored",
    blocks: null,
    count: support?.count ?? multiplyNumbers(rows, columns),
    recipe: null,
    quantization: null,
    shared: false,
    derivation: derivationOf([term], sourceOf(term, true)),
    span: nowhere,
  };
}

const derivationOf = (
  terms: readonly Term[],
  formula: MatrixSource,
): CheckedTensor["derivation"] & object => ({
  formula,
  reads: [...new Set(terms.flatMap(tensorObjectsOf))],
  stage: terms.some(isTrainable) ? "step" : "load",
  differentiable: terms.some(isDifferentiable),
});

/** The row-wise Kronecker product of two matrices with equal rows, as a tensor [rows, left columns * right columns]. */
export function faceSplittingTensor(left: Term, right: Term, name: string): CheckedTensor {
  const dimensions = [left.rows, multiplyNumbers(left.columns, right.columns)];
  return {
    name,
    role: "derived",
    dimensions,
    structure: "dense",
    support: null,
    supportShape: null,
    drawn: "stored",
    blocks: null,
    count: multiplyNumbers(...dimensions),
    recipe: null,
    quantization: null,
    shared: false,
    derivation: derivationOf([left, right], {
      kind: "face-splitting",
      left: sourceOf(left),
      right: sourceOf(right),
    }),
    span: nowhere,
  };
}
