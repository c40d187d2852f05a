/**
 * A step with lane = token: a tile is a group of token panels times a few units of rows. Every structured
 * operand is row addressing into the panels of the activation; sums stay in registers until they are stored.
 */
import { isCoded } from "../../runtime/contract/operand-format.ts";
import { accumulateBlockTokens, type StripFit } from "./atoms/block.ts";
import { accumulateDenseTokens } from "./atoms/dense.ts";
import { accumulateDiagTokens } from "./atoms/diag.ts";
import { accumulateNmTokens } from "./atoms/nm.ts";
import { sumCodedTerms, type UnitSums } from "./coded-token-unit.ts";
import { linesOf, panelCount } from "./deal-output-tiles.ts";
import { panelPosition } from "./lane-output-step.ts";
import { type Block, createBlock, define, loop, type Register, tileRange } from "./loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  div,
  f32x16,
  int,
  load,
  max,
  min,
  mul,
  rem,
  sub,
  zeros,
} from "./loop-expression.ts";
import type { LoopExpression, LoopPhase } from "./loop-node.ts";
import type { Place, ResolvedStep, ResolvedTerm } from "./step-node.ts";
import { storeTokenTile } from "./store-token-tile.ts";
import { declareSums, panelStart, type TokenTile } from "./tile-node.ts";
import { type TokenGroup, tokenGrid, withTokenGroup } from "./token-groups.ts";
import { mostVectors, type UnitShape, unitLength, unitShape } from "./token-tile-shape.ts";

/** Inputs that a unit should read before it is worth a tile of its own. */
const linesPerTile = 256;
const leastTiles = 4;

/** How the rows of a tile lie in the units of its operands. */
interface RowFit {
  readonly strips: StripFit;
  /** The first row is a multiple of the number of rows, a power of two: all lie in one panel of 16. */
  readonly onePanel: boolean;
}

/** Index of (row, line 0) of a panel16 operand. */
function denseRowStarts(
  block: Block,
  term: ResolvedTerm,
  tile: TokenTile,
  onePanel: boolean,
): LoopExpression[] {
  const startOf = (row: LoopExpression): LoopExpression =>
    define(block, "w_start", add(mul(mul(div(row, int(16)), term.columns), int(16)), rem(row, int(16))));
  if (onePanel) {
    const first = startOf(tile.row);
    return tile.sums.map((_, offset) => add(first, int(offset)));
  }
  return tile.sums.map((_, offset) => startOf(define(block, "row", add(tile.row, int(offset)))));
}

function accumulate(block: Block, step: ResolvedStep, tile: TokenTile, fit: RowFit): void {
  for (const term of step.terms) {
    switch (term.format.name) {
      case "panel16": {
        const panel = { start: int(0), lines: term.columns, firstInput: int(0), map: null };
        accumulateDenseTokens(block, term, panel, denseRowStarts(block, term, tile, fit.onePanel), tile);
        break;
      }
      case "nm-rows":
        accumulateNmTokens(block, term, tile);
        break;
      case "block-strips":
        accumulateBlockTokens(block, term, tile, fit.strips);
        break;
      case "vector":
        accumulateDiagTokens(block, term, tile);
        break;
      case "table4-panel16":
      case "int8-panel16":
      case "bf16-panel16":
        // Summed for the whole unit before.
        break;
      default:
        throw new Error(`format ${term.format.name} has no lane = token kernel`);
    }
  }
}

/**
 * Zeros, or what lies in the panels of the step's start; rows that do not exist begin like the last one. `coded` gives
 * what the coded terms bring, which are summed before.
 */
function startSums(
  block: Block,
  { start, output }: ResolvedStep,
  group: TokenGroup,
  row: LoopExpression,
  rows: number,
  coded: UnitSums | null,
): Register[][] {
  const startOf = (place: Place): UnitSums => {
    const panels = Array.from({ length: group.vectors }, (_, vector) =>
      define(block, "start", panelStart(place, add(group.panel, int(vector)))),
    );
    return (at, vector) => {
      const present = define(block, "row", min(at, sub(output.width, int(1))));
      return load(place.buffer, add(panels[vector] ?? int(0), mul(present, int(16))), f32x16);
    };
  };
  const parts = [...(start === null ? [] : [startOf(start)]), ...(coded === null ? [] : [coded])];
  return declareSums(block, rows, group.vectors, (offset, vector) => {
    const [first, ...others] = parts.map((part) => part(add(row, int(offset)), vector));
    return others.reduce((sum, other) => binary("add", sum, other), first ?? zeros);
  });
}

