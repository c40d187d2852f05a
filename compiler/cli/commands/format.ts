/** `spxc fmt`: canonical layout, in place; a file with syntax errors is left as it is. */
import { readFileSync } from "node:fs";
import { parse } from "../../../grammar/parser/parse.ts";
import { printSyntax } from "../../../grammar/syntax/print-syntax.ts";
import { fileProblem, replaceFile } from "../replace-file.ts";
import { hasErrors, reportDiagnostics, reportProblem } from "../report-diagnostics.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export async function format(files: readonly string[], options: { check?: boolean }): Promise<number> {
  const checkOnly = options.check === true;
  const outcomes = files.map((file) => (file === "-" ? formatInput(checkOnly) : formatFile(file, checkOnly)));
  return outcomes.every((good) => good) ? exitCodes.done : exitCodes.problems;
}

function formatted(file: string, text: string): string | null {
  const { tree, diagnostics } = parse({ file, text });
  if (!hasErrors(diagnostics)) return printSyntax(tree);
  reportDiagnostics(diagnostics, [{ file, text }]);
  return null;
}

function formatInput(checkOnly: boolean): boolean {
  const file = "<standard input>";
  const text = readFileSync(0, "utf8");
  const result = formatted(file, text);
  if (result === null || (checkOnly && result === text)) return result !== null;
  if (checkOnly) complain(`${file}: not formatted`);
  else process.stdout.write(result);
  return !checkOnly;
}

function formatFile(file: string, checkOnly: boolean): boolean {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    reportProblem(fileProblem("SPX0101", `\`${file}\` cannot be read`, cause));
    return false;
  }
  const result = formatted(file, text);
  if (result === null || result === text) return result !== null;
  if (checkOnly) {
    complain(`${file}: not formatted; run \`spxc fmt ${file}\``);
    return false;
  }
  const problem = replaceFile(file, text, result);
  if (problem !== null) {
    reportProblem(problem);
    return false;
  }
  say(`${file}: formatted`);
  return true;
}
