/** The lines of a file that labels point into, with the labels drawn below. */
import type { Label } from "../../grammar/text/diagnostic.ts";
import { positionAt, type SourceText } from "../../grammar/text/source-text.ts";

export interface FrameLabel extends Label {
  readonly isPrimary: boolean;
}

export interface FramePainter {
  readonly gutter: (text: string) => string;
  readonly primary: (text: string) => string;
  readonly secondary: (text: string) => string;
}

interface PlacedLabel extends FrameLabel {
  readonly line: number;
  /** 0-based, in characters of the line with tabs written as one space. */
  readonly column: number;
  readonly length: number;
}

/** Columns that a text takes on a terminal that shows one column a code point. */
const width = (text: string): number => [...text].length;

function place(text: string, lines: readonly string[], label: FrameLabel): PlacedLabel {
  const { line, column } = positionAt(text, Math.min(label.span.start, text.length));
  const content = lines[line - 1] ?? "";
  const before = width(content.slice(0, column - 1));
  const inside = content.slice(column - 1, column - 1 + Math.max(0, label.span.end - label.span.start));
  return { ...label, line, column: before, length: Math.max(1, width(inside.trimEnd())) };
}

/** Lines of one file's frame, from the location line on; all labels must lie in `source`. */
export function drawFrame(
  source: SourceText,
  labels: readonly FrameLabel[],
  painter: FramePainter,
): string[] {
  const lines = source.text.split("\n").map((line) => line.replace(/\r$/, "").replaceAll("\t", " "));
  const placed = labels.map((label) => place(source.text, lines, label));
  const first = placed.find((label) => label.isPrimary) ?? placed[0];
  if (first === undefined) return [];
  const shown = [...new Set(placed.map(({ line }) => line))].sort((a, b) => a - b);
  const margin = Math.max(2, String(shown.at(-1) ?? 1).length);
  const blank = " ".repeat(margin);
  const frame = [
    `${blank}${painter.gutter("┌─")} ${source.file}:${first.line}:${first.column + 1}`,
    `${blank}${painter.gutter("│")}`,
  ];
  for (const line of shown) {
    frame.push(`${painter.gutter(`${String(line).padStart(margin)}│`)} ${lines[line - 1] ?? ""}`);
    const here = placed.filter((label) => label.line === line).sort((a, b) => a.column - b.column);
    for (const label of here) {
      const mark = `${(label.isPrimary ? "^" : "-").repeat(label.length)}${label.text === "" ? "" : ` ${label.text}`}`;
      const paint = label.isPrimary ? painter.primary : painter.secondary;
      frame.push(`${blank}${painter.gutter("│")} ${" ".repeat(label.column)}${paint(mark)}`);
    }
  }
  return frame;
}
