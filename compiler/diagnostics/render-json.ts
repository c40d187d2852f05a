/** Diagnostics for machines: one object a diagnostic, with line and column beside each span. */
import type { Applicability, Diagnostic, Label } from "../../grammar/text/diagnostic.ts";
import { type Position, positionAt, type SourceText, type Span } from "../../grammar/text/source-text.ts";

export interface JsonSpan extends Span {
  readonly from: Position;
  readonly to: Position;
}

export interface JsonHelp {
  readonly text: string;
  /** How far the edits may be trusted; null when there are none. */
  readonly applicability: Applicability | null;
  readonly edits: readonly { readonly span: JsonSpan; readonly text: string }[];
}

export interface JsonDiagnostic extends Omit<Diagnostic, "primary" | "secondary" | "help"> {
  readonly help: readonly JsonHelp[];
  readonly primary: { readonly span: JsonSpan; readonly text: string } | null;
  readonly secondary: readonly { readonly span: JsonSpan; readonly text: string }[];
}

export function diagnosticsToJson(
  diagnostics: readonly Diagnostic[],
  sources: readonly SourceText[],
): JsonDiagnostic[] {
  const texts = new Map(sources.map(({ file, text }) => [file, text]));
  const locate = ({ span, text }: Label): { span: JsonSpan; text: string } => {
    const source = texts.get(span.file) ?? "";
    return {
      span: { ...span, from: positionAt(source, span.start), to: positionAt(source, span.end) },
      text,
    };
  };
  return diagnostics.map((diagnostic) => ({
    ...diagnostic,
    primary: diagnostic.primary === null ? null : locate(diagnostic.primary),
    secondary: diagnostic.secondary.map(locate),
    help: diagnostic.help.map(({ text, edits, applicability }) => ({
      text,
      applicability: edits.length === 0 ? null : applicability,
      edits: edits.map(({ span, replacement }) => locate({ span, text: replacement })),
    })),
  }));
}
