/** Which bracket closes which, and brackets that repairs make up. */
import { createTokenInstance, type IToken, type TokenType } from "./chevrotain-library.ts";
import * as t from "./tokens.ts";

interface Pair {
  readonly closer: TokenType;
  readonly text: string;
}

const pairs = new Map<TokenType, Pair>([
  [t.LeftBrace, { closer: t.RightBrace, text: "}" }],
  [t.LeftParenthesis, { closer: t.RightParenthesis, text: ")" }],
  [t.LeftBracket, { closer: t.RightBracket, text: "]" }],
]);
const closers = new Set([...pairs.values()].map(({ closer }) => closer));

export const isOpener = (token: IToken): boolean => pairs.has(token.tokenType);
export const isCloser = (token: IToken): boolean => closers.has(token.tokenType);
export const isBrace = (token: IToken | undefined): boolean => token?.tokenType === t.LeftBrace;

/** True when `token` closes `opener`. */
export const closes = (token: IToken, opener: IToken): boolean =>
  pairs.get(opener.tokenType)?.closer === token.tokenType;

/** Text of the bracket that closes `opener`. */
export const closingText = (opener: IToken): string => pairs.get(opener.tokenType)?.text ?? "";

/** A bracket that stands nowhere in the text. */
const madeUp = (type: TokenType, text: string): IToken =>
  createTokenInstance(type, text, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN);

export const madeUpBrace = (): IToken => madeUp(t.LeftBrace, "{");

export const madeUpCloser = (opener: IToken): IToken =>
  madeUp(pairs.get(opener.tokenType)?.closer ?? t.RightBrace, closingText(opener));
