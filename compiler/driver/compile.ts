/**
 * The road. Every verb of the compiler stands here once, in the order in which a program passes it, with the
 * reason for its place. Stages up to `lowerTransforms` are pure; the back end and the writer touch the world.
 */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import { createTermFactory } from "../algebra/algebra-graph.ts";
import { buildAlgebra } from "../algebra/build-algebra.ts";
import { deriveGradients } from "../algebra/derive-gradient.ts";
import { forwardValue } from "../algebra/forward-value.ts";
import { normalise } from "../algebra/normalise.ts";
import { structureProblems } from "../algebra/structure-problems.ts";
import { verifyAlgebra } from "../algebra/verify-algebra.ts";
import { checkModule } from "../check/check-module.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import type { CompilerHost } from "../host/compiler-host.ts";
import { verifyLoop } from "../loop/verify-loop.ts";
import { chooseDevicePlan } from "../plan/choose-device-plan.ts";
import { choosePlan, type Factors } from "../plan/choose-plan.ts";
import type { VariantChoice } from "../plan/keep-variants.ts";
import { resolvePins } from "../plan/resolve-pins.ts";
import { verifyPlan } from "../plan/verify-plan.ts";
import { defaultRates } from "../targets/cpu-rates.ts";
import type { RateTable } from "../targets/rate-table.ts";
import { x86Targets } from "../targets/x86-targets.ts";
import type { Compilation, CompileOptions, TransformStages } from "./compilation.ts";
import { emitArtefact } from "./emit-artefact.ts";
import { lowerDevicePlans } from "./lower-device.ts";
import { lowerTransform } from "./lower-transform.ts";
import { productPrograms } from "./product-programs.ts";
import { selectionPrograms } from "./selection-programs.ts";
import { StageClock } from "./stage-clock.ts";
import { uniqueKernels } from "./unique-kernels.ts";
import { updatePrograms } from "./update-programs.ts";

/** Source to plans: what `check`, `explain` and `print` need. */
export function planFile(
  entry: string,
  host: CompilerHost,
  clock = new StageClock(),
  variants: VariantChoice = "winning",
  rates: RateTable = defaultRates,
  cuda: readonly CudaElements[] = [],
  factors: Factors = "f32",
): Compilation {
  // Text, names, kinds, dimensions, obligations: after this no user's mistake is left except an impossible plan.
  const { module, diagnostics, sources } = clock.time("check", () => checkModule(entry, host));
  if (module === null) return { module, diagnostics, sources, transforms: [], clock };
  // Zeros and ranks that contradict each other: such weights would run, and not be what was meant.
  const contradictions = clock.time("structure", () => module.transforms.flatMap(structureProblems));
  if (contradictions.length > 0)
    return { module, sources, diagnostics: [...diagnostics, ...contradictions], transforms: [], clock };
  const stages = module.transforms.map((transform) =>
    planTransform(transform, clock, { variants, rates, cuda, factors }),
  );
  return {
    module,
    sources,
    diagnostics: [...diagnostics, ...stages.flatMap((stage) => stage.diagnostics)],
    transforms: stages.flatMap((stage) => (stage.stages === null ? [] : [stage.stages])),
    clock,
  };
}

interface PlanWishes {
  readonly variants: VariantChoice;
  readonly rates: RateTable;
  readonly cuda: readonly CudaElements[];
  readonly factors: Factors;
}

function planTransform(
  checked: CheckedTransform,
  clock: StageClock,
  { variants, rates, cuda, factors }: PlanWishes,
) {
  // What the weight is, hash-consed, so that every later question about equality is a pointer comparison.
  const factory = createTermFactory(checked.tensors);
  const built = clock.time("build", () => buildAlgebra(checked, factory));
  demand("algebra", verifyAlgebra(built, "built"));
  // One normal form, so that the planner sees sums of scaled chains and nothing else.
  const normal = clock.time("normalise", () => normalise(built, factory));
  demand("normal algebra", verifyAlgebra(normal, "normal"));
  // Gradients on the normal form, so that backward is planned with forward and shares its operands.
  const gradients = clock.time("differentiate", () => deriveGradients(normal.root, factory));
  // From here on only what the weight is worth: terms that are there for their gradients have had their use.
  const forward = clock.time("normalise", () => forwardValue(normal, factory));
  // What the author demands of the plan, as terms of the normal form.
  const pins = resolvePins(checked, forward, factory);
  if (pins.diagnostics.length > 0) return { stages: null, diagnostics: pins.diagnostics };
  // How the weight is applied: formats, fusion, merging, per interval of the batch.
  const { plan, diagnostics } = clock.time("choose", () =>
    choosePlan(forward, checked, gradients, variants, rates, pins.claims, factors),
  );
  if (plan === null) return { stages: null, diagnostics };
  demand("plan", verifyPlan(plan));
  // The same for a device, whose formats and prices are others.
  const device =
    cuda.length === 0
      ? null
      : clock.time("choose device", () => chooseDevicePlan(forward, checked, cuda, gradients, pins.claims));
  const stages: TransformStages = { checked, built, normal, plan, device };
  return { stages, diagnostics };
}

/** The whole road: source to the files of an artefact, in memory; `writeArtefact` puts them on disk. */
export async function compileFile(entry: string, host: CompilerHost, options: CompileOptions) {
  const compilation = planFile(
    entry,
    host,
    new StageClock(),
    options.variants,
    options.rates,
    options.cuda,
    options.factors,
  );
  const failed = compilation.diagnostics.some((diagnostic) => diagnostic.severity === "error");
  if (failed || compilation.module === null) return { compilation, artefact: null };
  const { clock, module } = compilation;
  // Loops for every level: formats become index arithmetic; general kernels and those for default ranks.
  const lowered = clock.time("lower", () =>
    compilation.transforms.map((stages) => lowerTransform(stages, x86Targets)),
  );
  // Equal kernels once, because machine code is what a build waits for.
  const { transforms, programs } = clock.time("unite", () => uniqueKernels(lowered));
  // Beside the plans: products of matrices that nobody packs.
  const products = productPrograms(compilation.transforms, x86Targets);
  // And the passes of selections, which run before anything is packed.
  const selections = selectionPrograms(compilation.transforms, x86Targets);
  // And the steps of optimizers, in the formats of the parameters.
  const updates = updatePrograms(compilation.transforms, x86Targets);
  const beside = { products, selections, updates };
  for (const program of [...programs, ...Object.values(beside).flatMap((each) => each.programs)])
    demand(
      program.name,
      verifyLoop(program).map(({ rule, where }) => `${rule}: ${where}`),
    );
  // Kernels of a device and the launches of its calls.
  const devices = clock.time("lower device", () => lowerDevicePlans(compilation.transforms));
  // LLVM text to one shared object, CUDA C++ to images where nvcc is, then the manifest that names their hashes, then
  // the module that names the manifest's.
  return {
    compilation,
    artefact: await emitArtefact(module, { transforms, programs, beside, devices }, clock, options),
  };
}

/** A verifier's finding is a fault of the compiler, never of the user. */
function demand(level: string, findings: readonly string[]): void {
  if (findings.length > 0)
    throw new Error(`SPX9001: the verifier refused ${level}:\n  ${findings.join("\n  ")}`);
}
