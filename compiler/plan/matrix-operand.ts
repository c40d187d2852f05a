/** Matrices that a kernel reads as one packed operand: their source, zeros, stage and the work of forming them. */

import type { MatrixSource, OperandSource } from "../../runtime/contract/matrix-source.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import type { QuantizedType } from "../../runtime/contract/quantized-type.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printFactor, printTerm } from "../algebra/print-algebra.ts";
import { isTrainable } from "../algebra/structure.ts";
import { sourceOf, tensorsOf } from "../algebra/term-source.ts";
import { kronOf, productOf, sumWork, type WorkedMatrix, workedTerm } from "./forming-work.ts";
import { plus } from "./packed-size.ts";
import { type PieceStructure, sumStructure } from "./piece-structure.ts";

/** A matrix that is formed before kernels run. */
export interface MatrixPiece extends WorkedMatrix {
  readonly source: MatrixSource;
  readonly structure: PieceStructure;
  readonly trainable: boolean;
  /** The grid and the run of a quantized tensor, or of one whose transpose it is; a factor goes into its scales. */
  readonly quantization?: QuantizedType | null;
  /** The quantized tensor of which it is the transpose. */
  readonly transposeOf?: MatrixPiece;
  /** As the language writes it. */
  readonly text: string;
  /** Tensors read, in order of appearance. */
  readonly tensors: readonly string[];
}

export function pieceOf(term: Term): MatrixPiece {
  const transposed = term.kind === "transpose" && isQuantized(term.operand) ? pieceOf(term.operand) : null;
  return {
    ...workedTerm(term),
    source: sourceOf(term),
    trainable: isTrainable(term),
    quantization: term.kind === "leaf" ? term.tensor.quantization : (transposed?.quantization ?? null),
    ...(transposed === null ? {} : { transposeOf: transposed }),
    text: printTerm(term),
    tensors: tensorsOf(term),
  };
}

const isQuantized = (term: Term): boolean => term.kind === "leaf" && term.tensor.quantization !== null;

/** What one packed operand holds. */
export interface PackedPiece extends Omit<MatrixPiece, "source"> {
  readonly source: OperandSource;
}

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
    structure: { kind: "diagonal" },
    work: number(0),
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

/** factor * piece; the scale goes into the packed values, or into the scales of codes. Halves have no place for one. */
export function scalePiece(piece: MatrixPiece, factor: NumberExpression | null): MatrixPiece {
  if (factor === null) return piece;
  const source: MatrixSource = { kind: "scale", factor, of: piece.source };
  const quantization = piece.quantization?.grid === "bf16" ? null : (piece.quantization ?? null);
  const scaled = { ...piece, source, quantization, text: `${printFactor(factor)} * ${enclose(piece.text)}` };
  return piece.transposeOf === undefined
    ? scaled
    : { ...scaled, transposeOf: scalePiece(piece.transposeOf, factor) };
}

type Pieces = readonly [MatrixPiece, ...MatrixPiece[]];

const combine = (pieces: Pieces, formed: WorkedMatrix, source: MatrixSource, text: string): MatrixPiece => ({
  ...formed,
  source,
  text,
  trainable: pieces.some(({ trainable }) => trainable),
  tensors: [...new Set(pieces.flatMap(({ tensors }) => tensors))],
});

/** Several pieces of one shape added into one. */
export function addPieces(pieces: Pieces): MatrixPiece {
  const { rows, columns } = pieces[0];
  const formed = { rows, columns, structure: sumStructure(pieces), work: sumWork(pieces) };
  const source: MatrixSource = { kind: "sum", terms: pieces.map((piece) => piece.source) };
  return combine(pieces, formed, source, pieces.map(({ text }) => text).join(" + "));
}

/** Adjacent factors multiplied into one piece. */
export function multiplyPieces(pieces: Pieces): MatrixPiece {
  const { rows, columns, structure, work } = productOf(pieces);
  const source: MatrixSource = { kind: "product", factors: pieces.map((piece) => piece.source) };
  const text = pieces.map((piece) => enclose(piece.text)).join(" @ ");
  return combine(pieces, { rows, columns, structure, work }, source, text);
}

/** Dense pieces of one width, one below the other, for a kernel that applies all of them to one input. */
export const stackPieces = (pieces: Pieces): PackedPiece => ({
  rows: plus(...pieces.map(({ rows }) => rows)),
  columns: pieces[0].columns,
  structure: { kind: "dense" },
  work: plus(...pieces.map(({ work }) => work)),
  source: { kind: "stack", parts: pieces.map(({ source }) => source) },
  text: `[${pieces.map(({ text }) => text).join("; ")}]`,
  trainable: pieces.some(({ trainable }) => trainable),
  tensors: [...new Set(pieces.flatMap(({ tensors }) => tensors))],
});

/** Adjacent Kronecker factors as one piece. */
export function kronPieces(pieces: Pieces): MatrixPiece {
  const { rows, columns, structure, work } = kronOf(pieces);
  const formed = { rows, columns, structure, work };
  const source: MatrixSource = { kind: "kron", factors: pieces.map((piece) => piece.source) };
  return combine(pieces, formed, source, `kron(${pieces.map(({ text }) => text).join(", ")})`);
}
