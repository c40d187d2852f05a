/** Shapes that fit, and the error for those that do not, which no compiled source meets. */
import { SpxError } from "../errors.ts";
import { columnsOf, type MatrixValue, rowsOf } from "../formats/matrix-value.ts";

/** @throws SpxError SPX8405 unless all have one shape. */
export function sameShape(operation: string, matrices: readonly MatrixValue[]): readonly MatrixValue[] {
  const [first] = matrices;
  const same = matrices.every(
    (matrix) =>
      first !== undefined && rowsOf(matrix) === rowsOf(first) && columnsOf(matrix) === columnsOf(first),
  );
  if (!same) throw misfit(operation, matrices);
  return matrices;
}

/** @throws SpxError SPX8405 unless each factor has as many columns as the next has rows. */
export function conforming(factors: readonly MatrixValue[]): readonly MatrixValue[] {
  const fits = factors.every((factor, index) => {
    const next = factors[index + 1];
    return next === undefined || columnsOf(factor) === rowsOf(next);
  });
  if (!fits) throw misfit("product", factors);
  return factors;
}

export function misfit(operation: string, matrices: readonly MatrixValue[]): SpxError {
  const shapes = matrices.map((matrix) => `[${rowsOf(matrix)}, ${columnsOf(matrix)}]`).join(" and ");
  return new SpxError("SPX8405", `the ${operation} of matrices ${shapes} has no meaning`, {
    facts: { operation, shapes },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}
