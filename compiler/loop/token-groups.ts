/** How the tiles of a phase with lane = token are dealt out: each to a group of token panels and a part of the rows. */
import { type Block, define, forExactCount, type Names } from "./loop-builder.ts";
import { add, batch, ceilDiv, div, int, mul, rem, sub, symbol } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";

/** The tokens that a tile covers. */
export interface TokenGroup {
  /** Number of the first panel of 16 tokens. */
  readonly panel: LoopExpression;
  readonly vectors: number;
}

export interface TokenGrid {
  readonly tile: string;
  readonly tiles: LoopExpression;
  /** Which of the parts of the rows the tile has. */
  readonly across: LoopExpression;
  readonly firstPanel: LoopExpression;
  /** Panels of the tile, 1 to `most`. */
  readonly vectors: LoopExpression;
  readonly most: number;
}

/** Panels in groups of at most `most`, as even as they can be, times `parts` parts of the rows. */
export function tokenGrid(block: Block, names: Names, most: number, parts: LoopExpression): TokenGrid {
  const tile = names.fresh("tile");
  const number: LoopExpression = symbol(tile);
  const panels = ceilDiv(batch, 16);
  const groups = ceilDiv(panels, most);
  const tilesAcross = define(block, "tiles_across", parts);
  const tokenPanels = define(block, "token_panels", panels);
  const tokenGroups = define(block, "token_groups", groups);
  const group = define(block, "token_group", div(number, tilesAcross));
  const firstPanel = define(block, "first_panel", div(mul(group, tokenPanels), tokenGroups));
  const endPanel = define(block, "end_panel", div(mul(add(group, int(1)), tokenPanels), tokenGroups));
  const vectors = define(block, "vectors", sub(endPanel, firstPanel));
  return { tile, tiles: mul(groups, parts), across: rem(number, tilesAcross), firstPanel, vectors, most };
}

/** Runs `body` with the panels of the tile, whose number is known in it. */
export const withTokenGroup = (
  block: Block,
  { firstPanel, vectors, most }: TokenGrid,
  body: (inner: Block, group: TokenGroup) => void,
): void =>
  forExactCount(block, vectors, most, (inner, count) => body(inner, { panel: firstPanel, vectors: count }));
