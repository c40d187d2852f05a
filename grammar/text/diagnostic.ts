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

export interface Help {
  readonly text: string;
  readonly edits: readonly TextEdit[];
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
