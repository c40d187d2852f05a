/**
 * A mistake that shows itself inside the library was made by who uses it: the use is told first, and the line of the
 * library is a place beside it. Stands after the fixes, which read the text at the place where a mistake was found.
 */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { advice } from "./define-diagnostic.ts";

/** Moves a diagnostic to the outermost use, which those who report it put last among its places. */
export function tellAtUse(diagnostic: Diagnostic, library: ReadonlySet<string>): Diagnostic {
  const { primary, secondary, help } = diagnostic;
  if (primary === null || !library.has(primary.span.file)) return diagnostic;
  const use = secondary.findLast(({ span }) => !library.has(span.file));
  if (use === undefined) return diagnostic;
  const line = { span: primary.span, text: primary.text === "" ? "this line of the library" : primary.text };
  return {
    ...diagnostic,
    primary: use,
    secondary: [line, ...secondary.filter((label) => label !== use)],
    // Nobody mends the library from here.
    help: help.map((entry) =>
      entry.edits.some(({ span }) => library.has(span.file)) ? advice(entry.text) : entry,
    ),
  };
}
