/** `spxc check`: errors with spans and suggestions; `--fix` mends what can be mended, nothing else is written. */
import type { Diagnostic } from "../../../grammar/text/diagnostic.ts";
import { structureProblems } from "../../algebra/structure-problems.ts";
import { type CheckResult, checkModule } from "../../check/check-module.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { helpToApply, type Trust } from "../../fixes/apply-fixes.ts";
import { hasErrors, jsonDiagnostics, reportDiagnostics, reportProblem } from "../report-diagnostics.ts";
import { complain, exitCodes, say } from "../terminal.ts";
import { type FixResult, fixFile } from "./fix.ts";

export interface CheckOptions {
  readonly json?: boolean;
  readonly fix?: Trust;
}

export function check(files: readonly string[], options: CheckOptions): number {
  const host = nodeHost();
  const trust = options.fix ?? null;
  const outcomes = files
    .map((file): FixResult & { readonly file: string } => ({
      file,
      ...(trust === null
        ? { result: checkModule(file, host), fixes: 0, problem: null }
        : fixFile(file, host, trust)),
    }))
    .map((outcome) => ({ ...outcome, result: withStructure(outcome.result) }));
  if (options.json === true) say(JSON.stringify(outcomes.map(inJson), null, 2));
  else for (const outcome of outcomes) sayOutcome(outcome, trust);
  const failed = outcomes.some(({ result, problem }) => problem !== null || hasErrors(result.diagnostics));
  return failed ? exitCodes.problems : exitCodes.done;
}

/** What the checker says, and where the structure of a weight contradicts itself. */
function withStructure(result: CheckResult): CheckResult {
  const found = (result.module?.transforms ?? []).flatMap(structureProblems);
  return found.length === 0 ? result : { ...result, diagnostics: [...result.diagnostics, ...found] };
}

const inJson = ({ file, result, fixes, problem }: FixResult & { readonly file: string }) => ({
  file,
  ok: problem === null && !hasErrors(result.diagnostics),
  ...(fixes > 0 ? { fixes } : {}),
  ...(problem === null ? {} : { problem }),
  diagnostics: jsonDiagnostics(result.diagnostics, result.sources),
});

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : noun.endsWith("x") ? "es" : "s"}`;

function sayOutcome(
  { file, result, fixes, problem }: FixResult & { readonly file: string },
  trust: Trust | null,
): void {
  const { module, diagnostics, sources } = result;
  reportDiagnostics(diagnostics, sources);
  if (problem !== null) reportProblem(problem);
  if (fixes > 0) say(`${file}: ${counted(fixes, "fix")} applied`);
  const offer = offeredFixes(file, diagnostics, trust);
  if (offer !== null) complain(offer);
  if (module === null || hasErrors(diagnostics)) return;
  say(
    `${file}: ${counted(module.transforms.length, "transform")}, ${counted(openChecks(result), "check")} left for load`,
  );
}

const openChecks = ({ module }: CheckResult): number =>
  (module?.transforms ?? []).reduce((count, transform) => count + transform.requirements.length, 0);

/** The command that would mend some of what was said; null when none would. */
function offeredFixes(file: string, diagnostics: readonly Diagnostic[], trust: Trust | null): string | null {
  const count = (wanted: Trust): number =>
    diagnostics.filter((diagnostic) => helpToApply(diagnostic, file, wanted) !== undefined).length;
  const safe = trust === null ? count("safe") : 0;
  if (safe > 0) return `\`spxc check --fix ${file}\` applies ${counted(safe, "safe fix")}`;
  const likely = trust === "likely" ? 0 : count("likely");
  if (likely > 0) return `\`spxc check --fix=likely ${file}\` applies ${counted(likely, "likely fix")}`;
  return null;
}
