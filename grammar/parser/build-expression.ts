/**
 * Concrete expression nodes → expressions. Ensures that every binary operator has two operands (`broken` where
 * recovery found none); chains of operators are judged by `judge-operators.ts` on the way.
 */

import type { ArgumentSyntax, BinarySyntaxOperator, ExpressionSyntax } from "../syntax/syntax-tree.ts";
import { joinSpans, type Span } from "../text/source-text.ts";
import type { CstNode, IToken } from "./chevrotain-library.ts";
import { type Chain, judgeComparison, judgeProduct, textOf } from "./judge-operators.ts";
import {
  type Building,
  broken,
  childNode,
  childNodes,
  childToken,
  childTokens,
  identifierOf,
  nodeSpan,
  tokenSpan,
} from "./syntax-nodes.ts";
import { advise, replace, syntaxError, syntaxProblems } from "./syntax-problems.ts";

/** Operators by what they mean: the image of a repaired token is still the slip, its type is not. */
const operatorSigns: Readonly<Record<string, BinarySyntaxOperator>> = {
  Word_or: "or",
  Word_and: "and",
  DoubleEquals: "==",
  Equals: "==",
  NotEquals: "!=",
  Less: "<",
  LessEquals: "<=",
  Greater: ">",
  GreaterEquals: ">=",
  Plus: "+",
  Minus: "-",
  Star: "*",
  Slash: "/",
  Percent: "%",
  At: "@",
  DotStar: ".*",
  DotSlash: "./",
};

const signOf = (token: IToken): BinarySyntaxOperator => operatorSigns[token.tokenType.name] ?? "*";

type Build = (building: Building, node: CstNode | undefined) => ExpressionSyntax;

function foldLeft(
  chain: Chain,
  signs: readonly BinarySyntaxOperator[],
  missing: () => ExpressionSyntax,
): ExpressionSyntax {
  const [first = missing(), ...rest] = chain.operands;
  return chain.operators.reduce<ExpressionSyntax>((left, { span: operatorSpan }, index) => {
    const right = rest[index] ?? missing();
    const operator = signs[index] ?? "*";
    return { kind: "binary", operator, operatorSpan, left, right, span: joinSpans(left.span, right.span) };
  }, first);
}

/** A level of left-associative operators; `judge` sees the whole chain. */
function level(
  buildOperand: Build,
  judge?: (building: Building, chain: Chain, signs: readonly BinarySyntaxOperator[]) => void,
): Build {
  return (building, node) => {
    if (node === undefined) return broken(building);
    const operandNodes = childNodes(node, "operand");
    const tokens = childTokens(node, "operator");
    const operands: ExpressionSyntax[] = [];
    const operators: { text: string; span: Span }[] = [];
    for (let index = 0; index < Math.max(operandNodes.length, tokens.length); index += 1) {
      if (index < operandNodes.length) operands.push(buildOperand(building, operandNodes[index]));
      const token = tokens[index];
      if (token !== undefined) operators.push({ text: token.image, span: tokenSpan(building, token) });
    }
    const signs = tokens.map(signOf);
    const chain = { operands, operators };
    if (operators.length > 0) judge?.(building, chain, signs);
    return foldLeft(chain, signs, () => broken(building));
  };
}

/** `- - x`, `not not x`: operators before an operand, the last one innermost. */
function prefix(operator: "-" | "not", buildOperand: Build): Build {
  return (building, node) => {
    if (node === undefined) return broken(building);
    const signs = childTokens(node, "operator").map((token) => tokenSpan(building, token));
    const operand = buildOperand(building, childNode(node, "operand"));
    return signs.reduceRight<ExpressionSyntax>(
      (inner, span) => ({ kind: "unary", operator, operand: inner, span: joinSpans(span, inner.span) }),
      operand,
    );
  };
}

const buildPostfix: Build = (building, node) => {
  if (node === undefined) return broken(building);
  const base = buildPrimary(building, childNode(node, "primary"));
  const parts = [
    ...childTokens(node, "Transpose").map((token) => ({ at: token.startOffset, token, slice: null })),
    ...childNodes(node, "slice").map((slice) => ({
      at: slice.location?.startOffset ?? 0,
      token: null,
      slice,
    })),
  ].sort((first, second) => first.at - second.at);
  return parts.reduce<ExpressionSyntax>((target, { token, slice }) => {
    if (token !== null) {
      return { kind: "transpose", operand: target, span: joinSpans(target.span, tokenSpan(building, token)) };
    }
    const index = buildExpression(building, childNode(slice, "expression"));
    return { kind: "index", target, index, span: joinSpans(target.span, nodeSpan(building, slice)) };
  }, base);
};

