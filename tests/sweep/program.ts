/**
 * A generated program as a tree: the weight with the declarations that it reads hanging on its nodes, so that a
 * smaller weight is a smaller program by itself. Every node knows its shape as text would write it.
 * size: the kinds of nodes and declarations, and the walks that have to know all of them.
 */
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";

export interface Shape {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
}

export interface NumberArgument {
  readonly name: string;
  /** `const int` is fixed when the program is built. */
  readonly type: "int" | "real" | "ratio" | "const int";
  readonly byDefault: number;
  /** What a layer may be loaded with. */
  readonly values: readonly number[];
}

export interface TensorDeclaration extends Shape {
  readonly name: string;
  /** `computed`: of a `frozen` statement. */
  readonly role: "frozen" | "source" | "param" | "computed";
  readonly structure: "dense" | "sparse" | "blockdiag" | "diag" | "vector";
  /** Matrices in a stacked tensor; null for a single one. */
  readonly stack: NumberExpression | null;
  /** Of a sparse parameter. */
  readonly support: PatternDeclaration | null;
  /** Of a block-diagonal parameter. */
  readonly blocks: NumberExpression | null;
  /** Of a computed one. */
  readonly formula: Formula | null;
  /** Of a computed one whose `left` is rounded to levels. */
  readonly grid?: Grid;
  /** What a parameter is loaded with, 0 or the ones of a diagonal unless given; of its own shape where it is a tensor. */
  readonly start?: number | TensorDeclaration;
  /** `shared param`, which for a single layer means nothing more. */
  readonly isShared?: boolean;
}

/** Whole numbers up to 127 or 7, or levels of a normal float, times a scale, of which a row has one, or every `block` entries of it. */
export interface Grid {
  readonly kind: "int8" | "int4" | "nf4" | "nf3" | "nf2";
  readonly block: number | null;
}

/** left - factor · right, by entries; |left| where there is no other; a number everywhere. */
export interface Formula {
  readonly left: TensorDeclaration | number;
  readonly right: TensorDeclaration | null;
  readonly factor: number;
}

/** A number that follows the clocks `step` and `progress`; without a type a phase, which is 1 or 0. */
export interface Schedule {
  readonly name: string;
  readonly type: "real" | "ratio" | "int" | null;
  readonly value: NumberExpression;
  /** How it is written, where a ramp of the standard library says the value. */
  readonly text: string | null;
}

/** A pattern that is chosen again at multiples of `every` steps; null: always, and as it was chosen at first. */
export interface Refresh {
  readonly every: number;
  readonly condition: NumberExpression | null;
  readonly selection: Selection | null;
}

export type PatternShape =
  | { readonly kind: "unstructured" }
  | { readonly kind: "nm"; readonly n: number; readonly m: number; readonly axis: "input" | "output" }
  | { readonly kind: "block"; readonly height: number; readonly width: number };

export type Selection =
  | {
      readonly kind: "magnitude";
      readonly of: TensorDeclaration;
      readonly keep: NumberExpression | null;
      readonly pool: "row" | null;
    }
  /** `count` of each row where the pool is the row. */
  | {
      readonly kind: "topk";
      readonly of: TensorDeclaration;
      readonly count: NumberExpression;
      readonly pool: "row" | null;
    }
  | { readonly kind: "random"; readonly count: NumberExpression }
  /** That share of the entries or blocks, or n of every m. */
  | { readonly kind: "random_share"; readonly keep: NumberExpression | null }
  /** In a refresh: the share of smallest |of| goes, as many of largest |by| come; null: by the gradient of the weight. */
  | {
      readonly kind: "regrow";
      readonly of: TensorDeclaration;
      readonly by: TensorDeclaration | null;
      readonly fraction: NumberExpression;
    }
  /** In a refresh: what it keeps and the part keeps too. */
  | { readonly kind: "within"; readonly parts: readonly [PatternDeclaration] }
  /** As many as the data say. */
  | {
      readonly kind: "above" | "below";
      readonly of: TensorDeclaration;
      readonly threshold: NumberExpression;
    }
  | { readonly kind: "nonzero"; readonly of: TensorDeclaration }
  /** Whole rows or columns by their norm. */
  | {
      readonly kind: "top_rows" | "top_columns";
      readonly of: TensorDeclaration;
      readonly count: NumberExpression;
    }
  /** `among`: of how many, where no matrix says it. */
  | {
      readonly kind: "random_rows" | "random_columns";
      readonly count: NumberExpression;
      readonly among: NumberExpression | null;
    }
  | { readonly kind: "all" | "diagonal" }
  | { readonly kind: "not"; readonly parts: readonly [PatternDeclaration] }
  | { readonly kind: "and" | "or"; readonly parts: readonly [PatternDeclaration, PatternDeclaration] };

