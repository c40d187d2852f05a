/** `spxc print --stage …`: any level of the road as text. */
import { basename } from "node:path";
import { parse } from "../../../grammar/parser/parse.ts";
import { printSyntax } from "../../../grammar/syntax/print-syntax.ts";
import { printAlgebra } from "../../algebra/print-algebra.ts";
import { printCuda } from "../../backend/cuda/print-cuda.ts";
import { generateLlvm } from "../../backend/llvm/generate-llvm.ts";
import type { CheckedModule } from "../../check/checked-module.ts";
import { printChecked } from "../../check/print-checked.ts";
import type { TransformStages } from "../../driver/compilation.ts";
import { compileFile, planFile } from "../../driver/compile.ts";
import { lowerDevicePlans } from "../../driver/lower-device.ts";
import { lowerTransform } from "../../driver/lower-transform.ts";
import { nodeHost } from "../../driver/node-host.ts";
import type { LoopProgram } from "../../loop/loop-node.ts";
import { printLoop } from "../../loop/print-loop.ts";
import { printPlan } from "../../plan/print-plan.ts";
import { allTargets, roundingTargets } from "../../targets/x86-targets.ts";
import { cudaElementsOf, factorsOf } from "../cuda-target.ts";
import { hasErrors, reportDiagnostics, reportProblem } from "../report-diagnostics.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export interface PrintOptions {
  readonly stage:
    | "syntax"
    | "checked"
    | "algebra"
    | "plan"
    | "loop"
    | "llvm"
    | "cuda"
    | "module"
    | "manifest";
  readonly transform?: string;
  readonly variant?: string;
  readonly level: string;
  readonly elements?: string;
}

export async function print(file: string, options: PrintOptions): Promise<number> {
  const { stage, transform: wanted } = options;
  if (stage === "syntax") return printSyntaxStage(file);
  if (stage === "module" || stage === "manifest") return printArtefactStage(file, stage);
  const cuda = cudaElementsOf({ ...options, target: stage === "cuda" ? "cuda" : "cpu" });
  if (typeof cuda === "string") {
    complain(`error: ${cuda}`);
    return exitCodes.usage;
  }
  const { module, diagnostics, sources, transforms } = planFile(
    file,
    nodeHost(),
    undefined,
    undefined,
    undefined,
    cuda,
    roundingTargets.some(({ suffix }) => suffix === options.level) ? "bf16" : factorsOf(options),
  );
  reportDiagnostics(diagnostics, sources);
  if (hasErrors(diagnostics) || module === null) return exitCodes.problems;
  const chosen = transforms.filter(({ checked }) => wanted === undefined || checked.name === wanted);
  if (wanted !== undefined && chosen.length === 0) {
    return noSuch(
      "transform",
      wanted,
      transforms.map(({ checked }) => checked.name),
    );
  }
  if (stage === "cuda") {
    say(printCuda(basename(file), lowerDevicePlans(chosen).programs).trimEnd());
    return exitCodes.done;
  }
  if (stage === "loop" || stage === "llvm") return printCodeStage(stage, chosen, options);
  for (const text of describe[stage](chosen, module)) say(text);
  return exitCodes.done;
}

function printSyntaxStage(file: string): number {
  const text = nodeHost().readFile(file);
  if (text === null) {
    reportProblem({ code: "SPX0101", message: `\`${file}\` cannot be read`, help: "check the path" });
    return exitCodes.problems;
  }
  const { tree, diagnostics } = parse({ file, text });
  reportDiagnostics(diagnostics, [{ file, text }]);
  if (hasErrors(diagnostics)) return exitCodes.problems;
  say(printSyntax(tree).trimEnd());
  return exitCodes.done;
}

type Describe = (chosen: readonly TransformStages[], module: CheckedModule) => readonly string[];

const describe: Readonly<Record<"checked" | "algebra" | "plan", Describe>> = {
  checked: (chosen, module) => [
    printChecked({ ...module, transforms: chosen.map(({ checked }) => checked) }),
  ],
  algebra: (chosen) =>
    chosen.map(
      ({ built, normal }) =>
        `# as written\n${printAlgebra(built)}\n# in normal form\n${printAlgebra(normal)}`,
    ),
  plan: (chosen) => chosen.map(({ plan }) => printPlan(plan)),
};

function printCodeStage(
  stage: "loop" | "llvm",
  chosen: readonly TransformStages[],
  { level, variant }: PrintOptions,
): number {
  const targets = allTargets.filter((target) => target.suffix === level);
  if (targets.length === 0) {
    return noSuch(
      "level",
      level,
      allTargets.map((target) => target.suffix),
    );
  }
  const known = chosen.flatMap(({ plan }) => [...plan.variants.map(({ name }) => name), "merge"]);
  if (variant !== undefined && !known.includes(variant)) return noSuch("variant", variant, known);
  const lowered = chosen.map((stages) => ({
    name: stages.checked.name,
    programs: programsOf(lowerTransform(stages, targets), variant),
  }));
  if (stage === "llvm") say(generateLlvm(lowered.flatMap(({ programs }) => programs)).trimEnd());
  else {
    for (const { name, programs } of lowered) {
      say(`# ${name}, x86-64-${level}`);
      for (const program of programs) say(printLoop(program));
    }
  }
  return exitCodes.done;
}

/** The programs of one variant, or of `merge`; all of them when none is named. */
function programsOf(
  { variantKernels, mergeKernels, programs }: ReturnType<typeof lowerTransform>,
  variant: string | undefined,
): readonly LoopProgram[] {
  if (variant === undefined) return programs;
  const kernels = variant === "merge" ? mergeKernels : (variantKernels.get(variant) ?? []);
  const symbols = new Set(kernels.map(({ symbol }) => symbol));
  return programs.filter(({ name }) => symbols.has(name));
}

/** These two name the hash of the kernels, so that the kernels have to be made. */
async function printArtefactStage(file: string, stage: "module" | "manifest"): Promise<number> {
  const name = basename(file, ".spx");
  const options = { name, runtime: "spx/runtime", keepIr: false };
  const { compilation, artefact } = await compileFile(file, nodeHost(), options);
  reportDiagnostics(compilation.diagnostics, compilation.sources);
  if (artefact === null || artefact.kind === "problem") {
    artefact?.problems.forEach(reportProblem);
    return exitCodes.problems;
  }
  const shown = stage === "manifest" ? [artefact.manifestFile] : [`${name}.d.ts`, `${name}.js`];
  for (const wanted of shown) {
    const found = artefact.files.find((written) => written.name === wanted);
    if (found !== undefined) say(String(found.bytes).trimEnd());
  }
  return exitCodes.done;
}

function noSuch(kind: string, name: string, known: readonly string[]): number {
  complain(
    `error: no ${kind} \`${name}\`; there is ${[...new Set(known)].map((one) => `\`${one}\``).join(", ")}`,
  );
  return exitCodes.usage;
}
