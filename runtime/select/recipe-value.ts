/** What recipes read and give, and what an intrinsic sees of its call. */

import type { SymbolLookup } from "../contract/number-expression.ts";
import type { LinePool } from "../contract/recipe.ts";
import type { Multiply, MultiplySingle } from "../linalg/form-product.ts";
import type { RandomStream } from "../random/philox.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import type { Pattern } from "./pattern.ts";
import type { RecipeTarget } from "./recipe-target.ts";
import type { SelectionPasses } from "./select-by-passes.ts";

export type RecipeValue =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "tensor"; readonly name: string; readonly tensor: DenseTensor }
  | { readonly kind: "pattern"; readonly pattern: Pattern }
  | { readonly kind: "outputs"; readonly values: readonly RecipeValue[] };

/** Kernels of an artefact, asked for when a recipe runs that needs one. */
export interface RecipeKernels {
  /** Who forms large products; null where loops have to. */
  readonly multiply: () => Multiply | null;
  /** The same in single precision, for work on all entries of a weight that is repeated until it settles. */
  readonly multiplySingle: () => MultiplySingle | null;
  /** Who makes the passes of selections. */
  readonly select: () => SelectionPasses;
}

/** What recipes of one layer read; without kernels loops do all the work. */
export interface RecipeSources extends Partial<RecipeKernels> {
  readonly symbols: SymbolLookup;
  /** An argument tensor, or the initial value of a parameter, dense. */
  tensor(name: string): DenseTensor;
  pattern(name: string): Pattern;
  readonly seed: number;
  /** Key of the random streams beside the target's name. */
  readonly layer: string;
  /** Results of calls that do not depend on their target. */
  readonly computed: Map<string, RecipeValue>;
}

/** What an intrinsic sees: its operands, evaluated, and where it stands. */
export interface Call {
  readonly target: RecipeTarget;
  tensor(operand: string): { readonly name: string; readonly tensor: DenseTensor };
  number(operand: string): number;
  /** Null when the call has no such operand. */
  optionalNumber(operand: string): number | null;
  pattern(operand: string): Pattern;
  /** See `Recipe`. */
  readonly pool: LinePool | null;
  /** All operands as tensors, in the order of the declaration. */
  readonly tensors: () => readonly DenseTensor[];
  /** See `RecipeKernels`. */
  readonly multiply: () => Multiply | null;
  readonly multiplySingle: () => MultiplySingle | null;
  /** See `RecipeKernels`; null without any. */
  readonly select: () => SelectionPasses | null;
  /** The stream of random numbers of this call. */
  readonly stream: () => RandomStream;
}
