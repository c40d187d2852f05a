/**
 * `spxc check --fix`: carries out the edits of diagnostics, round after round, because one fix may bring the next
 * mistake to light. The text is mended in memory and written once.
 */
import { type CheckResult, checkModule } from "../../check/check-module.ts";
import { applyFixes, type Trust } from "../../fixes/apply-fixes.ts";
import type { CompilerHost } from "../../host/compiler-host.ts";
import { replaceFile } from "../replace-file.ts";
import type { PlainProblem } from "../report-diagnostics.ts";

export interface FixResult {
  /** What is left to say of the file as it stands now. */
  readonly result: CheckResult;
  readonly fixes: number;
  readonly problem: PlainProblem | null;
}

/** A mistake brings at most a few others to light; more rounds would be a fix that undoes another. */
const mostRounds = 50;

export function fixFile(file: string, host: CompilerHost, trust: Trust): FixResult {
  const before = checkModule(file, host);
  const read = host.readFile(file);
  if (read === null) return { result: before, fixes: 0, problem: null };
  let result = before;
  let text = read;
  let fixes = 0;
  const seen = new Set([read]);
  for (let round = 0; round < mostRounds; round += 1) {
    const next = applyFixes({ file, text }, result.diagnostics, trust);
    if (next.applied === 0 || seen.has(next.text)) break;
    seen.add(next.text);
    text = next.text;
    fixes += next.applied;
    result = checkModule(file, withText(host, file, text));
  }
  if (text === read) return { result, fixes: 0, problem: null };
  const problem = replaceFile(file, read, text);
  return problem === null ? { result, fixes, problem } : { result: before, fixes: 0, problem };
}

const withText = (host: CompilerHost, file: string, text: string): CompilerHost => ({
  ...host,
  readFile: (path) => (path === file ? text : host.readFile(path)),
});
