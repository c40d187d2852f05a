/**
 * How a step with lane = output is dealt into tiles: across its panels of 16 outputs, and by tokens where panels are few,
 * tokens are many, or outputs go to other places one by one. Counted by arithmetic without branches, before a call and
 * inside of it.
 */
import { add, batch, ceilDiv, div, int, max, min, mul, rem } from "./loop-expression.ts";
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

/** Panels that make up one tile, from the lines that a panel has to read. */
function panelsPerTile(step: ResolvedStep, panels: LoopExpression, groups: LoopExpression): LoopExpression {
  const shared = isScattered(step)
    ? max(int(1), ceilDiv(mul(panels, groups), leastTiles))
    : max(int(1), min(ceilDiv(panels, leastTiles), div(int(linesPerTile), linesOf(step))));
  // 1 where one thread is enough, else 0: tiles are counted without branches.
  const alone = min(int(1), div(int(visitsAlone), max(int(1), mul(mul(panels, linesOf(step)), batch))));
  return max(shared, mul(alone, panels));
}

/** Whether outputs go to other places one by one: the numbers of a line come from many panels. */
const isScattered = (step: ResolvedStep): boolean => step.outputMap !== null;

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
function tokenStretches(step: ResolvedStep): LoopExpression {
  const tokens = div(int(step.target.translatedPages * pageNumbers), add(linesOf(step), int(pageNumbers)));
  return ceilDiv(batch, max(int(leastStretch), tokens));
}

/**
 * Groups that the tokens of a call are dealt into, so that a step of few panels, or one that scatters, has tiles for
 * every thread, and one of many tokens keeps their pages; for the first two 1 as long as a call is so short that handing
 * out tiles would take longer than it gains.
 */
function tokenGroups(step: ResolvedStep, panels: LoopExpression, piece: LoopExpression): LoopExpression {
  const work = div(mul(mul(panels, linesOf(step)), batch), int(visitsPerTile));
  const forThreads = isScattered(step) ? int(leastTiles) : div(int(leastTiles), max(panels, int(1)));
  const dealt = min(min(forThreads, ceilDiv(batch, piece)), work);
  return max(isScattered(step) ? int(1) : max(int(1), tokenStretches(step)), dealt);
}

/** Tiles of a step: `each` panels by one of `groups` groups of tokens, which are made of whole pieces. */
export interface DealtTiles {
  readonly piece: LoopExpression;
  readonly groups: LoopExpression;
  readonly each: LoopExpression;
  /** Tiles beside each other for one group of tokens. */
  readonly across: LoopExpression;
}

/** @param most tokens that share a load. */
export function dealTiles(step: ResolvedStep, panels: LoopExpression, most: number): DealtTiles {
  const piece = tokensOfPiece(step, most);
  const groups = tokenGroups(step, panels, piece);
  const each = panelsPerTile(step, panels, groups);
  return { piece, groups, each, across: ceilDiv(panels, each) };
}

/** The part across the panels and the group of tokens of a tile. */
export interface TilePlace {
  readonly across: LoopExpression;
  readonly group: LoopExpression;
}

/**
 * Where tile `number` lies. Neighbours have the same tokens, so that these stay near; where outputs are scattered they
 * have different ones, so that threads do not write the same lines.
 */
export const placeOfTile = (
  step: ResolvedStep,
  number: LoopExpression,
  { groups, across }: Pick<DealtTiles, "groups" | "across">,
): TilePlace =>
  isScattered(step)
    ? { across: div(number, groups), group: rem(number, groups) }
    : { across: rem(number, across), group: div(number, across) };
