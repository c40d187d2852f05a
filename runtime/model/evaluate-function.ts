/** The value of those matrix sources that are not sums and products: functions of entries and rows, inverses, repeats. */
import { keepsZero, type MatrixSource } from "../contract/matrix-source.ts";
import { evaluateNumber, type SymbolValues } from "../contract/number-expression.ts";
import { type MatrixValue, rowsOf } from "../formats/matrix-value.ts";
import { elementFunctions } from "../linalg/element-functions.ts";
import { type Chain, chainOf, rowDots, thinOrWhole } from "./matrix-chains.ts";
import {
  column,
  combineDense,
  entryAt,
  faceSplitting,
  filled,
  inverseOf,
  mapEntries,
  skewBlocks,
  softmaxRows,
  strictUpper,
} from "./matrix-functions.ts";
import { each, type Work } from "./product-work.ts";
import { conforming, sameShape } from "./source-shapes.ts";

/** The value of a part. */
export type Evaluate = (node: MatrixSource) => Work<MatrixValue>;

export type FunctionSource = Extract<
  MatrixSource,
  {
    kind:
      | "map"
      | "quotient"
      | "row-norm"
      | "row-softmax"
      | "entry"
      | "fill"
      | "ones"
      | "inverse"
      | "face-splitting"
      | "skew"
      | "strict-upper"
      | "detach";
  }
>;

/** @throws SpxError SPX8405 for shapes that do not fit, SPX8413 for a matrix without an inverse. */
export function* evaluateFunction(
  source: FunctionSource,
  evaluate: Evaluate,
  symbols: SymbolValues,
): Work<MatrixValue> {
  switch (source.kind) {
    case "map":
      return mapEntries(
        yield* evaluate(source.of),
        elementFunctions[source.function].value,
        keepsZero[source.function],
      );
    case "quotient": {
      const both = sameShape("quotient", yield* each([source.left, source.right], evaluate));
      return combineDense(both[0] as MatrixValue, both[1] as MatrixValue, (a, b) => a / b);
    }
    case "row-norm":
      return column(
        (yield* rowSquares(source.of, evaluate, symbols)).map((square) => Math.sqrt(Math.max(square, 0))),
      );
    case "row-softmax":
      return softmaxRows(yield* evaluate(source.of));
    case "entry":
      return entryAt(yield* evaluate(source.of), source.row, source.column);
    case "fill": {
      const value = entryAt(yield* evaluate(source.of), 0, 0).values[0] ?? Number.NaN;
      return filled(evaluateNumber(source.rows, symbols), evaluateNumber(source.columns, symbols), value);
    }
    case "ones":
      return filled(evaluateNumber(source.rows, symbols), evaluateNumber(source.columns, symbols), 1);
    case "inverse":
      return inverseOf(yield* evaluate(source.of));
    case "face-splitting":
      return faceSplitting(yield* evaluate(source.left), yield* evaluate(source.right));
    case "skew":
      return skewBlocks(yield* evaluate(source.of), evaluateNumber(source.size, symbols));
    case "strict-upper":
      return strictUpper(yield* evaluate(source.of));
    case "detach":
      return yield* evaluate(source.of);
  }
}

/** A matrix as a sum of products whose thin factors stay apart. */
export function* chainsOf(
  source: MatrixSource,
  evaluate: Evaluate,
  symbols: SymbolValues,
): Work<readonly Chain[]> {
  const inside = (node: MatrixSource): Work<readonly Chain[]> => chainsOf(node, evaluate, symbols);
  switch (source.kind) {
    case "sum":
      return (yield* each(source.terms, inside)).flat();
    case "product":
      return [yield* thinOrWhole(chainOf(...conforming(yield* each(source.factors, evaluate))))];
    case "scale": {
      const factor = evaluateNumber(source.factor, symbols);
      return (yield* inside(source.of)).map((chain) => ({ ...chain, scale: factor * chain.scale }));
    }
    case "detach":
      return yield* inside(source.of);
    default:
      return [chainOf(yield* evaluate(source))];
  }
}

/** Σⱼ x²ᵢⱼ of X = Σ Cₐ as Σ rowsum(Cₐ ⊙ C_b): the rows of W + B A without forming B A. */
function* rowSquares(source: MatrixSource, evaluate: Evaluate, symbols: SymbolValues): Work<Float64Array> {
  const chains = yield* chainsOf(source, evaluate, symbols);
  const squares = new Float64Array(rowsOf(chains[0]?.factors[0] as MatrixValue));
  for (const [index, left] of chains.entries()) {
    for (const [offset, right] of chains.slice(index).entries()) {
      const dots = yield* rowDots(left, right);
      for (const [row, dot] of dots.entries())
        squares[row] = (squares[row] ?? 0) + (offset === 0 ? dot : 2 * dot);
    }
  }
  return squares;
}
