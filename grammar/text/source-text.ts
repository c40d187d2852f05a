/** A source file as text, the spans that point into it, and the lines that spans fall on. */

/** A half-open range of UTF-16 offsets in one file. */
export interface Span {
  /** File name as the user would write it. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export interface SourceText {
  readonly file: string;
  readonly text: string;
}

/** 1-based line and column of an offset. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export function positionAt(text: string, offset: number): Position {
  let line = 1;
  let lineStart = 0;
  for (
    let index = text.indexOf("\n");
    index !== -1 && index < offset;
    index = text.indexOf("\n", index + 1)
  ) {
    line += 1;
    lineStart = index + 1;
  }
  return { line, column: offset - lineStart + 1 };
}

/** The smallest span that covers both. */
export function joinSpans(first: Span, second: Span): Span {
  return {
    file: first.file,
    start: Math.min(first.start, second.start),
    end: Math.max(first.end, second.end),
  };
}
