/**
 * Recipes: how a pattern or an initial value is computed at load. Plain JSON in the manifest.
 * A recipe is evaluated for a target (a named pattern or parameter with a known shape); distributions take
 * their shape and their random key (seed, layer name, target name) from it.
 */
import type { NumberExpression } from "./number-expression.ts";

export type Recipe =
  | { readonly kind: "number"; readonly value: NumberExpression }
  /** An argument tensor or a parameter's initial value, dense [rows, columns]. */
  | { readonly kind: "tensor"; readonly name: string }
  | { readonly kind: "pattern"; readonly name: string }
  | {
      readonly kind: "call";
      readonly intrinsic: IntrinsicName;
      readonly operands: Readonly<Record<string, Recipe>>;
      /** Chosen in each row, column or tile by itself, the count being that of one. Absent: among all entries. */
      readonly pool?: LinePool;
    }
  /** One of several results of a call, as in `init L, R = monarch_projection(W)`. */
  | { readonly kind: "output"; readonly index: number; readonly of: Recipe };

export type RecipeCall = Extract<Recipe, { readonly kind: "call" }>;

/** Every call of a recipe, outermost first. */
export function callsIn(recipe: Recipe): readonly RecipeCall[] {
  if (recipe.kind === "output") return callsIn(recipe.of);
  return recipe.kind === "call" ? [recipe, ...Object.values(recipe.operands).flatMap(callsIn)] : [];
}

export type LinePool = "row" | "column" | { readonly height: number; readonly width: number };

/** Those that choose positions. */
export type SelectionName =
  | "magnitude"
  | "topk"
  | "random_support"
  | "random"
  | "above"
  | "below"
  | "nonzero"
  | "all"
  | "diagonal"
  | "top_rows"
  | "top_columns"
  | "random_rows"
  | "random_columns"
  | "regrow"
  | "complement"
  | "intersection"
  | "union"
  | "permutation"
  | "row_selector"
  | "column_selector";

/**
 * What the runtime can compute. Operand names are those of the `intrinsic` declarations in stdlib/std.
 *
 * Selections (give positions; the kind of the target pattern says the granularity). Where a selection has a `keep`
 * and no `count` operand, its count is that of the target. Ties always go to the lowest row-major index.
 * - `magnitude(weight, keep, count?)`: unstructured: the round(keep * rows * columns) entries of largest |weight|;
 *   block: the round(keep * blocks) blocks of largest Frobenius norm; nm: the n largest of each group (keep unused).
 * - `topk(score, count)`: exactly `count` entries of largest score.
 * - `random_support(count)`, `random(keep, count?)`: distinct positions (or blocks, or n of each m), uniform, from the seed.
 * - `above(score, threshold)`, `below(score, threshold)`, `nonzero(of)`: as many as there are.
 * - `all()`: every position. `diagonal()`: the positions (i, i).
 * - `top_rows(score, count)`, `top_columns(score, count)`: whole rows or columns of largest score, a vector;
 *   `random_rows(count)`, `random_columns(count)`: whole ones at random.
 * - `complement(of)`, `intersection(left, right)`, `union(left, right)`: of patterns of one shape.
 * - `permutation(score)`: of a vector, one position a row: row i has the index of the i-th largest score as its column.
 * - `row_selector(of)`, `column_selector(of)`: of a pattern of whole rows or columns, one position for each of them:
 *   row i of the result has the i-th chosen row or column as its column.
 * - `regrow(of, keep, grow, fraction)`: of the pattern `of` the round(fraction * count) positions of smallest score
 *   `keep` go, and as many of largest score `grow` come from those that are not left.
 * Tensors: `row_sum(of)`, `column_sum(of)`, `row_norm(of)`, `column_norm(of)`: a vector, one number for each row or
 *   column; `scale_rows(value, by)`, `scale_columns(value, by)`: diag(by) value and value diag(by); `diagonal_matrix(entries)`; `abs`, `sparse_part(weight, rank, count, rounds)`: S of the alternating low-rank + sparse split
 *   W ≈ L + S with rank(L) <= rank and exactly `count` nonzeros in S.
 * - `slice(of, index)`: one matrix of a stack [count, rows, columns].
 * - `group_indicator()`: 1 at (i, j) where j lies in the i-th of as many equal groups of columns as there are rows.
 * Functions of tensors: `sigmoid`, `tanh`, `exp`, `log`, `sqrt`, `relu` of each entry,
 *   `softmax` of a vector or of each row, `inverse`, `detach` (the value itself), `quotient(left, right)` by entries;
 *   `ones(rows, columns?)`: a matrix, or a vector.
 * Distributions: `normal(mean, std)`, `uniform(low, high)`.
 * Factorizations with several outputs: `svd_factors(weight, rank)`: B = U sqrt(Σ), A = sqrt(Σ) Vᵀ truncated;
 *   `monarch_projection(weight, blocks)`: the two block-diagonal factors (L, R) nearest to `weight`;
 *   `trailing_svd(weight, rank)`: as `svd_factors`, of the smallest singular values;
 *   `context_svd`, `trailing_context_svd(weight, C, rank)`: B = U sqrt(Σ), A = sqrt(Σ) Vᵀ C⁻¹ of weight C, C damped;
 *   `weighted_svd(weight, left, right, rank)`: of diag(left) weight diag(right), the diagonals taken out again;
 *   `quantized_split(weight, rank, bits, block, rounds)` and `weighted_quantized_split(weight, left, right, …)`: B and
 *   A of weight ≈ Q + B A with Q on a normal float grid.
 * Others: `lstsq(A, B)`: the X of least norm that makes ‖A X - B‖ least;
 *   `normalized_spectrum(weight)`: [1, min(rows, columns)], the singular values, the largest as 1, the smallest as 0; `fourier_cosine(size)`,
 *   `fourier_sine(size)`: cos and sin of 2 π j k / size.
 * Algebra on dense tensors: `add`, `subtract`, `multiply` (elementwise), `scale(factor, value)`,
 *   `matmul`, `kron`, `transpose`. Two operands are `left` and `right` (of `multiply` the left may be a pattern), one is `value`.
 */
export type IntrinsicName =
  | SelectionName
  | "row_sum"
  | "column_sum"
  | "row_norm"
  | "column_norm"
  | "scale_rows"
  | "scale_columns"
  | "diagonal_matrix"
  | "abs"
  | "slice"
  | "sparse_part"
  | "group_indicator"
  | "normal"
  | "uniform"
  | "svd_factors"
  | "trailing_svd"
  | "context_svd"
  | "trailing_context_svd"
  | "weighted_svd"
  | "quantized_split"
  | "weighted_quantized_split"
  | "lstsq"
  | "normalized_spectrum"
  | "fourier_cosine"
  | "fourier_sine"
  | "monarch_projection"
  | "add"
  | "subtract"
  | "multiply"
  | "scale"
  | "matmul"
  | "kron"
  | "transpose"
  | "sigmoid"
  | "tanh"
  | "exp"
  | "log"
  | "sqrt"
  | "relu"
  | "softmax"
  | "inverse"
  | "detach"
  | "quotient"
  | "ones";
