/** The ways to store a matrix of a given structure, and the atom and format of each in a layout. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { QuantizedType } from "../../runtime/contract/quantized-type.ts";
import type { PieceStructure } from "./piece-structure.ts";
import type { Layout, StepTerm } from "./plan.ts";

/**
 * `dense`: every entry, in panels. `entries`: each nonzero with its index. `groups`: by the groups or tiles of its pattern.
 * `blocks`, `vector`: what a block diagonal or a diagonal is made of; steps of such operands share with nothing.
 */
export type Storage = "dense" | "entries" | "groups" | "blocks" | "vector";

/** Structure → storages, the plainest first. */
const storageTable: Readonly<Record<PieceStructure["kind"], readonly Storage[]>> = {
  dense: ["dense"],
  masked: ["dense", "entries"],
  sparse: ["entries", "dense"],
  nm: ["groups", "entries", "dense"],
  block: ["groups", "entries", "dense"],
  diagonal: ["vector", "entries"],
  permutation: ["entries", "dense"],
  blocks: ["blocks", "entries", "dense"],
};

export const storagesOf = ({ kind }: PieceStructure): readonly Storage[] => storageTable[kind];

export interface FormatChoice {
  readonly atom: StepTerm["atom"];
  readonly format: OperandFormat;
  /** Why a nearer format was refused; null when the choice is the natural one. */
  readonly note: string | null;
}

const entries = (layout: Layout, note: string | null): FormatChoice => ({
  atom: "sparse",
  format: { name: layout === "lane-output" ? "mixed-ell" : "csr" },
  note,
});

/** What decides about the format of a matrix. */
export interface StoredMatrix {
  readonly structure: PieceStructure;
  readonly columns: NumberExpression;
  /** The grid and the run of a quantized tensor that stands by itself. */
  readonly quantization?: QuantizedType | null;
  /** That tensor, where the matrix is its transpose. */
  readonly transposeOf?: { readonly columns: NumberExpression };
}

/**
 * A quantized tensor is read as codes. Its transpose reads the same ones where a lane is a token; where a lane is an
 * output, lines of the transpose would have to be gathered.
 */
function denseFormat({ quantization, columns, transposeOf }: StoredMatrix, layout: Layout): OperandFormat {
  if (quantization === null || quantization === undefined) return { name: "panel16" };
  if (transposeOf !== undefined && layout === "lane-output") return { name: "panel16" };
  if (quantization.grid === "bf16") return { name: "bf16-panel16" };
  const block = quantization.block ?? (transposeOf ?? { columns }).columns;
  return { name: quantization.grid === "int8" ? "int8-panel16" : "table4-panel16", block };
}

/** The format of a storage of the matrix in a layout. */
export function formatOf(matrix: StoredMatrix, storage: Storage, layout: Layout): FormatChoice {
  const { structure } = matrix;
  switch (storage) {
    case "dense":
      return { atom: "dense", format: denseFormat(matrix, layout), note: null };
    case "entries":
      return entries(layout, null);
    case "groups":
      return groupFormat(structure, layout);
    case "vector":
      return { atom: "diag", format: { name: "vector" }, note: null };
    case "blocks":
      if (structure.kind !== "blocks") throw new TypeError(`${structure.kind} has no blocks`);
      return {
        atom: "blockdiag",
        format: { name: "blockdiag16", blocks: structure.blocks, repeated: false },
        note: null,
      };
  }
}

function groupFormat(structure: PieceStructure, layout: Layout): FormatChoice {
  if (structure.kind === "block") {
    const { height, width } = structure;
    return layout === "lane-token"
      ? { atom: "block", format: { name: "block-strips", height, width }, note: null }
      : entries(
          layout,
          `blocks of ${height} x ${width} run as unstructured entries when a lane is an output`,
        );
  }
  if (structure.kind !== "nm") throw new TypeError(`${structure.kind} has no groups`);
  const { n, m } = structure;
  if (structure.axis === "output")
    return entries(layout, `${n}:${m} along the output runs as unstructured entries`);
  if (layout === "lane-output") {
    return m <= 16
      ? { atom: "nm", format: { name: "nm-lanes", n, m }, note: null }
      : entries(
          layout,
          `${n}:${m} has groups wider than 16 inputs and runs as unstructured entries when a lane is an output`,
        );
  }
  return m <= 256
    ? { atom: "nm", format: { name: "nm-rows", n, m }, note: null }
    : entries(layout, `${n}:${m} has groups wider than 256 inputs and runs as unstructured entries`);
}
