/**
 * Structural masks decide what is stored: a dense param that the weight reads under one such mask only keeps one value
 * for each entry of the mask, because its other entries do not exist. Stands after all values are checked, so that
 * the author writes a dense matrix and everything behind the checker sees a sparse one.
 */
import type { CheckedPattern, CheckedTensor, WeightExpression } from "./checked-module.ts";

/** Name of a tensor → the masks it stands under, null for a use under none. */
type Uses = Map<string, Set<string | null>>;

/** Entrywise operations let a mask through; the others read entries of other places. */
function collectUses(weight: WeightExpression, mask: string | null, uses: Uses): void {
  const visit = (parts: readonly WeightExpression[], under: string | null): void => {
    for (const part of parts) collectUses(part, under, uses);
  };
  switch (weight.kind) {
    case "leaf":
    case "diag":
      uses.set(weight.name, (uses.get(weight.name) ?? new Set()).add(weight.kind === "leaf" ? mask : null));
      return;
    case "mask":
      visit([weight.operand], weight.pattern);
      return;
    case "sum":
      visit(weight.terms, mask);
      return;
    case "hadamard":
      visit(weight.factors, mask);
      return;
    case "scale":
      visit([weight.operand], mask);
      return;
    case "transpose":
      visit([weight.operand], null);
      return;
    case "product":
    case "kron":
      visit(weight.factors, null);
      return;
    case "blockdiag":
      visit(weight.blocks, null);
      return;
    case "identity":
    case "zero":
    case "stride-permutation":
      return;
  }
}

/** Requires that the weight reads only these tensors and patterns; ensures that only params change. */
export function storeStructurally(
  weight: WeightExpression,
  tensors: readonly CheckedTensor[],
  patterns: readonly CheckedPattern[],
): readonly CheckedTensor[] {
  const uses: Uses = new Map();
  collectUses(weight, null, uses);
  // A formula reads a tensor whole.
  for (const { derivation } of tensors)
    for (const { name } of derivation?.reads ?? []) uses.set(name, (uses.get(name) ?? new Set()).add(null));
  return tensors.map((tensor) => {
    const [mask, ...others] = uses.get(tensor.name) ?? [];
    const pattern = patterns.find(({ name, mode }) => name === mask && mode === "structural");
    const isMatrix = tensor.structure === "dense" && tensor.dimensions.length === 2;
    // A shared one stays whole, because every layer has a mask of its own.
    const isOwn = tensor.role === "param" && !tensor.shared;
    if (!isOwn || !isMatrix || pattern === undefined || others.length > 0) return tensor;
    const { name: support, shape: supportShape, count } = pattern;
    return { ...tensor, structure: "sparse", support, supportShape, count, drawn: "dense" };
  });
}
