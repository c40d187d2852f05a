/** Concrete statement nodes → statements; the parts that all nodes of a block have stand first. */
import {
  type ExpressionSyntax,
  type Identifier,
  pinKinds,
  type StatementSyntax,
} from "../syntax/syntax-tree.ts";
import { buildExpression, buildNumber, buildSummation } from "./build-expression.ts";
import {
  buildNumberType,
  buildPatternType,
  buildTensorType,
  maskModeOf,
  type PatternType,
} from "./build-type.ts";
import type { CstNode } from "./chevrotain-library.ts";
import {
  anchor,
  type Building,
  broken,
  checkDefinitionSign,
  childNode,
  childNodes,
  childToken,
  childTokens,
  identifierOf,
  nodeSpan,
  tokenSpan,
} from "./syntax-nodes.ts";

/** Part of a node that every declaration, statement and rule has. */
export function frame(building: Building, node: CstNode) {
  const span = nodeSpan(building, node);
  building.cursor = span.start;
  return { trivia: anchor(building, span), span };
}

export const expressionIn = (building: Building, node: CstNode): ExpressionSyntax =>
  buildExpression(building, childNode(node, "expression"));

export const nameIn = (building: Building, node: CstNode) =>
  identifierOf(building, childToken(node, "Identifier"));

/** The value after `=`. */
export function valueIn(building: Building, node: CstNode): ExpressionSyntax {
  checkDefinitionSign(building, node);
  return expressionIn(building, node);
}

/** `[n]` or `[i < n]` after the name of a family of patterns. */
function familyIn(
  building: Building,
  node: CstNode,
): { readonly count: ExpressionSyntax | null; readonly index: Identifier | null } {
  const family = childNode(node, "family");
  if (family === undefined) return { count: null, index: null };
  const index = childToken(family, "Identifier");
  return {
    index: index === undefined ? null : identifierOf(building, index),
    count: buildSummation(building, childNode(family, "summation")),
  };
}

/** A name or a number. */
function pinnedValue(building: Building, node: CstNode): ExpressionSyntax {
  const [number, name] = [childToken(node, "NumberLiteral"), childToken(node, "Identifier")];
  if (number !== undefined) return buildNumber(building, number);
  return name === undefined ? broken(building, node) : { kind: "name", ...identifierOf(building, name) };
}

const statementBuilders: Record<string, (building: Building, node: CstNode) => StatementSyntax> = {
  requireStatement: (building, node) => ({
    kind: "require",
    ...frame(building, node),
    condition: expressionIn(building, node),
  }),
  letStatement: (building, node) => ({
    kind: "let",
    ...frame(building, node),
    name: nameIn(building, node),
    value: valueIn(building, node),
  }),
  maskStatement: (building, node) => ({
    kind: "mask",
    ...frame(building, node),
    name: nameIn(building, node),
    ...familyIn(building, node),
    mode: maskModeOf(childToken(node, "mode")?.image),
    pattern: buildPatternType(building, childNode(node, "patternType")),
    value: valueIn(building, node),
  }),
  supportStatement: (building, node) => {
    const { trivia, span } = frame(building, node);
    const keyword = tokenSpan(building, childToken(node, "Word_support"));
    const pattern: PatternType = {
      kind: "pattern-type",
      name: "support",
      arguments: [],
      along: null,
      span: keyword,
    };
    return {
      kind: "mask",
      name: nameIn(building, node),
      ...familyIn(building, node),
      mode: null,
      pattern,
      value: valueIn(building, node),
      trivia,
      span,
    };
  },
  paramStatement: (building, node) => ({
    kind: "param",
    ...frame(building, node),
    shared: false,
    name: nameIn(building, node),
    type: buildTensorType(building, childNode(node, "tensorType")),
    value: childToken(node, "DefinitionSign") === undefined ? null : valueIn(building, node),
  }),
  frozenStatement: (building, node) => ({
    kind: "frozen",
    ...frame(building, node),
    shared: false,
    name: nameIn(building, node),
    type: buildTensorType(building, childNode(node, "tensorType")),
    value: valueIn(building, node),
  }),
  scheduleStatement: (building, node) => ({
    kind: "schedule",
    ...frame(building, node),
    name: nameIn(building, node),
    type: buildNumberType(building, childNode(node, "numberType")),
    value: valueIn(building, node),
  }),
  phaseStatement: (building, node) => ({
    kind: "phase",
    ...frame(building, node),
    name: nameIn(building, node),
    value: valueIn(building, node),
  }),
  refreshStatement: (building, node) => {
    const condition = childNode(node, "condition");
    return {
      kind: "refresh",
      ...frame(building, node),
      name: nameIn(building, node),
      every: buildSummation(building, childNode(node, "every")),
      condition: condition === undefined ? null : buildExpression(building, condition),
      value: childToken(node, "DefinitionSign") === undefined ? null : valueIn(building, node),
    };
  },
  pinStatement: (building, node) => {
    const [claim, subject, value] = [
      childToken(node, "claim")?.image,
      childNode(node, "summation"),
      childNode(node, "pinnedValue"),
    ];
    const { trivia, span } = frame(building, node);
    checkDefinitionSign(building, node);
    return {
      kind: "pin",
      claim: pinKinds.find((kind) => kind === claim) ?? "merge",
      subject: subject === undefined ? null : buildSummation(building, subject),
      value: value === undefined ? null : pinnedValue(building, value),
      trivia,
      span,
    };
  },
  initStatement: (building, node) => ({
    kind: "init",
    ...frame(building, node),
    names: childTokens(node, "Identifier").map((token) => identifierOf(building, token)),
    value: valueIn(building, node),
  }),
  weightStatement: (building, node) => ({
    kind: "weight",
    ...frame(building, node),
    value: valueIn(building, node),
  }),
};

/** The statements directly under `node`, in the order of the table. */
const statementsUnder = (building: Building, node: CstNode): StatementSyntax[] =>
  Object.entries(statementBuilders).flatMap(([rule, build]) =>
    childNodes(node, rule).map((inner) => build(building, inner)),
  );

/** `shared param …`, `shared frozen …`: the statement begins, and its comments stand, before `shared`. */
function buildShared(building: Building, node: CstNode): StatementSyntax[] {
  const { trivia, span } = frame(building, node);
  const anchors = building.anchors.length;
  const statements = statementsUnder(building, node);
  building.anchors.splice(anchors);
  return statements.map((statement) =>
    statement.kind === "param" || statement.kind === "frozen"
      ? { ...statement, shared: true, trivia, span }
      : statement,
  );
}

/** The statements of a transform, in order. */
export const buildStatements = (building: Building, node: CstNode): StatementSyntax[] =>
  childNodes(node, "statement").flatMap((statement) => [
    ...statementsUnder(building, statement),
    ...childNodes(statement, "sharedStatement").flatMap((shared) => buildShared(building, shared)),
  ]);
