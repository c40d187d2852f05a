/** Leaves of generated programs: tensors of every role and structure, and masks with their selections. */
import { sameDimension } from "../../compiler/types/dimension.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { type Draft, freshName, isNumber, mayDivide, type Place } from "./draft.ts";
import type {
  Expression,
  PatternDeclaration,
  PatternShape,
  Selection,
  Shape,
  TensorDeclaration,
} from "./program.ts";

export type LeafKind =
  | "frozen"
  | "computed"
  | "param"
  | "sparse"
  | "blockdiag"
  | "stacked"
  | "diagonal"
  | "identity"
  | "indicator";

const sameShape = (a: Shape, b: Shape): boolean =>
  sameDimension(a.rows, b.rows) && sameDimension(a.columns, b.columns);

export const bare = { stack: null, support: null, blocks: null, formula: null } as const;

export function declare(
  draft: Draft,
  tensor: Omit<TensorDeclaration, "name">,
  prefix: string,
): TensorDeclaration {
  const isShared = tensor.role === "param" && tensor.support === null && draft.random.chance(0.1);
  const made = { ...tensor, name: freshName(draft, prefix), isShared };
  draft.tensors.push(made);
  return made;
}

export const leafOf = (tensor: TensorDeclaration, slice: number | string | null = null): Expression =>
  tensor.structure === "vector"
    ? { kind: "diag", tensor, rows: tensor.rows, columns: tensor.columns }
    : { kind: "tensor", tensor, slice, rows: tensor.rows, columns: tensor.columns };

/** A frozen argument or a dense parameter, an old one now and then. */
export function plainLeaf(draft: Draft, place: Place): Expression {
  const known = draft.tensors.filter(
    (tensor) =>
      sameShape(tensor, place) &&
      tensor.stack === null &&
      tensor.role !== "source" &&
      tensor.structure !== "vector",
  );
  if (known.length > 0 && draft.random.chance(0.35)) return leafOf(draft.random.pick(known));
  return tensorLeaf(draft, place, draft.random.chance(0.5) ? "frozen" : "param");
}

/** What a selection reads: a frozen tensor, or one that is not part of the weight. */
function scoreTensor(draft: Draft, { rows, columns }: Shape): TensorDeclaration {
  const known = draft.tensors.filter(
    (tensor) =>
      tensor.role !== "param" &&
      tensor.structure === "dense" &&
      tensor.stack === null &&
      sameShape(tensor, { rows, columns }),
  );
  if (known.length > 0 && draft.random.chance(0.6)) return draft.random.pick(known);
  return declare(draft, { role: "source", structure: "dense", rows, columns, ...bare }, "X");
}

/** Never more positions than there are. */
function supportSize({ random }: Draft, { rows, columns }: Shape): NumberExpression {
  const choice = random.below(4);
  if (choice === 0) return rows;
  if (choice === 1) return columns;
  if (choice === 2) return number(1);
  return apply("floor", apply("*", random.chance(0.5) ? symbol("keep") : number(0.25), rows, columns));
}

function support(draft: Draft, shape: Shape): PatternDeclaration {
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
    rows,
    columns,
  };
  if (name !== "") draft.patterns.push(made);
  return made;
}

/** Whether a pattern has a size of its own, from what it is chosen by. */
const hasSize = ({ selection }: PatternDeclaration): boolean =>
  ["magnitude", "topk", "above", "below", "nonzero"].includes(selection.kind) ||
  ("parts" in selection && selection.parts.some(hasSize));

/** A pattern with a name that others may be combined from, or that is read as a matrix. */
function operandPattern(draft: Draft, shape: Shape, sized = false): PatternDeclaration {
  const { random } = draft;
  const known = draft.patterns.filter(
    (pattern) => pattern.mode === null && sameShape(pattern, shape) && (!sized || hasSize(pattern)),
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
    () => ({ kind: "random_rows", count: number(1) }),
    () => ({ kind: "random_columns", count: number(1) }),
    () => ({ kind: random.pick(["all", "diagonal"] as const) }),
    () => ({ kind: "topk", of: of(), count: number(1), pool: "row" }),
  ];
  if (!mayCombine || random.chance(0.6)) return random.pick(choices)();
  if (random.chance(0.4)) return { kind: "not", parts: [operandPattern(draft, shape)] };
  const parts = [operandPattern(draft, shape), operandPattern(draft, shape)] as const;
  return { kind: random.pick(["and", "or"] as const), parts };
}

/** A matrix rounded to a grid, of one scale a row or a block. */
export function quantizedLeaf(draft: Draft, place: Place): Expression {
  const { random } = draft;
  const { rows, columns } = place;
  const blocks = [1, 2, 4, 8, 32].filter((by) => mayDivide(columns, by));
  const grid = {
    kind: random.pick(["int8", "int4"] as const),
    block: random.chance(0.4) ? null : random.pick(blocks),
  };
  const left = declare(draft, { role: "source", structure: "dense", rows, columns, ...bare }, "X");
  const formula = { left, right: null, factor: 1 };
  return leafOf(
    declare(draft, { role: "computed", structure: "dense", rows, columns, ...bare, formula, grid }, "Q"),
  );
}

