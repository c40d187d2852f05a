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
import { conforming, sameShape } from "./source-shapes.ts";

/** The value of a part. */
export type Evaluate = (node: MatrixSource) => MatrixValue;

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
export function evaluateFunction(
  source: FunctionSource,
  evaluate: Evaluate,
  symbols: SymbolValues,
): MatrixValue {
  switch (source.kind) {
    case "map":
      return mapEntries(
        evaluate(source.of),
        elementFunctions[source.function].value,
        keepsZero[source.function],
      );
    case "quotient": {
      const both = sameShape("quotient", [evaluate(source.left), evaluate(source.right)]);
      return combineDense(both[0] as MatrixValue, both[1] as MatrixValue, (a, b) => a / b);
    }
    case "row-norm":
      return column(rowSquares(source.of, evaluate, symbols).map((square) => Math.sqrt(Math.max(square, 0))));
    case "row-softmax":
      return softmaxRows(evaluate(source.of));
    case "entry":
      return entryAt(evaluate(source.of), source.row, source.column);
    case "fill": {
      const value = entryAt(evaluate(source.of), 0, 0).values[0] ?? Number.NaN;
      return filled(evaluateNumber(source.rows, symbols), evaluateNumber(source.columns, symbols), value);
    }
    case "ones":
      return filled(evaluateNumber(source.rows, symbols), evaluateNumber(source.columns, symbols), 1);
    case "inverse":
      return inverseOf(evaluate(source.of));
    case "face-splitting":
      return faceSplitting(evaluate(source.left), evaluate(source.right));
    case "skew":
      return skewBlocks(evaluate(source.of), evaluateNumber(source.size, symbols));
    case "strict-upper":
      return strictUpper(evaluate(source.of));
    case "detach":
      return evaluate(source.of);
  }
}

/** A matrix as a sum of products whose thin factors stay apart. */
export function chainsOf(source: MatrixSource, evaluate: Evaluate, symbols: SymbolValues): readonly Chain[] {
  const inside = (node: MatrixSource): readonly Chain[] => chainsOf(node, evaluate, symbols);
  switch (source.kind) {
    case "sum":
      return source.terms.flatMap(inside);
    case "product":
      return [thinOrWhole(chainOf(...conforming(source.factors.map(evaluate))))];
    case "scale": {
      const factor = evaluateNumber(source.factor, symbols);
      return inside(source.of).map((chain) => ({ ...chain, scale: factor * chain.scale }));
    }
    case "detach":
      return inside(source.of);
    default:
      return [chainOf(evaluate(source))];
  }
}

/** Σⱼ x²ᵢⱼ of X = Σ Cₐ as Σ rowsum(Cₐ ⊙ C_b): the rows of W + B A without forming B A. */
function rowSquares(source: MatrixSource, evaluate: Evaluate, symbols: SymbolValues): Float64Array {
  const chains = chainsOf(source, evaluate, symbols);
  const squares = new Float64Array(rowsOf(chains[0]?.factors[0] as MatrixValue));
  chains.forEach((left, index) => {
    for (const [offset, right] of chains.slice(index).entries()) {
      const dots = rowDots(left, right);
      for (const [row, dot] of dots.entries())
        squares[row] = (squares[row] ?? 0) + (offset === 0 ? dot : 2 * dot);
    }
  });
  return squares;
}