const buildSigned = prefix("-", buildPostfix);
const buildProduct = level(buildSigned, judgeProduct);
const buildSum = level(buildProduct);
const buildComparison = level(buildSum, judgeComparison);
const buildNegation = prefix("not", buildComparison);
const buildConjunction = level(buildNegation);

/** An expression; `broken` when `node` is missing. */
export const buildExpression: Build = (building, node) => level(buildConjunction)(building, node);

/** An expression without comparison at its top: `n / b` in `blocks n / b = 0`. */
export const buildSummation: Build = (building, node) => buildSum(building, node);

/** Connectives over such expressions: `E or F` in `on E or F = 0`. */
export const buildPositions: Build = level(level(prefix("not", buildSum)));

/** A number; `broken` when it is none, or too large for 64 bits. */
export function buildNumber(building: Building, token: IToken): ExpressionSyntax {
  const span = tokenSpan(building, token);
  const value = Number(token.image);
  if (token.image === "" || Number.isNaN(value)) return { kind: "broken", span };
  if (Number.isFinite(value)) return { kind: "number", value, text: token.image, span };
  building.diagnostics.push(
    syntaxError("malformedNumber", {
      message: `\`${token.image}\` is larger than any number of 64 bits`,
      span,
      label: "too large",
      help: [advise("the largest number is about 1.8e308")],
    }),
  );
  return { kind: "broken", span };
}

function buildSeries(building: Building, node: CstNode): ExpressionSyntax {
  const operator = childToken(node, "operator");
  tokenSpan(building, operator);
  const variable = identifierOf(building, childToken(node, "Identifier"));
  const count = buildSummation(building, childNode(node, "summation"));
  const term = buildExpression(building, childNode(node, "expression"));
  const kind = operator?.tokenType.name === "Word_product" ? "product" : "sum";
  return { kind, variable, count, term, span: nodeSpan(building, node) };
}

function buildNameOrCall(building: Building, node: CstNode): ExpressionSyntax {
  const callee = identifierOf(building, childToken(node, "Identifier"));
  const list = childNode(node, "argumentList");
  if (list === undefined) return { kind: "name", ...callee };
  return { kind: "call", callee, arguments: buildArguments(building, list), span: nodeSpan(building, node) };
}

const buildPrimary: Build = (building, node) => {
  const number = node && childToken(node, "NumberLiteral");
  if (number !== undefined) return buildNumber(building, number);
  const series = node && childNode(node, "series");
  if (series !== undefined) return buildSeries(building, series);
  const name = node && childNode(node, "nameOrCall");
  if (name !== undefined) return buildNameOrCall(building, name);
  const inner = node && childNode(node, "parenthesized");
  if (inner === undefined) return broken(building, node);
  const expression = buildExpression(building, childNode(inner, "expression"));
  return { ...expression, span: nodeSpan(building, inner) };
};

function buildArgument(building: Building, node: CstNode): ArgumentSyntax {
  const token = childToken(node, "Identifier");
  const name = token === undefined ? null : identifierOf(building, token);
  const start = node.location?.startOffset ?? building.cursor;
  const model = childToken(node, "Word_model");
  const value: ExpressionSyntax =
    model === undefined
      ? buildExpression(building, childNode(node, "expression"))
      : { kind: "name", ...identifierOf(building, model) };
  const span = nodeSpan(building, node);
  const isSlip =
    value.kind === "binary" && textOf(building, value.operatorSpan) === "=" && value.left.kind === "name";
  if (name !== null || !isSlip || value.left.span.start !== start) return { name, value, span };
  const asComparison = building.diagnostics.findIndex(
    ({ code, primary }) =>
      code === syntaxProblems.comparisonSign.code && primary?.span.start === value.operatorSpan.start,
  );
  if (asComparison !== -1) building.diagnostics.splice(asComparison, 1);
  building.diagnostics.push(
    syntaxError("argumentSign", {
      message: `the argument \`${value.left.name}\` is named with \`:\`, not with \`=\``,
      span: value.operatorSpan,
      label: "expected `:`",
      facts: { expected: ":", found: "=" },
      help: [
        advise(
          `write \`${value.left.name}: ${textOf(building, value.right.span)}\``,
          replace({ ...value.operatorSpan, start: value.left.span.end, end: value.right.span.start }, ": "),
        ),
      ],
    }),
  );
  return { name: { name: value.left.name, span: value.left.span }, value: value.right, span };
}

/** The arguments of a call or of a rule; none when the list is missing. */
export const buildArguments = (building: Building, node: CstNode | undefined): ArgumentSyntax[] =>
  node === undefined ? [] : childNodes(node, "argument").map((argument) => buildArgument(building, argument));
