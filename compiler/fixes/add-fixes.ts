/** Puts the edits of the fix table into diagnostics: their help takes the place of the words that stood there. */
import type { ModuleSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { FixScene } from "./fix-scene.ts";
import { fixTable } from "./fix-table.ts";

export interface ReadFile {
  readonly text: string;
  readonly tree: ModuleSyntax;
}

/** Requires the tree of every file that may be mended; files of others are left as they are. */
export function addFixes(
  diagnostics: readonly Diagnostic[],
  files: ReadonlyMap<string, ReadFile>,
  homes: FixScene["homes"],
): Diagnostic[] {
  return diagnostics.map((problem) => {
    const span = problem.primary?.span;
    const file = span === undefined ? undefined : files.get(span.file);
    const fix = fixTable[problem.code];
    if (span === undefined || file === undefined || fix === undefined) return problem;
    const help = fix({ problem, span, source: file.text, tree: file.tree, homes });
    return help.length === 0 ? problem : { ...problem, help };
  });
}