export interface PatternDeclaration extends Shape {
  /** Empty for a support that is written where it is used. */
  readonly name: string;
  readonly shape: PatternShape;
  /** What a masked parameter stores and trains; null where it is not said. */
  readonly mode: "structural" | "multiplicative" | "straight_through" | null;
  readonly selection: Selection;
  /** Null for one that stays as it is. */
  readonly refresh: Refresh | null;
  /** How many patterns the declaration makes, each chosen by itself; null for a single one. */
  readonly family: NumberExpression | null;
}

/** Which of a family. */
export type Member = number | string | null;

/** `body` over the operands and numbers of a call. */
export interface FunctionDeclaration {
  readonly name: string;
  readonly formals: readonly (Shape & { readonly name: string })[];
  readonly numbers: readonly string[];
  readonly body: (operands: readonly Expression[], numbers: readonly NumberExpression[]) => Expression;
}

export type MapName = "sigmoid" | "tanh" | "exp" | "log" | "sqrt" | "abs" | "relu" | "softmax";

export type Expression = Shape &
  (
    | {
        readonly kind: "tensor";
        readonly tensor: TensorDeclaration;
        readonly slice: number | string | null;
      }
    | { readonly kind: "formal"; readonly name: string }
    | { readonly kind: "sum"; readonly terms: readonly Expression[]; readonly minus: readonly boolean[] }
    | { readonly kind: "product"; readonly factors: readonly Expression[] }
    | {
        readonly kind: "scale";
        readonly factor: NumberExpression;
        readonly side: "left" | "right" | "divide";
        readonly operand: Expression;
      }
    | { readonly kind: "negative"; readonly operand: Expression }
    | { readonly kind: "transpose"; readonly operand: Expression }
    | {
        readonly kind: "mask";
        readonly pattern: PatternDeclaration;
        readonly member: Member;
        readonly operand: Expression;
      }
    | { readonly kind: "hadamard"; readonly factors: readonly Expression[] }
    | { readonly kind: "kron"; readonly factors: readonly Expression[] }
    | { readonly kind: "blockdiag"; readonly blocks: readonly Expression[] }
    /** Above each other, side by side. */
    | { readonly kind: "rows" | "columns"; readonly parts: readonly Expression[] }
    | { readonly kind: "zeros" }
    /** Ones at the positions of a pattern. */
    | { readonly kind: "indicator"; readonly pattern: PatternDeclaration }
    /** Picks the lines of a pattern of whole rows or columns: [count, lines]. */
    | { readonly kind: "selector"; readonly axis: "row" | "column"; readonly pattern: PatternDeclaration }
    /** `diag(d)` of a vector. */
    | { readonly kind: "diag"; readonly tensor: TensorDeclaration }
    /** A function of entries, or along each row. */
    | { readonly kind: "map"; readonly function: MapName; readonly operand: Expression }
    /** The operand, through which no gradient flows. */
    | { readonly kind: "detach"; readonly operand: Expression }
    /** Of K = A - Aᵀ, or U - Uᵀ with U above the diagonal of A: (2 I + K)⁻¹, or (I - K) (I + K)⁻¹. */
    | {
        readonly kind: "square";
        readonly function: "inverse" | "cayley";
        readonly tensor: TensorDeclaration;
        readonly isUpper: boolean;
      }
    /** Skew-symmetric blocks of `size` rows on the diagonal. */
    | { readonly kind: "skew"; readonly tensor: TensorDeclaration; readonly size: number }
    | { readonly kind: "ones" }
    /** Entry by entry. */
    | { readonly kind: "quotient"; readonly factors: readonly Expression[] }
    /** `diag(m ./ row_norm(V)) @ V`, or by columns; `isDetached`: the norm is a constant of the gradient. */
    | {
        readonly kind: "normed";
        readonly axis: "row" | "column";
        readonly vector: TensorDeclaration;
        readonly isDetached: boolean;
        readonly operand: Expression;
      }
    /** `v[i] * operand`, of a vector or of its softmax. */
    | {
        readonly kind: "entry";
        readonly vector: TensorDeclaration;
        readonly index: number | string;
        readonly isShare: boolean;
        readonly operand: Expression;
      }
    /** Brings the rows of a matrix into the order of their norms, the largest first. */
    | { readonly kind: "sorted"; readonly by: TensorDeclaration }
    /** `bare`: written without its size. */
    | { readonly kind: "identity"; readonly bare: boolean }
    | { readonly kind: "permutation"; readonly stride: NumberExpression }
    | {
        readonly kind: "loop";
        readonly variable: string;
        readonly count: NumberExpression;
        readonly body: Expression;
      }
    | { readonly kind: "let"; readonly name: string; readonly value: Expression }
    | {
        readonly kind: "call";
        readonly function: FunctionDeclaration;
        readonly operands: readonly Expression[];
        readonly numbers: readonly NumberExpression[];
      }
  );

