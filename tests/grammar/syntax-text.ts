/** Syntax trees and diagnostics as short text, for golden files; trees without spans, for comparison. */
import type { Diagnostic, TextEdit } from "../../grammar/text/diagnostic.ts";
import { positionAt, type Span } from "../../grammar/text/source-text.ts";

/** `value` without spans; with `blankBefore` left out as well when `layout` is false. */
export function withoutSpans(value: unknown, layout = true): unknown {
  if (Array.isArray(value)) return value.map((entry) => withoutSpans(entry, layout));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "span" && key !== "operatorSpan" && (layout || key !== "blankBefore"))
      .map(([key, entry]) => [key, withoutSpans(entry, layout)]),
  );
}

/** Every span in `value`, however deep. */
export function spansIn(value: unknown): Span[] {
  if (Array.isArray(value)) return value.flatMap(spansIn);
  if (typeof value !== "object" || value === null) return [];
  if ("start" in value && "end" in value) return [value as Span];
  return Object.values(value).flatMap(spansIn);
}

export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  return [...edits]
    .sort((first, second) => second.span.start - first.span.start || second.span.end - first.span.end)
    .reduce(
      (written, { span, replacement }) =>
        written.slice(0, span.start) + replacement + written.slice(span.end),
      text,
    );
}

const place = (text: string, span: Span): string => {
  const { line, column } = positionAt(text, span.start);
  return `${line}:${column} ⟦${text.slice(span.start, span.end).replaceAll("\n", "⏎")}⟧`;
};

/** The whole of a diagnostic, one fact a line; a fix is shown as the lines that it changes. */
export function describeDiagnostic(text: string, diagnostic: Diagnostic): string {
  const { primary, secondary, facts, because, help } = diagnostic;
  const lines = [`${diagnostic.severity}[${diagnostic.code}]: ${diagnostic.message}`];
  if (primary !== null) lines.push(`  at ${place(text, primary.span)} ${primary.text}`);
  for (const label of secondary) lines.push(`  and ${place(text, label.span)} ${label.text}`);
  for (const [name, value] of Object.entries(facts)) lines.push(`  ${name}: ${value}`);
  for (const reason of because) lines.push(`  because: ${reason}`);
  for (const { text: advice, edits } of help) {
    lines.push(`  help: ${advice}`);
    if (edits.length === 0) continue;
    const before = text.split("\n");
    const fixed = applyEdits(text, edits)
      .split("\n")
      .filter((line) => !before.includes(line));
    for (const line of fixed) lines.push(`    | ${line.trimEnd()}`);
  }
  return lines.join("\n");
}
