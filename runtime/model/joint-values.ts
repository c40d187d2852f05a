/**
 * Values that several layers of a model have in common: one array under a key that says all that its value depends
 * on. A layer that changes it counts the change, and the others see by the count that they have to pack anew; nobody
 * has to know the other layers, which may be gone.
 */
import type { ComputedTensorManifest } from "../contract/manifest.ts";
import { evaluateNumber, type SymbolValues } from "../contract/number-expression.ts";
import type { Recipe } from "../contract/recipe.ts";
import type { FrozenTensor } from "./frozen-values.ts";

export interface JointParameter {
  readonly values: Float32Array;
  /** How often a layer has said that it changed them. */
  changes: number;
}

export interface JointValues {
  readonly parameters: Map<string, JointParameter>;
  readonly frozen: Map<string, FrozenTensor>;
}

export const createJointValues = (): JointValues => ({ parameters: new Map(), frozen: new Map() });

/** The transform, the tensor, its shape, all numbers of its recipe, and the seed. */
export function jointKey(
  transform: string,
  { name, dimensions, recipe }: ComputedTensorManifest,
  symbols: SymbolValues,
  seed: number,
): string {
  const shape = dimensions.map((size) => evaluateNumber(size, symbols));
  return JSON.stringify([transform, name, shape, numbersOf(recipe, symbols), seed]);
}

function numbersOf(recipe: Recipe, symbols: SymbolValues): number[] {
  switch (recipe.kind) {
    case "number":
      return [evaluateNumber(recipe.value, symbols)];
    case "call":
      return Object.values(recipe.operands).flatMap((operand) => numbersOf(operand, symbols));
    case "output":
      return numbersOf(recipe.of, symbols);
    default:
      return [];
  }
}
