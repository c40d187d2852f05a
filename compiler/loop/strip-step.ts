/**
 * A step with lane = output whose blocks interleave their outputs, as P (I ⊗ B) has them: the same row of neighbouring
 * blocks makes a line. A part is a strip of 16 blocks, of which it sums a panel each; the sums of a token are transposed
 * in registers, so that whole lines are stored where each output by itself would have a store of its own.
 */
import { accumulateDenseLanes } from "./atoms/dense.ts";
import { blockdiagTerm, linesOf, type OutputParts, workOfTile } from "./deal-output-tiles.ts";
import { type Block, createBlock, define, forExactCount, loop, store, when } from "./loop-builder.ts";
import {
  add,
  binary,
  both,
  ceilDiv,
  compare,
  div,
  f32x16,
  int,
  load,
  min,
  mul,
  rem,
  sub,
} from "./loop-expression.ts";
import { type LoopExpression, type LoopPhase, lanes } from "./loop-node.ts";
import { featureAt, featureStride, type ResolvedStep, type ResolvedTerm } from "./step-node.ts";
import { chainsFor, declareSums, sumOfChains } from "./tile-node.ts";
import { transposeRows } from "./transpose-panels.ts";

/** One panel of each of up to 16 neighbouring blocks. */
interface Strip {
  readonly term: ResolvedTerm;
  readonly repeated: boolean;
  readonly firstBlock: LoopExpression;
  readonly blocks: LoopExpression;
  /** Panels of a block, and which of them. */
  readonly perBlock: LoopExpression;
  readonly panel: LoopExpression;
  /** Rows of the panel's matrix from its first one on; may exceed 16. */
  readonly rowsLeft: LoopExpression;
}

/** Elements of the sums of a token: a line for each block. */
const tokenSums = lanes * lanes;

/** Sums the panels for `tokens` tokens, into lines of the scratch: [token][block][16 rows]. */
function sumPanels(
  block: Block,
  step: ResolvedStep,
  strip: Strip,
  scratch: string,
  token: LoopExpression,
  tokens: number,
): void {
  const { term, repeated, firstBlock, perBlock, panel } = strip;
  const lines = define(block, "lines", div(term.columns, term.blocks));
  const chains = chainsFor(step.target, tokens);
  loop(block, "member", { from: int(0), to: strip.blocks }, (inner, member) => {
    const number = define(inner, "block", add(firstBlock, member));
    const stored = repeated ? panel : add(mul(number, perBlock), panel);
    const start = define(inner, "values_start", mul(mul(stored, lines), int(16)));
    const firstInput = define(inner, "first_input", mul(number, lines));
    const tile = { token, chains, sums: declareSums(inner, tokens, chains) };
    accumulateDenseLanes(inner, term, { start, lines, firstInput, map: term.inputMap }, tile);
    for (const [offset, sums] of tile.sums.entries()) {
      const at = add(int(offset * tokenSums), mul(member, int(16)));
      store(inner, scratch, at, sumOfChains(sums.map((sum) => sum.read)));
    }
  });
}

/** Stores the transposed sums of the tokens: each line is one row of all blocks of the strip. */
function storeLines(
  block: Block,
  step: ResolvedStep,
  { firstBlock, blocks, panel, rowsLeft }: Strip,
  scratch: string,
  tokens: { readonly first: LoopExpression; readonly count: LoopExpression },
): void {
  const { output, outputMap } = step;
  const jump = outputMap?.jump ?? int(1);
  const firstLine = define(block, "first_line", add(mul(mul(panel, int(16)), jump), firstBlock));
  const putToken = (inner: Block, offset: LoopExpression, partial: boolean): void => {
    const sums = Array.from({ length: lanes }, (_, member) =>
      define(inner, "line", load(scratch, add(mul(offset, int(tokenSums)), int(member * 16)), f32x16)),
    );
    const base = mul(add(tokens.first, offset), featureStride(output));
    const start = define(inner, "out", featureAt(output, add(base, firstLine)));
    const count = partial ? blocks : null;
    for (const { value, tokens: rows } of transposeRows(inner, sums)) {
      const row = rows[0] ?? 0;
      const put = (branch: Block): void => {
        const at = add(start, mul(jump, int(row)));
        const before = load(output.buffer, at, f32x16, count);
        store(branch, output.buffer, at, step.accumulate ? binary("add", before, value) : value, count);
      };
      if (partial) when(inner, compare("lt", int(row), rowsLeft), put);
      else put(inner);
    }
  };
  const all = { from: int(0), to: tokens.count };
  when(
    block,
    both(compare("ge", rowsLeft, int(16)), compare("eq", blocks, int(16))),
    (whole) => loop(whole, "offset", all, (inner, offset) => putToken(inner, offset, false)),
    (part) => loop(part, "offset", all, (inner, offset) => putToken(inner, offset, true)),
  );
}

/**
 * Lowers a step of one blockdiag16 operand.
 * @throws Error for a step of another operand, which has no strips.
 */
export function lowerStripStep(step: ResolvedStep): LoopPhase {
  const term = blockdiagTerm(step);
  if (term?.format.name !== "blockdiag16") throw new Error(`step ${step.name} has no blocks`);
  const { repeated } = term.format;
  const most = step.target.outputTokens;
  const scratch = step.scratch("strip_sums", most * tokenSums);
  const block = createBlock(step.names);
  const blockRows = div(term.rows, term.blocks);
  const parts: OutputParts = {
    count: mul(ceilDiv(blockRows, 16), ceilDiv(term.blocks, 16)),
    lines: mul(linesOf(step), int(16)),
  };
  const work = workOfTile(block, step, parts, most);
  const strips = define(block, "strips", ceilDiv(term.blocks, 16));
  loop(block, "part", work.parts, (inner, part) => {
    const panel = define(inner, "panel", div(part, strips));
    const firstBlock = define(inner, "first_block", mul(rem(part, strips), int(16)));
    const strip: Strip = {
      term,
      repeated,
      firstBlock,
      blocks: define(inner, "blocks", min(int(16), sub(term.blocks, firstBlock))),
      perBlock: define(inner, "block_panels", ceilDiv(blockRows, 16)),
      panel,
      rowsLeft: define(inner, "rows_left", sub(blockRows, mul(panel, int(16)))),
    };
    loop(inner, "token", { from: work.firstToken, to: work.endToken, step: most }, (piece, token) => {
      const count = define(piece, "tokens", min(int(most), sub(work.endToken, token)));
      forExactCount(piece, count, most, (exactly, exact) =>
        sumPanels(exactly, step, strip, scratch, token, exact),
      );
      storeLines(piece, step, strip, scratch, { first: token, count });
    });
  });
  return { name: step.name, tile: work.tile, tiles: work.tiles, body: block.statements };
}
