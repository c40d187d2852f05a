/** Which derived tensors a plan needs, in an order in which each can be computed. */
import { type MatrixSource, partsOfSource } from "../../runtime/contract/matrix-source.ts";
import type { CheckedTensor } from "../check/checked-module.ts";

/** @param known tensors that the sources may name, and what those read. */
export function derivedTensors(
  sources: readonly MatrixSource[],
  known: readonly CheckedTensor[],
): readonly CheckedTensor[] {
  const tensors = new Map<string, CheckedTensor>();
  const learn = (tensor: CheckedTensor): void => {
    if (tensors.has(tensor.name)) return;
    tensors.set(tensor.name, tensor);
    tensor.derivation?.reads.forEach(learn);
  };
  known.forEach(learn);
  const ordered = new Set<CheckedTensor>();
  const visit = (source: MatrixSource): void => {
    partsOfSource(source).forEach(visit);
    const tensor = source.kind === "leaf" ? tensors.get(source.name) : undefined;
    if (tensor?.derivation === undefined) return;
    visit(tensor.derivation.formula);
    ordered.add(tensor);
  };
  sources.forEach(visit);
  return [...ordered];
}

/** A derived tensor that follows the clocks is computed again although no param enters it. */
export const eachStep = (tensor: CheckedTensor): CheckedTensor =>
  tensor.derivation === undefined
    ? tensor
    : { ...tensor, derivation: { ...tensor.derivation, stage: "step" } };
