/** The order in which diagnostics are shown, and how many. */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";

/** By file in the order of `files`, then by offset; those without a place first. Repeats are dropped. */
export function sortDiagnostics(
  diagnostics: readonly Diagnostic[],
  files: readonly string[] = [],
): Diagnostic[] {
  const rank = (diagnostic: Diagnostic): number => {
    if (diagnostic.primary === null) return -1;
    const found = files.indexOf(diagnostic.primary.span.file);
    return found === -1 ? files.length : found;
  };
  const start = (diagnostic: Diagnostic): number => diagnostic.primary?.span.start ?? -1;
  const seen = new Set<string>();
  return [...diagnostics]
    .sort(
      (a, b) =>
        rank(a) - rank(b) ||
        (a.primary?.span.file ?? "").localeCompare(b.primary?.span.file ?? "") ||
        start(a) - start(b),
    )
    .filter((diagnostic) => {
      const key = `${diagnostic.code} ${diagnostic.primary?.span.file ?? ""} ${start(diagnostic)} ${diagnostic.message}`;
      return !seen.has(key) && Boolean(seen.add(key));
    });
}
