/** What every enumeration of ways is made of: one matrix in each of its storages, cuts into runs, combinations. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { multiplyNumbers } from "../algebra/algebra-graph.ts";
import type { FormPart, LinearFactor } from "./linear-factors.ts";
import type { MatrixPiece } from "./matrix-operand.ts";
import { type Storage, storagesOf } from "./storage.ts";

/** Factors of a term with what is to be said about them. */
export interface Way {
  readonly factors: readonly LinearFactor[];
  readonly parts: readonly FormPart[];
  readonly rules: readonly string[];
  readonly traits: readonly string[];
}

/** Every choice of one member from each list, the first list varying slowest. */
export function combinations<T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return lists.reduce<readonly (readonly T[])[]>(
    (found, list) => found.flatMap((chosen) => list.map((member) => [...chosen, member])),
    [[]],
  );
}

/** The first `most` choices of one member from each list, the first list varying slowest. */
export function firstCombinations<T>(
  lists: readonly (readonly T[])[],
  most: number,
): readonly (readonly T[])[] {
  return lists.reduceRight<readonly (readonly T[])[]>(
    (rest, list) => {
      const found: (readonly T[])[] = [];
      for (const member of list)
        for (const after of rest) if (found.length < most) found.push([member, ...after]);
      return found;
    },
    [[]],
  );
}

/** Every cut of a list into runs of neighbours; single members first. */
export function runsOf<T>(members: readonly T[]): readonly (readonly (readonly T[])[])[] {
  const [first, ...rest] = members;
  if (first === undefined) return [[]];
  if (rest.length === 0) return [[[first]]];
  const inner = runsOf(rest);
  return [
    ...inner.map((runs) => [[first], ...runs]),
    ...inner.map(([next = [], ...runs]) => [[first, ...next], ...runs]),
  ];
}

/** Name of what a storage changes against the plainest one of the structure. */
function storageTrait({ structure }: MatrixPiece, storage: Storage): readonly string[] {
  if (storage === storagesOf(structure)[0]) return [];
  switch (structure.kind) {
    case "masked":
      return ["sparse"];
    case "sparse":
    case "permutation":
      return ["filled"];
    case "nm":
    case "block":
      return [storage === "dense" ? "unpacked" : "scattered"];
    default:
      return [storage === "dense" ? "materialised" : "scattered"];
  }
}

/** A formed matrix as a part of a form. */
export const part = ({ text, trainable }: MatrixPiece): FormPart => ({ text, trainable });

/** One matrix in each storage of its structure. */
export function formedWays(
  piece: MatrixPiece,
  about: { readonly rules: readonly string[]; readonly traits: readonly string[]; readonly note?: string },
): readonly Way[] {
  return storagesOf(piece.structure).map((storage) => ({
    factors: [factorOf(piece, storage, about.note ?? null)],
    parts: [part(piece)],
    rules: about.rules,
    traits: [...about.traits, ...storageTrait(piece, storage)],
  }));
}

function factorOf(piece: MatrixPiece, storage: Storage, note: string | null): LinearFactor {
  if (storage === "vector") return { kind: "diagonal", piece };
  if (storage === "blocks" && piece.structure.kind === "blocks")
    return blocksFactor(piece, piece.structure.blocks, false);
  return { kind: "matrix", piece, storage, note };
}

/** Equal blocks on a diagonal; `repeated`: all of them are the piece. */
export function blocksFactor(piece: MatrixPiece, blocks: NumberExpression, repeated: boolean): LinearFactor {
  const [rows, columns] = repeated
    ? [multiplyNumbers(piece.rows, blocks), multiplyNumbers(piece.columns, blocks)]
    : [piece.rows, piece.columns];
  return { kind: "blocks", piece, blocks, repeated, rows, columns };
}

/** When a matrix is formed. */
export const stageOf = ({ trainable }: Pick<MatrixPiece, "trainable">): string =>
  trainable ? "step" : "load";

/** The stride permutation as a factor. */
export const permutation = (size: NumberExpression, stride: NumberExpression): LinearFactor => ({
  kind: "permutation",
  permutation: { size, stride },
});
