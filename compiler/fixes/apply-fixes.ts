/** Carries out edits of diagnostics on a text. Ensures that no two of them touch, so that each means what it meant. */
import type { Applicability, Diagnostic, Help, TextEdit } from "../../grammar/text/diagnostic.ts";
import type { SourceText } from "../../grammar/text/source-text.ts";

/** How far edits are trusted: only safe ones, or likely ones too. A sketch is never applied by itself. */
export type Trust = Exclude<Applicability, "sketch">;

const touches = (one: TextEdit, other: TextEdit): boolean =>
  one.span.start <= other.span.end && other.span.start <= one.span.end;

/** The first help of a diagnostic that may be carried out in `file`. */
export const helpToApply = ({ help }: Diagnostic, file: string, trust: Trust): Help | undefined =>
  help.find(
    ({ edits, applicability }) =>
      edits.length > 0 &&
      edits.every(({ span }) => span.file === file) &&
      (applicability === "safe" || (trust === "likely" && applicability === "likely")),
  );

export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  return [...edits]
    .sort((one, other) => other.span.start - one.span.start || other.span.end - one.span.end)
    .reduce(
      (written, { span, replacement }) =>
        written.slice(0, span.start) + replacement + written.slice(span.end),
      text,
    );
}

/** One round: the fixes that do not touch each other, in the order of the diagnostics. */
export function applyFixes(
  source: SourceText,
  diagnostics: readonly Diagnostic[],
  trust: Trust,
): { readonly text: string; readonly applied: number } {
  const accepted: TextEdit[] = [];
  let applied = 0;
  for (const diagnostic of diagnostics) {
    const help = helpToApply(diagnostic, source.file, trust);
    if (help === undefined || help.edits.some((edit) => accepted.some((other) => touches(edit, other))))
      continue;
    accepted.push(...help.edits);
    applied += 1;
  }
  return { text: applyEdits(source.text, accepted), applied };
}
