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
    return inner
      .trim()
      .split(/\r?\n/)
      .map((line) => line.replace(/^\s*\*?\s?/, "").trimEnd());
  }
  const marker = comment.tokenType === DocComment ? 3 : text.startsWith("#") ? 1 : 2;
  return [text.slice(marker).replace(/^ /, "").trimEnd()];
}

const hasBlankLine = (text: string): boolean => /\n[^\S\n]*\r?\n/.test(text);

interface Attaching {
  readonly building: Building;
  readonly text: string;
  readonly tokens: readonly IToken[];
  /** Offsets of `tokens`. */
  readonly starts: readonly number[];
  readonly byStart: ReadonlyMap<number, Anchor>;
  readonly byEnd: ReadonlyMap<number, Anchor>;
  readonly blockAt: ReadonlyMap<number, Block>;
}

/** Puts `comment` after the node that ends before it on its line; false when none does. */
function standsAfter({ text, tokens, byEnd }: Attaching, comment: IToken, index: number): boolean {
  const [beforePrevious, previous] = [tokens[index - 2], tokens[index - 1]];
  if (previous === undefined) return false;
  const end = tokenEnd(previous) ?? 0;
  if (text.slice(end, comment.startOffset).includes("\n") || comment.image.includes("\n")) return false;
  const isListed = previous.tokenType === Comma && beforePrevious !== undefined;
  const listed = isListed ? byEnd.get(tokenEnd(beforePrevious) ?? -1) : undefined;
  const anchor = listed?.inList === true ? listed : byEnd.get(end);
  if (anchor === undefined || anchor.trivia.after !== null) return false;
  anchor.trivia.after = linesOf(comment)[0] ?? "";
  return true;
}

/** In text that recovery skipped, a comment belongs to whatever comes next; the file ends all blocks. */
function nextOwner({ building, text }: Attaching, comment: IToken): Anchor | Block {
  const owners: (Anchor | Block)[] = [...building.anchors, ...building.blocks];
  const at = (owner: Anchor | Block): number => ("close" in owner ? owner.close : owner.span.start);
  const after = owners
    .filter((owner) => at(owner) >= comment.startOffset)
    .sort((first, second) => at(first) - at(second));
  const [owner = { close: text.length, comments: [] }] = after;
  return owner;
}

/** What a comment before the token `next` belongs to. */
function ownerOf(attaching: Attaching, comment: IToken, next: IToken | undefined): Anchor | Block {
  const { building, text, byStart, blockAt } = attaching;
  const follower = byStart.get(next?.startOffset ?? -1) ?? blockAt.get(next?.startOffset ?? text.length);
  if (follower !== undefined) return follower;
  const around = building.anchors
    .filter(({ span }) => span.start <= comment.startOffset && comment.startOffset < span.end)
    .sort((first, second) => second.span.start - first.span.start)[0];
  return around ?? nextOwner(attaching, comment);
}

/** True when a blank line stands between the token before `offset` and it; not at the beginning of a block. */
function followsBlankLine({ text, tokens, starts }: Attaching, offset: number): boolean {
  const token = tokens[lowerBound(starts, offset) - 1];
  if (token === undefined || token.image === "{") return false;
  return hasBlankLine(text.slice(tokenEnd(token) ?? 0, offset));
}

/** Lines of `comments`, blank lines between them as lines of their own. */
function withBlankLines({ text }: Attaching, comments: readonly IToken[]): string[] {
  return comments.flatMap((comment, index) => {
    const before = comments[index - 1];
    const gap = before === undefined ? "" : text.slice(tokenEnd(before) ?? 0, comment.startOffset);
    return hasBlankLine(gap) && gap.trim() === "" ? [blankLine, ...linesOf(comment)] : linesOf(comment);
  });
}

function fillAnchor(attaching: Attaching, { trivia, span }: Anchor, comments: readonly IToken[]): void {
  const leading = comments.filter((comment) => comment.startOffset < span.start);
  const isDocumentation = (comment: IToken): boolean => comment.tokenType === DocComment;
  trivia.documentation.push(...comments.filter(isDocumentation).flatMap(linesOf));
  trivia.comments.push(
    ...withBlankLines(
      attaching,
      comments.filter((comment) => !isDocumentation(comment)),
    ),
  );
  trivia.blankBefore = followsBlankLine(attaching, leading[0]?.startOffset ?? span.start);
  const lastPlain = leading.findLast((comment) => !isDocumentation(comment));
  if (lastPlain === undefined) return;
  const past = tokenEnd(lastPlain) ?? 0;
  const next = leading.find((comment) => comment.startOffset > past)?.startOffset ?? span.start;
  if (hasBlankLine(attaching.text.slice(past, next))) trivia.comments.push(blankLine);
}

function fillBlock(attaching: Attaching, block: Block, comments: readonly IToken[]): void {
  const [first] = comments;
  const inBraces = block.close < attaching.text.length;
  if (first !== undefined && inBraces && followsBlankLine(attaching, first.startOffset)) {
    block.comments.push(blankLine);
  }
  block.comments.push(...withBlankLines(attaching, comments));
}

/** Gives each of `comments` to an anchor or block of `building`. */
export function attachComments(
  building: Building,
  tokens: readonly IToken[],
  comments: readonly IToken[],
): void {
  const attaching: Attaching = {
    building,
    text: building.source.text,
    tokens,
    starts: tokens.map((token) => token.startOffset),
    byStart: new Map(building.anchors.map((anchor) => [anchor.span.start, anchor])),
    byEnd: new Map(building.anchors.map((anchor) => [anchor.span.end, anchor])),
    blockAt: new Map(building.blocks.map((block) => [block.close, block])),
  };
  const owned = new Map<Anchor | Block, IToken[]>();
  for (const comment of comments) {
    const index = lowerBound(attaching.starts, comment.startOffset);
    if (standsAfter(attaching, comment, index)) continue;
    const owner = ownerOf(attaching, comment, tokens[index]);
    owned.set(owner, [...(owned.get(owner) ?? []), comment]);
  }
  for (const anchor of building.anchors) fillAnchor(attaching, anchor, owned.get(anchor) ?? []);
  for (const block of building.blocks) fillBlock(attaching, block, owned.get(block) ?? []);
}
