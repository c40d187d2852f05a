/** A program under construction: what it has declared, and the numbers that any program may read. */
import { sameDimension } from "../../compiler/types/dimension.ts";
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  number,
  symbol,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import type {
  Expression,
  NumberArgument,
  PatternDeclaration,
  Schedule,
  Shape,
  TensorDeclaration,
} from "./program.ts";
import type { Random } from "./random.ts";

/** What a program under construction has declared so far. */
export interface Draft {
  readonly random: Random;
  /** The shape of the weight. */
  readonly weight: Shape;
  readonly tensors: TensorDeclaration[];
  readonly patterns: PatternDeclaration[];
  readonly lets: (Expression & { kind: "let" })[];
  readonly schedules: Schedule[];
  /** Whether functions may be written, whose values float32 rounds. */
  readonly mayRound: boolean;
  /** Whether numbers and patterns may change with the clocks. */
  readonly followsClocks: boolean;
  /** Nodes that may still be made. */
  budget: number;
  names: number;
}

/** Where an expression stands. */
export interface Place extends Shape {
  readonly depth: number;
  /** Variables of the sums around it, with their counts. */
  readonly loops: readonly { readonly variable: string; readonly count: NumberExpression }[];
}

export const freshName = (draft: Draft, prefix: string): string => `${prefix}${draft.names++}`;

export const numberArguments: readonly NumberArgument[] = [
  { name: "r", type: "int", byDefault: 4, values: [1, 2, 3, 4, 4, 5, 16, 17] },
  { name: "q", type: "int", byDefault: 2, values: [1, 2, 4, 8] },
  { name: "b", type: "int", byDefault: 2, values: [1, 2, 3, 4] },
  { name: "alpha", type: "real", byDefault: 2, values: [-2, 0.5, 1, 2, 3] },
  { name: "keep", type: "ratio", byDefault: 0.5, values: [0, 0.125, 0.25, 0.5, 1] },
  { name: "c", type: "const int", byDefault: 2, values: [2] },
];
const defaults: ReadonlyMap<string, number> = new Map(
  numberArguments.map(({ name, byDefault }) => [name, byDefault]),
);

/** Whether `by` may divide `side`: a program whose defaults break it is refused. */
export const mayDivide = (side: NumberExpression, by: number): boolean =>
  symbolsOf(side).some((name) => !defaults.has(name)) || evaluateNumber(side, defaults) % by === 0;

export const dimensionNames = ["m", "n", "k"];

export const isNumber = (side: NumberExpression): side is NumberExpression & { kind: "number" } =>
  side.kind === "number";

const factors: readonly ((random: Random) => NumberExpression)[] = [
  (random) => number(random.pick([2, 3, 0.5, 0.25, -1, 1, 4])),
  () => symbol("alpha"),
  () => apply("/", symbol("alpha"), symbol("q")),
  () => apply("*", symbol("alpha"), number(0.5)),
  () => apply("neg", symbol("alpha")),
  () => apply("+", symbol("q"), number(1)),
  () => apply("-", symbol("r"), symbol("q")),
  () => apply("*", symbol("q"), symbol("alpha")),
  () => apply("/", number(1), symbol("q")),
  () => apply("*", symbol("c"), symbol("alpha")),
  () => apply("max", symbol("q"), number(3)),
];
export const scaleFactor = (random: Random): NumberExpression => random.pick(factors)(random);

export const sameShape = (a: Shape, b: Shape): boolean =>
  sameDimension(a.rows, b.rows) && sameDimension(a.columns, b.columns);

/** side / by, written as a number where it is one; null where it never divides. */
export function quotient(side: NumberExpression, by: number): NumberExpression | null {
  if (by === 1) return side;
  if (!mayDivide(side, by)) return null;
  return isNumber(side) ? number(side.value / by) : apply("/", side, number(by));
}

/** What a dense tensor does not have. */
export const bare = { stack: null, support: null, blocks: null, formula: null } as const;

/** A tensor with a name of its own; of a parameter also what it starts with. */
export function declare(
  draft: Draft,
  tensor: Omit<TensorDeclaration, "name">,
  prefix: string,
): TensorDeclaration {
  const { random } = draft;
  const isShared =
    tensor.role === "param" &&
    tensor.support === null &&
    typeof tensor.start !== "object" &&
    random.chance(0.1);
  const isOpen = tensor.role === "param" && tensor.start === undefined;
  const start = isOpen ? startOf(draft, tensor, isShared) : undefined;
  const made = {
    isShared,
    ...tensor,
    ...(start === undefined ? {} : { start }),
    name: freshName(draft, prefix),
  };
  draft.tensors.push(made);
  return made;
}

function startOf(
  draft: Draft,
  { structure, stack, rows, columns }: Omit<TensorDeclaration, "name">,
  isShared: boolean,
): TensorDeclaration["start"] {
  const { random } = draft;
  const choice = random.below(8);
  if (choice === 0) return random.pick([0.5, 2, -1]);
  const isMatrix = stack === null && (structure === "dense" || structure === "sparse");
  if (choice > 1 || isShared || !isMatrix) return undefined;
  return declare(draft, { role: "source", structure: "dense", rows, columns, ...bare }, "X");
}
