/** Terms in the words that the runtime evaluates: what packed operands and derived tensors are computed from. */
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import { childrenOf } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";

/**
 * The term as the runtime evaluates it.
 * @param differentiated when gradients are taken through it: a straight-through mask then passes them whole, as
 *   X + detach(M ⊙ X - X).
 */
export function sourceOf(term: Term, differentiated = false): MatrixSource {
  const one = (part: Term): MatrixSource => sourceOf(part, differentiated);
  const all = (terms: readonly Term[]): MatrixSource[] => terms.map(one);
  switch (term.kind) {
    case "leaf":
      return { kind: "leaf", name: term.tensor.name, slice: term.slice };
    case "diag":
      return { kind: "diag", of: { kind: "leaf", name: term.tensor.name, slice: null } };
    case "indicator":
      return { kind: "pattern", name: term.pattern.name, rows: term.rows, columns: term.columns };
    case "identity":
      return { kind: "identity", size: term.rows };
    case "zero":
      return {
        kind: "scale",
        factor: number(0),
        of: { kind: "ones", rows: term.rows, columns: term.columns },
      };
    case "permutation":
      return { kind: "stride-permutation", size: term.rows, stride: term.stride };
    case "window":
      return { kind: "window", size: term.columns, width: term.rows, offset: term.offset };
    case "sum":
      return { kind: "sum", terms: all(term.terms) };
    case "chain":
      return { kind: "product", factors: all(term.factors) };
    case "scale":
      return { kind: "scale", factor: term.factor, of: one(term.operand) };
    case "transpose":
      return { kind: "transpose", of: one(term.operand) };
    case "mask":
      return maskSource(term, one(term.operand), differentiated);
    case "hadamard":
    case "kron":
      return { kind: term.kind, factors: all(term.factors) };
    case "blockdiag":
      return { kind: "blockdiag", blocks: all(term.blocks) };
  }
}

function maskSource(
  { pattern }: Extract<Term, { kind: "mask" }>,
  of: MatrixSource,
  differentiated: boolean,
): MatrixSource {
  const masked: MatrixSource = { kind: "mask", pattern: pattern.name, of };
  if (!differentiated || pattern.mode !== "straight_through") return masked;
  const difference: MatrixSource = {
    kind: "sum",
    terms: [masked, { kind: "scale", factor: number(-1), of }],
  };
  return { kind: "sum", terms: [of, { kind: "detach", of: difference }] };
}

/** `column_selector(C)` → `column_selector_C`: operands have names that kernels can have. */
const identifierOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9]+/g, "_").replace(/_$/, "");

/** Names of the tensors and 0/1 matrices that a term reads, each once, in order of appearance. */
export function tensorsOf(term: Term): readonly string[] {
  const indicator = term.kind === "indicator" ? [identifierOf(term.pattern.name)] : [];
  const own = "tensor" in term ? [term.tensor.name] : indicator;
  return [...new Set([...own, ...childrenOf(term).flatMap(tensorsOf)])];
}

/** The tensors themselves. */
export function tensorObjectsOf(term: Term): readonly CheckedTensor[] {
  const own = "tensor" in term ? [term.tensor] : [];
  return [...new Set([...own, ...childrenOf(term).flatMap(tensorObjectsOf)])];
}
