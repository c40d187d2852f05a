/** Rules of each kind of loop expression, as data; verify-loop asks them and those that need to know what is in scope. */
import { f32x16, i32x16, isFloat, typeOf } from "./loop-expression.ts";
import type { LoopExpression, ValueType } from "./loop-node.ts";

/** Whether both have one scalar and as many lanes. */
export const sameType = (a: ValueType, b: ValueType): boolean => a.scalar === b.scalar && a.lanes === b.lanes;
/** Whether it is one `i64`. */
export const isIndex = (node: LoopExpression): boolean => sameType(typeOf(node), { scalar: "i64", lanes: 1 });
const isInteger = ({ scalar }: ValueType): boolean => scalar === "i32" || scalar === "i64";
/** What must hold of a kind of expression, in words and as a question. */
export type ExpressionRule<Kind extends LoopExpression["kind"]> = readonly (readonly [
  string,
  (node: Extract<LoopExpression, { kind: Kind }>) => boolean,
])[];

/** Rule → whether the node keeps it, for each kind of expression. */
export const expressionRules: { readonly [Kind in LoopExpression["kind"]]: ExpressionRule<Kind> } = {
  constant: [
    [
      "an integer literal is a natural number",
      (node) => !isInteger(node.type) || (Number.isSafeInteger(node.value) && node.value >= 0),
    ],
  ],
  vector: [
    [
      "an integer literal is a natural number",
      (node) =>
        isFloat(node.scalar) || node.values.every((value) => Number.isSafeInteger(value) && value >= 0),
    ],
  ],
  symbol: [],
  read: [],
  unary: [
    [
      "bits of integers are counted, roots of floats are taken",
      (node) =>
        node.operator === "popcount" ? isInteger(typeOf(node.value)) : isFloat(typeOf(node.value).scalar),
    ],
  ],
  binary: [
    ["both sides have one type", (node) => sameType(typeOf(node.left), typeOf(node.right))],
    [
      "bits are combined in integers or truths",
      (node) => !["and", "or"].includes(node.operator) || !isFloat(typeOf(node.left).scalar),
    ],
    [
      "integers are shifted",
      (node) => !["shl", "shr"].includes(node.operator) || isInteger(typeOf(node.left)),
    ],
  ],
  compare: [["both sides have one type", (node) => sameType(typeOf(node.left), typeOf(node.right))]],
  select: [
    ["the condition is a truth", (node) => typeOf(node.condition).scalar === "bool"],
    ["both sides have one type", (node) => sameType(typeOf(node.whenTrue), typeOf(node.whenFalse))],
    [
      "the condition is one truth or one for each lane",
      (node) => [1, typeOf(node.whenTrue).lanes].includes(typeOf(node.condition).lanes),
    ],
  ],
  fma: [
    [
      "the operands are floats of one type",
      (node) =>
        isFloat(typeOf(node.a).scalar) &&
        sameType(typeOf(node.a), typeOf(node.b)) &&
        sameType(typeOf(node.a), typeOf(node.c)),
    ],
  ],
  "pair-dot": [
    [
      "pairs of 16 lanes are multiplied and added to 16 floats",
      (node) =>
        [node.a, node.b].every((pairs) => sameType(typeOf(pairs), i32x16)) &&
        sameType(typeOf(node.c), f32x16),
    ],
  ],
  "round-pairs": [
    [
      "two vectors of 16 floats are rounded",
      (node) => [node.low, node.high].every((half) => sameType(typeOf(half), f32x16)),
    ],
  ],
  load: [
    ["the place is an index", (node) => isIndex(node.index)],
    ["the count is an index", (node) => node.count === null || isIndex(node.count)],
  ],
  splat: [["a number is repeated", (node) => typeOf(node.value).lanes === 1]],
  convert: [
    [
      "the conversion exists",
      (node) =>
        [
          ["i32", "i64"],
          ["i64", "i32"],
          ["i32", "f32"],
        ].some(([from, to]) => from === typeOf(node.value).scalar && to === node.to),
    ],
  ],
  reinterpret: [["bits of an i32 are read", (node) => typeOf(node.value).scalar === "i32"]],
  mask: [["truths become bits", (node) => typeOf(node.value).scalar === "bool"]],
  permute: [
    [
      "the table is f32x16 or f32x4",
      (node) => typeOf(node.table).scalar === "f32" && [4, 16].includes(typeOf(node.table).lanes),
    ],
    ["the index is i32x16", (node) => sameType(typeOf(node.index), { scalar: "i32", lanes: 16 })],
  ],
  shuffle: [
    ["both sides have one type", (node) => sameType(typeOf(node.left), typeOf(node.right))],
    [
      "the lanes exist",
      (node) => node.lanes.every((lane) => lane >= 0 && lane < 2 * typeOf(node.left).lanes),
    ],
  ],
  extract: [["the lane exists", (node) => node.lane >= 0 && node.lane < typeOf(node.value).lanes]],
};
