/** Questions about tokens that the repairs of words ask, and the list that they repair. */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { type IToken, type TokenType, tokenMatcher } from "./chevrotain-library.ts";
import * as t from "./tokens.ts";

/** What the braces around a token hold. */
export type BlockKind = "module" | "transform" | "model" | "import";

/** A list of tokens on its way to the grammar. */
export interface Reading {
  readonly source: SourceText;
  readonly tokens: readonly IToken[];
  readonly diagnostics: Diagnostic[];
  /** Reserved words already reported as names: one message for each word. */
  readonly reported: Set<string>;
}

export const spanOf = ({ source }: Reading, token: IToken): Span => ({
  file: source.file,
  start: token.startOffset,
  end: token.startOffset + token.image.length,
});

/** Makes `token` one of another type; its text stays what the author wrote. */
export function retype(token: IToken, type: TokenType): void {
  token.tokenType = type;
  if (type.tokenTypeIdx !== undefined) token.tokenTypeIdx = type.tokenTypeIdx;
}

export const is = (token: IToken | undefined, ...types: TokenType[]): boolean =>
  token !== undefined && types.some((type) => tokenMatcher(token, type));

/** True for an ordinary name: not for a word with a meaning. */
export const isPlainName = (token: IToken | undefined): boolean => token?.tokenType === t.Identifier;

export function startsLine({ source }: Reading, previous: IToken | undefined, token: IToken): boolean {
  if (previous === undefined || is(previous, t.LeftBrace, t.RightBrace)) return true;
  return source.text.slice(previous.startOffset + previous.image.length, token.startOffset).includes("\n");
}
