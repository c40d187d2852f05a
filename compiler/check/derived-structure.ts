/** Whether a formula gives a diagonal or a block-diagonal matrix whatever its numbers are; the runtime keeps to the same rules. */
import { keepsZero, type MatrixSource } from "../../runtime/contract/matrix-source.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { sameDimension } from "../types/dimension.ts";
import type { CheckedTensor } from "./checked-module.ts";

export interface SourceStructure {
  readonly structure: "dense" | "diag" | "blockdiag";
  readonly blocks: NumberExpression | null;
}

const dense: SourceStructure = { structure: "dense", blocks: null };
const diagonal: SourceStructure = { structure: "diag", blocks: null };

const isSquare = ({ dimensions: [rows, columns] }: CheckedTensor): boolean =>
  rows !== undefined && columns !== undefined && sameDimension(rows, columns);

/** Sums and products of square blocks of one number stay so; a diagonal fits any blocks. */
function join(parts: readonly SourceStructure[]): SourceStructure {
  const first = parts.find(({ structure }) => structure === "blockdiag");
  const fits = parts.every(
    ({ structure, blocks }) =>
      structure === "diag" ||
      (structure === "blockdiag" &&
        blocks !== null &&
        first?.blocks !== null &&
        first?.blocks !== undefined &&
        sameDimension(blocks, first.blocks)),
  );
  return fits ? (first ?? diagonal) : dense;
}

/** @param reads the tensors that the formula names. */
export function structureOfSource(source: MatrixSource, reads: readonly CheckedTensor[]): SourceStructure {
  const one = (part: MatrixSource): SourceStructure => structureOfSource(part, reads);
  switch (source.kind) {
    case "leaf": {
      const tensor = reads.find(({ name }) => name === source.name);
      if (tensor?.structure === "diag") return diagonal;
      return tensor?.structure === "blockdiag" && isSquare(tensor)
        ? { structure: "blockdiag", blocks: tensor.blocks }
        : dense;
    }
    case "skew": {
      const tensor =
        source.of.kind === "leaf" ? reads.find(({ name }) => name === leafName(source.of)) : null;
      return { structure: "blockdiag", blocks: tensor?.dimensions.at(-2) ?? null };
    }
    case "diag":
    case "identity":
      return diagonal;
    case "sum":
      return join(source.terms.map(one));
    case "product":
      return join(source.factors.map(one));
    case "map":
      return keepsZero[source.function] ? one(source.of) : dense;
    case "scale":
    case "transpose":
    case "inverse":
    case "detach":
      return one(source.of);
    default:
      return dense;
  }
}

const leafName = (source: MatrixSource): string => (source.kind === "leaf" ? source.name : "");
