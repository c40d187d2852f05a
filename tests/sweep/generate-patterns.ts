/** Masks and supports of generated programs: every kind of pattern with every selection that can choose it. */
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { bare, type Draft, declare, freshName, mayDivide, type Place, sameShape } from "./draft.ts";
import { scoreTensor } from "./generate-formulas.ts";
import { refreshOf } from "./generate-time.ts";
import type {
  Expression,
  PatternDeclaration,
  PatternShape,
  Pool,
  Selection,
  Shape,
  TensorDeclaration,
} from "./program.ts";
import { tensorsOf } from "./program-declarations.ts";

/** Never more positions than there are. */
function supportSize({ random }: Draft, { rows, columns }: Shape): NumberExpression {
  const choice = random.below(4);
  if (choice === 0) return rows;
  if (choice === 1) return columns;
  if (choice === 2) return number(1);
  return apply("floor", apply("*", random.chance(0.5) ? symbol("keep") : number(0.25), rows, columns));
}

export function support(draft: Draft, shape: Shape): PatternDeclaration {
  const { random } = draft;
  const known = draft.patterns.filter((pattern) => pattern.mode === null && sameShape(pattern, shape));
  if (known.length > 0 && random.chance(0.3)) return random.pick(known);
  const count = supportSize(draft, shape);
  const selection: Selection = random.chance(0.4)
    ? freeSelection(draft, shape)
    : random.chance(0.5)
      ? { kind: "random", count }
      : { kind: "topk", of: scoreTensor(draft, shape), count, pool: null };
  const { rows, columns } = shape;
  const name = random.chance(0.4) ? freshName(draft, "E") : "";
  const made: PatternDeclaration = {
    name,
    shape: { kind: "unstructured" },
    mode: null,
    selection,
    ...still,
    rows,
    columns,
  };
  if (name !== "") draft.patterns.push(made);
  return made;
}

/** A support that is chosen by the very tensor on it: each has to know the other. */
export function moveWith(draft: Draft, pattern: PatternDeclaration, tensor: TensorDeclaration): void {
  if (pattern.name === "" || pattern.refresh !== null) return;
  Object.assign(pattern, { refresh: refreshOf(draft, pattern, tensor) });
}

/** Neither chosen again nor one of several. */
const still = { refresh: null, family: null } as const;

/** Whole rows or columns of a matrix that has no other use: what a selector picks. */
export function selectorPattern(
  draft: Draft,
  axis: "row" | "column",
  size: NumberExpression,
  count: NumberExpression,
): PatternDeclaration {
  const { random } = draft;
  const other = number(random.pick([1, 3, 8]));
  const of = () =>
    scoreTensor(draft, axis === "row" ? { rows: size, columns: other } : { rows: other, columns: size });
  const selection: Selection = random.chance(0.5)
    ? { kind: axis === "row" ? "random_rows" : "random_columns", count, among: size }
    : { kind: axis === "row" ? "top_rows" : "top_columns", of: of(), count };
  const sides = axis === "row" ? { rows: size, columns: number(1) } : { rows: number(1), columns: size };
  return {
    name: freshName(draft, "E"),
    shape: { kind: "unstructured" },
    mode: null,
    selection,
    ...still,
    ...sides,
  };
}

/** Whether a pattern has a size of its own, from what it is chosen by. */
export const hasSize = ({ selection }: PatternDeclaration): boolean =>
  ["magnitude", "topk", "above", "below", "nonzero"].includes(selection.kind) ||
  ("parts" in selection && selection.parts.some(hasSize));

/** A pattern with a name that others may be combined from, or that is read as a matrix. */
export function operandPattern(draft: Draft, shape: Shape, sized = false): PatternDeclaration {
  const { random } = draft;
  const known = draft.patterns.filter(
    (pattern) =>
      pattern.mode === null && sameShape(pattern, shape) && (!sized || hasSize(pattern)) && isOwn(pattern),
  );
  if (known.length > 0 && random.chance(0.6)) return random.pick(known);
  const { rows, columns } = shape;
  const made: PatternDeclaration = {
    name: freshName(draft, "E"),
    shape: { kind: "unstructured" },
    mode: null,
    selection: sized
      ? { kind: "nonzero", of: scoreTensor(draft, shape) }
      : freeSelection(draft, shape, false),
    ...still,
    rows,
    columns,
  };
  draft.patterns.push(made);
  return made;
}

