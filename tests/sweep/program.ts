/**
 * A generated program as a tree: the weight with the declarations that it reads hanging on its nodes, so that a
 * smaller weight is a smaller program by itself. Every node knows its shape as text would write it.
 */
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
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
  /** `shared param`, which for a single layer means nothing more. */
  readonly isShared?: boolean;
}

/** Whole numbers up to 127 or 7 times a scale, of which a row has one, or every `block` entries of it. */
export interface Grid {
  readonly kind: "int8" | "int4";
  readonly block: number | null;
}

/** left - factor · right, by entries; |left| where there is no other. */
export interface Formula {
  readonly left: TensorDeclaration;
  readonly right: TensorDeclaration | null;
  readonly factor: number;
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
  | { readonly kind: "random_rows" | "random_columns"; readonly count: NumberExpression }
  | { readonly kind: "all" | "diagonal" }
  | { readonly kind: "not"; readonly parts: readonly [PatternDeclaration] }
  | { readonly kind: "and" | "or"; readonly parts: readonly [PatternDeclaration, PatternDeclaration] };

/** Whether chance decides which positions are kept. */
export const isRandom = ({ kind }: Selection): boolean => kind.startsWith("random");

export interface PatternDeclaration extends Shape {
  /** Empty for a support that is written where it is used. */
  readonly name: string;
  readonly shape: PatternShape;
  /** What a masked parameter stores and trains; null where it is not said. */
  readonly mode: "structural" | "multiplicative" | "straight_through" | null;
  readonly selection: Selection;
}

/** `body` over the operands and numbers of a call. */
export interface FunctionDeclaration {
  readonly name: string;
  readonly formals: readonly (Shape & { readonly name: string })[];
  readonly numbers: readonly string[];
  readonly body: (operands: readonly Expression[], numbers: readonly NumberExpression[]) => Expression;
}

export type MapName = "sigmoid" | "tanh" | "exp" | "abs" | "relu" | "softmax";

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
    | { readonly kind: "mask"; readonly pattern: PatternDeclaration; readonly operand: Expression }
    | { readonly kind: "hadamard"; readonly factors: readonly Expression[] }
    | { readonly kind: "kron"; readonly factors: readonly Expression[] }
    | { readonly kind: "blockdiag"; readonly blocks: readonly Expression[] }
    /** Above each other, side by side. */
    | { readonly kind: "rows" | "columns"; readonly parts: readonly Expression[] }
    | { readonly kind: "zeros" }
    /** Ones at the positions of a pattern. */
    | { readonly kind: "indicator"; readonly pattern: PatternDeclaration }
    /** `diag(d)` of a vector. */
    | { readonly kind: "diag"; readonly tensor: TensorDeclaration }
    /** A function of entries, or along each row. */
    | { readonly kind: "map"; readonly function: MapName; readonly operand: Expression }
    /** The operand, through which no gradient flows. */
    | { readonly kind: "detach"; readonly operand: Expression }
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
  /** Whether divisibility is stated by `require` or left to the constructs that imply it. */
  readonly stated: boolean;
}

/** Values of dimensions and number arguments. */
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

const roundingKinds: ReadonlySet<Expression["kind"]> = new Set(["map", "quotient", "normed", "entry"]);

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

export function tensorsOf(weight: Expression): TensorDeclaration[] {
  const found = new Set<TensorDeclaration>();
  const read = ({ selection }: PatternDeclaration): void => {
    if ("of" in selection) add(selection.of);
    if ("parts" in selection) selection.parts.forEach(read);
  };
  const add = (tensor: TensorDeclaration): void => {
    if (tensor.formula !== null) {
      add(tensor.formula.left);
      if (tensor.formula.right !== null) add(tensor.formula.right);
    }
    found.add(tensor);
    if (tensor.support !== null) read(tensor.support);
  };
  for (const node of nodesOf(weight)) {
    if (node.kind === "tensor" || node.kind === "diag") add(node.tensor);
    if (node.kind === "sorted") add(node.by);
    if (node.kind === "normed" || node.kind === "entry") add(node.vector);
    if (node.kind === "mask" || node.kind === "indicator") read(node.pattern);
  }
  return [...found];
}

/** A pattern after those that it is combined from. */
const withParts = (pattern: PatternDeclaration): PatternDeclaration[] =>
  "parts" in pattern.selection ? [...pattern.selection.parts.flatMap(withParts), pattern] : [pattern];

/** Masks and supports, each after those that it reads. */
export function patternsOf(weight: Expression): PatternDeclaration[] {
  const masks = [...nodesOf(weight)].flatMap((node) =>
    node.kind === "mask" || node.kind === "indicator" ? [node.pattern] : [],
  );
  const supports = tensorsOf(weight).flatMap(({ support }) => (support === null ? [] : [support]));
  return [...new Set([...masks, ...supports].flatMap(withParts))];
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
