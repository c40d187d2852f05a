/**
 * The kernel that runs every step: two panels of 16 outputs a block, a lane an output, the inputs dealt out to the
 * warps, whose sums meet in on-chip memory. Weights and sums are f32. It is bound by the bytes of the weight for few
 * tokens; for many it reads the weight once for every 32 of them.
 */
import { loop, name, put, registers, set, store, unrolled, when } from "../device-builder.ts";
import {
  add,
  binary,
  blockNumber,
  both,
  ceilDiv,
  compare,
  div,
  int,
  load,
  min,
  mul,
  rem,
  sub,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceProgram } from "../device-node.ts";
import { type DeviceStep, type DeviceTerm, placeOf, rowOf } from "../device-step.ts";
import { batchOf, type KernelParts, type KernelTitle, kernelProgram } from "../kernel-parts.ts";
import {
  addBlockdiag,
  addDense,
  addDiagonal,
  addHalf,
  addInt8,
  addNmLanes,
  addTable4,
  addWindowEll,
} from "./lane-atoms.ts";
import type { LaneTile } from "./lane-sums.ts";

/** Tokens of a tile, and the warps that share its inputs: sums and staged inputs of a block fit 48 KiB. */
export interface LaneShape {
  readonly tokens: number;
  readonly warps: number;
  /** Batches that the shape serves. */
  readonly from: number;
  readonly to: number | null;
}

export const laneShapes: readonly LaneShape[] = [
  { tokens: 1, warps: 8, from: 1, to: 1 },
  { tokens: 8, warps: 8, from: 2, to: 16 },
  { tokens: 32, warps: 4, from: 17, to: null },
];

/** Formats that a lane kernel reads, all with f32 values or codes. */
export const laneFormats: ReadonlySet<string> = new Set([
  "panel16",
  "table4-panel16",
  "int8-panel16",
  "bf16-panel16",
  "nm-lanes",
  "window-ell",
  "blockdiag16",
  "vector",
]);

const blockdiagOf = ({ terms }: DeviceStep): DeviceTerm | undefined =>
  terms.find(({ format }) => format.name === "blockdiag16");

interface PanelPlace {
  readonly panel: Value;
  readonly firstRow: Value;
  /** Outputs from `firstRow` on that are there; may exceed 16. */
  readonly rowsLeft: Value;
  readonly storedPanel: Value;
  readonly firstInput: Value;
}

/** Where the panel lies: those of a block-diagonal operand end with each block. */
function panelPlace(parts: KernelParts, step: DeviceStep, panel: Value): PanelPlace {
  const { code } = parts;
  const term = blockdiagOf(step);
  if (term === undefined) {
    const firstRow = name(code, "first_row", mul(panel, int(16)));
    return {
      panel,
      firstRow,
      rowsLeft: sub(step.output.width, firstRow),
      storedPanel: panel,
      firstInput: int(0),
    };
  }
  const blockRows = name(code, "block_rows", div(term.rows, term.blocks));
  const perBlock = name(code, "block_panels", ceilDiv(blockRows, 16));
  const number = name(code, "diagonal_block", div(panel, perBlock));
  const inBlock = name(code, "panel_in_block", rem(panel, perBlock));
  const offset = name(code, "row_in_block", mul(inBlock, int(16)));
  const repeated = term.format.name === "blockdiag16" && term.format.repeated;
  return {
    panel,
    firstRow: name(code, "first_row", add(mul(number, blockRows), offset)),
    rowsLeft: name(code, "rows_left", sub(blockRows, offset)),
    storedPanel: repeated ? inBlock : panel,
    firstInput: name(code, "first_input", mul(number, div(term.columns, term.blocks))),
  };
}

/** Panels of the step's output. */
function panelCount(step: DeviceStep): Value {
  const term = blockdiagOf(step);
  return term === undefined
    ? ceilDiv(step.output.width, 16)
    : mul(term.blocks, ceilDiv(div(term.rows, term.blocks), 16));
}

