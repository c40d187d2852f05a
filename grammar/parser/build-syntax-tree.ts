/**
 * Concrete nodes of a whole file → syntax tree. Ensures that every part of the tree exists (empty names and `broken`
 * expressions where recovery found nothing) and that every comment belongs to a node.
 */

import type {
  DeclarationSyntax,
  GlobSyntax,
  ImportSyntax,
  ModuleSyntax,
  ParameterSyntax,
  RuleSyntax,
} from "../syntax/syntax-tree.ts";
import type { Span } from "../text/source-text.ts";
import { buildArguments } from "./build-expression.ts";
import { buildStatements, expressionIn, frame, nameIn, valueIn } from "./build-statement.ts";
import { buildType } from "./build-type.ts";
import type { CstNode, IToken } from "./chevrotain-library.ts";
import {
  anchor,
  type Building,
  checkDefinitionSign,
  childNode,
  childNodes,
  childToken,
  childTokens,
  identifierOf,
  nodeSpan,
  tokenSpan,
} from "./syntax-nodes.ts";
import { advise, syntaxError } from "./syntax-problems.ts";
import { tokenStart } from "./token-location.ts";

const stringOf = (token: IToken | undefined): string => (token?.image ?? "").replace(/^"|"$/g, "");

function buildParameter(building: Building, node: CstNode): ParameterSyntax {
  const span = nodeSpan(building, node);
  const trivia = anchor(building, span, true);
  building.cursor = span.start;
  const name = nameIn(building, node);
  const type = buildType(building, childNode(node, "type"));
  const hasDefault = childToken(node, "DefinitionSign") !== undefined;
  checkDefinitionSign(building, node);
  const defaultValue = hasDefault ? expressionIn(building, node) : null;
  return { name, type, defaultValue, trivia, span };
}

const buildParameters = (building: Building, node: CstNode): ParameterSyntax[] => {
  const list = childNode(node, "parameterList");
  return list === undefined
    ? []
    : childNodes(list, "parameter").map((parameter) => buildParameter(building, parameter));
};

/** The mistake in a pattern of tensor names, or null. */
function globMistake(text: string): string | null {
  if (text === "") return "is empty";
  if (/\s/.test(text)) return "holds a space, which no tensor name does";
  let open = 0;
  for (const character of text) {
    if (character === "{") open += 1;
    if (character === "}") open -= 1;
    if (open < 0) return "closes a brace that it does not open";
  }
  return open > 0 ? "opens a brace that it does not close" : null;
}

function buildGlob(building: Building, token: IToken | undefined): GlobSyntax {
  const span = tokenSpan(building, token);
  const text = stringOf(token);
  const mistake = token?.image.endsWith('"') === true && token.image.length > 1 ? globMistake(text) : null;
  if (mistake !== null) {
    building.diagnostics.push(
      syntaxError("globForm", {
        message: `the pattern \`"${text}"\` ${mistake}`,
        span,
        label: "cannot match",
        facts: { found: text },
        help: [advise('write names, `.`, `*`, `**` and `{a,b}`: `"encoder.*.{query,value}.weight"`')],
      }),
    );
  }
  return { text, span };
}

function buildRules(building: Building, node: CstNode): RuleSyntax[] {
  const uses = childNodes(node, "useRule").map((rule): RuleSyntax => {
    const { trivia, span } = frame(building, rule);
    return {
      kind: "use",
      pattern: buildGlob(building, childToken(rule, "pattern")),
      exceptions: childTokens(rule, "exception").map((token) => buildGlob(building, token)),
      transform: nameIn(building, rule),
      arguments: buildArguments(building, childNode(rule, "argumentList")),
      trivia,
      span,
    };
  });
  const freezes = childNodes(node, "freezeRule").map((rule): RuleSyntax => {
    const { trivia, span } = frame(building, rule);
    return { kind: "freeze", pattern: buildGlob(building, childToken(rule, "pattern")), trivia, span };
  });
  return [...uses, ...freezes].sort((first, second) => first.span.start - second.span.start);
}

/** Comment lines that stand before the closing brace of `node`; filled in when comments are given out. */
function trailingComments(building: Building, node: CstNode): readonly string[] {
  const brace = childToken(node, "RightBrace");
  const close = brace === undefined ? null : tokenStart(brace);
  const comments: string[] = [];
  if (close !== null) building.blocks.push({ close, comments });
  return comments;
}

const declarationBuilders: Record<string, (building: Building, node: CstNode) => DeclarationSyntax> = {
  transformDeclaration: (building, node) => ({
    kind: "transform",
    ...frame(building, node),
    name: nameIn(building, node),
    parameters: buildParameters(building, node),
    statements: buildStatements(building, node),
    trailingComments: trailingComments(building, node),
  }),
  functionDeclaration: (building, node) => ({
    kind: "function",
    ...frame(building, node),
    name: nameIn(building, node),
    parameters: buildParameters(building, node),
    body: valueIn(building, node),
  }),
  intrinsicDeclaration: (building, node) => ({
    kind: "intrinsic",
    ...frame(building, node),
    name: nameIn(building, node),
    parameters: buildParameters(building, node),
    result: buildType(building, childNode(node, "type")),
  }),
  modelDeclaration: (building, node) => ({
    kind: "model",
    ...frame(building, node),
    name: nameIn(building, node),
    rules: buildRules(building, node),
    trailingComments: trailingComments(building, node),
  }),
};

function buildImport(building: Building, node: CstNode): ImportSyntax {
  const { trivia, span } = frame(building, node);
  const names = childNodes(node, "importedName").map((name) => {
    const [imported, local = imported] = childTokens(name, "Identifier");
    return { imported: identifierOf(building, imported), local: identifierOf(building, local) };
  });
  const path = childToken(node, "StringLiteral");
  return {
    kind: "import",
    names,
    from: { value: stringOf(path), span: tokenSpan(building, path) },
    trivia,
    span,
  };
}

function refuseLateImports(
  building: Building,
  imports: readonly ImportSyntax[],
  declarations: readonly DeclarationSyntax[],
): void {
  const [first] = declarations;
  for (const late of imports) {
    if (first === undefined || late.span.start < first.span.start) continue;
    building.diagnostics.push(
      syntaxError("misplaced", {
        message: "imports stand before all declarations",
        span: late.span,
        label: "import after a declaration",
        secondary: [{ span: first.name.span, text: "first declaration" }],
        help: [advise("move it to the top of the file")],
      }),
    );
  }
}

/** The tree of a file; `comments` lists are completed afterwards by `attachComments`. */
export function buildSyntaxTree(building: Building, root: CstNode): ModuleSyntax {
  const inOrder = <Node extends { readonly span: Span }>(nodes: Node[]): Node[] =>
    nodes.sort((first, second) => first.span.start - second.span.start);
  const imports = inOrder(childNodes(root, "importDeclaration").map((node) => buildImport(building, node)));
  const declarations = inOrder(
    Object.entries(declarationBuilders).flatMap(([rule, build]) =>
      childNodes(root, rule).map((node) => build(building, node)),
    ),
  );
  refuseLateImports(building, imports, declarations);
  const trailing: string[] = [];
  const { file, text } = building.source;
  building.blocks.push({ close: text.length, comments: trailing });
  const span = { file, start: 0, end: text.length };
  return { file, imports, declarations, trailingComments: trailing, span };
}
