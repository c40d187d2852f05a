/** Matrices that a kernel reads as one packed operand: their source, zeros, stage; and the format each layout packs them in. */

import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printFactor, printTerm } from "../algebra/print-algebra.ts";
import { isTrainable, type ZeroStructure, zeroStructure } from "../algebra/structure.ts";
import { sourceOf, tensorsOf } from "../algebra/term-source.ts";
import type { Layout, StepTerm } from "./plan.ts";

/** A matrix that is formed before kernels run. */
export interface MatrixPiece {
  readonly source: MatrixSource;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly structure: ZeroStructure;
  readonly trainable: boolean;
  /** As the language writes it. */
  readonly text: string;
  /** Tensors read, in order of appearance. */
  readonly tensors: readonly string[];
}

export const pieceOf = (term: Term): MatrixPiece => ({
  source: sourceOf(term),
  rows: term.rows,
  columns: term.columns,
  structure: zeroStructure(term),
  trainable: isTrainable(term),
  text: printTerm(term),
  tensors: tensorsOf(term),
});

/** The identity; with a factor, that multiple of it. */
export const identityPiece = (
  size: NumberExpression,
  factor: NumberExpression | null = null,
): MatrixPiece => {
  const identity: MatrixSource = { kind: "identity", size };
  return {
    source: factor === null ? identity : { kind: "scale", factor, of: identity },
    rows: size,
    columns: size,
    structure: { kind: "dense" },
    trainable: false,
    text: factor === null ? "I" : `${printFactor(factor)} * I`,
    tensors: [],
  };
};

/** In parentheses when it has an operator (a space) outside of brackets. */
export function enclose(text: string): string {
  let depth = 0;
  for (const character of text) {
    if (character === "(" || character === "[") depth += 1;
    if (character === ")" || character === "]") depth -= 1;
    if (character === " " && depth === 0) return `(${text})`;
  }
  return text;
}

/** factor * piece; the scale goes into the packed values. */
export function scalePiece(piece: MatrixPiece, factor: NumberExpression | null): MatrixPiece {
  if (factor === null) return piece;
  const source: MatrixSource = { kind: "scale", factor, of: piece.source };
  return { ...piece, source, text: `${printFactor(factor)} * ${enclose(piece.text)}` };
}

const combine = (
  pieces: readonly [MatrixPiece, ...MatrixPiece[]],
  source: MatrixSource,
  text: string,
): MatrixPiece => ({
  source,
  text,
  rows: pieces[0].rows,
  columns: (pieces.at(-1) ?? pieces[0]).columns,
  structure: { kind: "dense" },
  trainable: pieces.some(({ trainable }) => trainable),
  tensors: [...new Set(pieces.flatMap(({ tensors }) => tensors))],
});

/** Several pieces of one shape added into a dense one. */
export const addPieces = (pieces: readonly [MatrixPiece, ...MatrixPiece[]]): MatrixPiece =>
  combine(
    pieces,
    { kind: "sum", terms: pieces.map(({ source }) => source) },
    pieces.map(({ text }) => text).join(" + "),
  );

/** Adjacent factors multiplied into a dense piece. */
export const multiplyPieces = (pieces: readonly [MatrixPiece, ...MatrixPiece[]]): MatrixPiece =>
  combine(
    pieces,
    { kind: "product", factors: pieces.map(({ source }) => source) },
    pieces.map(({ text }) => enclose(text)).join(" @ "),
  );

/** How masked matrices are stored: with their zeros in dense panels, or packed by their pattern. */
export type MaskStorage = "dense" | "packed";

export interface FormatChoice {
  readonly atom: StepTerm["atom"];
  readonly format: OperandFormat;
  /** Why a nearer format was refused; null when the choice is the natural one. */
  readonly note: string | null;
}

const sparseChoice = (layout: Layout, note: string | null): FormatChoice => ({
  atom: "sparse",
  format: { name: layout === "lane-output" ? "window-ell" : "csr" },
  note,
});

/** The format for a zero structure in a layout. */
export function chooseFormat(structure: ZeroStructure, layout: Layout, masks: MaskStorage): FormatChoice {
  const dense: FormatChoice = { atom: "dense", format: { name: "panel16" }, note: null };
  if (structure.kind === "dense") return dense;
  if (structure.kind === "sparse") return sparseChoice(layout, null);
  if (masks === "dense") return dense;
  if (structure.kind === "masked") return sparseChoice(layout, null);
  if (structure.kind === "block") {
    const { height, width } = structure;
    return layout === "lane-token"
      ? { atom: "block", format: { name: "block-strips", height, width }, note: null }
      : sparseChoice(
          layout,
          `blocks of ${height} x ${width} run as unstructured entries when a lane is an output`,
        );
  }
  const { n, m } = structure;
  if (structure.axis === "output")
    return sparseChoice(layout, `${n}:${m} along the output runs as unstructured entries`);
  if (layout === "lane-output") {
    return m <= 16
      ? { atom: "nm", format: { name: "nm-lanes", n, m }, note: null }
      : sparseChoice(
          layout,
          `${n}:${m} has groups wider than 16 inputs and runs as unstructured entries when a lane is an output`,
        );
  }
  return m <= 256
    ? { atom: "nm", format: { name: "nm-rows", n, m }, note: null }
    : sparseChoice(layout, `${n}:${m} has groups wider than 256 inputs and runs as unstructured entries`);
}
