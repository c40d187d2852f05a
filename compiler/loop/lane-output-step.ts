/**
 * A step with lane = output: a tile is a few panels of 16 outputs, each with every token of the batch, or with some
 * tokens where panels are few or outputs go to other places one by one.
 * Weights are read once for up to `outputTokens` tokens, x is broadcast, nothing is added across lanes.
 */
import { isCoded } from "../../runtime/contract/operand-format.ts";
import { accumulateCodedLanes } from "./atoms/coded.ts";
import { accumulateDenseGroups, accumulateDenseLanes } from "./atoms/dense.ts";
import { accumulateDiagLanes } from "./atoms/diag.ts";
import { accumulateNmLanes } from "./atoms/nm.ts";
import { accumulatePairedLanes } from "./atoms/paired.ts";
import { accumulateSparseLanes } from "./atoms/sparse.ts";
import { blockdiagTerm, panelParts, workOfTile } from "./deal-output-tiles.ts";
import { type Block, createBlock, define, forExactCount, loop, store, when } from "./loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  compare,
  div,
  extract,
  f32,
  f32x16,
  int,
  load,
  mul,
  rem,
  select,
  sub,
} from "./loop-expression.ts";
import type { LoopExpression, LoopPhase } from "./loop-node.ts";
import { featureAt, featureStride, type ResolvedStep } from "./step-node.ts";
import { stridedIndices } from "./stride-walk.ts";
import { lowerStripStep } from "./strip-step.ts";
import { chainsFor, declareSums, type OutputTile, sumOfChains } from "./tile-node.ts";

/** Which outputs a panel holds, and which numbers of its operand. */
interface PanelPosition {
  readonly panel: LoopExpression;
  readonly firstRow: LoopExpression;
  /** Rows from `firstRow` on that belong to the panel's matrix; may exceed 16. */
  readonly rowsLeft: LoopExpression;
  /** For block-diagonal operands: panel of the stored values and first input of the block. */
  readonly storedPanel: LoopExpression;
  readonly firstInput: LoopExpression;
}

/** Where panel number `panel` of the step lies. */
export function panelPosition(block: Block, step: ResolvedStep, panel: LoopExpression): PanelPosition {
  const term = blockdiagTerm(step);
  if (term === undefined) {
    const firstRow = define(block, "first_row", mul(panel, int(16)));
    const rowsLeft = define(block, "rows_left", sub(step.output.width, firstRow));
    return { panel, firstRow, rowsLeft, storedPanel: panel, firstInput: int(0) };
  }
  const blockRows = define(block, "block_rows", div(term.rows, term.blocks));
  const perBlock = define(block, "block_panels", ceilDiv(blockRows, 16));
  const number = define(block, "block", div(panel, perBlock));
  const inBlock = define(block, "panel_in_block", rem(panel, perBlock));
  const repeated = term.format.name === "blockdiag16" && term.format.repeated;
  const offset = define(block, "row_in_block", mul(inBlock, int(16)));
  return {
    panel,
    firstRow: define(block, "first_row", add(mul(number, blockRows), offset)),
    rowsLeft: define(block, "rows_left", sub(blockRows, offset)),
    storedPanel: repeated ? inBlock : panel,
    firstInput: define(block, "first_input", mul(number, div(term.columns, term.blocks))),
  };
}

function accumulate(block: Block, step: ResolvedStep, position: PanelPosition, tile: OutputTile): void {
  for (const term of step.terms) {
    switch (term.format.name) {
      case "panel16":
      case "blockdiag16": {
        const lines = div(term.columns, term.blocks);
        const start = define(block, "values_start", mul(mul(position.storedPanel, lines), int(16)));
        const panel = { start, lines, firstInput: position.firstInput, map: term.inputMap };
        accumulateDenseLanes(block, term, panel, tile);
        break;
      }
      case "table4-panel16":
      case "int8-panel16":
      case "bf16-panel16":
        if (term.pairs === undefined) accumulateCodedLanes(block, term, position.panel, tile);
        else accumulatePairedLanes(block, term, term.pairs, position.panel, tile);
        break;
      case "nm-lanes":
        accumulateNmLanes(block, term, position.panel, tile, step.target.vectorBits === 256);
        break;
      case "mixed-ell":
        accumulateSparseLanes(block, term, position.panel, tile);
        break;
      case "vector":
        accumulateDiagLanes(block, term, position.firstRow, position.rowsLeft, tile);
        break;
      default:
        throw new Error(`format ${term.format.name} has no lane = output kernel`);
    }
  }
}

function storePanel(block: Block, step: ResolvedStep, position: PanelPosition, tile: OutputTile): void {
  const { output } = step;
  const sums = tile.sums.map((chains) => define(block, "total", sumOfChains(chains.map((sum) => sum.read))));
  const bases = sums.map((_, token) =>
    define(block, "out", featureAt(output, mul(add(tile.token, int(token)), featureStride(output)))),
  );
  const putVectors = (branch: Block, count: LoopExpression | null): void => {
    for (const [token, sum] of sums.entries()) {
      const at = add(bases[token] ?? int(0), position.firstRow);
      const before = load(output.buffer, at, f32x16, count);
      store(branch, output.buffer, at, step.accumulate ? binary("add", before, sum) : sum, count);
    }
  };
  const putLanes = (branch: Block, guarded: boolean): void => {
    const places = stridedIndices(branch, step.outputMap, position.firstRow, 16);
    for (const [lane, place] of places.entries()) {
      const put = (inner: Block): void => {
        for (const [token, sum] of sums.entries()) {
          const at = add(bases[token] ?? int(0), place);
          const value = extract(sum, lane);
          const before = load(output.buffer, at, f32);
          store(inner, output.buffer, at, step.accumulate ? binary("add", before, value) : value);
        }
      };
      if (guarded) when(branch, compare("lt", int(lane), position.rowsLeft), put);
      else put(branch);
    }
  };
  const contiguous = step.outputMap === null;
  when(
    block,
    compare("ge", position.rowsLeft, int(16)),
    (branch) => (contiguous ? putVectors(branch, null) : putLanes(branch, false)),
    (branch) => (contiguous ? putVectors(branch, position.rowsLeft) : putLanes(branch, true)),
  );
}

