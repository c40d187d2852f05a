/** `nm-lanes`: N:M along the input, lane = output, positions inside windows of 4 or up to 16 inputs. */
import { nmTable } from "../contract/operand-format.ts";
import { columnsOf, type MatrixValue, rowsOf, toSparse } from "./matrix-value.ts";
import { checkNm, type NmShape, visitGroups } from "./nm-groups.ts";
import {
  type Allocate,
  allocateOperand,
  floatsOf,
  integersOf,
  type PackedOperand,
} from "./packed-operand.ts";

interface Windows {
  /** Groups of m inputs in a window. */
  readonly groups: number;
  /** Windows along a row. */
  readonly count: number;
  /** Value lines in a window. */
  readonly lines: number;
  /** Bits of a position. */
  readonly bits: number;
}

function windowsOf(columns: number, { n, m }: NmShape): Windows {
  const table = nmTable(m);
  const groups = Math.floor(table / m);
  return { groups, count: Math.ceil(columns / (m * groups)), lines: n * groups, bits: Math.log2(table) };
}

/** Bytes: 64 * ceil(rows / 16) * (windows * lines + ceil(windows * lines * bits / 32)). */
export function packNmLanes(matrix: MatrixValue, shape: NmShape, allocate: Allocate): PackedOperand {
  checkNm("nm-lanes", shape, 16);
  const rows = rowsOf(matrix);
  const columns = columnsOf(matrix);
  const { groups, count, lines, bits } = windowsOf(columns, shape);
  const together = 32 / bits;
  const panelLines = count * lines;
  const panelWords = Math.ceil(panelLines / together);
  const panels = Math.ceil(rows / 16);
  const lengths = { values: panels * panelLines * 16, indices: panels * panelWords * 16 };
  const operand = allocateOperand("nm-lanes", rows, columns, lengths, allocate);
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  visitGroups("nm-lanes", toSparse(matrix), shape, (row, group, slot, position, value) => {
    const groupInWindow = group % groups;
    const line = Math.floor(group / groups) * lines + groupInWindow * shape.n + slot;
    const panel = row >> 4;
    const lane = row & 15;
    values[(panel * panelLines + line) * 16 + lane] = value;
    const word = (panel * panelWords + Math.floor(line / together)) * 16 + lane;
    const index = groupInWindow * shape.m + position;
    indices[word] = (indices[word] ?? 0) | (index << (bits * (line % together)));
  });
  return operand;
}

/** Dense row-major [rows, columns]. */
export function unpackNmLanes(operand: PackedOperand, shape: NmShape): Float32Array {
  const { rows, columns } = operand;
  const { groups, count, lines, bits } = windowsOf(columns, shape);
  const together = 32 / bits;
  const panelLines = count * lines;
  const panelWords = Math.ceil(panelLines / together);
  const values = floatsOf(operand, "values");
  const indices = integersOf(operand, "indices");
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const panel = row >> 4;
    const lane = row & 15;
    for (let line = 0; line < panelLines; line++) {
      const word = indices[(panel * panelWords + Math.floor(line / together)) * 16 + lane] ?? 0;
      const index = (word >>> (bits * (line % together))) & (2 ** bits - 1);
      const column = Math.floor(line / lines) * shape.m * groups + index;
      const value = values[(panel * panelLines + line) * 16 + lane] ?? 0;
      if (value !== 0) dense[row * columns + column] = value;
    }
  }
  return dense;
}
