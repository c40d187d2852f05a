/** `spxc explain FILE`: the plan at given sizes on one screen. */
import { evaluateNumber, type SymbolValues } from "../../../runtime/contract/number-expression.ts";
import { ratesNamed } from "../../calibrate/rate-cache.ts";
import type { CheckedTransform } from "../../check/checked-module.ts";
import { suggestNames } from "../../diagnostics/suggest-name.ts";
import type { Compilation } from "../../driver/compilation.ts";
import { planFile } from "../../driver/compile.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { StageClock } from "../../driver/stage-clock.ts";
import { machinesOf, type PricedMachine } from "../../plan/cost-model.ts";
import { explainPlan, printExplanation } from "../../plan/explain-plan.ts";
import { x86Targets } from "../../targets/x86-targets.ts";
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
  const compilation = planFile(subject, nodeHost(), new StageClock(), "winning", rates);
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
  const machine = machinesOf(rates).find(({ target }) => target.name.endsWith(`-${options.level}`));
  if (machine === undefined) {
    complain(
      `error: no level \`${options.level}\`; there are ${x86Targets.map(({ suffix }) => suffix).join(", ")}`,
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
  const explanations = [];
  for (const { checked, plan } of chosen) {
    const values = sizesOf(checked, options);
    if (typeof values === "string") {
      complain(`error: ${values}`);
      return exitCodes.usage;
    }
    explanations.push(explainPlan(plan, checked, values, machine));
  }
  if (options.json === true) {
    const warnings = jsonDiagnostics(diagnostics, sources);
    say(JSON.stringify({ ok: true, diagnostics: warnings, transforms: explanations }, null, 2));
  } else say(explanations.map(printExplanation).join("\n\n"));
  return exitCodes.done;
}

/** Values of all dimensions and number arguments, or what is wrong with the ones given. */
function sizesOf(transform: CheckedTransform, options: ExplainOptions): SymbolValues | string {
  const given = readGiven(options);
  if (typeof given === "string") return given;
  const values = new Map<string, number>();
  const { rows, columns } = transform.weight;
  if (rows.kind === "symbol") values.set(rows.name, Number(options.out));
  if (columns.kind === "symbol") values.set(columns.name, Number(options.in));
  const names = new Set([...values.keys(), ...transform.arguments.map((argument) => argument.name)]);
  for (const argument of transform.arguments) {
    if (argument.kind !== "tensor") continue;
    for (const dimension of argument.dimensions) if (dimension.kind === "symbol") names.add(dimension.name);
  }
  for (const [name, value] of given) {
    if (!names.has(name)) return `\`${transform.name}\` has no argument or dimension \`${name}\``;
    values.set(name, value);
  }
  for (const argument of transform.arguments) {
    if (argument.kind !== "number" || values.has(argument.name)) continue;
    if (argument.defaultValue === null)
      return `give \`${argument.name}\` of \`${transform.name}\`: -a ${argument.name}=VALUE`;
    values.set(argument.name, evaluateNumber(argument.defaultValue, values));
  }
  const missing = [...names].filter(
    (name) => !values.has(name) && !transform.tensors.some((tensor) => tensor.name === name),
  );
  return missing.length === 0
    ? values
    : `give the size of \`${missing.join("`, `")}\`: -a ${missing[0]}=VALUE`;
}

function readGiven(options: ExplainOptions): Map<string, number> | string {
  const given = new Map<string, number>();
  for (const size of [options.out, options.in]) {
    if (!/^\d+$/.test(size)) return `\`${size}\` is no number of features`;
  }
  for (const text of options.argument ?? []) {
    const [, name, value] = /^([A-Za-z_]\w*)=(.+)$/.exec(text) ?? [];
    const parsed = value === "true" ? 1 : value === "false" ? 0 : Number(value);
    if (name === undefined || Number.isNaN(parsed)) return `\`${text}\` is not of the form name=number`;
    given.set(name, parsed);
  }
  return given;
}