/** A selection for any pattern without a regular form. */
function freeSelection(draft: Draft, shape: Shape, mayCombine = true): Selection {
  const { random } = draft;
  const of = (): TensorDeclaration => scoreTensor(draft, shape);
  const threshold = (): NumberExpression => random.pick([number(0), number(1), number(-1), symbol("alpha")]);
  const choices: readonly (() => Selection)[] = [
    () => ({ kind: "above", of: of(), threshold: threshold() }),
    () => ({ kind: "below", of: of(), threshold: threshold() }),
    () => ({ kind: "nonzero", of: of() }),
    () => ({ kind: "top_rows", of: of(), count: number(1) }),
    () => ({ kind: "top_columns", of: of(), count: random.chance(0.5) ? number(1) : shape.columns }),
    () => ({ kind: "random_rows", count: number(1), among: null }),
    () => ({ kind: "random_columns", count: number(1), among: null }),
    () => ({ kind: random.pick(["all", "diagonal"] as const) }),
    () => ({ kind: "topk", of: of(), count: number(1), pool: linePool(draft, shape) }),
  ];
  if (!mayCombine || random.chance(0.6)) return random.pick(choices)();
  if (random.chance(0.4)) return { kind: "not", parts: [operandPattern(draft, shape)] };
  const parts = [operandPattern(draft, shape), operandPattern(draft, shape)] as const;
  return { kind: random.pick(["and", "or"] as const), parts };
}

/** Rows, columns or tiles by themselves. */
function linePool({ random }: Draft, { rows, columns }: Shape): Pool {
  const [height = 1, width = 1] = [rows, columns].map((side) =>
    random.pick([1, 2, 3, 4, 8].filter((by) => mayDivide(side, by))),
  );
  return random.pick(["row", "row", "column", "column", { height, width }] as const);
}

/** Whether other patterns may be combined from it: not what several layers choose together. */
const isOwn = ({ selection }: Pick<PatternDeclaration, "selection">): boolean =>
  !("pool" in selection && (selection.pool === "group" || selection.pool === "model"));

function maskShape(draft: Draft, { rows, columns }: Shape): PatternShape | null {
  const { random } = draft;
  const choice = random.below(3);
  if (choice === 0) return { kind: "unstructured" };
  if (choice === 1) {
    const axis = random.chance(0.7) ? "input" : "output";
    const sizes = [1, 2, 3, 4, 4, 5, 7, 8, 16, 20, 32].filter((m) =>
      mayDivide(axis === "input" ? columns : rows, m),
    );
    const m = random.pick(sizes);
    return { kind: "nm", n: 1 + random.below(m), m, axis };
  }
  const [heights, widths] = [rows, columns].map((side) =>
    [1, 2, 3, 4, 5, 8, 16].filter((by) => mayDivide(side, by)),
  );
  return { kind: "block", height: random.pick(heights ?? [1]), width: random.pick(widths ?? [1]) };
}

function maskSelection(draft: Draft, place: Shape, { kind }: PatternShape): Selection {
  const { random } = draft;
  if (kind === "unstructured" && random.chance(0.3)) return amongLayers(draft, place);
  if (kind === "unstructured" && random.chance(0.3)) {
    const count = supportSize(draft, place);
    return random.chance(0.5)
      ? { kind: "random", count }
      : { kind: "topk", of: scoreTensor(draft, place), count, pool: random.chance(0.5) ? "matrix" : null };
  }
  if (kind === "unstructured" && random.chance(0.5)) return freeSelection(draft, place);

  const some = random.chance(0.3) ? symbol("keep") : number(random.pick([0.125, 0.25, 0.5, 0.75]));
  const keep = kind === "nm" ? null : some;
  const pool = kind === "unstructured" && random.chance(0.35) ? linePool(draft, place) : null;
  if (random.chance(0.2)) return { kind: "random_share", keep, pool };
  return { kind: "magnitude", of: scoreTensor(draft, place), keep, pool };
}

/** What the layers of a model choose, or are allotted, together; all ask for the same. */
function amongLayers(draft: Draft, place: Shape): Selection {
  const { random } = draft;
  const scope = random.pick(["model", "group"] as const);
  const of = scoreTensor(draft, place);
  const keep = random.pick([symbol("keep"), number(0.25), number(0.5)]);
  const choices: readonly (() => Selection)[] = [
    () => ({ kind: "magnitude", of, keep, pool: scope }),
    () => ({ kind: "topk", of, count: number(1), pool: scope }),
    () => ({ kind: "random_share", keep, pool: scope }),
    () => ({ kind: "magnitude", of, keep, pool: null, allotted: scope }),
    () => ({ kind: "magnitude", of, keep, pool: null, allotted: scope }),
  ];
  return random.pick(choices)();
}

