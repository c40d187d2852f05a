/**
 * Access to the parser's concrete nodes, shared by the two files that build the tree: children by label, spans, and
 * a place for what is missing after recovery.
 */

import type { ExpressionSyntax, Identifier, Trivia } from "../syntax/syntax-tree.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import type { CstNode, IToken } from "./chevrotain-library.ts";
import { advise, replace, syntaxError } from "./syntax-problems.ts";
import { isNode, spanOfElements, tokenEnd } from "./token-location.ts";

/** A node's trivia while comments are still being given out. */
export type TriviaDraft = {
  -readonly [Key in keyof Trivia]: Trivia[Key] extends readonly string[] ? string[] : Trivia[Key];
};

/** A node that comments can belong to. */
export interface Anchor {
  readonly span: Span;
  readonly trivia: TriviaDraft;
  /** True for parameters, whose comment may follow their comma. */
  readonly inList: boolean;
}

/** A pair of braces whose last comments belong to no statement. */
export interface Block {
  /** Offset of the closing brace. */
  readonly close: number;
  readonly comments: string[];
}

export interface Building {
  readonly source: SourceText;
  readonly diagnostics: Diagnostic[];
  readonly anchors: Anchor[];
  readonly blocks: Block[];
  /** End of the text read so far: where something missing would have stood. */
  cursor: number;
}

export const childNodes = (node: CstNode, label: string): CstNode[] =>
  (node.children[label] ?? []).filter(isNode);

export const childTokens = (node: CstNode, label: string): IToken[] =>
  (node.children[label] ?? []).filter((child): child is IToken => !isNode(child));

export const childNode = (node: CstNode, label: string): CstNode | undefined => childNodes(node, label)[0];

export const childToken = (node: CstNode, label: string): IToken | undefined => childTokens(node, label)[0];

/** Span of a token; an empty one at the cursor for a token that recovery made up. */
export function tokenSpan(building: Building, token: IToken | undefined): Span {
  const end = token === undefined ? null : tokenEnd(token);
  if (token === undefined || end === null) {
    return { file: building.source.file, start: building.cursor, end: building.cursor };
  }
  building.cursor = Math.max(building.cursor, end);
  return { file: building.source.file, start: token.startOffset, end };
}

export function nodeSpan(building: Building, node: CstNode | undefined): Span {
  const elements = node === undefined ? [] : Object.values(node.children).flat();
  const found = spanOfElements(building.source.file, elements);
  if (found === null) return tokenSpan(building, undefined);
  building.cursor = Math.max(building.cursor, found.end);
  return found;
}

export const identifierOf = (building: Building, token: IToken | undefined): Identifier => {
  const span = tokenSpan(building, token);
  return { name: token?.image ?? "", span };
};

export const broken = (building: Building, node?: CstNode): ExpressionSyntax => ({
  kind: "broken",
  span: nodeSpan(building, node),
});

/** Registers `span` as a node that comments can belong to. */
export function anchor(building: Building, span: Span, inList = false): Trivia {
  const trivia: TriviaDraft = { documentation: [], comments: [], blankBefore: false, after: null };
  building.anchors.push({ span, trivia, inList });
  return trivia;
}

/** Reports a definition written with another sign than `=`. */
export function checkDefinitionSign(building: Building, node: CstNode): void {
  const token = childToken(node, "DefinitionSign");
  const span = tokenSpan(building, token);
  if (token === undefined || token.image === "" || token.image === "=") return;
  building.diagnostics.push(
    syntaxError("definitionSign", {
      message: `\`=\` defines, not \`${token.image}\``,
      span,
      label: "expected `=`",
      facts: { expected: "=", found: token.image },
      help: [advise("write `=`", replace(span, "="))],
    }),
  );
}
