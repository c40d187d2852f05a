/** Concrete type nodes → types; what recovery lost becomes a dense tensor or an unstructured mask without parts. */
import type { TypeSyntax } from "../syntax/syntax-tree.ts";
import { buildExpression, buildSummation } from "./build-expression.ts";
import type { CstNode } from "./chevrotain-library.ts";
import { type Building, childNode, childNodes, childToken, identifierOf, nodeSpan } from "./syntax-nodes.ts";

export type PatternType = TypeSyntax & { readonly kind: "pattern-type" };
export type TensorType = TypeSyntax & { readonly kind: "tensor-type" };

function buildNumberType(building: Building, node: CstNode): TypeSyntax {
  const span = nodeSpan(building, node);
  const word = childToken(node, "name")?.image;
  const name = word === "real" || word === "ratio" || word === "bool" ? word : "int";
  return { kind: "number-type", name, isConst: childToken(node, "Word_const") !== undefined, span };
}

export function buildTensorType(building: Building, node: CstNode | undefined): TensorType {
  const word = node && childToken(node, "structure")?.image;
  const dimensions = node && childNode(node, "dimensions");
  const part = (label: string) => {
    const summation = node && childNode(node, label);
    return summation === undefined ? null : buildSummation(building, summation);
  };
  return {
    kind: "tensor-type",
    frozen: node !== undefined && childToken(node, "Word_frozen") !== undefined,
    structure: word === "sparse" || word === "blockdiag" || word === "diag" ? word : "dense",
    dimensions: dimensions
      ? childNodes(dimensions, "expression").map((size) => buildExpression(building, size))
      : [],
    support: part("support"),
    blocks: part("blocks"),
    span: nodeSpan(building, node),
  };
}

export function buildPatternType(building: Building, node: CstNode | undefined): PatternType {
  const word = node && childToken(node, "name")?.image;
  const sizes = node && childNode(node, "patternSizes");
  const along = node && childToken(node, "Identifier");
  return {
    kind: "pattern-type",
    name: word === "nm" || word === "block" || word === "support" ? word : "unstructured",
    arguments: sizes ? childNodes(sizes, "expression").map((size) => buildExpression(building, size)) : [],
    along: along ? identifierOf(building, along) : null,
    span: nodeSpan(building, node),
  };
}

export function buildType(building: Building, node: CstNode | undefined): TypeSyntax {
  const numberType = node && childNode(node, "numberType");
  if (numberType !== undefined) return buildNumberType(building, numberType);
  const patternType = node && childNode(node, "patternType");
  if (patternType !== undefined) return buildPatternType(building, patternType);
  return buildTensorType(building, node && childNode(node, "tensorType"));
}