/** The permutation of a matrix's rows by their norm. */
export function sortedLeaf(draft: Draft, size: NumberExpression): Expression {
  const by = scoreTensor(draft, { rows: size, columns: number(draft.random.pick([1, 3, 8])) });
  return { kind: "sorted", by, rows: size, columns: size };
}

/** A leaf of one kind, or of any. */
export function tensorLeaf(draft: Draft, place: Place, kind?: LeafKind | Place): Expression {
  const { random } = draft;
  const { rows, columns } = place;
  const square = sameDimension(rows, columns);
  const any: LeafKind = random.pick([
    "frozen",
    "frozen",
    "param",
    "param",
    "sparse",
    "sparse",
    "blockdiag",
    "stacked",
    "indicator",
    "computed",
    ...(place.loops.length > 0 ? (["stacked", "stacked"] as const) : []),
    ...(square ? (["diagonal", "diagonal"] as const) : []),
    // The size of an identity is one name or number wherever it stands.
    ...(square ? (["identity"] as const) : []),
  ]);
  const chosen = typeof kind === "string" ? kind : any;
  switch (chosen) {
    case "frozen":
      return leafOf(declare(draft, { role: "frozen", structure: "dense", rows, columns, ...bare }, "W"));
    case "param":
      return leafOf(declare(draft, { role: "param", structure: "dense", rows, columns, ...bare }, "A"));
    case "computed": {
      const formula = {
        left: scoreTensor(draft, place),
        right: random.chance(0.7) ? scoreTensor(draft, place) : null,
        factor: random.pick([1, 2, -1]),
      };
      return leafOf(
        declare(draft, { role: "computed", structure: "dense", rows, columns, ...bare, formula }, "F"),
      );
    }
    case "indicator":
      return { kind: "indicator", pattern: operandPattern(draft, place, true), rows, columns };
    case "identity":
      return { kind: "identity", bare: false, rows, columns };
    case "diagonal": {
      const structure = random.chance(0.5) ? "vector" : "diag";
      const role = structure === "vector" && random.chance(0.4) ? "frozen" : "param";
      return leafOf(declare(draft, { role, structure, rows, columns: rows, ...bare }, "d"));
    }
    case "sparse": {
      const on = support(draft, place);
      return leafOf(
        declare(draft, { role: "param", structure: "sparse", rows, columns, ...bare, support: on }, "S"),
      );
    }
    case "blockdiag": {
      const choices = [2, 3, 4].filter((count) => [rows, columns].every((side) => mayDivide(side, count)));
      const named = choices.includes(2) && !isNumber(rows) && !isNumber(columns) && random.chance(0.4);
      const blocks = named ? symbol("b") : number(choices.length === 0 ? 1 : random.pick(choices));
      return leafOf(
        declare(draft, { role: "param", structure: "blockdiag", rows, columns, ...bare, blocks }, "L"),
      );
    }
    case "stacked": {
      const inside = place.loops.at(-1);
      const count = inside?.count ?? number(random.pick([1, 2, 3]));
      const role = random.chance(0.7) ? "param" : "frozen";
      const tensor = declare(draft, { role, structure: "dense", rows, columns, ...bare, stack: count }, "T");
      const last = isNumber(count) ? count.value : 1;
      return leafOf(tensor, inside?.variable ?? random.below(last));
    }
  }
}

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
  if (kind === "unstructured" && random.chance(0.3)) {
    const count = supportSize(draft, place);
    return random.chance(0.5)
      ? { kind: "random", count }
      : { kind: "topk", of: scoreTensor(draft, place), count, pool: null };
  }
  if (kind === "unstructured" && random.chance(0.5)) return freeSelection(draft, place);

  const some = random.chance(0.3) ? symbol("keep") : number(random.pick([0.125, 0.25, 0.5, 0.75]));
  const pool = kind === "unstructured" && random.chance(0.2) ? "row" : null;
  return { kind: "magnitude", of: scoreTensor(draft, place), keep: kind === "nm" ? null : some, pool };
}

/** `M .* operand`. */
export function maskProduction(draft: Draft, place: Place, operand: Expression): Expression | null {
  const { random } = draft;
  const { rows, columns } = place;
  const known = draft.patterns.filter((pattern) => sameShape(pattern, place));
  if (known.length > 0 && random.chance(0.4))
    return { kind: "mask", pattern: random.pick(known), operand, rows, columns };
  const shape = maskShape(draft, place);
  if (shape === null) return null;
  const pattern = {
    name: freshName(draft, "M"),
    shape,
    mode: random.pick([null, null, "structural", "multiplicative", "straight_through"] as const),
    selection: maskSelection(draft, place, shape),
    rows,
    columns,
  };
  draft.patterns.push(pattern);
  return { kind: "mask", pattern, operand, rows, columns };
}
