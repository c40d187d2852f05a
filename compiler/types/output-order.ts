/** How a permuted output lies in memory where a lane is an output: what prices and kernels have to agree about. */
import { apply, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import { sameDimension } from "./dimension.ts";

/**
 * `lines` of 16 rows; `strips`, in which the same row of 16 neighbouring blocks makes a line, as P (I ⊗ B) has them;
 * `singles`, each in another place.
 */
export type OutputOrder = "lines" | "strips" | "singles";

/**
 * @param permutation what is applied to the sums, as P(stride) of `size` numbers.
 * @param operand of the step's first term.
 */
export function outputOrder(
  permutation: { readonly size: NumberExpression; readonly stride: NumberExpression } | null,
  operand: { readonly rows: NumberExpression; readonly format: OperandFormat } | undefined,
): OutputOrder {
  if (permutation === null) return "lines";
  if (operand?.format.name !== "blockdiag16") return "singles";
  const blockRows = apply("/", operand.rows, operand.format.blocks);
  const period = apply("/", permutation.size, permutation.stride);
  return sameDimension(period, blockRows) ? "strips" : "singles";
}