export interface Program {
  readonly name: string;
  readonly weight: Expression;
  /** Every number argument that may occur; those that do are declared. */
  readonly numbers: readonly NumberArgument[];
  /** Names of dimensions that may occur. */
  readonly dimensions: readonly string[];
  /** Those that occur are declared. */
  readonly schedules: readonly Schedule[];
  /** A pinned layout; null for none. */
  readonly layout: "lane_output" | "lane_token" | null;
  /** Whether divisibility is stated by `require` or left to the constructs that imply it. */
  readonly stated: boolean;
}

/** Values of dimensions, number arguments, clocks and schedules. */
export type Sizes = ReadonlyMap<string, number>;

export interface Condition {
  readonly dividend: NumberExpression;
  readonly divisor: NumberExpression;
}

export const childrenOf = (expression: Expression): readonly Expression[] => {
  switch (expression.kind) {
    case "sum":
      return expression.terms;
    case "product":
    case "hadamard":
    case "kron":
    case "quotient":
      return expression.factors;
    case "blockdiag":
      return expression.blocks;
    case "rows":
    case "columns":
      return expression.parts;
    case "scale":
    case "negative":
    case "transpose":
    case "mask":
    case "map":
    case "detach":
    case "normed":
    case "entry":
      return [expression.operand];
    case "loop":
      return [expression.body];
    case "let":
      return [expression.value];
    case "call":
      return expression.operands;
    default:
      return [];
  }
};

/** The same node over other children, which have the same shapes. */
export function withChildren(expression: Expression, children: readonly Expression[]): Expression {
  const [first = expression] = children;
  switch (expression.kind) {
    case "sum":
      return { ...expression, terms: children };
    case "product":
    case "hadamard":
    case "kron":
    case "quotient":
      return { ...expression, factors: children };
    case "blockdiag":
      return { ...expression, blocks: children };
    case "rows":
    case "columns":
      return { ...expression, parts: children };
    case "scale":
    case "negative":
    case "transpose":
    case "mask":
    case "map":
    case "detach":
    case "normed":
    case "entry":
      return { ...expression, operand: first };
    case "loop":
      return { ...expression, body: first };
    case "let":
      return { ...expression, value: first };
    case "call":
      return { ...expression, operands: children };
    default:
      return expression;
  }
}

