/** What an expression is made of: the one place, beside its meaning and its text, that knows the parts of each kind. */
import type { Expression, FunctionDeclaration } from "./program.ts";

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