const hasShared = (operand: Expression): boolean =>
  tensorsOf(operand).some(({ isShared }) => isShared === true);

/** Parameters of `operand` that a pattern over it may be chosen by. */
const trainedIn = (operand: Expression, shape: Shape): TensorDeclaration[] =>
  tensorsOf(operand).filter(
    (tensor) =>
      tensor.role === "param" &&
      (tensor.structure === "dense" || tensor.structure === "sparse") &&
      tensor.stack === null &&
      sameShape(tensor, shape),
  );

/** `M .* operand`, `M[i] .* operand`. */
export function maskProduction(draft: Draft, place: Place, operand: Expression): Expression | null {
  const { random } = draft;
  const { rows, columns } = place;
  // What is shared among layers cannot move with a pattern of one.
  const known = draft.patterns.filter(
    (pattern) => sameShape(pattern, place) && (pattern.refresh === null || !hasShared(operand)),
  );
  if (known.length > 0 && random.chance(0.4))
    return { kind: "mask", pattern: random.pick(known), member: null, operand, rows, columns };
  const shape = maskShape(draft, place);
  if (shape === null) return null;
  const mode = random.pick([null, null, "structural", "multiplicative", "straight_through"] as const);
  const around = place.loops.at(-1);
  if (random.chance(around === undefined ? 0.1 : 0.5)) {
    const family = around?.count ?? number(random.pick([1, 2, 3]));
    const index = random.chance(0.5) ? { index: "f" } : {};
    const selection =
      index.index === undefined
        ? familySelection(draft, place, shape)
        : indexedSelection(draft, place, shape, family, symbol(index.index));
    const name = freshName(draft, "M");
    const pattern = { name, shape, mode, selection, refresh: null, family, ...index, rows, columns };
    const member = around?.variable ?? random.below(family.kind === "number" ? family.value : 1);
    return { kind: "mask", pattern, member, operand, rows, columns };
  }
  // What hides everything still hands the gradient down.
  const hidesAll = mode === "straight_through" && shape.kind !== "nm" && random.chance(0.1);
  const selection: Selection = hidesAll
    ? { kind: "magnitude", of: scoreTensor(draft, place), keep: number(0), pool: null }
    : maskSelection(draft, place, shape);
  const trained = trainedIn(operand, place);
  const of = trained.length > 0 && random.chance(0.8) ? random.pick(trained) : null;
  const refresh =
    hasShared(operand) || !isOwn({ selection }) || "allotted" in selection
      ? null
      : refreshOf(draft, { shape, rows, columns }, of ?? scoreTensor(draft, place));
  const name = freshName(draft, "M");
  const pattern = { name, shape, mode, selection, refresh, family: null, rows, columns };
  draft.patterns.push(pattern);
  return { kind: "mask", pattern, member: null, operand, rows, columns };
}

/** Mostly by chance, because every other selection makes equal patterns. */
function familySelection(draft: Draft, place: Shape, shape: PatternShape): Selection {
  const keep = shape.kind === "nm" ? null : number(draft.random.pick([0.25, 0.5]));
  const selection: Selection = { kind: "random_share", keep, pool: null };
  return draft.random.chance(0.8) ? selection : maskSelection(draft, place, shape);
}

/** Each of the family by one of a stack of matrices, or by an amount of its own. */
function indexedSelection(
  draft: Draft,
  place: Shape,
  { kind }: PatternShape,
  family: NumberExpression,
  index: NumberExpression,
): Selection {
  const { random } = draft;
  const { rows, columns } = place;
  const part = apply("/", apply("+", index, number(1)), number(4));
  if (kind !== "nm" && random.chance(0.3))
    return { kind: "magnitude", of: scoreTensor(draft, place), keep: part, pool: null };
  const of = declare(
    draft,
    { role: "source", structure: "dense", rows, columns, ...bare, stack: family },
    "X",
  );
  if (kind === "unstructured" && random.chance(0.6)) {
    const choices: readonly (() => Selection)[] = [
      () => ({ kind: "topk", of, count: supportSize(draft, place), pool: null }),
      () => ({ kind: "above", of, threshold: index }),
      () => ({ kind: "nonzero", of }),
    ];
    return random.pick(choices)();
  }
  return { kind: "magnitude", of, keep: kind === "nm" ? null : random.pick([part, number(0.5)]), pool: null };
}
