/** How a diagnostic is declared once and reported many times: the facts are typed, so no hole in a message stays open. */
import type { Applicability, Diagnostic, Help, Label } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";

export type Facts = Readonly<Record<string, string | number>>;

export interface DiagnosticKind<F extends Facts> {
  /** `SPX` and four digits: phase, topic, serial. */
  readonly code: string;
  readonly name: string;
  readonly severity: "error" | "warning";
  /** What it is about in general, for the catalogue. */
  readonly summary: string;
  /** True without the code frame. */
  readonly message: (facts: F) => string;
  /** What to do, when that follows from the facts alone. */
  readonly help?: (facts: F) => string;
}

export const defineDiagnostic = <F extends Facts>(kind: DiagnosticKind<F>): DiagnosticKind<F> => kind;

export interface ReportParts {
  /** At most eight words under the primary span. */
  readonly label?: string;
  readonly secondary?: readonly Label[];
  readonly because?: readonly string[];
  readonly help?: readonly (Help | string)[];
}

/** One occurrence of `kind` at `span`; null for a problem outside any file. */
export function report<F extends Facts>(
  kind: DiagnosticKind<F>,
  span: Span | null,
  facts: F,
  parts: ReportParts = {},
): Diagnostic {
  const help = parts.help ?? (kind.help === undefined ? [] : [kind.help(facts)]);
  return {
    code: kind.code,
    severity: kind.severity,
    message: kind.message(facts),
    primary: span === null ? null : { span, text: parts.label ?? "" },
    secondary: parts.secondary ?? [],
    facts,
    because: parts.because ?? [],
    help: help.map((entry) => (typeof entry === "string" ? advice(entry) : entry)),
  };
}

/** Advice in words alone. */
export const advice = (text: string): Help => ({ text, edits: [], applicability: "sketch" });

/** Help that an editor can carry out: `replacement` for the text at `span`. */
export const replacing = (
  span: Span,
  replacement: string,
  text: string,
  applicability: Applicability = "safe",
): Help => ({ text, edits: [{ span, replacement }], applicability });
