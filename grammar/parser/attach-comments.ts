/**
 * Gives every comment to a node of the tree. Ensures that none is lost: a comment on the line of a node's end stands
 * after it, one before a node's first token before it, one inside a node before that node, the rest at the end of
 * its block.
 */
import type { IToken } from "./chevrotain-library.ts";
import type { Anchor, Block, Building } from "./syntax-nodes.ts";
import { tokenEnd } from "./token-location.ts";
import { Comma, DocComment } from "./tokens.ts";

const blankLine = "\n";

/** Index of the first of the ascending `offsets` that is at least `offset`. */
function lowerBound(offsets: readonly number[], offset: number): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Text of a comment without its marker, one entry a line. */
function linesOf(comment: IToken): string[] {
  const text = comment.image;
  if (text.startsWith("/*")) {
    const inner = text.slice(2, text.endsWith("*/") && text.length > 3 ? -2 : undefined);
    return inner.trim().split(/\r?\n/).map((line) => line.replace(/^\s*\*?\s?/, "").trimEnd());
  }
  const marker = comment.tokenType === DocComment ? 3 : text.startsWith("#") ? 1 : 2;
  return [text.slice(marker).replace(/^ /, "").trimEnd()];
}

const hasBlankLine = (text: string): boolean => /\n[^\S\n]*\r?\n/.test(text);

/** Everything that takes up text, so that blank lines can be seen between it. */
interface Neighbour {
  readonly start: number;
  readonly end: number;
}

export function attachComments(building: Building, tokens: readonly IToken[], comments: readonly IToken[]): void {
  const { text } = building.source;
  const starts = tokens.map((token) => token.startOffset);
  const byStart = new Map(building.anchors.map((anchor) => [anchor.span.start, anchor]));
  const byEnd = new Map<number, Anchor>();
  for (const anchor of building.anchors) byEnd.set(anchor.span.end, anchor);
  const blockAt = new Map(building.blocks.map((block) => [block.close, block]));
  const pending = new Map<Anchor | Block, IToken[]>();

  for (const comment of comments) {
    const index = lowerBound(starts, comment.startOffset);
    const previous = tokens[index - 1];
    const next = tokens[index];
    if (previous !== undefined && standsAfter(previous, tokens[index - 2], comment)) continue;
    const owner = ownerOf(comment, next);
    const list = pending.get(owner) ?? [];
    pending.set(owner, list);
    list.push(comment);
  }
  for (const anchor of building.anchors) write(anchor, pending.get(anchor) ?? []);
  for (const block of building.blocks) {
    block.comments.push(...withBlankLines(pending.get(block) ?? []));
  }

  function standsAfter(previous: IToken, beforePrevious: IToken | undefined, comment: IToken): boolean {
    const end = tokenEnd(previous) ?? 0;
    if (text.slice(end, comment.startOffset).includes("\n") || comment.image.includes("\n")) return false;
    const listed = previous.tokenType === Comma && beforePrevious !== undefined ? byEnd.get(tokenEnd(beforePrevious) ?? -1) : undefined;
    const anchor = listed?.inList === true ? listed : byEnd.get(end);
    if (anchor === undefined || anchor.trivia.after !== null) return false;
    anchor.trivia.after = linesOf(comment)[0] ?? "";
    return true;
  }

  function ownerOf(comment: IToken, next: IToken | undefined): Anchor | Block {
    const follower = byStart.get(next?.startOffset ?? -1) ?? blockAt.get(next?.startOffset ?? text.length);
    if (follower !== undefined) return follower;
    const around = building.anchors
      .filter(({ span }) => span.start <= comment.startOffset && comment.startOffset < span.end)
      .sort((first, second) => second.span.start - first.span.start)[0];
    return around ?? nextOwner(comment);
  }

  /** In text that recovery skipped: whatever comes next. */
  function nextOwner(comment: IToken): Anchor | Block {
    const owners: (Anchor | Block)[] = [...building.anchors, ...building.blocks];
    const at = (owner: Anchor | Block): number => ("close" in owner ? owner.close : owner.span.start);
    const after = owners.filter((owner) => at(owner) >= comment.startOffset).sort((first, second) => at(first) - at(second));
    const [owner = { close: text.length, comments: [] }] = after;
    return owner;
  }

  function previousNeighbour(offset: number): Neighbour | null {
    const token = tokens[lowerBound(starts, offset) - 1];
    return token === undefined ? null : { start: token.startOffset, end: tokenEnd(token) ?? 0 };
  }

  function withBlankLines(list: readonly IToken[]): string[] {
    return list.flatMap((comment, index) => {
      const before = list[index - 1];
      const gap = before === undefined ? "" : text.slice(tokenEnd(before) ?? 0, comment.startOffset);
      return hasBlankLine(gap) && gap.trim() === "" ? [blankLine, ...linesOf(comment)] : linesOf(comment);
    });
  }

  function write(anchor: Anchor, list: readonly IToken[]): void {
    const { trivia, span } = anchor;
    const leading = list.filter((comment) => comment.startOffset < span.start);
    const plain = list.filter((comment) => comment.tokenType !== DocComment);
    trivia.documentation.push(...list.filter((comment) => comment.tokenType === DocComment).flatMap(linesOf));
    trivia.comments.push(...withBlankLines(plain));
    const first = leading[0]?.startOffset ?? span.start;
    const previous = previousNeighbour(first);
    const gap = previous === null ? "" : text.slice(previous.end, first);
    const opensBlock = previous !== null && text.slice(previous.start, previous.end) === "{";
    trivia.blankBefore = hasBlankLine(gap) && !opensBlock;
    const lastPlain = leading.findLast((comment) => comment.tokenType !== DocComment);
    if (lastPlain === undefined) return;
    const past = tokenEnd(lastPlain) ?? 0;
    const nextStart = leading.find((comment) => comment.startOffset > past)?.startOffset ?? span.start;
    if (hasBlankLine(text.slice(past, nextStart))) trivia.comments.push(blankLine);
  }
}
