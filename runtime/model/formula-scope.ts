/**
 * What formulas and packed operands read of a layer: argument tensors, parameters as they are now, patterns, and
 * derived tensors, which are computed when first read and again after parameters changed.
 */
import type { DerivedManifest } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";
import type { MatrixValue } from "../formats/matrix-value.ts";
import { evaluateSource } from "./evaluate-source.ts";
import { formProduct } from "./form-product.ts";
import { frozenMatrix } from "./frozen-values.ts";
import type { LayerState } from "./initial-state.ts";
import { parameterMatrix, tensorMatrix } from "./parameter-values.ts";
import type { FormProduct } from "./product-work.ts";
import type { FormulaScope } from "./pull-back.ts";

export interface LayerLeaves extends Omit<FormulaScope, "give"> {
  readonly form: FormProduct;
  /** Forgets what follows from parameters. */
  dropSteps(): void;
}

/** @param derived in an order in which each can be computed. */
export function createLayerLeaves(
  derived: readonly DerivedManifest[],
  state: LayerState,
  form: FormProduct = formProduct,
): LayerLeaves {
  const manifests = new Map(derived.map((manifest) => [manifest.name, manifest]));
  const computed = new Map<string, MatrixValue>();
  const leaves: LayerLeaves = {
    symbols: state.symbols,
    form,
    leaf(name, slice) {
      const parameter = state.parameters.get(name);
      if (parameter !== undefined) return parameterMatrix(parameter, slice);
      const manifest = manifests.get(name);
      if (manifest !== undefined) return derivedValue(manifest);
      const frozen = state.frozen.get(name);
      if (frozen !== undefined) return frozenMatrix(frozen, slice);
      const tensor = state.tensors.get(name);
      if (tensor === undefined) throw missing(name, "tensor");
      return tensorMatrix(tensor, slice);
    },
    pattern(name) {
      const pattern = state.patterns.get(name);
      if (pattern === undefined) throw missing(name, "pattern");
      return pattern;
    },
    formula: (name) => manifests.get(name)?.formula ?? null,
    isParameter: (name) => state.parameters.has(name),
    dropSteps: () => computed.clear(),
  };
  /** What is frozen is packed once and need not stay beside its packed form. */
  const derivedValue = ({ name, formula, stage }: DerivedManifest): MatrixValue => {
    const value = computed.get(name) ?? evaluateSource(formula, leaves);
    if (stage === "step") computed.set(name, value);
    return value;
  };
  return leaves;
}

function missing(name: string, kind: string): SpxError {
  return new SpxError("SPX8102", `a formula reads \`${name}\`: the layer has no such ${kind}`, {
    facts: { name },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}
