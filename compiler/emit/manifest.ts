/**
 * Builds the manifest: the checked module and its plans, in the words of runtime/contract. Stands after
 * lowering because kernels bring their own frames, and before writing because the module names its hash.
 */
import { positionAt, type Span } from "../../grammar/text/source-text.ts";
import type { CudaLibrary, CudaPlan } from "../../runtime/contract/cuda.ts";
import type {
  ArgumentManifest,
  BackwardManifest,
  ComputedTensorManifest,
  IntermediateManifest,
  KernelLibrary,
  KernelManifest,
  Manifest,
  MergeManifest,
  ModelManifest,
  PlanManifest,
  TransformManifest,
} from "../../runtime/contract/manifest.ts";
import { abiVersion } from "../../runtime/contract/manifest.ts";
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type {
  CheckedModel,
  CheckedModule,
  CheckedTensor,
  CheckedTransform,
} from "../check/checked-module.ts";
import type { BackwardPlan, Plan, Step, Variant } from "../plan/plan.ts";

/** A lowered transform: its plan and the kernels of each variant and of the merge, all levels. */
export interface PlannedTransform {
  readonly checked: CheckedTransform;
  readonly plan: Plan;
  /** Variant name → kernels, specialised ones before the general one. */
  readonly variantKernels: ReadonlyMap<string, readonly KernelManifest[]>;
  /** Empty when the plan merges through the identity. */
  readonly mergeKernels: readonly KernelManifest[];
  readonly backwardKernels: readonly KernelManifest[];
  /** One line for each step of the backward pass. */
  readonly backwardSteps: readonly string[];
  /** Null when no device was asked for. */
  readonly cuda: CudaPlan | null;
  /** Derived tensors that the device's operands read. */
  readonly cudaDerived: readonly CheckedTensor[];
}

export interface ManifestInput {
  readonly module: CheckedModule;
  readonly transforms: readonly PlannedTransform[];
  readonly kernels: KernelLibrary;
  readonly cuda: CudaLibrary | null;
  /** `spx` version. */
  readonly compiler: string;
  /** Source file → sha256 of its text. */
  readonly hashes: ReadonlyMap<string, string>;
}

export function buildManifest(input: ManifestInput): Manifest {
  const locate = locator(input.module);
  return {
    kind: "spx-manifest",
    abi: abiVersion,
    compiler: input.compiler,
    sources: input.module.sources.map((source) => ({
      file: source.file,
      sha256: input.hashes.get(source.file) ?? "",
    })),
    kernels: input.kernels,
    cuda: input.cuda,
    transforms: input.transforms.map((transform) => transformManifest(transform, locate)),
    models: input.module.models.map((model) => modelManifest(model, locate)),
  };
}

type Locate = (span: Span) => { file: string; line: number; column: number };

function locator(module: CheckedModule): Locate {
  const texts = new Map(module.sources.map((source) => [source.file, source.text]));
  return (span) => ({ file: span.file, ...positionAt(texts.get(span.file) ?? "", span.start) });
}

function transformManifest(transform: PlannedTransform, locate: Locate): TransformManifest {
  const { checked, plan } = transform;
  const parameters = checked.tensors.filter((tensor) => tensor.role === "param");
  return {
    name: checked.name,
    documentation: checked.documentation,
    arguments: checked.arguments.map(argumentManifest),
    constants: checked.constants,
    requirements: checked.requirements.map((requirement) => ({
      condition: requirement.condition,
      text: requirement.text,
      code: requirement.code,
      location: locate(requirement.span),
    })),
    patterns: checked.patterns.map((pattern) => ({
      name: pattern.name,
      shape: pattern.shape,
      rows: pattern.rows,
      columns: pattern.columns,
      count: pattern.count,
      measured: pattern.measured === null ? null : pattern.measured.symbol,
      pool: pattern.pool,
      recipe: pattern.recipe,
    })),
    parameters: parameters.map(computedTensor),
    frozen: checked.tensors
      .filter(({ role, recipe }) => role === "frozen" && recipe !== null)
      .map((tensor) => ({ ...computedTensor(tensor), quantization: tensor.quantization })),
    time: checked.time,
    order: checked.order,
    rows: checked.weight.rows,
    columns: checked.weight.columns,
    trainable: sumOf(parameters.map((tensor) => tensor.count)),
    plan: planManifest(transform, plan),
  };
}

