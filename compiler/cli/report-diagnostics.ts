/** Prints diagnostics for a person on standard error or as JSON on standard output. */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { SourceText } from "../../grammar/text/source-text.ts";
import { diagnosticsToJson, type JsonDiagnostic } from "../diagnostics/render-json.ts";
import { renderDiagnostics } from "../diagnostics/render-terminal.ts";
import { complain, painterFor } from "./terminal.ts";

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some((diagnostic) => diagnostic.severity === "error");

export function reportDiagnostics(diagnostics: readonly Diagnostic[], sources: readonly SourceText[]): void {
  const text = renderDiagnostics(diagnostics, sources, { painter: painterFor(process.stderr) });
  if (text !== "") complain(text.trimEnd());
}

export function jsonDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: readonly SourceText[],
): JsonDiagnostic[] {
  return diagnosticsToJson(diagnostics, sources);
}

/** A problem that has no place in a source file: a missing tool, an unwritable folder. */
export interface PlainProblem {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

export function reportProblem(problem: PlainProblem): void {
  const painter = painterFor(process.stderr);
  complain(`${painter.error(`error[${problem.code}]`)}: ${painter.strong(problem.message)}`);
  complain(`  ${painter.gutter("=")} ${painter.help("help")}: ${problem.help}`);
}
