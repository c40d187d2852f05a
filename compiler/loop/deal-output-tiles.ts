/**
 * How a step with lane = output is dealt into tiles: across its panels of 16 outputs, and by tokens where panels are few,
 * tokens are many, or outputs go to other places one by one. Counted by arithmetic without branches, before a call and
 * inside of it.
 */
import { type Block, define, tileRange } from "./loop-builder.ts";
import { add, batch, ceilDiv, div, int, max, min, mul, rem, symbol } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import { linesOfTerm, type ResolvedStep, type ResolvedTerm } from "./step-node.ts";

/** A panel is worth a tile of its own from this many lines; shorter ones are grouped. */
const linesPerTile = 2048;
/** Lines times tokens that are worth a tile of their own beside those of other tokens. */
const visitsPerTile = 2048;
/** Lines times tokens below which one thread is done before a second one has begun. */
const visitsAlone = 1024;
/** float32 numbers of a page of 4 KiB. */
const pageNumbers = 1024;
/** Fewer tokens are not worth reading the panels once more. */
const leastStretch = 64;
/** Fewer tiles than this would leave threads without work near the end of a phase. */
const leastTiles = 8;

export const blockdiagTerm = (step: ResolvedStep): ResolvedTerm | undefined =>
  step.terms.find((term) => term.format.name === "blockdiag16");

/** Number of panels of a step's output; those of a block-diagonal operand end with each block. */
export function panelCount(step: ResolvedStep): LoopExpression {
  const term = blockdiagTerm(step);
  return term === undefined
    ? ceilDiv(step.output.width, 16)
    : mul(term.blocks, ceilDiv(div(term.rows, term.blocks), 16));
}

/** Lines that a panel of the step reads. */
export const linesOf = (step: ResolvedStep): LoopExpression =>
  step.terms.map(linesOfTerm).reduce(add, int(1));

/** What a step is made of across its outputs: panels, or strips of 16 of them. */
export interface OutputParts {
  readonly count: LoopExpression;
  /** Lines that a part reads. */
  readonly lines: LoopExpression;
}

/** Panels of 16 outputs. */
export const panelParts = (step: ResolvedStep): OutputParts => ({
  count: panelCount(step),
  lines: linesOf(step),
});

/** Parts that make up one tile, from the lines that each has to read. */
function partsPerTile(
  step: ResolvedStep,
  { count, lines }: OutputParts,
  groups: LoopExpression,
): LoopExpression {
  const shared = isScattered(step)
    ? max(int(1), ceilDiv(mul(count, groups), leastTiles))
    : max(int(1), min(ceilDiv(count, leastTiles), div(int(linesPerTile), lines)));
  // 1 where one thread is enough, else 0: tiles are counted without branches.
  const alone = min(int(1), div(int(visitsAlone), max(int(1), mul(mul(count, lines), batch))));
  return max(shared, mul(alone, count));
}

/** Whether outputs go to other places one by one: the numbers of a line come from many panels. */
const isScattered = (step: ResolvedStep): boolean => step.order === "singles";

/**
 * Tokens of the smallest piece of work. Threads that scatter would take turns at each line of the output if they shared
 * tokens, so that from two tokens on there are pieces for two threads.
 */
const tokensOfPiece = (step: ResolvedStep, most: number): LoopExpression =>
  isScattered(step) ? min(int(most), max(int(1), ceilDiv(batch, 2))) : int(most);

/**
 * Groups of so few tokens that their pages stay translated while one panel after the other passes them: those of their
 * inputs, and for each token that of its outputs.
 */
function tokenStretches(step: ResolvedStep, { lines }: OutputParts): LoopExpression {
  const tokens = div(int(step.target.translatedPages * pageNumbers), add(lines, int(pageNumbers)));
  return ceilDiv(batch, max(int(leastStretch), tokens));
}

/**
 * Groups that the tokens of a call are dealt into, so that a step of few panels, or one that scatters, has tiles for
 * every thread, and one of many tokens keeps their pages; for the first two 1 as long as a call is so short that handing
 * out tiles would take longer than it gains.
 */
function tokenGroups(step: ResolvedStep, parts: OutputParts, piece: LoopExpression): LoopExpression {
  const work = div(mul(mul(parts.count, parts.lines), batch), int(visitsPerTile));
  const forThreads = isScattered(step) ? int(leastTiles) : div(int(leastTiles), max(parts.count, int(1)));
  const dealt = min(min(forThreads, ceilDiv(batch, piece)), work);
  return max(isScattered(step) ? int(1) : max(int(1), tokenStretches(step, parts)), dealt);
}

/** Tiles of a step: `each` parts by one of `groups` groups of tokens, which are made of whole pieces. */
interface DealtTiles {
  readonly piece: LoopExpression;
  readonly groups: LoopExpression;
  readonly each: LoopExpression;
  /** Tiles beside each other for one group of tokens. */
  readonly across: LoopExpression;
}

/** @param most tokens that share a load. */
function dealTiles(step: ResolvedStep, parts: OutputParts, most: number): DealtTiles {
  const piece = tokensOfPiece(step, most);
  const groups = tokenGroups(step, parts, piece);
  const each = partsPerTile(step, parts, groups);
  return { piece, groups, each, across: ceilDiv(parts.count, each) };
}

/** The place of a tile across the parts, and its group of tokens. */
interface TilePlace {
  readonly across: LoopExpression;
  readonly group: LoopExpression;
}

/**
 * Where tile `number` lies. Neighbours have the same tokens, so that these stay near; where outputs are scattered they
 * have different ones, so that threads do not write the same lines.
 */
const placeOfTile = (
  step: ResolvedStep,
  number: LoopExpression,
  { groups, across }: Pick<DealtTiles, "groups" | "across">,
): TilePlace =>
  isScattered(step)
    ? { across: div(number, groups), group: rem(number, groups) }
    : { across: rem(number, across), group: div(number, across) };

/** What a tile has to do. */
export interface TileWork {
  /** The number of the tile, a name. */
  readonly tile: string;
  readonly tiles: LoopExpression;
  /** Parts across the outputs. */
  readonly parts: { readonly from: LoopExpression; readonly to: LoopExpression };
  readonly firstToken: LoopExpression;
  readonly endToken: LoopExpression;
}

/** Deals out the tiles of a step and says in `block` what one of them has to do. `parts` in terms of the frame alone. */
export function workOfTile(block: Block, step: ResolvedStep, parts: OutputParts, most: number): TileWork {
  const tile = step.names.fresh("tile");
  const count = define(block, "parts", parts.count);
  const inside = dealTiles(step, { ...parts, count }, most);
  const each = define(block, "each", inside.each);
  const groups = define(block, "token_groups", inside.groups);
  const across = define(block, "tiles_across", inside.across);
  const place = placeOfTile(step, symbol(tile), { groups, across });
  const group = define(block, "token_group", place.group);
  // A group is a multiple of the tokens of a piece, except for the last one.
  const piece = define(block, "token_piece", inside.piece);
  const pieces = define(block, "token_pieces", ceilDiv(batch, piece));
  const firstToken = define(block, "first_token", mul(div(mul(group, pieces), groups), piece));
  const nextToken = mul(div(mul(add(group, int(1)), pieces), groups), piece);
  const endToken = define(block, "end_token", min(batch, nextToken));
  const range = tileRange(define(block, "part_tile", place.across), each, count);
  const outside = dealTiles(step, parts, most);
  return { tile, tiles: mul(outside.across, outside.groups), parts: range, firstToken, endToken };
}
