/**
 * Algebra → device plan: the ways of applying the weight that the CPU plan enumerates too, priced for a device, each
 * number type by itself, and of each as few as stay near the cheapest.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { type MatrixSource, stackedParts } from "../../runtime/contract/matrix-source.ts";
import type { AlgebraGraph } from "../algebra/algebra-node.ts";
import type { Gradients } from "../algebra/derive-gradient.ts";
import { tensorObjectsOf } from "../algebra/term-source.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { type CudaRates, cudaRatesIdentity, defaultCudaRates } from "../targets/cuda-rates.ts";
import type { BackwardDraft } from "./backward-plan.ts";
import { type CandidateClaims, candidatePlans, noClaims } from "./candidate-plans.ts";
import { cheapestDraft, gradientOperands } from "./choose-backward.ts";
import { derivedTensors, eachStep } from "./derived-tensors.ts";
import { deviceBackwardCost, deviceCost } from "./device-cost.ts";
import type { DeviceBackward, DeviceBackwardStep, DevicePlan, DeviceVariant } from "./device-plan.ts";
import { fewestNear } from "./keep-variants.ts";
import { movingNames } from "./moving-sources.ts";
import { createOperandTable, type OperandTable } from "./operand-table.ts";
import { createGridEvaluator, gridOf } from "./price-grid.ts";
import { widenedNotes } from "./quantization-notes.ts";
import {
  createDeviceOperands,
  type DeviceOperands,
  type DeviceWay,
  retargetStep,
  waysOf,
} from "./retarget-device.ts";
import type { VariantDraft } from "./variant-draft.ts";

/** @param graph normalised, its weight not zero. */
export function chooseDevicePlan(
  graph: AlgebraGraph,
  transform: CheckedTransform,
  elements: readonly CudaElements[],
  gradients: Gradients,
  claims: CandidateClaims = noClaims,
  rates: CudaRates = defaultCudaRates,
): DevicePlan {
  const moving = movingNames(transform);
  const operands = createOperandTable(moving);
  const { drafts, admitted, notes } = candidatePlans(graph.root, operands, graph.rules ?? [], claims);
  const possible = drafts.filter(({ layout, merged }) => layout === "lane-output" && !merged);
  const allowed = possible.filter(({ name }) => admitted.has(name));
  const deviceOperands = createDeviceOperands(operands);
  const grid = createGridEvaluator(gridOf(transform));
  const kept = elements.flatMap((type) =>
    fewestNear(
      (allowed.length === 0 ? possible : allowed).flatMap((draft) =>
        waysOf(draft.steps, type, deviceOperands).map((way) => {
          const variant = priced(draft, type, way, deviceOperands, rates);
          return { draft, variant, prices: grid.valuesOf(variant.cost) };
        }),
      ),
    ),
  );
  const variants = kept.map(({ variant }) => variant);
  const backward = elements.map((type) =>
    backwardOf(gradients, transform, type, operands, deviceOperands, rates),
  );
  const applied = [
    ...variants.flatMap(({ steps }) => steps),
    ...backward.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === "apply" ? [step.planned] : [])),
    ),
  ];
  const used = new Set([
    ...applied.flatMap(({ step }) => step.terms.map(({ operand }) => operand)),
    ...backward.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === "gradient" ? gradientOperands(step) : [])),
    ),
  ]);
  const formulas = gradientFormulas(gradients);
  const read = [...used].map(deviceOperands.find);
  const sources = read.flatMap(({ source }) => stackedParts(source));
  const tensors = [...transform.tensors, ...tensorObjectsOf(graph.root)];
  return {
    rows: graph.root.rows,
    columns: graph.root.columns,
    derived: derivedTensors([...sources, ...formulas], tensors).map((tensor) =>
      moving.has(tensor.name) ? eachStep(tensor) : tensor,
    ),
    operands: read,
    variants,
    backward,
    rates: cudaRatesIdentity(rates),
    priced: possible.length,
    notes: [
      ...new Set([
        ...notes,
        ...drafts.filter((draft) => kept.some((one) => one.draft === draft)).flatMap((draft) => draft.notes),
        ...widenedNotes(graph.tensors, read),
        ...(allowed.length === 0 && possible.length > 0
          ? ["no way to apply the weight on a device meets the pins; they hold for the CPU alone"]
          : []),
        ...(drafts.some(({ merged }) => merged)
          ? ["on a device the weight is always applied in parts: it is never merged after a step"]
          : []),
      ]),
    ],
  };
}

/** Formulas of derived tensors that get gradients of their own. */
const gradientFormulas = ({ leaves }: Gradients): readonly MatrixSource[] =>
  leaves.flatMap(({ leaf }) =>
    leaf.tensor.derivation === undefined ? [] : [leaf.tensor.derivation.formula],
  );

function backwardOf(
  gradients: Gradients,
  transform: CheckedTransform,
  elements: CudaElements,
  table: OperandTable,
  operands: DeviceOperands,
  rates: CudaRates,
): DeviceBackward {
  const retargeted = ({ activations, steps }: Pick<BackwardDraft, "activations" | "steps">) => ({
    elements,
    activations,
    steps: steps.flatMap((step): readonly DeviceBackwardStep[] =>
      step.kind === "gradient"
        ? [step]
        : retargetStep(step.step, elements, operands).map((planned) => ({
            kind: "apply",
            planned,
            dxOnly: step.dxOnly,
          })),
    ),
  });
  const cost = (draft: BackwardDraft) => deviceBackwardCost(retargeted(draft), operands, rates);
  const { draft } = cheapestDraft(gradients, transform, table, "lane-output", cost);
  return { ...retargeted(draft), cost: cost(draft) };
}

/** A draft's name without the layout, which a device does not have. */
const plainName = (name: string): string => name.replace(/\/lane-output$/, "");

function priced(
  draft: VariantDraft,
  elements: CudaElements,
  way: DeviceWay,
  operands: DeviceOperands,
  rates: CudaRates,
): DeviceVariant {
  const { name, form, activations, steps, rules } = draft;
  const unpriced = {
    name: way === "units" ? plainName(name) : `${plainName(name)}-${way}`,
    form,
    elements,
    activations,
    steps: steps.flatMap((step) => retargetStep(step, elements, operands, way)),
    rules,
  };
  return { ...unpriced, cost: deviceCost(unpriced, operands, rates) };
}
