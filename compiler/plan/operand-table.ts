/** The packed operands of one plan. Variants that need the same bytes share an operand. */
import { stackedParts } from "../../runtime/contract/matrix-source.ts";
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { PackedPiece } from "./matrix-operand.ts";
import { readsAny } from "./moving-sources.ts";
import { isAligned, packedBytes, storedValues } from "./packed-size.ts";
import type { Operand } from "./plan.ts";

export interface OperandLookup {
  /** @throws ReferenceError when no operand has the name. */
  find(name: string): Operand;
}

export interface OperandTable extends OperandLookup {
  /** The operand that holds `piece` in `format`, added on first use. `rows` and `columns` are those of the map. */
  operand(
    piece: PackedPiece,
    format: OperandFormat,
    rows: NumberExpression,
    columns: NumberExpression,
  ): Operand;
  all(): readonly Operand[];
}

const shortNames: Readonly<Record<OperandFormat["name"], string>> = {
  panel16: "panels",
  "nm-lanes": "nm_lanes",
  "nm-rows": "nm_rows",
  "window-ell": "windows",
  "mixed-ell": "windows",
  csr: "rows",
  "block-strips": "strips",
  blockdiag16: "blocks",
  "table4-panel16": "codes",
  "int8-panel16": "codes",
  "bf16-panel16": "halves",
  "half-tiles": "tiles",
  "tf32-tiles": "tiles",
  "nm-tiles": "tiles",
  "bitmap-tiles": "tiles",
  "code-tiles": "tiles",
  vector: "diagonal",
  positions: "positions",
  "row-major": "entries",
};

/** Looks operands up in a list. */
export const lookupIn = (operands: readonly Operand[]): OperandLookup => ({
  find(name) {
    const found = operands.find((operand) => operand.name === name);
    if (found === undefined) throw new ReferenceError(`no operand \`${name}\``);
    return found;
  },
});

/** @param moving what changes while a layer is trained beside its params: scheduled numbers, refreshed patterns. */
export function createOperandTable(moving: ReadonlySet<string> = new Set()): OperandTable {
  const byContent = new Map<string, Operand>();
  const byName = new Map<string, Operand>();
  const freshName = (piece: PackedPiece, format: OperandFormat): string => {
    const stem = piece.tensors.length > 3 || piece.tensors.length === 0 ? "weight" : piece.tensors.join("_");
    const wanted = `${piece.text.endsWith("I") && piece.tensors.length === 0 ? "identity" : stem}_${shortNames[format.name]}`;
    let name = wanted;
    for (let count = 2; byName.has(name); count++) name = `${wanted}_${count}`;
    return name;
  };
  // Candidates share most of their pieces, so that the object answers before the content has to be written out.
  const byPiece = new Map<PackedPiece, Map<string, Operand>>();
  const ofContent = (
    piece: PackedPiece,
    format: OperandFormat,
    rows: NumberExpression,
    columns: NumberExpression,
  ): Operand => {
    const key = JSON.stringify([piece.source, format, rows, columns]);
    const known = byContent.get(key);
    if (known !== undefined) return known;
    const multiplies = storedValues({ rows, columns, structure: piece.structure }, format);
    const aligned = format.name === "mixed-ell" && isAligned(piece.structure);
    const fresh: Operand = {
      name: freshName(piece, format),
      format,
      rows,
      columns,
      source: piece.source,
      stage:
        piece.trainable || stackedParts(piece.source).some((part) => readsAny(part, moving))
          ? "step"
          : "load",
      production: "pack",
      bytes: packedBytes({ rows, columns }, format, multiplies, aligned),
      multiplies,
      ...(aligned ? { aligned } : {}),
      work: piece.work,
      description: piece.text,
    };
    byContent.set(key, fresh);
    byName.set(fresh.name, fresh);
    return fresh;
  };
  return {
    operand(piece, format, rows, columns) {
      const formats = byPiece.get(piece) ?? new Map<string, Operand>();
      byPiece.set(piece, formats);
      const blocks = format.name === "blockdiag16" ? `${printNumber(format.blocks)} ${format.repeated}` : "";
      const key = `${format.name} ${blocks}`;
      const known = formats.get(key) ?? ofContent(piece, format, rows, columns);
      formats.set(key, known);
      return known;
    },
    find(name) {
      const found = byName.get(name);
      if (found === undefined) throw new ReferenceError(`no operand \`${name}\``);
      return found;
    },
    all: () => [...byName.values()],
  };
}