/** Every node, parents first; the bodies of functions, whose names are their own, are left out. */
export function* nodesOf(expression: Expression): Generator<Expression> {
  yield expression;
  for (const child of childrenOf(expression)) yield* nodesOf(child);
}

/** Whether float32 rounds what the weight computes, whatever the data are. */
export const rounds = (weight: Expression): boolean =>
  [...nodesOf(weight)].some(({ kind }) => roundingKinds.has(kind)) ||
  tensorsOf(weight).some(({ grid }) => grid !== undefined);

const roundingKinds: ReadonlySet<Expression["kind"]> = new Set([
  ...["map", "quotient", "normed", "entry", "square", "skew"],
] as Expression["kind"][]);

/** The functions that are called, by bodies of functions as well. */
export function functionsOf(expression: Expression): FunctionDeclaration[] {
  const called = [...nodesOf(expression)].flatMap((node) => (node.kind === "call" ? [node.function] : []));
  return [...new Set(called.flatMap((one) => [...functionsOf(bodyOf(one)), one]))];
}

/** The body over the function's own names. */
export const bodyOf = (declaration: FunctionDeclaration): Expression =>
  declaration.body(
    declaration.formals.map(({ name, rows, columns }) => ({ kind: "formal", name, rows, columns })),
    declaration.numbers.map((name) => ({ kind: "symbol", name })),
  );

/** Every selection of a pattern: at load, and of its refresh. */
const selectionsOf = ({ selection, refresh }: PatternDeclaration): Selection[] => [
  selection,
  ...(refresh?.selection == null ? [] : [refresh.selection]),
];

export function tensorsOf(weight: Expression): TensorDeclaration[] {
  const found = new Set<TensorDeclaration>();
  const seen = new Set<PatternDeclaration>();
  const read = (pattern: PatternDeclaration): void => {
    // A support may be chosen by the tensor on it.
    if (seen.has(pattern)) return;
    seen.add(pattern);
    for (const selection of selectionsOf(pattern)) {
      if ("of" in selection) add(selection.of);
      if ("by" in selection && selection.by !== null) add(selection.by);
      if ("parts" in selection) selection.parts.forEach(read);
    }
  };
  const add = (tensor: TensorDeclaration): void => {
    if (found.has(tensor)) return;
    if (typeof tensor.start === "object") add(tensor.start);
    if (tensor.formula !== null) {
      if (typeof tensor.formula.left === "object") add(tensor.formula.left);
      if (tensor.formula.right !== null) add(tensor.formula.right);
    }
    found.add(tensor);
    if (tensor.support !== null) read(tensor.support);
  };
  for (const node of nodesOf(weight)) {
    if ("tensor" in node) add(node.tensor);
    if (node.kind === "sorted") add(node.by);
    if (node.kind === "normed" || node.kind === "entry") add(node.vector);
    if ("pattern" in node) read(node.pattern);
  }
  return [...found];
}

/** A pattern after those that it is combined from; one without a name stands where it is used. */
function withParts(pattern: PatternDeclaration, found: Set<PatternDeclaration>): void {
  if (found.has(pattern)) return;
  const parts = (selection: Selection): void => {
    if (!("parts" in selection)) return;
    for (const part of selection.parts) {
      if (part.name === "") parts(part.selection);
      else withParts(part, found);
    }
  };
  selectionsOf(pattern).forEach(parts);
  found.add(pattern);
}

/** Masks and supports, each after those that it reads. */
export function patternsOf(weight: Expression): PatternDeclaration[] {
  const found = new Set<PatternDeclaration>();
  for (const node of nodesOf(weight)) if ("pattern" in node) withParts(node.pattern, found);
  for (const { support } of tensorsOf(weight)) if (support !== null) withParts(support, found);
  return [...found];
}

