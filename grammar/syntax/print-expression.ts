/** Expressions, arguments and types as the language writes them, with as few parentheses as the grammar allows. */
import { group, indent, type Layout, nothingOrBreak, render, spaceOrBreak, whenBroken } from "./layout.ts";
import {
  binaryLevels,
  levelOf,
  needsParenthesesLeft,
  needsParenthesesRight,
  postfixLevel,
  sumLevel,
} from "./operators.ts";
import type { ArgumentSyntax, ExpressionSyntax, TypeSyntax } from "./syntax-tree.ts";

/** `open a, b, c close`, one entry a line when it does not fit. */
export function listLayout(open: string, entries: readonly Layout[], close: string): Layout {
  if (entries.length === 0) return open + close;
  const separated = entries.flatMap((entry, index) => (index === 0 ? [entry] : [",", spaceOrBreak, entry]));
  return group(open, indent(nothingOrBreak, ...separated), whenBroken(","), nothingOrBreak, close);
}

const inParentheses = (expression: ExpressionSyntax): Layout =>
  group("(", indent(nothingOrBreak, expressionLayout(expression)), nothingOrBreak, ")");

const atLevel = (expression: ExpressionSyntax, level: number): Layout =>
  levelOf(expression) < level ? inParentheses(expression) : expressionLayout(expression);

type Binary = ExpressionSyntax & { readonly kind: "binary" };

/** A chain of operators of one level: lines break before the operators. */
function chainLayout(expression: Binary): Layout {
  const rest: Layout[] = [];
  let current: Binary = expression;
  for (;;) {
    const { operator, left, right } = current;
    const rightLayout = needsParenthesesRight(current, right)
      ? inParentheses(right)
      : expressionLayout(right);
    rest.unshift(spaceOrBreak, `${operator} `, rightLayout);
    const isParenthesized = needsParenthesesLeft(current, left);
    if (isParenthesized) return group(inParentheses(left), indent(rest));
    if (left.kind !== "binary" || binaryLevels[left.operator] !== binaryLevels[operator]) {
      return group(expressionLayout(left), indent(rest));
    }
    current = left;
  }
}

export function argumentLayout(argument: ArgumentSyntax): Layout {
  const value = expressionLayout(argument.value);
  return argument.name === null ? value : [`${argument.name.name}: `, value];
}

export const argumentsLayout = (list: readonly ArgumentSyntax[]): Layout =>
  listLayout("(", list.map(argumentLayout), ")");

export function expressionLayout(expression: ExpressionSyntax): Layout {
  switch (expression.kind) {
    case "number":
      return expression.text;
    case "name":
      return expression.name;
    case "call":
      return [expression.callee.name, argumentsLayout(expression.arguments)];
    case "index":
      return [atLevel(expression.target, postfixLevel), group("[", expressionLayout(expression.index), "]")];
    case "sum":
    case "product": {
      const range: Layout = [`${expression.variable.name} < `, atLevel(expression.count, sumLevel)];
      return [expression.kind, listLayout("(", [range, expressionLayout(expression.term)], ")")];
    }
    case "binary":
      return chainLayout(expression);
    case "unary":
      return expression.operator === "not"
        ? ["not ", atLevel(expression.operand, 3)]
        : ["-", atLevel(expression.operand, 7)];
    case "transpose":
      return [atLevel(expression.operand, postfixLevel), ".T"];
    case "broken":
      return "<broken>";
  }
}

/** An expression where the grammar reads connectives but no comparison. */
const positionsLayout = (expression: ExpressionSyntax): Layout =>
  readsAsPositions(expression) ? expressionLayout(expression) : inParentheses(expression);

/** True unless a comparison stands in it outside parentheses. */
function readsAsPositions(expression: ExpressionSyntax): boolean {
  if (expression.kind === "unary" && expression.operator === "not")
    return levelOf(expression.operand) < 3 || readsAsPositions(expression.operand);
  if (expression.kind !== "binary" || levelOf(expression) >= sumLevel) return levelOf(expression) >= sumLevel;
  const { left, right } = expression;
  const isPlain = (side: ExpressionSyntax, hasParentheses: boolean) =>
    hasParentheses || readsAsPositions(side);
  return (
    binaryLevels[expression.operator] < 3 &&
    isPlain(left, needsParenthesesLeft(expression, left)) &&
    isPlain(right, needsParenthesesRight(expression, right))
  );
}

/** An expression where the grammar reads no comparison. */
export const summationLayout = (expression: ExpressionSyntax): Layout => atLevel(expression, sumLevel);

const blockLayout = (block: ExpressionSyntax | null): Layout[] =>
  block === null ? [] : [" block ", summationLayout(block)];

const sizesLayout = (open: string, sizes: readonly ExpressionSyntax[], close: string): Layout =>
  listLayout(open, sizes.map(expressionLayout), close);

export function typeLayout(type: TypeSyntax): Layout {
  switch (type.kind) {
    case "number-type":
      return type.isConst ? `const ${type.name}` : type.name;
    case "pool-type":
      return "pool";
    case "tensor-type":
      return [
        type.frozen ? "frozen " : "",
        type.structure === "dense" ? "" : `${type.structure} `,
        type.quantized === null ? "" : `${type.quantized.format} `,
        sizesLayout("[", type.dimensions, "]"),
        ...(type.support === null ? [] : [" on ", positionsLayout(type.support)]),
        ...(type.blocks === null ? [] : [" blocks ", summationLayout(type.blocks)]),
        ...blockLayout(type.quantized?.block ?? null),
      ];
    case "pattern-type":
      return [
        type.name,
        type.arguments.length === 0 ? "" : sizesLayout("(", type.arguments, ")"),
        type.along === null ? "" : ` along ${type.along.name}`,
      ];
  }
}

/** `expression` on one line. */
export const printExpression = (expression: ExpressionSyntax): string =>
  render(expressionLayout(expression), Number.POSITIVE_INFINITY);

/** `type` on one line. */
export const printType = (type: TypeSyntax): string => render(typeLayout(type), Number.POSITIVE_INFINITY);