function accumulate(parts: KernelParts, step: DeviceStep, tile: LaneTile): void {
  const { code } = parts;
  const walks = ["panel16", "table4-panel16", "int8-panel16", "bf16-panel16"];
  const staged = step.terms.some(({ format }) => walks.includes(format.name))
    ? parts.onChip("staged", "f32", tile.warps * tile.tokens * 32)
    : "";
  for (const term of step.terms) {
    switch (term.format.name) {
      case "panel16":
        addDense(code, tile, term, staged);
        break;
      case "table4-panel16": {
        const levels = parts.onChip("levels", "f32", 16);
        const table = term.buffer("levels");
        when(code, compare("lt", thread, int(16)), (body) =>
          store(body, levels, thread, load(table, thread, "f32")),
        );
        put(code, { kind: "barrier" });
        addTable4(code, tile, term, staged, levels);
        break;
      }
      case "int8-panel16":
        addInt8(code, tile, term, staged);
        break;
      case "bf16-panel16":
        addHalf(code, tile, term, staged);
        break;
      case "nm-lanes":
        addNmLanes(code, tile, term);
        break;
      case "window-ell":
        addWindowEll(code, tile, term);
        break;
      case "blockdiag16":
        addBlockdiag(code, tile, term);
        break;
      case "vector":
        addDiagonal(code, tile, term);
        break;
      default:
        throw new TypeError(`${term.format.name} has no lane kernel`);
    }
  }
}

/** Adds the sums of all warps and stores those of outputs and tokens that are there. */
function storeSums(
  parts: KernelParts,
  step: DeviceStep,
  tile: LaneTile,
  place: PanelPlace,
  isPanel: Value,
  firstToken: Value,
): void {
  const { code } = parts;
  const { lane, warp, warps, tokens, sums } = tile;
  const { output } = step;
  const partial = parts.onChip("partial", "f32", warps * tokens * 32);
  unrolled(code, "t", tokens, (inner, t) => {
    store(inner, partial, add(mul(add(mul(warp, int(tokens)), t), int(32)), lane), sums.read(t));
  });
  put(code, { kind: "barrier" });
  const row = name(code, "row", add(place.firstRow, tile.column));
  const isRow = name(code, "is_row", both(isPanel, compare("lt", tile.column, place.rowsLeft)));
  loop(code, "t", { from: warp, to: int(tokens), step: int(warps) }, (body, t) => {
    const token = name(body, "token", add(firstToken, t));
    when(body, both(isRow, compare("lt", token, batchOf(parts))), (inner) => {
      const total = registers(inner, "total", zero);
      unrolled(inner, "w", warps, (deep, w) => {
        const part = load(partial, add(mul(add(mul(w, int(tokens)), t), int(32)), lane), "f32");
        set(deep, total, binary("add", total.read(), part));
      });
      const at = name(inner, "at", add(rowOf(output, token), placeOf(step.outputPlaces, row)));
      const before = load(output.memory, at, "f32");
      store(inner, output.memory, at, step.accumulate ? binary("add", before, total.read()) : total.read());
    });
  });
}

/** The program of a step with at least one term; `grid` of its launches is (panels + 1) / 2 times tiles of tokens. */
export function laneKernel(
  parts: KernelParts,
  step: DeviceStep,
  shape: LaneShape,
  about: KernelTitle,
): DeviceProgram {
  const { code } = parts;
  const { tokens, warps } = shape;
  const lane = name(code, "lane", rem(thread, int(32)));
  const warp = name(code, "warp", div(thread, int(32)));
  const column = name(code, "column", rem(lane, int(16)));
  const panels = name(code, "panels", panelCount(step));
  const pairs = name(code, "pairs", ceilDiv(panels, 2));
  const wanted = name(code, "wanted", add(mul(rem(blockNumber, pairs), int(2)), div(lane, int(16))));
  const firstToken = name(code, "first_token", mul(div(blockNumber, pairs), int(tokens)));
  const place = panelPlace(parts, step, name(code, "panel", min(wanted, sub(panels, int(1)))));
  const lastToken = name(code, "last_token", sub(batchOf(parts), int(1)));
  const tile: LaneTile = {
    lane,
    warp,
    warps,
    column,
    ...place,
    tokens,
    token: (offset) => min(add(firstToken, offset), lastToken),
    sums: registers(code, "sums", zero, tokens),
  };
  accumulate(parts, step, tile);
  storeSums(parts, step, tile, place, compare("lt", wanted, panels), firstToken);
  return kernelProgram(parts, about, { threads: warps * 32, blocksPerProcessor: 1 });
}
