/** Diagnostics for people: message, code frames, reasons, help. Plain text unless a painter brings colours. */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { SourceText } from "../../grammar/text/source-text.ts";
import { drawFrame, type FrameLabel, type FramePainter } from "./code-frame.ts";

export interface Painter extends FramePainter {
  readonly error: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly note: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly help: (text: string) => string;
}

const same = (text: string): string => text;

export const plainPainter: Painter = {
  gutter: same,
  primary: same,
  secondary: same,
  error: same,
  warning: same,
  note: same,
  strong: same,
  help: same,
};

export interface RenderOptions {
  readonly painter?: Painter;
  /** Diagnostics shown before only their number is given. */
  readonly limit?: number;
}

const indent = (text: string, spaces: number): string => text.split("\n").join(`\n${" ".repeat(spaces)}`);

function frames(
  diagnostic: Diagnostic,
  sources: ReadonlyMap<string, SourceText>,
  painter: Painter,
): string[] {
  if (diagnostic.primary === null) return [];
  const labels: FrameLabel[] = [
    { ...diagnostic.primary, isPrimary: true },
    ...diagnostic.secondary.map((label) => ({ ...label, isPrimary: false })),
  ];
  return [...new Set(labels.map(({ span }) => span.file))].flatMap((file) => {
    const source = sources.get(file);
    return source === undefined
      ? [`  ┌─ ${file}`]
      : drawFrame(
          source,
          labels.filter(({ span }) => span.file === file),
          painter,
        );
  });
}

export function renderDiagnostic(
  diagnostic: Diagnostic,
  sources: readonly SourceText[],
  painter: Painter = plainPainter,
): string {
  const bySeverity = { error: painter.error, warning: painter.warning, note: painter.note };
  const title = `${bySeverity[diagnostic.severity](`${diagnostic.severity}[${diagnostic.code}]`)}: ${painter.strong(diagnostic.message)}`;
  const lines = [
    title,
    ...frames(diagnostic, new Map(sources.map((source) => [source.file, source])), painter),
  ];
  const notes = [
    ...diagnostic.because.map((text) => `  ${painter.gutter("=")} because: ${indent(text, 13)}`),
    ...diagnostic.help.map(
      ({ text }) => `  ${painter.gutter("=")} ${painter.help("help")}: ${indent(text, 10)}`,
    ),
  ];
  if (notes.length > 0 && diagnostic.primary !== null) lines.push(`  ${painter.gutter("│")}`);
  lines.push(...notes, `  explain: spxc explain ${diagnostic.code}`);
  return lines.join("\n");
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** All diagnostics, at most `limit` (20) of them, and a last line with their number; "" for none. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: readonly SourceText[],
  options: RenderOptions = {},
): string {
  if (diagnostics.length === 0) return "";
  const { painter = plainPainter, limit = 20 } = options;
  const blocks = diagnostics
    .slice(0, limit)
    .map((diagnostic) => renderDiagnostic(diagnostic, sources, painter));
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const warnings = diagnostics.filter(({ severity }) => severity === "warning").length;
  const counts = [
    ...(errors > 0 ? [counted(errors, "error")] : []),
    ...(warnings > 0 ? [counted(warnings, "warning")] : []),
  ];
  const hidden = diagnostics.length - blocks.length;
  const last = `${counts.join(", ")}${hidden > 0 ? ` (${hidden} not shown)` : ""}`;
  return `${[...blocks, last].join("\n\n")}\n`;
}
