/** How many rows and vectors of tokens a lane = token tile holds, and how the rows of a unit are cut into tiles. */
import { isCoded } from "../../runtime/contract/operand-format.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import type { StripFit } from "./atoms/block.ts";
import type { ResolvedStep, ResolvedTerm } from "./step-node.ts";

export interface UnitShape {
  /** Rows of a unit; units follow one another over the rows of the output. */
  readonly rows: number;
  /** Rows of each tile of the unit, in order. */
  readonly pieces: readonly number[];
  readonly fit: StripFit;
}

const powerOfTwoUpTo = (limit: number): number => 2 ** Math.floor(Math.log2(Math.max(1, limit)));

const blockHeights = (step: ResolvedStep): number[] =>
  step.terms.flatMap((term) => (term.format.name === "block-strips" ? [term.format.height] : []));

/** Coded panels are dense ones as soon as they are decoded. */
const isPanel = ({ format }: ResolvedTerm): boolean => format.name === "panel16" || isCoded(format);

const isDense = (step: ResolvedStep): boolean =>
  step.terms.every((term) => isPanel(term) || term.format.name === "blockdiag16");

/** Tall blocks share each activation over many rows, as dense panels do. */
const isTall = (step: ResolvedStep): boolean =>
  step.terms.every(
    (term) => isPanel(term) || (term.format.name === "block-strips" && term.format.height > 4),
  );

const tileOf = (
  step: ResolvedStep,
  target: X86Target,
): { readonly outputs: number; readonly vectors: number } =>
  isDense(step) || isTall(step) ? target.denseTokenTile : target.sparseTokenTile;

/** Most vectors of 16 tokens that a tile of the step holds. */
export const mostVectors = (step: ResolvedStep): number => tileOf(step, step.target).vectors;

/** More rows than this with indices of their own would need more address registers than there are. */
const mostSparseRows = 4;

/** The height that all block operands of the step share and that fits its units, or null. */
function commonHeight(step: ResolvedStep): number | null {
  const [height, ...others] = blockHeights(step);
  if (height === undefined || others.some((other) => other !== height)) return null;
  // A unit with coded panels is one of their panels.
  return 16 % height !== 0 && step.terms.some(({ format }) => isCoded(format)) ? null : height;
}

/** Rows of a unit: the same for every number of vectors, so that tiles can be counted beforehand. */
export function unitLength(step: ResolvedStep): number {
  const height = commonHeight(step);
  return height === null || 16 % height === 0 ? 16 : height;
}

/** The unit of a step for tiles of `vectors` vectors. */
export function unitShape(step: ResolvedStep, vectors: number): UnitShape {
  const tile = tileOf(step, step.target);
  const rows = unitLength(step);
  const fits = Math.max(1, Math.floor((tile.outputs * tile.vectors) / vectors));
  const cut = (size: number): number[] => [
    ...Array.from({ length: Math.floor(rows / size) }, () => size),
    ...(rows % size === 0 ? [] : [rows % size]),
  ];
  if (isDense(step)) return { rows, pieces: cut(Math.min(16, powerOfTwoUpTo(fits))), fit: "any" };
  const most = Math.min(isTall(step) ? 16 : mostSparseRows, fits);
  const height = commonHeight(step);
  if (height === null) return { rows, pieces: cut(powerOfTwoUpTo(most)), fit: "any" };
  if (rows === 16) {
    // Powers of two divide each other: a tile is a part of a strip or several whole ones.
    const size = powerOfTwoUpTo(most);
    return { rows, pieces: cut(size), fit: size <= height ? "inside" : "whole" };
  }
  return { rows, pieces: cut(Math.min(most, height)), fit: "inside" };
}
