/** A program through the front half of the road: text, module, algebra, plan; each stage verified by its own laws. */
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import type { AlgebraGraph } from "../../compiler/algebra/algebra-node.ts";
import type { Gradients } from "../../compiler/algebra/derive-gradient.ts";
import { verifyAlgebra } from "../../compiler/algebra/verify-algebra.ts";
import type { CheckedModule, CheckedTransform } from "../../compiler/check/checked-module.ts";
import { renderDiagnostics } from "../../compiler/diagnostics/render-terminal.ts";
import { buildManifest } from "../../compiler/emit/manifest.ts";
import type { CompilerHost } from "../../compiler/host/compiler-host.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { verifyPlan } from "../../compiler/plan/verify-plan.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import type { TransformManifest } from "../../runtime/contract/manifest.ts";
import { withoutSpans } from "../grammar/syntax-text.ts";
import type { Program } from "./program.ts";
import { programText } from "./program-text.ts";
import { atLevel, type Level, LevelFault, type Road } from "./road.ts";

export interface Stages {
  readonly text: string;
  readonly module: CheckedModule;
  readonly checked: CheckedTransform;
  readonly built: AlgebraGraph;
  readonly normal: AlgebraGraph;
  readonly gradients: Gradients;
  /** What the normal form is worth, without what it holds for its gradients. */
  readonly forward: AlgebraGraph;
  /** Null where the planner says that there is none, with its code. */
  readonly plan: Plan | null;
  readonly refusal: string | null;
  /** Enough of a manifest to load a layer: no kernels. */
  readonly loading: TransformManifest;
}

/** Standard files of `host`, and one file more. */
const hostWith = (host: CompilerHost, file: string, text: string): CompilerHost => ({
  ...host,
  readFile: (path) => (path === file ? text : host.readFile(path)),
});

function checkPrinting(file: string, text: string, { parse, printSyntax }: Road): void {
  const first = parse({ file, text });
  if (first.diagnostics.length > 0)
    throw new LevelFault(
      "print",
      `does not parse: ${first.diagnostics.map(({ message }) => message).join("; ")}`,
    );
  const printed = printSyntax(first.tree);
  const second = parse({ file, text: printed });
  const [before, after] = [first.tree, second.tree].map((tree) => JSON.stringify(withoutSpans(tree, false)));
  if (second.diagnostics.length > 0 || before !== after)
    throw new LevelFault("print", `the printed program reads otherwise:\n${printed}`);
  if (printSyntax(second.tree) !== printed)
    throw new LevelFault("print", `printing twice differs:\n${printed}`);
}

function demand(level: Level, findings: readonly string[]): void {
  if (findings.length > 0) throw new LevelFault(level, `the verifier refused: ${findings.join("; ")}`);
}

const noPlan = (checked: CheckedTransform): Plan => ({
  transform: checked.name,
  rows: checked.weight.rows,
  columns: checked.weight.columns,
  derived: [],
  operands: [],
  variants: [],
  rates: { name: "none", id: "00000000", threads: 1 },
  merge: { method: "identity", variant: "" },
  backward: {
    activations: [],
    steps: [],
    parameters: [],
    intermediates: [],
    cost: { kind: "number", value: 0 },
    search: { priced: 0, total: 0 },
    rules: [],
  },
  search: { priced: 0, total: 0, points: 0, rejected: [] },
  notes: [],
  specializations: [],
});

function loadingManifest(module: CheckedModule, checked: CheckedTransform): TransformManifest {
  const { transforms } = buildManifest({
    module,
    transforms: [
      {
        checked,
        plan: noPlan(checked),
        variantKernels: new Map(),
        mergeKernels: [],
        backwardKernels: [],
        backwardSteps: [],
        cuda: null,
        cudaDerived: [],
      },
    ],
    kernels: { file: "", sha256: "", bytes: 0, levels: [], products: [], selections: [], updates: [] },
    cuda: null,
    compiler: "sweep",
    hashes: new Map(),
  });
  const [only] = transforms;
  if (only === undefined) throw new TypeError("a manifest without transforms");
  return only;
}

/** @throws LevelFault at the first level that refuses the program. */
export function stagesOf(program: Program, host: CompilerHost, road: Road): Stages {
  const text = programText(program);
  const file = `${program.name}.spx`;
  atLevel("print", () => checkPrinting(file, text, road));
  const { module, diagnostics, sources } = atLevel("check", () =>
    road.checkModule(file, hostWith(host, file, text)),
  );
  const checked = module?.transforms.find(({ name }) => name === program.name);
  if (module === null || checked === undefined)
    throw new LevelFault("check", renderDiagnostics(diagnostics, sources));
  const factory = createTermFactory(checked.tensors);
  const built = atLevel("build", () => road.buildAlgebra(checked, factory));
  demand("build", verifyAlgebra(built, "built"));
  const normal = atLevel("normalise", () => road.normalise(built, factory));
  demand("normalise", verifyAlgebra(normal, "normal"));
  const loading = atLevel("load", () => loadingManifest(module, checked));
  const gradients = atLevel("gradients", () => road.deriveGradients(normal.root, factory));
  const forward = atLevel("forward value", () => road.forwardValue(normal, factory));
  demand("forward value", verifyAlgebra(forward, "normal"));
  const front = { forward, text, module, checked, built, normal, gradients, loading };
  // A plan is made here and judged later: a broken normal form is to be found by its own comparison.
  const { plan, diagnostics: refused } = atLevel("plan", () => {
    const pins = road.resolvePins(checked, forward, factory);
    if (pins.diagnostics.length > 0) return { plan: null, diagnostics: pins.diagnostics };
    return road.choosePlan(forward, checked, gradients, "covering", defaultRates, pins.claims);
  });
  return { ...front, plan, refusal: plan === null ? (refused[0]?.code ?? "no reason") : null };
}

/** @throws LevelFault when the plan breaks its laws. */
export function demandLawfulPlan(plan: Plan): void {
  demand("plan", verifyPlan(plan));
}
