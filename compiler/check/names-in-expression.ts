/** The names that an expression mentions, in order, callees left out. */
import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";

export function namesInExpression(syntax: ExpressionSyntax): string[] {
  switch (syntax.kind) {
    case "number":
    case "broken":
      return [];
    case "name":
      return [syntax.name];
    case "call":
      return syntax.arguments.flatMap(({ value }) => namesInExpression(value));
    case "index":
      return [...namesInExpression(syntax.target), ...namesInExpression(syntax.index)];
    case "sum":
    case "product":
      return [...namesInExpression(syntax.count), ...namesInExpression(syntax.term)];
    case "binary":
      return [...namesInExpression(syntax.left), ...namesInExpression(syntax.right)];
    case "unary":
    case "transpose":
      return namesInExpression(syntax.operand);
  }
}
