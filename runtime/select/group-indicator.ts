/** The matrix that adds up groups of neighbouring inputs: as many equal groups of columns as there are rows. */
import { SpxError } from "../errors.ts";

/** 1 at (i, j) where column j lies in group i, else 0; row-major. @throws SpxError SPX8405 when groups are not equal. */
export function groupIndicator(name: string, shape: readonly number[]): Float32Array {
  const [rows = 0, columns = 0] = shape;
  if (shape.length !== 2 || (rows > 0 && columns % rows !== 0)) {
    throw new SpxError("SPX8405", `\`${name}\` [${shape.join(", ")}] has no equal groups of columns`, {
      facts: { name, shape },
      help: "give it a number of columns that is a multiple of the number of rows",
    });
  }
  const values = new Float32Array(rows * columns);
  const size = columns / Math.max(rows, 1);
  for (let column = 0; column < columns; column++) values[Math.floor(column / size) * columns + column] = 1;
  return values;
}