/** A tensor that a recipe computes: arguments, which have none, are not asked for. */
const computedTensor = (tensor: CheckedTensor): ComputedTensorManifest => ({
  name: tensor.name,
  dimensions: tensor.dimensions,
  structure: tensor.structure,
  support: tensor.support,
  drawn: tensor.drawn,
  blocks: tensor.blocks,
  count: tensor.count,
  recipe: tensor.recipe ?? { kind: "number", value: number(0) },
  shared: tensor.shared,
});

function argumentManifest(argument: CheckedTransform["arguments"][number]): ArgumentManifest {
  return argument.kind === "tensor"
    ? { kind: "tensor", name: argument.name, dimensions: argument.dimensions, frozen: argument.frozen }
    : {
        kind: "number",
        name: argument.name,
        type: argument.type,
        defaultValue: argument.defaultValue,
        ...(argument.allotment === undefined ? {} : { allotment: argument.allotment }),
      };
}

function sumOf(terms: readonly NumberExpression[]): NumberExpression {
  const [first, ...rest] = terms;
  if (first === undefined) return number(0);
  return rest.length === 0 ? first : apply("+", first, ...rest);
}

function planManifest(transform: PlannedTransform, plan: Plan): PlanManifest {
  return {
    derived: [...plan.derived, ...onlyIn(transform.cudaDerived, plan.derived)].flatMap(
      ({ name, derivation }) =>
        derivation === undefined ? [] : [{ name, formula: derivation.formula, stage: derivation.stage }],
    ),
    operands: plan.operands.map((operand) => ({
      name: operand.name,
      format: operand.format,
      rows: operand.rows,
      columns: operand.columns,
      source: operand.source,
      stage: operand.stage,
      production: operand.production,
      bytes: operand.bytes,
    })),
    variants: plan.variants.map((variant) => ({
      name: variant.name,
      form: variant.form,
      layout: variant.layout,
      kernels: transform.variantKernels.get(variant.name) ?? [],
      costs: variant.costs,
      merged: variant.merged,
      rules: variant.rules,
      steps: variant.steps.map((step) => describeStep(step, variant, plan)),
    })),
    rates: plan.rates,
    merge: mergeManifest(transform),
    backward: backwardManifest(transform),
    cuda: transform.cuda,
  };
}

const onlyIn = (
  tensors: readonly CheckedTensor[],
  others: readonly CheckedTensor[],
): readonly CheckedTensor[] => tensors.filter(({ name }) => !others.some((other) => other.name === name));

function mergeManifest(transform: PlannedTransform): MergeManifest {
  const { merge } = transform.plan;
  return merge.method === "identity"
    ? { method: "identity", variant: merge.variant }
    : { method: "kernel", kernels: transform.mergeKernels };
}

function backwardManifest({ plan, backwardKernels, backwardSteps }: PlannedTransform): BackwardManifest {
  const { backward } = plan;
  return {
    kernels: backwardKernels,
    intermediates: intermediateManifests(backward),
    cost: backward.cost,
    steps: backwardSteps,
  };
}

/** The parts of the weight that have a gradient of their own. */
export const intermediateManifests = ({ intermediates }: BackwardPlan): IntermediateManifest[] =>
  intermediates.map(({ tensor, formula }) => ({
    name: tensor.name,
    dimensions: tensor.dimensions,
    structure: tensor.structure,
    support: tensor.support,
    blocks: tensor.blocks,
    count: tensor.count,
    formula,
  }));

function describeStep(step: Step, variant: Variant, plan: Plan): string {
  const formats = new Map(plan.operands.map((operand) => [operand.name, operand.format.name]));
  const terms = step.terms.map((term) => `${term.operand}:${formats.get(term.operand)} ${term.input}`);
  return `${step.output} ${step.accumulate ? "+=" : "="} ${terms.join(" + ")} (${variant.layout})`;
}

function modelManifest(model: CheckedModel, locate: Locate): ModelManifest {
  return {
    name: model.name,
    documentation: model.documentation,
    rules: model.rules.map((rule) => ({
      kind: rule.kind,
      glob: rule.glob,
      pattern: rule.pattern,
      exceptions: rule.exceptions,
      transform: rule.transform,
      arguments: rule.arguments,
      location: locate(rule.globSpan),
    })),
  };
}
