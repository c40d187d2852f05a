/**
 * Entries of an N:M matrix, group by group: the checks and the padding that both N:M formats share.
 * A group with fewer than n entries is filled with zeros at its lowest free positions, so that every group
 * ends with n distinct ascending positions.
 */
import type { FormatName } from "../contract/operand-format.ts";
import type { SparseMatrix } from "./matrix-value.ts";
import { patternViolation } from "./packed-operand.ts";

export interface NmShape {
  readonly n: number;
  readonly m: number;
}

export type VisitEntry = (row: number, group: number, slot: number, position: number, value: number) => void;

/** Calls `visit` for the n slots of every group; `position` is inside the group. */
export function visitGroups(
  format: FormatName,
  matrix: SparseMatrix,
  { n, m }: NmShape,
  visit: VisitEntry,
): void {
  const { rows, columns, rowStarts, columnIndices, values } = matrix;
  if (columns % m !== 0) throw patternViolation(format, `${columns} columns are not a multiple of ${m}`);
  for (let row = 0; row < rows; row++) {
    let entry = rowStarts[row] ?? 0;
    const rowEnd = rowStarts[row + 1] ?? 0;
    for (let group = 0; group < columns / m; group++) {
      const groupStart = group * m;
      let end = entry;
      while (end < rowEnd && (columnIndices[end] ?? 0) < groupStart + m) end++;
      let missing = n - (end - entry);
      if (missing < 0) {
        const where = `row ${row}, columns ${groupStart} to ${groupStart + m - 1}`;
        throw patternViolation(format, `${where} hold ${end - entry} entries, at most ${n} of ${m} may`);
      }
      let slot = 0;
      for (let position = 0; slot < n; position++) {
        if (entry < end && columnIndices[entry] === groupStart + position) {
          visit(row, group, slot++, position, values[entry++] ?? 0);
        } else if (missing > 0) {
          missing--;
          visit(row, group, slot++, position, 0);
        }
      }
    }
  }
}

/** @throws SpxError when n or m is outside what `format` can hold. */
export function checkNm(format: FormatName, { n, m }: NmShape, largest: number): void {
  const fits = Number.isInteger(n) && Number.isInteger(m) && n >= 1 && n <= m && m <= largest;
  if (!fits) throw patternViolation(format, `${n}:${m} needs 1 <= n <= m <= ${largest}`);
}
