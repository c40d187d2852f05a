/** `spxc explain FILE`: the plan at given sizes on one screen, as JSON or as a page, or where one term of it went. */
import type { SymbolValues } from "../../../runtime/contract/number-expression.ts";
import { ratesNamed } from "../../calibrate/rate-cache.ts";
import { suggestNames } from "../../diagnostics/suggest-name.ts";
import type { Compilation, TransformStages } from "../../driver/compilation.ts";
import { planFile } from "../../driver/compile.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { StageClock } from "../../driver/stage-clock.ts";
import { explainDevice } from "../../explain/explain-device.ts";
import { explainTransform } from "../../explain/explain-transform.ts";
import { htmlPage } from "../../explain/html-page.ts";
import { printDeviceScreen } from "../../explain/print-device.ts";
import { printScreen } from "../../explain/print-screen.ts";
import { whyTerm } from "../../explain/why-term.ts";
import { machinesOf, type PricedMachine } from "../../plan/cost-model.ts";
import { roundingMachines } from "../../plan/rounding-levels.ts";
import { allTargets } from "../../targets/x86-targets.ts";
import { cudaElementsOf, factorsOf } from "../cuda-target.ts";
import { sizesOf } from "../explain-sizes.ts";
import { hasErrors, jsonDiagnostics, reportDiagnostics, reportProblem } from "../report-diagnostics.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export interface ExplainOptions {
  readonly transform?: string;
  readonly out: string;
  readonly in: string;
  readonly argument?: readonly string[];
  readonly rates: string;
  readonly level: string;
  readonly json?: boolean;
  readonly html?: boolean;
  readonly why?: string;
  readonly target: string;
  readonly elements?: string;
}

export async function explain(subject: string, options: ExplainOptions): Promise<number> {
  if (/^SPX\d+$/i.test(subject)) {
    const { explainCode } = await import("./explain-code.ts");
    return explainCode(subject.toUpperCase());
  }
  const rates = ratesNamed(options.rates);
  if ("code" in rates) {
    reportProblem(rates);
    return exitCodes.problems;
  }
  const cuda = cudaElementsOf(options);
  if (typeof cuda === "string") {
    complain(`error: ${cuda}`);
    return exitCodes.usage;
  }
  const target = allTargets.find(({ suffix }) => suffix === options.level);
  const factors = target?.pairedOutputTokens == null ? factorsOf(options) : "bf16";
  const compilation = planFile(subject, nodeHost(), new StageClock(), "winning", rates, cuda, factors);
  const { diagnostics, sources, module } = compilation;
  const failed = hasErrors(diagnostics) || module === null;
  if (options.json !== true) reportDiagnostics(diagnostics, sources);
  else if (failed) {
    say(
      JSON.stringify(
        { ok: false, diagnostics: jsonDiagnostics(diagnostics, sources), transforms: [] },
        null,
        2,
      ),
    );
  }
  if (failed) return exitCodes.problems;
  const machine = [...machinesOf(rates), ...roundingMachines(rates)].find(
    (candidate) => candidate.target === target,
  );
  if (machine === undefined) {
    complain(
      `error: no level \`${options.level}\`; there are ${allTargets.map(({ suffix }) => suffix).join(", ")}`,
    );
    return exitCodes.usage;
  }
  return explainTransforms(compilation, options, machine);
}

function explainTransforms(
  { transforms, diagnostics, sources }: Compilation,
  options: ExplainOptions,
  machine: PricedMachine,
): number {
  const { transform: wanted } = options;
  const chosen = transforms.filter(({ checked }) => wanted === undefined || checked.name === wanted);
  if (chosen.length === 0 && wanted === undefined) {
    complain("error: the file has no transform, so that there is no plan to explain");
    return exitCodes.problems;
  }
  if (chosen.length === 0) {
    const near = suggestNames(
      wanted ?? "",
      transforms.map(({ checked }) => checked.name),
    );
    complain(
      `error: no transform \`${wanted}\`${near.length > 0 ? `; did you mean ${near.join(", ")}?` : ""}`,
    );
    return exitCodes.usage;
  }
  const located: { readonly stages: TransformStages; readonly values: SymbolValues }[] = [];
  for (const stages of chosen) {
    const values = sizesOf(stages.checked, options);
    if (typeof values === "string") {
      complain(`error: ${values}`);
      return exitCodes.usage;
    }
    located.push({ stages, values });
  }
  if (options.why !== undefined) return why(located, machine, options.why);
  if (located.every(({ stages }) => stages.device !== null)) {
    const devices = located.flatMap(({ stages: { checked, device }, values }) =>
      device === null ? [] : [explainDevice(checked.name, device, values)],
    );
    if (options.json === true) {
      const warnings = jsonDiagnostics(diagnostics, sources);
      say(JSON.stringify({ ok: true, diagnostics: warnings, transforms: devices }, null, 2));
    } else say(devices.map(printDeviceScreen).join("\n"));
    return exitCodes.done;
  }
  const explanations = located.map(({ stages, values }) => explainTransform(stages, values, machine));
  if (options.json === true) {
    const warnings = jsonDiagnostics(diagnostics, sources);
    say(JSON.stringify({ ok: true, diagnostics: warnings, transforms: explanations }, null, 2));
  } else if (options.html === true) say(htmlPage(explanations).trimEnd());
  else say(explanations.map(printScreen).join("\n"));
  return exitCodes.done;
}

/** Where a term went, in each transform that has it. */
function why(
  located: readonly { readonly stages: TransformStages; readonly values: SymbolValues }[],
  machine: PricedMachine,
  term: string,
): number {
  const answers = located.map(({ stages, values }) => whyTerm(stages, values, machine, term));
  const found = answers.flatMap((answer, index) =>
    answer.kind === "found" ? [`${located[index]?.stages.checked.name}: ${answer.text}`] : [],
  );
  if (found.length > 0) {
    say(found.join("\n\n"));
    return exitCodes.done;
  }
  const known = [...new Set(answers.flatMap((answer) => (answer.kind === "unknown" ? answer.known : [])))];
  const near = suggestNames(term, known);
  complain(
    `error: the weight has no \`${term}\`${near.length > 0 ? `; did you mean ${near.join(", ")}?` : ""}`,
  );
  complain(`  it has ${known.join(", ")}`);
  return exitCodes.usage;
}
