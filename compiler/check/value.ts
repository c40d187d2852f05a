/**
 * What an expression means while it is checked. A tensor has up to two readings: as a term of the weight and as a
 * recipe computed at load; the place where it stands decides which one counts.
 */
import type { Span } from "../../grammar/text/source-text.ts";
import type { PoolManifest } from "../../runtime/contract/manifest.ts";
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { printShape } from "../types/dimension.ts";
import type { PatternShape, WeightExpression } from "./checked-module.ts";

export type NumberType = "int" | "real" | "ratio" | "bool";

/** Why a tensor cannot stand where it stands, reported only when it has to. */
export interface Obstacle {
  readonly kind: "obstacle";
  /** `source`: an argument that is not frozen; `operation`: something of the other world; `broken`: reported already. */
  readonly reason: "source" | "operation" | "broken";
  readonly text: string;
  readonly span: Span;
}

export interface NumberValue {
  readonly kind: "number";
  readonly type: NumberType;
  readonly expression: NumberExpression;
  /** True for what was given as a real number: its quotients need not be whole, whatever it is computed from. */
  readonly isReal?: boolean;
  /** True for a phase: a number 1 or 0 that may stand where a condition does. */
  readonly isCondition?: boolean;
}

export interface TensorValue {
  readonly kind: "tensor";
  /** Canonical; 1 (vector), 2 (matrix) or 3 (stacked matrices) of them. */
  readonly dimensions: readonly NumberExpression[];
  readonly weight: WeightExpression | Obstacle;
  readonly recipe: Recipe | Obstacle;
  /** The tensor itself, when the expression is only its name. */
  readonly leaf: string | null;
  readonly span: Span;
}

/** A matrix that fits any size: `identity`, `P(b)`. */
export interface FlexibleValue {
  readonly kind: "flexible";
  readonly text: string;
  readonly at: (size: NumberExpression) => TensorValue;
  readonly span: Span;
}

/** A named pattern; its size may still be open. */
export interface PatternValue {
  readonly kind: "pattern";
  readonly name: string;
}

/** `mask M[n]: …`: n patterns `M[0]` … `M[n - 1]`, each chosen by itself. */
export interface FamilyValue {
  readonly kind: "family";
  readonly name: string;
  readonly count: number;
}

/** Rows and columns of the matrix that positions belong to; null where only the use says. */
export type OpenShape = readonly [NumberExpression | null, NumberExpression | null];

/** What positions are chosen for, once its size is known. */
export interface SelectionTarget {
  /** The pattern that gets a name. */
  readonly name: string;
  readonly shape: PatternShape;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  /** True for a part of a combination: it cannot read its count from the target. */
  readonly isPart: boolean;
}

/** How the positions of a target are computed at load, and how many there are. */
export interface Choice {
  readonly recipe: Recipe | Obstacle;
  /** Exact, or an estimate where only the data know. */
  readonly count: NumberExpression;
  readonly measured: boolean;
  readonly pool: PoolManifest | null;
}

/** Whole rows or columns, and how many. */
export interface Lines {
  readonly axis: "row" | "column";
  readonly count: NumberExpression;
}

/** Positions chosen by a recipe, before a mask or a support gives them a name. */
export interface SelectionValue {
  readonly kind: "selection";
  /** As messages call it: `topk`. */
  readonly text: string;
  readonly shape: OpenShape;
  /** Named patterns that it combines, which have its shape. */
  readonly patterns: readonly string[];
  readonly lines: Lines | null;
  /** Null after a report: the target's kind does not fit. */
  readonly choose: (target: SelectionTarget) => Choice | null;
  readonly span: Span;
}

/** Tiles [height, width] that lie side by side. */
export interface TilePool {
  readonly height: number;
  readonly width: number;
}

type NamedPool = "row" | "column" | "matrix" | "group" | "model";
export type Pool = NamedPool | TilePool;

/** The word after `pool:`. */
export interface PoolValue {
  readonly kind: "pool";
  readonly pool: Pool;
}

/** Numbers of any shape: a distribution. */
export interface DistributionValue {
  readonly kind: "distribution";
  readonly recipe: Recipe | Obstacle;
  readonly span: Span;
}

/** The factors of a factorization, taken apart by `init L, R = …`. */
export interface FactorsValue {
  readonly kind: "factors";
  readonly intrinsic: string;
  readonly count: number;
  /** The recipe and its parts; `blocks` is that of the first param, for factorizations that leave it open. */
  readonly resolve: (blocks: NumberExpression | null) => {
    readonly recipe: Recipe | Obstacle;
    readonly outputs: readonly FactorShape[];
  };
  readonly span: Span;
}

export interface FactorShape {
  readonly structure: "dense" | "blockdiag";
  readonly dimensions: readonly [NumberExpression, NumberExpression];
  readonly blocks: NumberExpression | null;
}

/** Stands for what was wrong and has been reported; silences everything that follows from it. */
export interface PoisonValue {
  readonly kind: "poison";
}

export type Value =
  | NumberValue
  | TensorValue
  | FlexibleValue
  | PatternValue
  | FamilyValue
  | SelectionValue
  | DistributionValue
  | FactorsValue
  | PoolValue
  | PoisonValue;

export const poolWords: readonly NamedPool[] = ["row", "column", "matrix", "group", "model"];

/** A pool as the language writes it. */
export const poolText = (pool: Pool): string =>
  typeof pool === "string" ? pool : `block(${pool.height}, ${pool.width})`;

/** The pool that a word names, or null. */
export const poolNamed = (word: string): PoolValue | null => {
  const pool = poolWords.find((candidate) => candidate === word);
  return pool === undefined ? null : { kind: "pool", pool };
};

/** A number that may stand where a condition does. */
export const isCondition = (value: Value): value is NumberValue =>
  value.kind === "number" && (value.type === "bool" || value.isCondition === true);

export const poison: PoisonValue = { kind: "poison" };

export const isObstacle = (reading: { readonly kind: string }): reading is Obstacle =>
  reading.kind === "obstacle";

/** A number is the name, the operation or the value: what a message calls it. */
export function describeValue(value: Value): string {
  switch (value.kind) {
    case "number":
      return value.type === "bool" ? "a condition" : `the number \`${printNumber(value.expression)}\``;
    case "tensor":
      return value.dimensions.length === 2
        ? `a matrix ${printShape(value.dimensions)}`
        : `a tensor ${printShape(value.dimensions)}`;
    case "flexible":
      return `the matrix \`${value.text}\``;
    case "pattern":
      return `the pattern \`${value.name}\``;
    case "family":
      return `a family of ${value.count} patterns`;
    case "selection":
      return "a selection of positions";
    case "distribution":
      return "a distribution";
    case "factors":
      return "several factors";
    case "pool":
      return `the pool \`${value.pool}\``;
    case "poison":
      return "something unknown";
  }
}

/** Messages point at where a value is used, not to where it comes from. */
export const usedAt = (value: Value, span: Span): Value => ("span" in value ? { ...value, span } : value);
