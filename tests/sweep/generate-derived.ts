/**
 * Parts of the weight that are no sums and products: functions, quotients, norms, trained numbers. Their operands stay
 * away from what has no derivative and no bound: kinks, zeros under a division, large exponents.
 */
import { sameDimension } from "../../compiler/types/dimension.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { bare, type Draft, declare, freshName, isNumber, mayDivide, type Place } from "./draft.ts";
import { leafOf, quantizedLeaf } from "./generate-leaves.ts";
import type { Expression, MapName, Shape, TensorDeclaration } from "./program.ts";

/** A dense tensor of the weight: no entry of it is zero. */
function denseLeaf(draft: Draft, { rows, columns }: Shape): Expression {
  const role = draft.random.chance(0.75) ? "param" : "frozen";
  return leafOf(
    declare(draft, { role, structure: "dense", rows, columns, ...bare }, role === "param" ? "A" : "W"),
  );
}

const mapOf = (name: MapName, operand: Expression): Expression => ({
  kind: "map",
  function: name,
  operand,
  rows: operand.rows,
  columns: operand.columns,
});

/** A matrix without rows or columns of zeros: a tensor, a sum of two, a product by entries with a sigmoid. */
function fullMatrix(draft: Draft, place: Place): Expression {
  const { random } = draft;
  const { rows, columns } = place;
  const first = denseLeaf(draft, place);
  const choice = random.below(4);
  if (choice === 0) {
    const terms = [first, denseLeaf(draft, place)];
    return { kind: "sum", terms, minus: [false, random.chance(0.3)], rows, columns };
  }
  if (choice === 1)
    return { kind: "hadamard", factors: [first, mapOf("sigmoid", denseLeaf(draft, place))], rows, columns };
  if (choice === 2) {
    const inner = random.pick([symbol("r"), number(2), number(3)]);
    const factors = [
      { rows, columns: inner },
      { rows: inner, columns },
    ].map((shape) => denseLeaf(draft, shape));
    return { kind: "product", factors, rows, columns };
  }
  return first;
}

const vectorOf = (draft: Draft, rows: NumberExpression): TensorDeclaration =>
  declare(draft, { role: "param", structure: "vector", rows, columns: rows, ...bare }, "v");

/** `v[i] * operand`, by the variable of the sum around it or by a number. */
function trainedNumber(draft: Draft, place: Place, operand: Expression): Expression {
  const { random } = draft;
  const around = place.loops.at(-1);
  const count = random.pick([1, 2, 3]);
  const vector = vectorOf(draft, around?.count ?? number(count));
  return {
    kind: "entry",
    vector,
    index: around?.variable ?? random.below(count),
    isShare: random.chance(0.4),
    operand,
    rows: place.rows,
    columns: place.columns,
  };
}

/** @param generate any expression of the shape of `place`. */
export function derivedProduction(draft: Draft, place: Place, generate: () => Expression): Expression {
  const { random } = draft;
  const { rows, columns } = place;
  if (sameDimension(rows, columns) && random.chance(0.6)) return squareFunction(draft, place);
  switch (random.below(11)) {
    case 0:
      return mapOf(random.pick(["sigmoid", "tanh", "softmax"] as const), generate());
    case 8: {
      const positive = mapOf(random.pick(["sigmoid", "exp"] as const), denseLeaf(draft, place));
      return mapOf(random.pick(["log", "sqrt"] as const), positive);
    }
    case 9:
      return { kind: "ones", rows, columns };
    case 1:
      return mapOf(random.pick(["exp", "abs", "relu"] as const), denseLeaf(draft, place));
    case 2: {
      const divisor = mapOf(random.pick(["sigmoid", "exp"] as const), denseLeaf(draft, place));
      return { kind: "quotient", factors: [generate(), divisor], rows, columns };
    }
    case 3:
      return { kind: "detach", operand: generate(), rows, columns };
    case 4: {
      const axis = random.pick(["row", "column"] as const);
      return {
        kind: "normed",
        axis,
        vector: vectorOf(draft, axis === "row" ? rows : columns),
        isDetached: random.chance(0.5),
        operand: named(draft, place, fullMatrix(draft, place)),
        rows,
        columns,
      };
    }
    case 5:
    case 10:
      return quantizedLeaf(draft, place);
    default:
      return trainedNumber(draft, place, generate());
  }
}

/** A function of square matrices. */
function squareFunction(draft: Draft, { rows, columns }: Place): Expression {
  const { random } = draft;
  const param = (height: NumberExpression, width: NumberExpression): TensorDeclaration =>
    declare(draft, { role: "param", structure: "dense", rows: height, columns: width, ...bare }, "K");
  const sizes = [2, 3, 4].filter((size) => mayDivide(rows, size));
  if (sizes.length > 0 && random.chance(0.35)) {
    const size = random.pick(sizes);
    const blocks = isNumber(rows) ? number(rows.value / size) : apply("/", rows, number(size));
    return { kind: "skew", tensor: param(blocks, number((size * (size - 1)) / 2)), size, rows, columns };
  }
  return {
    kind: "square",
    function: random.pick(["inverse", "cayley"] as const),
    tensor: param(rows, columns),
    isUpper: random.chance(0.4),
    rows,
    columns,
  };
}

/** With a name of its own where it stands in no sum. */
function named(draft: Draft, place: Place, value: Expression): Expression {
  if (place.loops.length > 0 || draft.random.chance(0.5)) return value;
  const { rows, columns } = value;
  return { kind: "let", name: freshName(draft, "let"), value, rows, columns };
}
