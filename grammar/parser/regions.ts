/**
 * Statement by statement: the stretches of a file in which one mistake silences the complaints that follow from it.
 * A stretch begins at the keyword of a declaration, statement or rule.
 */
import type { IToken } from "./chevrotain-library.ts";
import { type KeywordPlace, keywordNamed } from "./keywords.ts";
import { hasLocation } from "./token-location.ts";
import { Arrow, Colon, wordToken } from "./tokens.ts";

const headPlaces: readonly KeywordPlace[] = ["module", "transform", "model"];

/** The place of the keyword `token`; null for ordinary names, also for a reserved word that was read as a name. */
export function placeOfKeyword(token: IToken | undefined): KeywordPlace | null {
  if (token === undefined || !token.tokenType.name.startsWith("Word_")) return null;
  return keywordNamed(token.tokenType.name.slice("Word_".length))?.place ?? null;
}

/**
 * True when `token` begins a declaration, statement or rule. `support` is also a type, after `:` and `->`; after
 * `shared` the statement has begun already.
 */
export function isHead(token: IToken, previous: IToken | undefined): boolean {
  const place = placeOfKeyword(token);
  if (place === null || !headPlaces.includes(place) || (token.tokenType.CATEGORIES ?? []).length > 0)
    return false;
  return ![Colon, Arrow, wordToken("shared")].some((type) => type === previous?.tokenType);
}

/** Offsets at which stretches begin, ascending. */
export const regionStarts = (tokens: readonly IToken[]): number[] =>
  tokens
    .filter((token, index) => hasLocation(token) && isHead(token, tokens[index - 1]))
    .map((token) => token.startOffset);

/** Number of the stretch that holds `offset`. */
export const regionAt = (starts: readonly number[], offset: number): number => {
  const next = starts.findIndex((start) => start > offset);
  return next === -1 ? starts.length : next;
};
