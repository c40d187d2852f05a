/**
 * Lowers the merge plan: the dense weight as panel16 in `y`, one tile for each panel of 16 outputs. What has whole
 * lines (dense operands, products) is summed in registers; scattered operands are added to the panel afterwards.
 */
import { number } from "../../runtime/contract/number-expression.ts";
import type { MergeTerm, Plan } from "../plan/plan.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { type MergedPanel, mergeMixedEll, mergeNmLanes, mergeNmRows } from "./atoms/merge-scatter.ts";
import {
  assign,
  type Block,
  createBlock,
  declareRegister,
  define,
  loop,
  type Register,
  store,
} from "./loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  f32,
  f32x16,
  fma,
  int,
  load,
  min,
  mul,
  rem,
  splat,
  sub,
  symbol,
  zeros,
} from "./loop-expression.ts";
import type { LoopProgram } from "./loop-node.ts";
import type { LoweredKernel, LoweringOptions } from "./lower-variant.ts";
import { createProgramParts, type ProgramParts } from "./program-parts.ts";
import { bufferOf, type OperandTerm } from "./step-node.ts";

/** Columns whose lines are summed in registers at once: each one shares the lines of the left factor. */
const columnsAtOnce = 8;

type Accumulate = (block: Block, sums: readonly Register[], column: ReturnType<typeof int>) => void;

function operandTerm(parts: ProgramParts, name: string): OperandTerm {
  const { operand, buffers } = parts.operand(name);
  const { rows, columns, format } = operand;
  return { format, buffers, rows: parts.symbols.dimension(rows), columns: parts.symbols.dimension(columns) };
}

/** sums[c] += the operand's line of column + c. */
function addDense(term: OperandTerm, { start }: MergedPanel): Accumulate {
  return (block, sums, column) => {
    for (const [offset, sum] of sums.entries()) {
      const at = add(start, mul(add(column, int(offset)), int(16)));
      assign(block, sum, binary("add", sum.read, load(bufferOf(term, "values"), at, f32x16)));
    }
  };
}

/** sums[c] += sum over j of U[16 outputs, j] * V[j, column + c]. */
function addProduct(left: OperandTerm, right: OperandTerm, { panel, columns }: MergedPanel): Accumulate {
  return (block, sums, column) => {
    const rank = left.columns;
    const leftStart = define(block, "left", mul(mul(panel, rank), int(16)));
    loop(block, "j_panel", { from: int(0), to: ceilDiv(rank, 16) }, (inner, jPanel) => {
      const rightStart = define(inner, "right", mul(add(mul(jPanel, columns), column), int(16)));
      const firstJ = define(inner, "first_j", mul(jPanel, int(16)));
      loop(inner, "j", { from: int(0), to: min(int(16), sub(rank, firstJ)) }, (body, j) => {
        const line = add(leftStart, mul(add(firstJ, j), int(16)));
        const u = define(body, "u", load(bufferOf(left, "values"), line, f32x16));
        for (const [offset, sum] of sums.entries()) {
          const v = load(bufferOf(right, "values"), add(add(rightStart, j), int(offset * 16)), f32);
          assign(body, sum, fma(u, splat(v), sum.read));
        }
      });
    });
  };
}

function addScattered(block: Block, term: OperandTerm, panel: MergedPanel): void {
  switch (term.format.name) {
    case "nm-lanes":
      mergeNmLanes(block, term, panel);
      break;
    case "nm-rows":
      mergeNmRows(block, term, panel);
      break;
    case "mixed-ell":
      mergeMixedEll(block, term, panel);
      break;
    default:
      throw new Error(`format ${term.format.name} has no merge kernel`);
  }
}

/**
 * Lowers the merge of `plan` for `target`: `y` receives panel16 of [rows, columns], padding rows as zeros;
 * `x` and `batch` are not read.
 * @throws Error when the plan merges by applying a variant to the identity.
 */
export function lowerMerge(
  plan: Plan,
  target: X86Target,
  { name, constants }: LoweringOptions,
): LoweredKernel {
  if (plan.merge.method !== "kernel") throw new Error(`${plan.transform} has no merge kernel`);
  const parts = createProgramParts(plan, [], constants);
  const rows = parts.symbols.dimension(plan.rows);
  const columns = parts.symbols.dimension(plan.columns);
  const panels = ceilDiv(rows, 16);
  const tile = parts.names.fresh("tile");
  const block = createBlock(parts.names);
  const start = define(block, "panel_start", mul(mul(symbol(tile), columns), int(16)));
  const panel: MergedPanel = { buffer: "y", panel: symbol(tile), start, columns };

  const wholeLines: Accumulate[] = [];
  const scattered: OperandTerm[] = [];
  const place = (term: MergeTerm): void => {
    if (term.kind === "product") {
      wholeLines.push(addProduct(operandTerm(parts, term.left), operandTerm(parts, term.right), panel));
      return;
    }
    const operand = operandTerm(parts, term.operand);
    if (operand.format.name === "panel16") wholeLines.push(addDense(operand, panel));
    else scattered.push(operand);
  };
  plan.merge.terms.forEach(place);

  const sweep = (count: number) => (inner: Block, column: ReturnType<typeof int>) => {
    const sums = Array.from({ length: count }, () => declareRegister(inner, "sum", zeros));
    for (const accumulate of wholeLines) accumulate(inner, sums, column);
    for (const [offset, sum] of sums.entries()) {
      store(inner, "y", add(start, mul(add(column, int(offset)), int(16))), sum.read);
    }
  };
  const whole = define(block, "whole", sub(columns, rem(columns, int(columnsAtOnce))));
  loop(block, "column", { from: int(0), to: whole, step: columnsAtOnce }, sweep(columnsAtOnce));
  loop(block, "column", { from: whole, to: columns }, sweep(1));
  for (const term of scattered) addScattered(block, term, panel);

  const program: LoopProgram = {
    name,
    level: target.name,
    buffers: [
      ...parts.buffers,
      { name: "y", element: "f32", space: "output", length: mul(mul(panels, columns), int(16)) },
    ],
    symbols: parts.symbols.list.map((given) => given.name),
    phases: [{ name: "merge", tile, tiles: panels, body: block.statements }],
  };
  return { program, buffers: parts.operandBuffers, symbols: parts.symbols.list, workspace: number(0) };
}
