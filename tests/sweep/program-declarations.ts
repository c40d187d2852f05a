/** What a weight reads: tensors, patterns, numbers, and what must divide what. All of it hangs on the nodes. */
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { nodesOf } from "./expression-parts.ts";
import type {
  Condition,
  Expression,
  PatternDeclaration,
  Program,
  Selection,
  TensorDeclaration,
} from "./program.ts";

/** Whether float32 rounds what the weight computes, whatever the data are. */
export const rounds = (weight: Expression): boolean =>
  [...nodesOf(weight)].some(({ kind }) => roundingKinds.has(kind)) ||
  tensorsOf(weight).some(({ grid }) => grid !== undefined && grid.kind !== "bf16");

const roundingKinds: ReadonlySet<Expression["kind"]> = new Set([
  ...["map", "quotient", "normed", "entry", "square", "skew"],
] as Expression["kind"][]);

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
    if (typeof tensor.formula === "object" && tensor.formula !== null)
      for (const node of nodesOf(tensor.formula)) if ("tensor" in node) add(node.tensor);
    if (tensor.decomposed !== undefined) add(tensor.decomposed.of);
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
  for (const { rows, columns, stack, blocks, formula } of tensorsOf(weight)) {
    for (const side of [rows, columns, stack, blocks]) if (side !== null) read.push(side);
    if (typeof formula === "object" && formula !== null)
      for (const node of nodesOf(formula)) if (node.kind === "scale") read.push(node.factor);
  }
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
  for (const pattern of patternsOf(weight)) {
    const { rows, columns, shape } = pattern;
    for (const selection of selectionsOf(pattern)) {
      if (!("pool" in selection) || selection.pool === null || typeof selection.pool === "string") continue;
      conditions.push({ dividend: rows, divisor: number(selection.pool.height) });
      conditions.push({ dividend: columns, divisor: number(selection.pool.width) });
    }
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