const numbersOfSelection = (selection: Selection): NumberExpression[] => [
  ...("count" in selection ? [selection.count] : []),
  ...("among" in selection && selection.among !== null ? [selection.among] : []),
  ...("threshold" in selection ? [selection.threshold] : []),
  ...("fraction" in selection ? [selection.fraction] : []),
  ...("keep" in selection && selection.keep !== null ? [selection.keep] : []),
  ...("parts" in selection ? selection.parts.flatMap((part) => numbersOfSelection(part.selection)) : []),
];

/** The names of dimensions, numbers, schedules and clocks that the program reads. */
export function numbersRead({
  weight,
  schedules,
}: Pick<Program, "weight" | "schedules">): ReadonlySet<string> {
  const read: NumberExpression[] = [];
  for (const { rows, columns, stack, blocks } of tensorsOf(weight))
    for (const side of [rows, columns, stack, blocks]) if (side !== null) read.push(side);
  for (const pattern of patternsOf(weight)) {
    const { rows, columns, refresh, family } = pattern;
    read.push(rows, columns, ...selectionsOf(pattern).flatMap(numbersOfSelection));
    if (family !== null) read.push(family);
    if (refresh?.condition != null) read.push(refresh.condition);
  }
  for (const node of nodesOf(weight)) {
    read.push(node.rows, node.columns);
    if (node.kind === "scale") read.push(node.factor);
    if (node.kind === "loop") read.push(node.count);
    if (node.kind === "permutation") read.push(node.stride);
    if (node.kind === "call") read.push(...node.numbers);
  }
  const names = new Set(read.flatMap(symbolsOf));
  // A schedule reads earlier ones.
  for (const { name, value } of schedules.toReversed())
    if (names.has(name)) for (const inner of symbolsOf(value)) names.add(inner);
  return names;
}

const quotients = (expression: NumberExpression): Condition[] => {
  if (expression.kind !== "apply") return [];
  const inner = expression.operands.flatMap(quotients);
  const [dividend = number(1), divisor = number(1)] = expression.operands;
  return expression.operator === "/" ? [...inner, { dividend, divisor }] : inner;
};

/** What must divide what, each once. */
export function conditionsOf(weight: Expression): Condition[] {
  const dimensions = new Set<NumberExpression>();
  const conditions: Condition[] = [];
  for (const { rows, columns, stack, blocks, grid } of tensorsOf(weight)) {
    for (const dimension of [rows, columns, stack, blocks]) if (dimension !== null) dimensions.add(dimension);
    if (grid !== undefined && grid.block !== null)
      conditions.push({ dividend: columns, divisor: number(grid.block) });
    if (blocks !== null)
      conditions.push({ dividend: rows, divisor: blocks }, { dividend: columns, divisor: blocks });
  }
  for (const { rows, columns, shape } of patternsOf(weight)) {
    if (shape.kind === "nm")
      conditions.push({ dividend: shape.axis === "input" ? columns : rows, divisor: number(shape.m) });
    if (shape.kind === "block") {
      conditions.push({ dividend: rows, divisor: number(shape.height) });
      conditions.push({ dividend: columns, divisor: number(shape.width) });
    }
  }
  for (const node of nodesOf(weight)) {
    if (node.kind === "zeros" || node.kind === "identity") dimensions.add(node.rows).add(node.columns);
    if (node.kind === "permutation") conditions.push({ dividend: node.rows, divisor: node.stride });
  }
  const all = [...[...dimensions].flatMap(quotients), ...conditions];
  return [...new Map(all.map((one) => [printNumber(divisibility(one)), one])).values()];
}

export const divisibility = ({ dividend, divisor }: Condition): NumberExpression =>
  apply("==", apply("%", dividend, divisor), number(0));
