/** What the compiler says about a program: plain data, rendered at the edge. */
import type { Span } from "./source-text.ts";

export interface Label {
  readonly span: Span;
  /** At most eight words, understandable alone; empty when the span says enough. */
  readonly text: string;
}

export interface TextEdit {
  readonly span: Span;
  readonly replacement: string;
}

/**
 * How far an edit may be trusted. `safe`: a spelling of what stands there already, or of the only thing that can stand
 * there. `likely`: one of several programs that the author may have meant. `sketch`: something is left to fill in.
 */
export type Applicability = "safe" | "likely" | "sketch";

export interface Help {
  readonly text: string;
  /** Carried out together; they do not overlap. */
  readonly edits: readonly TextEdit[];
  /** Says nothing without edits. */
  readonly applicability: Applicability;
}

export interface Diagnostic {
  /** `SPX` and four digits; see compiler/diagnostics/catalogue.ts. */
  readonly code: string;
  readonly severity: "error" | "warning" | "note";
  /** One line, lower-case start, no full stop, code in backticks; true without the code frame. */
  readonly message: string;
  /** Where; null for problems outside any source file. */
  readonly primary: Label | null;
  /** Other places that matter, also in other files. */
  readonly secondary: readonly Label[];
  /** Expected and found values, as printed. */
  readonly facts: Readonly<Record<string, string | number>>;
  readonly because: readonly string[];
  readonly help: readonly Help[];
}
