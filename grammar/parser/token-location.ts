/** Where tokens stand. The only file that knows how Chevrotain writes "no location" (NaN offsets). */
import type { Span } from "../text/source-text.ts";
import type { CstElement, CstNode, IToken } from "./chevrotain-library.ts";

/** False for tokens that recovery made up and for the end-of-file token. */
export const hasLocation = (token: IToken): boolean => Number.isInteger(token.startOffset);

/** First offset of `token`; null when it stands nowhere. */
export const tokenStart = (token: IToken): number | null => (hasLocation(token) ? token.startOffset : null);

/** Offset after the last character of `token`; null when it stands nowhere. */
export const tokenEnd = (token: IToken | null): number | null =>
  token !== null && hasLocation(token) ? token.startOffset + token.image.length : null;

export const isNode = (element: CstElement): element is CstNode => "children" in element;

/** The smallest span that covers every located token of `elements`; null when there is none. */
export function spanOfElements(file: string, elements: readonly CstElement[]): Span | null {
  let start = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const element of elements) {
    const location = isNode(element) ? element.location : undefined;
    const first = isNode(element) ? (location?.startOffset ?? Number.NaN) : element.startOffset;
    const past = isNode(element)
      ? (location?.endOffset ?? Number.NaN) + 1
      : (tokenEnd(element) ?? Number.NaN);
    if (Number.isInteger(first) && Number.isInteger(past)) {
      start = Math.min(start, first);
      end = Math.max(end, past);
    }
  }
  return start <= end ? { file, start, end } : null;
}
