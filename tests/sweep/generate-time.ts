/** What of generated programs follows the clocks: schedules, phases, and patterns that are chosen again. */
import {
  apply,
  evaluateNumber,
  type NumberExpression,
  number,
  symbol,
} from "../../runtime/contract/number-expression.ts";
import { type Draft, freshName, sameShape } from "./draft.ts";
import type {
  PatternDeclaration,
  Refresh,
  Schedule,
  Selection,
  Sizes,
  TensorDeclaration,
} from "./program.ts";

const [step, progress] = [symbol("step"), symbol("progress")];

/** Clocks at which layers are compared: values of schedules are then short binary fractions. */
export const clockChoices = { step: [0, 1, 2, 3, 4, 6, 8], progress: [0, 0.25, 0.5, 0.75, 1] } as const;

type Made = Omit<Schedule, "name">;

const clamped = (value: NumberExpression): NumberExpression =>
  apply("min", apply("max", value, number(0)), number(1));
const plain = (type: Made["type"], value: NumberExpression): Made => ({ type, value, text: null });

const numbers: readonly (() => Made)[] = [
  () => plain("real", apply("*", symbol("alpha"), apply("-", number(1), progress))),
  () => plain("int", apply("+", apply("floor", apply("/", step, number(2))), symbol("q"))),
  () => ({
    type: "real",
    value: apply("+", number(1), apply("*", number(2), clamped(apply("/", step, number(4))))),
    text: "linear(1, 3, over(step, 0, 4))",
  }),
  () => ({
    type: "int",
    value: apply("min", apply("floor", apply("/", step, number(2))), number(2)),
    text: "frame(step, 2, 3)",
  }),
];

const phases: readonly (() => Made)[] = [
  () => plain(null, apply(">=", step, number(2))),
  () => plain(null, apply("and", apply("<", progress, number(0.5)), apply(">=", step, number(1)))),
];

const cube = (value: NumberExpression): NumberExpression => apply("pow", value, number(3));

const shares: readonly (() => Made)[] = [
  () => plain("ratio", apply("*", progress, number(0.5))),
  () => plain("ratio", apply("-", number(1), progress)),
  () => ({
    type: "ratio",
    value: apply("+", number(0.5), apply("*", number(0.5), cube(apply("-", number(1), progress)))),
    text: "cubic(1, 0.5, progress)",
  }),
];

function declared(draft: Draft, choices: readonly (() => Made)[], mayReuse: boolean): NumberExpression {
  const { random, schedules } = draft;
  const types = new Set(choices.map((make) => make().type));
  const known = schedules.filter(({ type }) => types.has(type));
  if (mayReuse && known.length > 0 && random.chance(0.4)) return symbol(random.pick(known).name);
  const name = freshName(draft, "s");
  schedules.push({ ...random.pick(choices)(), name });
  return symbol(name);
}

/** A factor that follows the clocks. */
export function scheduledFactor(draft: Draft): NumberExpression {
  const { random } = draft;
  const choice = random.below(5);
  if (choice === 0) return apply("+", number(0.5), declared(draft, phases, true));
  if (choice === 1) {
    const earlier = declared(draft, numbers, true);
    const name = freshName(draft, "s");
    draft.schedules.push({ name, ...plain("real", apply("+", earlier, number(1))) });
    return symbol(name);
  }
  return declared(draft, choice === 2 ? shares : numbers, true);
}

/** A number from 0 to 1, a schedule now and then. */
const share = (draft: Draft): NumberExpression =>
  draft.random.chance(0.5) ? declared(draft, shares, true) : number(draft.random.pick([0.25, 0.5, 1]));

/** @param of what the selection reads: a parameter as it is then, or a tensor that does not change. */
function again(
  draft: Draft,
  { shape, rows, columns }: Pick<PatternDeclaration, "shape" | "rows" | "columns">,
  of: TensorDeclaration,
): Selection {
  const { random } = draft;
  if (shape.kind !== "unstructured")
    return { kind: "magnitude", of, keep: shape.kind === "nm" ? null : share(draft), pool: null };
  const part = (selection: Selection): PatternDeclaration => ({
    name: "",
    shape,
    mode: null,
    selection,
    refresh: null,
    family: null,
    rows,
    columns,
  });
  // The gradient of the weight has its shape.
  const by = sameShape(draft.weight, { rows, columns }) ? null : of;
  const choices: readonly (() => Selection)[] = [
    () => ({
      kind: "magnitude",
      of,
      keep: share(draft),
      pool: random.chance(0.3) ? random.pick(["row", "column"] as const) : null,
    }),
    () => ({ kind: "topk", of, count: number(1), pool: null }),
    () => ({ kind: "above", of, threshold: number(0) }),
    () => ({ kind: "within", parts: [part({ kind: "magnitude", of, keep: share(draft), pool: null })] }),
    () => ({ kind: "regrow", of, by, fraction: share(draft) }),
    () => ({ kind: "regrow", of, by, fraction: share(draft) }),
  ];
  return random.pick(choices)();
}

const conditions: readonly (NumberExpression | null)[] = [
  null,
  null,
  apply("<", step, number(6)),
  apply("<=", progress, number(0.5)),
];

/** How a pattern is chosen again; null for one that stays. */
export function refreshOf(
  draft: Draft,
  pattern: Pick<PatternDeclaration, "shape" | "rows" | "columns">,
  of: TensorDeclaration | null,
): Refresh | null {
  const { random, followsClocks } = draft;
  if (!followsClocks || random.chance(0.3)) return null;
  const selection = of === null || random.chance(0.2) ? null : again(draft, pattern, of);
  return { every: random.pick([1, 2, 3]), condition: random.pick(conditions), selection };
}

/** Where the values of schedules stand beside those of dimensions and arguments. */
export function atClocks(
  schedules: readonly Schedule[],
  sizes: Sizes,
  clocks: { readonly step: number; readonly progress: number },
): Sizes {
  const all = new Map([...sizes, ...Object.entries(clocks)]);
  for (const { name, value } of schedules) all.set(name, evaluateNumber(value, all));
  return all;
}
