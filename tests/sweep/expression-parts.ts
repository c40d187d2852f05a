/** What an expression is made of: the one place, beside its meaning and its text, that knows the parts of each kind. */
import type { Expression, FunctionDeclaration } from "./program.ts";

/** The same node over what `change` makes of its children, which have the same shapes. */
export function mapChildren(
  expression: Expression,
  change: (child: Expression, index: number) => Expression,
): Expression {
  switch (expression.kind) {
    case "sum":
      return { ...expression, terms: expression.terms.map(change) };
    case "product":
    case "hadamard":
    case "kron":
    case "quotient":
      return { ...expression, factors: expression.factors.map(change) };
    case "blockdiag":
      return { ...expression, blocks: expression.blocks.map(change) };
    case "rows":
    case "columns":
      return { ...expression, parts: expression.parts.map(change) };
    case "scale":
    case "negative":
    case "transpose":
    case "mask":
    case "map":
    case "detach":
    case "normed":
    case "entry":
      return { ...expression, operand: change(expression.operand, 0) };
    case "loop":
      return { ...expression, body: change(expression.body, 0) };
    case "let":
      return { ...expression, value: change(expression.value, 0) };
    case "call":
      return { ...expression, operands: expression.operands.map(change) };
    default:
      return expression;
  }
}

export function childrenOf(expression: Expression): readonly Expression[] {
  const children: Expression[] = [];
  mapChildren(expression, (child) => {
    children.push(child);
    return child;
  });
  return children;
}

/** Every node, parents first; the bodies of functions, whose names are their own, are left out. */
export function* nodesOf(expression: Expression): Generator<Expression> {
  yield expression;
  for (const child of childrenOf(expression)) yield* nodesOf(child);
}

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
