/**
 * How a step is cut into tiles, as expressions over sizes and `batch`: what prices need to know of the lowering.
 * compiler/loop decides (lane-output-step, lane-token-step, token-tile-shape); tests/plan/tile-geometry.test.ts holds
 * the two against each other.
 */
import { type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { csrTileRows, isCoded } from "../../runtime/contract/operand-format.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { applyFolded } from "../types/fold-number.ts";
import type { OutputOrder } from "../types/output-order.ts";
import type { OperandLookup } from "./operand-table.ts";
import { ceilOver, over, plus, times } from "./packed-size.ts";
import type { Layout, Operand } from "./plan.ts";
import type { StepPhase } from "./step-phases.ts";

export interface StepGeometry {
  /** Pieces of work that threads take. */
  readonly tiles: NumberExpression;
  /** Groups of tokens that pieces of work are made of: threads of different groups never share a line of the output. */
  readonly groups: NumberExpression;
  /** Times that each stored value is loaded: once for the tokens that registers hold together. */
  readonly walks: NumberExpression;
  /** Tokens computed, the last panel's padding included. */
  readonly tokens: NumberExpression;
  /** Lane = token: rows of a tile, to which the rows of a matrix are rounded up; 16 when a lane is an output. */
  readonly rowTile: NumberExpression;
}

const batch = symbol("batch");
const one = number(1);
const most = (a: NumberExpression, b: NumberExpression): NumberExpression => applyFolded("max", a, b);
const least = (a: NumberExpression, b: NumberExpression): NumberExpression => applyFolded("min", a, b);
const floorOver = (a: NumberExpression, b: NumberExpression): NumberExpression =>
  applyFolded("floor", over(a, b));
const ceilOf = (a: NumberExpression, b: NumberExpression): NumberExpression =>
  applyFolded("ceil", over(a, b));

/** Panels of 16 rows; those of a block-diagonal matrix end with each block. */
function panelsOf(width: NumberExpression, used: readonly Operand[]): NumberExpression {
  const format = used.map((operand) => operand.format).find(({ name }) => name === "blockdiag16");
  const [first] = used;
  return format?.name === "blockdiag16" && first !== undefined
    ? times(format.blocks, ceilOver(over(first.rows, format.blocks), 16))
    : ceilOver(width, 16);
}

/** An operand as a step uses it. */
interface UsedOperand {
  readonly operand: Operand;
  readonly transposed: boolean;
}

/** Inputs that a row reads, counted over all terms as if they were dense, and one. */
const linesOf = (used: readonly UsedOperand[]): NumberExpression =>
  plus(
    one,
    ...used.map(({ operand: { rows, columns, format }, transposed }) =>
      format.name === "blockdiag16" ? floorOver(columns, format.blocks) : transposed ? rows : columns,
    ),
  );

/** Tokens that share a load when a lane is an output: registers that hold 16 inputs of each token need two at 256 bits. */
export function tokensAtOnce(used: readonly Operand[], target: X86Target): number {
  const windowed = used.some(({ format }) => format.name === "mixed-ell" || format.name === "nm-lanes");
  if (windowed)
    return target.vectorBits === 256 ? Math.max(1, Math.floor(target.outputTokens / 2)) : target.outputTokens;
  return used.some(({ format }) => isCoded(format)) ? target.codedOutputTokens : target.outputTokens;
}

/** Panels that strips of 16 blocks are made of: one for each 16 rows of a block. */
function stripsOf(used: readonly Operand[]): NumberExpression {
  const [operand] = used;
  if (operand?.format.name !== "blockdiag16") return one;
  const { blocks } = operand.format;
  return times(ceilOver(over(operand.rows, blocks), 16), ceilOver(blocks, 16));
}

function outputGeometry(
  width: NumberExpression,
  terms: readonly UsedOperand[],
  order: OutputOrder,
  target: X86Target,
): StepGeometry {
  const used = terms.map(({ operand }) => operand);
  const scattered = order === "singles";
  const panels = order === "strips" ? stripsOf(used) : panelsOf(width, used);
  const lines = times(linesOf(terms), number(order === "strips" ? 16 : 1));
  const together = tokensAtOnce(used, target);
  const visits = times(panels, lines, batch);
  // Who scatters shares no tokens: there are pieces for two threads from two tokens on, and few cuts across the panels.
  const piece = scattered ? least(number(together), most(one, ceilOver(batch, 2))) : number(together);
  const mostGroups = scattered ? number(8) : floorOver(number(8), most(panels, one));
  const dealt = least(least(mostGroups, ceilOf(batch, piece)), floorOver(visits, number(2048)));
  // Tokens whose pages stay translated: those of their inputs, and one of their outputs each.
  const pages = number(1024 * target.translatedPages);
  const stretch = most(number(64), floorOver(pages, plus(lines, number(1024))));
  const groups = most(scattered ? one : most(one, ceilOf(batch, stretch)), dealt);
  const each = scattered
    ? most(one, ceilOver(times(panels, groups), 8))
    : most(one, least(ceilOver(panels, 8), floorOver(number(2048), lines)));
  const alone = least(one, floorOver(number(1024), most(one, visits)));
  const across = ceilOf(panels, most(each, times(alone, panels)));
  return {
    tiles: times(across, groups),
    groups,
    walks: most(ceilOver(batch, together), groups),
    tokens: batch,
    rowTile: number(16),
  };
}

const isPanelFormat = ({ format }: Operand): boolean => format.name === "panel16" || isCoded(format);
const isDenseFormat = (operand: Operand): boolean =>
  isPanelFormat(operand) || operand.format.name === "blockdiag16";
const isTallFormat = (operand: Operand): boolean => isPanelFormat(operand) || isTallBlock(operand);
const isTallBlock = ({ format }: Operand): boolean => format.name === "block-strips" && format.height > 4;

const powerOfTwoUpTo = (limit: number): number => 2 ** Math.floor(Math.log2(Math.max(1, limit)));

function tokenGeometry(
  width: NumberExpression,
  terms: readonly UsedOperand[],
  target: X86Target,
): StepGeometry {
  const used = terms.map(({ operand }) => operand);
  const dense = used.every(isDenseFormat);
  const tile = dense || used.every(isTallFormat) ? target.denseTokenTile : target.sparseTokenTile;
  const heights = used.flatMap(({ format }) => (format.name === "block-strips" ? [format.height] : []));
  const [height = 16, ...others] = heights;
  const unit =
    others.some((other) => other !== height) ||
    16 % height === 0 ||
    used.some(({ format }) => isCoded(format))
      ? 16
      : height;
  const panels = ceilOver(batch, 16);
  const groups = ceilOver(panels, tile.vectors);
  const units = used.some(({ format }) => format.name === "blockdiag16")
    ? panelsOf(width, used)
    : ceilOver(width, unit);
  const share = floorOver(number(4096), times(linesOf(terms), number(unit)));
  const each = most(one, least(ceilOver(units, 4), share));
  // Sparse rows are never padded: a row that does not exist repeats one that does, at the end of the matrix only.
  const rowTile = dense ? denseRowTile(panels, tile) : one;
  return {
    tiles: times(groups, ceilOf(units, each)),
    groups,
    walks: groups,
    tokens: times(panels, number(16)),
    rowTile,
  };
}

/** Rows of a dense tile: as many as registers hold beside the vectors of the tokens, a power of two up to 16. */
function denseRowTile(
  panels: NumberExpression,
  tile: { readonly outputs: number; readonly vectors: number },
): NumberExpression {
  const rowsFor = (vectors: number): number =>
    Math.min(16, powerOfTwoUpTo(Math.floor((tile.outputs * tile.vectors) / vectors)));
  const [single, many] = [rowsFor(1), rowsFor(tile.vectors)];
  if (single === many) return number(many);
  return plus(number(many), times(number(single - many), applyFolded("<=", panels, one)));
}

/** Strips of csr rows for groups of token panels. */
function sparseTokenGeometry(width: NumberExpression, target: X86Target): StepGeometry {
  const panels = ceilOver(batch, 16);
  const groups = ceilOver(panels, target.sparseTokenTile.vectors);
  return {
    tiles: times(groups, ceilOver(width, csrTileRows)),
    groups,
    walks: groups,
    tokens: times(panels, number(16)),
    rowTile: one,
  };
}

/** Of one phase of a step. @param width features of the step's output. */
export function phaseGeometry(
  step: StepPhase,
  width: NumberExpression,
  layout: Layout,
  operands: OperandLookup,
  target: X86Target,
): StepGeometry {
  if (step.sparse) return sparseTokenGeometry(width, target);
  const used = step.terms.map(({ operand, transposed = false }) => ({
    operand: operands.find(operand),
    transposed,
  }));
  return layout === "lane-output"
    ? outputGeometry(width, used, step.order, target)
    : tokenGeometry(width, used, target);
}