/** Tokens of a group: the chains of sums that keep the multiply-adds busy, and rows of x that are followed at once. */
const groupTokens = 8;

/** The register tile of `count` tokens of dense panels, whose lines pass the tokens in groups. */
function lowerGroupedTile(
  block: Block,
  step: ResolvedStep,
  position: PanelPosition,
  token: LoopExpression,
  count: number,
): void {
  const sums = declareSums(block, count, 1);
  const groups = Array.from({ length: Math.ceil(count / groupTokens) }, (_, group) => ({
    token: add(token, int(group * groupTokens)),
    chains: 1,
    sums: sums.slice(group * groupTokens, (group + 1) * groupTokens),
  }));
  for (const term of step.terms) {
    const start = define(block, "values_start", mul(mul(position.storedPanel, term.columns), int(16)));
    const panel = { start, lines: term.columns, firstInput: position.firstInput, map: term.inputMap };
    accumulateDenseGroups(block, term, panel, groups);
  }
  storePanel(block, step, position, { token, chains: 1, sums });
}

/**
 * The tile of the first tokens, which the lines of a panel reach from memory: with the work of so many tokens a line is
 * there when its turn comes. Later tokens find the lines in a nearer cache. Returns the first token of the rest.
 */
function sumFirstTokens(
  block: Block,
  step: ResolvedStep,
  position: PanelPosition,
  firstToken: LoopExpression,
  endToken: LoopExpression,
): LoopExpression {
  const sizes = step.target.groupedOutputTokens;
  if (sizes.length === 0 || !step.terms.every(({ format }) => format.name === "panel16")) return firstToken;
  const tokens = define(block, "tokens", sub(endToken, firstToken));
  const fitting = sizes.reduceRight<LoopExpression>(
    (smaller, size) => select(compare("ge", tokens, int(size)), int(size), smaller),
    int(0),
  );
  const count = define(block, "grouped", fitting);
  for (const size of sizes) {
    when(block, compare("eq", count, int(size)), (inner) =>
      lowerGroupedTile(inner, step, position, firstToken, size),
    );
  }
  return define(block, "first_single", add(firstToken, count));
}

/** A window of each token stays in registers while the lines of an operand pass: 16 registers hold half as many. */
function tokensAtOnce({ terms, target }: ResolvedStep): number {
  const windowed = terms.some((term) => ["mixed-ell", "nm-lanes"].includes(term.format.name));
  if (windowed)
    return target.vectorBits === 256 ? Math.max(1, Math.floor(target.outputTokens / 2)) : target.outputTokens;
  return terms.some((term) => isCoded(term.format)) ? target.codedOutputTokens : target.outputTokens;
}

/** Products of pairs take longer than multiply-adds, so that more of them have to be under way. */
const mostChains = ({ terms }: ResolvedStep): number =>
  terms.some(({ pairs }) => pairs !== undefined) ? 8 : 4;

/**
 * Tokens of the larger tile of a step that multiplies pairs, in which nothing but sums and a line stays in registers; else
 * null. So many tokens share a line that it may come from the second level of the cache each time.
 */
function pairedTokens({ terms, target }: ResolvedStep): number | null {
  const plain = terms.every(
    ({ pairs, format }) => pairs !== undefined || ["panel16", "vector"].includes(format.name),
  );
  return plain && terms.some(({ pairs }) => pairs !== undefined) ? target.pairedOutputTokens : null;
}

/** Lowers a step whose operands are panels, nm-lanes, mixed-ell or one blockdiag16. */
export function lowerLaneOutputStep(step: ResolvedStep): LoopPhase {
  if (step.order === "strips") return lowerStripStep(step);
  const block = createBlock(step.names);
  const most = tokensAtOnce(step);
  const { tile, tiles, parts, firstToken, endToken } = workOfTile(block, step, panelParts(step), most);
  loop(block, "panel", parts, (inner, panel) => {
    const position = panelPosition(inner, step, panel);
    const tokens = (at: Block, token: LoopExpression, count: number): void => {
      const chains = chainsFor(step.target, count, mostChains(step));
      const sums: OutputTile = { token, chains, sums: declareSums(at, count, chains) };
      accumulate(at, step, position, sums);
      storePanel(at, step, position, sums);
    };
    const first = sumFirstTokens(inner, step, position, firstToken, endToken);
    const wide = pairedTokens(step);
    const wideTiles = wide === null ? int(0) : mul(div(sub(endToken, first), int(wide)), int(wide));
    const firstSingle = define(inner, "first_single", add(first, wideTiles));
    if (wide !== null)
      loop(inner, "token", { from: first, to: firstSingle, step: wide }, (grouped, token) =>
        tokens(grouped, token, wide),
      );
    const rest = rem(sub(endToken, firstSingle), int(most));
    const whole = define(inner, "whole_tokens", sub(endToken, rest));
    loop(inner, "token", { from: firstSingle, to: whole, step: most }, (grouped, token) =>
      tokens(grouped, token, most),
    );
    forExactCount(inner, define(inner, "rest", sub(endToken, whole)), most - 1, (last, exact) =>
      tokens(last, whole, exact),
    );
  });
  return { name: step.name, tile, tiles, body: block.statements };
}