/** Rows [from, to) in tiles of `rows` rows each; rows of the last one that do not exist repeat the last row. */
function sweepRows(
  block: Block,
  step: ResolvedStep,
  group: TokenGroup,
  range: { readonly from: LoopExpression; readonly to: LoopExpression },
  rows: number,
  fit: RowFit,
  coded: UnitSums | null,
): void {
  loop(block, "row", { ...range, step: rows }, (inner, row) => {
    const tile: TokenTile = { ...group, row, sums: startSums(inner, step, group, row, rows, coded) };
    accumulate(inner, step, tile, fit);
    storeTokenTile(inner, step, tile, row, sub(step.output.width, row));
  });
}

function sweepUnit(
  block: Block,
  step: ResolvedStep,
  group: TokenGroup,
  unit: LoopExpression,
  shape: UnitShape,
): void {
  const first = define(block, "first_row", mul(unit, int(shape.rows)));
  const end = define(block, "end_row", min(step.output.width, add(first, int(shape.rows))));
  const [rows = 1] = shape.pieces;
  const even = shape.pieces.filter((piece) => piece === rows).length * rows;
  const fitOf = (size: number, offset: number): RowFit => ({
    strips: shape.fit,
    onePanel: 16 % size === 0 && shape.rows % size === 0 && offset % size === 0,
  });
  const split = even === shape.rows ? end : define(block, "split", add(first, int(even)));
  const coded = codedSums(block, step, group, unit, first, rows);
  sweepRows(block, step, group, { from: first, to: split }, rows, fitOf(rows, 0), coded);
  // Only units as long as a block have a rest, and those are always whole.
  const rest = shape.rows - even;
  if (rest > 0)
    sweepRows(block, step, group, { from: split, to: add(split, int(rest)) }, rest, fitOf(rest, even), coded);
}

/** What the coded terms of the step bring to the rows of a unit; null without any. */
function codedSums(
  block: Block,
  step: ResolvedStep,
  group: TokenGroup,
  unit: LoopExpression,
  firstRow: LoopExpression,
  tileRows: number,
): UnitSums | null {
  if (!step.terms.some(({ format }) => isCoded(format))) return null;
  const rowsLeft = define(block, "rows_left", sub(step.output.width, firstRow));
  const sumOf = sumCodedTerms(block, step, { ...group, unit, firstRow, rowsLeft, tileRows });
  return (row, vector) => sumOf(sub(row, firstRow), vector);
}

/** A panel of a block-diagonal operand: its rows start anywhere, its values at a panel of their own. */
function sweepBlockdiagPanel(
  block: Block,
  step: ResolvedStep,
  group: TokenGroup,
  panel: LoopExpression,
  shape: UnitShape,
): void {
  const position = panelPosition(block, step, panel);
  const [rows = 1] = shape.pieces;
  const to = define(block, "end_row", min(int(16), position.rowsLeft));
  for (const term of step.terms) {
    const lines = div(term.columns, term.blocks);
    const start = define(block, "values_start", mul(mul(position.storedPanel, lines), int(16)));
    const dense = { start, lines, firstInput: position.firstInput, map: term.inputMap };
    loop(block, "row", { from: int(0), to, step: rows }, (inner, offset) => {
      const row = define(inner, "row", add(position.firstRow, offset));
      const tile: TokenTile = { ...group, row, sums: declareSums(inner, rows, group.vectors) };
      const first = define(inner, "w_start", add(start, offset));
      const starts = tile.sums.map((_, lane) => add(first, int(lane)));
      accumulateDenseTokens(inner, term, dense, starts, tile);
      storeTokenTile(inner, step, tile, row, define(inner, "left", sub(position.rowsLeft, offset)));
    });
  }
}

/** Lowers a step whose operands are panels, nm-rows, block-strips or one blockdiag16. */
export function lowerLaneTokenStep(step: ResolvedStep): LoopPhase {
  const blockdiag = step.terms.some((term) => term.format.name === "blockdiag16");
  const block = createBlock(step.names);
  const unitRows = unitLength(step);
  const units = blockdiag ? panelCount(step) : ceilDiv(step.output.width, unitRows);
  const lines = linesOf(step);
  const each = max(
    int(1),
    min(ceilDiv(units, leastTiles), div(int(linesPerTile * 16), mul(lines, int(unitRows)))),
  );
  const unitTiles = ceilDiv(units, each);

  const grid = tokenGrid(block, step.names, mostVectors(step), unitTiles);
  const range = tileRange(grid.across, define(block, "each", each), define(block, "units", units));
  const firstUnit = define(block, "first_unit", range.from);
  const endUnit = define(block, "end_unit", range.to);
  withTokenGroup(block, grid, (inner, group) => {
    const shape = unitShape(step, group.vectors);
    loop(inner, "unit", { from: firstUnit, to: endUnit }, (body, unit) => {
      if (blockdiag) sweepBlockdiagPanel(body, step, group, unit, shape);
      else sweepUnit(body, step, group, unit, shape);
    });
  });
  return { name: step.name, tile: grid.tile, tiles: grid.tiles, body: block.statements };
}
