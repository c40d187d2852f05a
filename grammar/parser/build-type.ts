/** Concrete type nodes → types; what recovery lost becomes a dense tensor or an unstructured mask without parts. */
import {
  type MaskMode,
  maskModes,
  type QuantizationSyntax,
  quantizedFormats,
  type TypeSyntax,
} from "../syntax/syntax-tree.ts";
import { buildExpression, buildPositions, buildSummation } from "./build-expression.ts";
import type { CstNode } from "./chevrotain-library.ts";
import { type Building, childNode, childNodes, childToken, identifierOf, nodeSpan } from "./syntax-nodes.ts";
import { advise, syntaxError } from "./syntax-problems.ts";

export type PatternType = TypeSyntax & { readonly kind: "pattern-type" };
export type TensorType = TypeSyntax & { readonly kind: "tensor-type" };

export type NumberType = TypeSyntax & { readonly kind: "number-type" };

export function buildNumberType(building: Building, node: CstNode | undefined): NumberType {
  const span = nodeSpan(building, node);
  const word = node && childToken(node, "name")?.image;
  const name = word === "real" || word === "ratio" || word === "bool" ? word : "int";
  return {
    kind: "number-type",
    name,
    isConst: node !== undefined && childToken(node, "Word_const") !== undefined,
    span,
  };
}

/** The format before the dimensions and the size after them; a size without a format that has scales is reported. */
function buildQuantization(building: Building, node: CstNode): QuantizationSyntax | null {
  const word = childToken(node, "format")?.image;
  const size = childNode(node, "block");
  const block = size === undefined ? null : buildSummation(building, size);
  const format = quantizedFormats.find((name) => name === word);
  if (block === null) return format === undefined ? null : { format, block };
  if (format !== undefined && format !== "bf16") return { format, block };
  building.diagnostics.push(
    syntaxError("typeForm", {
      message: "`block` gives the values of one scale, and this type has no scales",
      span: block.span,
      label: format === undefined ? "no format before the dimensions" : "numbers of `bf16` need no scale",
      help: [advise("write `nf4 [out, in] block 64`; a block-diagonal tensor has `blocks`")],
    }),
  );
  return format === undefined ? null : { format, block: null };
}

/** The mode that `word` names, or null. */
export const maskModeOf = (word: string | undefined): MaskMode | null =>
  maskModes.find((mode) => mode === word) ?? null;

export function buildTensorType(building: Building, node: CstNode | undefined): TensorType {
  const word = node && childToken(node, "structure")?.image;
  const dimensions = node && childNode(node, "dimensions");
  const part = (label: string, build = buildSummation) => {
    const found = node && childNode(node, label);
    return found === undefined ? null : build(building, found);
  };
  return {
    kind: "tensor-type",
    frozen: node !== undefined && childToken(node, "FrozenTensor") !== undefined,
    structure: word === "sparse" || word === "blockdiag" || word === "diag" ? word : "dense",
    dimensions: dimensions
      ? childNodes(dimensions, "expression").map((size) => buildExpression(building, size))
      : [],
    support: part("support", buildPositions),
    blocks: part("blocks"),
    quantized: node === undefined ? null : buildQuantization(building, node),
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
  if (node !== undefined && childToken(node, "Word_pool") !== undefined)
    return { kind: "pool-type", span: nodeSpan(building, node) };
  const patternType = node && childNode(node, "patternType");
  if (patternType !== undefined) return buildPatternType(building, patternType);
  return buildTensorType(building, node && childNode(node, "tensorType"));
}
