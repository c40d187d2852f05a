/** `spxc print --stage …`: any level of the road as text. */
import { basename } from "node:path";
import { parse } from "../../../grammar/parser/parse.ts";
import { printSyntax } from "../../../grammar/syntax/print-syntax.ts";
import { printAlgebra } from "../../algebra/print-algebra.ts";
import { printChecked } from "../../check/print-checked.ts";
import type { Compilation } from "../../driver/compilation.ts";
import { compileFile, planFile } from "../../driver/compile.ts";
import { lowerTransform } from "../../driver/lower-transform.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { printLoop } from "../../loop/print-loop.ts";
import { printPlan } from "../../plan/print-plan.ts";
import { x86Targets } from "../../targets/x86-targets.ts";
import { hasErrors, reportDiagnostics, reportProblem } from "../report-diagnostics.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export interface PrintOptions {
  readonly stage: "syntax" | "checked" | "algebra" | "plan" | "loop" | "llvm" | "module" | "manifest";
  readonly transform?: string;
  readonly variant?: string;
  readonly level: string;
}

export async function print(file: string, options: PrintOptions): Promise<number> {
  if (options.stage === "syntax") return printSyntaxStage(file);
  if (options.stage === "llvm" || options.stage === "module" || options.stage === "manifest") {
    return printArtefactStage(file, options.stage);
  }
  const compilation = planFile(file, nodeHost());
  reportDiagnostics(compilation.diagnostics, compilation.sources);
  if (hasErrors(compilation.diagnostics) || compilation.module === null) return exitCodes.problems;
  return printPlannedStage(compilation, options);
}

function printSyntaxStage(file: string): number {
  const text = nodeHost().readFile(file);
  if (text === null) {
    reportProblem({ code: "SPX0101", message: `\`${file}\` cannot be read`, help: "check the path" });
    return exitCodes.problems;
  }
  const { tree, diagnostics } = parse({ file, text });
  reportDiagnostics(diagnostics, [{ file, text }]);
  say(printSyntax(tree).trimEnd());
  return hasErrors(diagnostics) ? exitCodes.problems : exitCodes.done;
}

function printPlannedStage({ module, transforms }: Compilation, options: PrintOptions): number {
  const { stage, transform: wanted } = options;
  const chosen = transforms.filter(({ checked }) => wanted === undefined || checked.name === wanted);
  if (module === null || chosen.length === 0) return noSuch("transform", wanted ?? "", transforms.map((t) => t.checked.name));
  if (stage === "checked") {
    say(printChecked({ ...module, transforms: chosen.map(({ checked }) => checked) }));
    return exitCodes.done;
  }
  if (stage === "algebra") {
    for (const { built, normal } of chosen) say(`# as written\n${printAlgebra(built)}\n# in normal form\n${printAlgebra(normal)}`);
    return exitCodes.done;
  }
  if (stage === "plan") {
    for (const { plan } of chosen) say(printPlan(plan));
    return exitCodes.done;
  }
  const targets = x86Targets.filter((target) => target.suffix === options.level);
  if (targets.length === 0) return noSuch("level", options.level, x86Targets.map((target) => target.suffix));
  const { variant } = options;
  const known = chosen.flatMap(({ plan }) => [...plan.variants.map(({ name }) => name), "merge"]);
  if (variant !== undefined && !known.includes(variant)) return noSuch("variant", variant, known);
  for (const stages of chosen) {
    const { checked, variantKernels, mergeKernels, programs } = lowerTransform(stages, targets);
    const kernels = [...variantKernels, ["merge", mergeKernels] as const];
    const shown = kernels.filter(([name]) => variant === undefined || name === variant);
    const symbols = new Set(shown.flatMap(([, list]) => list.map(({ symbol }) => symbol)));
    say(`# ${checked.name}, x86-64-${options.level}`);
    for (const program of programs) if (symbols.has(program.name)) say(printLoop(program));
  }
  return exitCodes.done;
}

async function printArtefactStage(file: string, stage: "llvm" | "module" | "manifest"): Promise<number> {
  const name = basename(file, ".spx");
  const options = { name, runtime: "spx/runtime", keepIr: true };
  const { compilation, artefact } = await compileFile(file, nodeHost(), options);
  reportDiagnostics(compilation.diagnostics, compilation.sources);
  if (artefact === null || artefact.kind === "problem") {
    artefact?.problems.forEach(reportProblem);
    return exitCodes.problems;
  }
  const endings = { llvm: [".ll"], module: [".d.ts", ".js"], manifest: [".manifest.json"] } as const;
  for (const ending of endings[stage]) {
    const found = artefact.files.find((written) => written.name === `${name}${ending}`);
    if (found !== undefined) say(String(found.bytes).trimEnd());
  }
  return exitCodes.done;
}

function noSuch(kind: string, name: string, known: readonly string[]): number {
  complain(`error: no ${kind} \`${name}\`; there is ${[...new Set(known)].map((one) => `\`${one}\``).join(", ")}`);
  return exitCodes.usage;
}
