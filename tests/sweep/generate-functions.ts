/** Calls of functions. A function is a formula over the shapes of its formals; a program declares those it calls. */

import { sameDimension } from "../../compiler/types/dimension.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { type Draft, type Place, scaleFactor } from "./draft.ts";
import type { Expression, FunctionDeclaration, Shape } from "./program.ts";

const [m, k, n] = [symbol("m"), symbol("k"), symbol("n")];
const whole = (name: string): Shape & { name: string } => ({ name, rows: m, columns: n });

const add = (a: Expression, b: Expression): Expression => ({
  ...shapeOf(a),
  kind: "sum",
  terms: [a, b],
  minus: [false, false],
});
const times = (a: Expression, b: Expression): Expression => ({
  kind: "product",
  factors: [a, b],
  rows: a.rows,
  columns: b.columns,
});
const scaled = (factor: NumberExpression, operand: Expression): Expression => ({
  ...shapeOf(operand),
  kind: "scale",
  factor,
  side: "left",
  operand,
});
const turned = (operand: Expression): Expression => ({
  kind: "transpose",
  operand,
  rows: operand.columns,
  columns: operand.rows,
});
const shapeOf = ({ rows, columns }: Shape): Shape => ({ rows, columns });

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no operand ${index}`);
  return item;
}

const blend: FunctionDeclaration = {
  name: "blend",
  formals: [whole("A"), whole("B")],
  numbers: ["s"],
  body: (operands, numbers) => add(at(operands, 0), scaled(at(numbers, 0), at(operands, 1))),
};
const lowRank: FunctionDeclaration = {
  name: "low_rank",
  formals: [
    { name: "B", rows: m, columns: k },
    { name: "A", rows: k, columns: n },
  ],
  numbers: ["alpha"],
  body: (operands, numbers) =>
    scaled(apply("/", at(numbers, 0), number(4)), times(at(operands, 0), at(operands, 1))),
};
/** Calls another one. */
const updated: FunctionDeclaration = {
  name: "updated",
  formals: [whole("W"), { name: "B", rows: m, columns: k }, { name: "A", rows: k, columns: n }],
  numbers: ["alpha"],
  body: ([W, B, A], numbers) => {
    if (W === undefined || B === undefined || A === undefined) throw new RangeError("three operands");
    const inner: Expression = {
      kind: "call",
      function: lowRank,
      operands: [B, A],
      numbers,
      rows: B.rows,
      columns: A.columns,
    };
    return add(W, inner);
  },
};
const symmetric: FunctionDeclaration = {
  name: "symmetric",
  formals: [{ name: "A", rows: n, columns: n }],
  numbers: [],
  body: (operands) => add(at(operands, 0), turned(at(operands, 0))),
};

/** A call that has the shape of `place`. */
export function callProduction(
  { random }: Draft,
  place: Place,
  generate: (shape: Shape) => Expression,
  inner: NumberExpression,
): Expression {
  const { rows, columns } = place;
  const factors = (): [Expression, Expression] => [
    generate({ rows, columns: inner }),
    generate({ rows: inner, columns }),
  ];
  const choice = random.below(sameDimension(rows, columns) ? 4 : 3);
  if (choice === 0)
    return {
      kind: "call",
      function: blend,
      operands: [generate(place), generate(place)],
      numbers: [scaleFactor(random)],
      rows,
      columns,
    };
  if (choice === 1)
    return {
      kind: "call",
      function: lowRank,
      operands: factors(),
      numbers: [scaleFactor(random)],
      rows,
      columns,
    };
  if (choice === 2) {
    const operands = [generate(place), ...factors()];
    return { kind: "call", function: updated, operands, numbers: [symbol("alpha")], rows, columns };
  }
  return { kind: "call", function: symmetric, operands: [generate(place)], numbers: [], rows, columns };
}
