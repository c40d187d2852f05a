/**
 * Coded operands with lane = token: a stretch of a panel is decoded into scratch, and every row of the unit reads it there
 * as a dense panel. The unit's sums wait in scratch between stretches, so that a stretch is decoded once for all of them
 * and no float32 copy of the operand exists. Stands beside the step, which adds its other terms and stores.
 */
import { isCoded } from "../../runtime/contract/operand-format.ts";
import { decodeLines } from "./atoms/coded.ts";
import { accumulateDenseTokens, type DensePanel } from "./atoms/dense.ts";
import { type Block, define, loop, store } from "./loop-builder.ts";
import { add, ceilDiv, f32x16, int, load, min, mul, sub, zeros } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import type { ResolvedStep, ResolvedTerm } from "./step-node.ts";
import { declareSums, type TokenTile } from "./tile-node.ts";

/** Rows of a unit: those of a panel. */
const unitRows = 16;
/** Lines of 16 numbers that are decoded at once: 16 KiB, half of a first-level cache. */
const stretchLines = 256;

/** Rows of the output that are computed together, for the tokens of a group. */
export interface CodedUnit {
  /** Number of the unit. */
  readonly unit: LoopExpression;
  /** First panel of tokens, and how many panels. */
  readonly panel: LoopExpression;
  readonly vectors: number;
  readonly firstRow: LoopExpression;
  /** Rows from `firstRow` on that exist; may exceed 16. */
  readonly rowsLeft: LoopExpression;
  /** Rows of a register tile, a power of two up to 16. */
  readonly tileRows: number;
}

/** What the coded terms bring to a row of the unit and a vector of its tokens. */
export type UnitSums = (row: LoopExpression, vector: number) => LoopExpression;

/** Decoded lines, and where the first row of the unit stands in line 0. */
interface Stretch {
  readonly panel: DensePanel;
  readonly start: LoopExpression;
  /** Elements from one row of the unit to the next. */
  readonly rowStride: number;
}

/** Runs over the register tiles of a unit; `visit` says which stretches each of them adds. */
type SweepTiles = (
  block: Block,
  visit: (body: Block, addStretch: (at: Block, stretch: Stretch) => void) => void,
) => void;

/** The sums of every coded term of the step over a unit. */
export function sumCodedTerms(block: Block, step: ResolvedStep, unit: CodedUnit): UnitSums {
  const { vectors } = unit;
  const sums = step.scratch("unit_sums", unitRows * vectors * 16);
  const decoded = step.scratch("decoded", stretchLines * 16);
  const placeOf = (row: LoopExpression, vector: number): LoopExpression =>
    add(mul(row, int(vectors * 16)), int(vector * 16));
  const sumOf: UnitSums = (row, vector) => load(sums, placeOf(row, vector), f32x16);
  loop(block, "row", { from: int(0), to: int(unitRows) }, (inner, row) => {
    for (let vector = 0; vector < vectors; vector++) store(inner, sums, placeOf(row, vector), zeros);
  });
  const sweepOf =
    (term: ResolvedTerm): SweepTiles =>
    (inner, visit) =>
      loop(
        inner,
        "row",
        { from: int(0), to: min(int(unitRows), unit.rowsLeft), step: unit.tileRows },
        (body, row) => {
          const rowAt = (offset: number): LoopExpression => add(row, int(offset));
          const registers = declareSums(body, unit.tileRows, vectors, (offset, vector) =>
            sumOf(rowAt(offset), vector),
          );
          const tile: TokenTile = { ...unit, row: add(unit.firstRow, row), sums: registers };
          const scratchTerm = { ...term, buffers: new Map([["values", decoded]]) };
          visit(body, (at, { panel, start, rowStride }) => {
            const first = define(at, "w_start", add(start, mul(row, int(rowStride))));
            const starts = registers.map((_, offset) => add(first, int(offset * rowStride)));
            accumulateDenseTokens(at, scratchTerm, panel, starts, tile);
          });
          for (const [offset, registersOfRow] of registers.entries()) {
            for (const [vector, sum] of registersOfRow.entries())
              store(body, sums, placeOf(rowAt(offset), vector), sum.read);
          }
        },
      );
  for (const term of step.terms) {
    if (!isCoded(term.format)) continue;
    const addTerm = term.transposed ? addTransposed : addPlain;
    addTerm(block, term, unit, decoded, sweepOf(term));
  }
  return sumOf;
}

/** The unit is a panel of the operand; its lines are the inputs. */
function addPlain(
  block: Block,
  term: ResolvedTerm,
  { unit }: CodedUnit,
  decoded: string,
  sweep: SweepTiles,
): void {
  loop(block, "input", { from: int(0), to: term.columns, step: stretchLines }, (inner, first) => {
    const lines = define(inner, "lines", min(int(stretchLines), sub(term.columns, first)));
    const range = { from: first, to: define(inner, "end", add(first, lines)) };
    decodeLines(inner, term, unit, range, { buffer: decoded, at: int(0) });
    const panel: DensePanel = { start: int(0), lines, firstInput: first, map: null };
    sweep(inner, (body, addStretch) => addStretch(body, { panel, start: int(0), rowStride: 1 }));
  });
}

/** The rows of the unit are lines of the operand, its panels bring 16 inputs each. */
function addTransposed(
  block: Block,
  term: ResolvedTerm,
  { firstRow }: CodedUnit,
  decoded: string,
  sweep: SweepTiles,
): void {
  const atOnce = stretchLines / unitRows;
  const panels = define(block, "panels", ceilDiv(term.rows, 16));
  const lines = { from: firstRow, to: define(block, "end", min(add(firstRow, int(unitRows)), term.columns)) };
  loop(block, "panel", { from: int(0), to: panels, step: atOnce }, (inner, firstPanel) => {
    const range = { from: int(0), to: define(inner, "count", min(int(atOnce), sub(panels, firstPanel))) };
    const scratchOf = (number: LoopExpression): LoopExpression => mul(number, int(unitRows * 16));
    loop(inner, "number", range, (body, number) => {
      const at = define(body, "at", scratchOf(number));
      decodeLines(body, term, add(firstPanel, number), lines, { buffer: decoded, at });
    });
    sweep(inner, (tile, addStretch) =>
      loop(tile, "number", range, (body, number) => {
        const firstInput = define(body, "first_input", mul(add(firstPanel, number), int(16)));
        const inputs = define(body, "inputs", min(int(16), sub(term.rows, firstInput)));
        const panel: DensePanel = { start: int(0), lines: inputs, firstInput, map: null, lineStride: 1 };
        addStretch(body, { panel, start: scratchOf(number), rowStride: 16 });
      }),
    );
  });
}
