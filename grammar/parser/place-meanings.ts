/**
 * Tokens that mean different things in different places, told apart by the tokens beside them before the grammar
 * sees them, because the grammar looks only two tokens ahead.
 */
import { quantizedFormats } from "../syntax/syntax-tree.ts";
import type { IToken } from "./chevrotain-library.ts";
import { isHead } from "./regions.ts";
import { is, retype } from "./token-reading.ts";
import * as t from "./tokens.ts";

const beforeDimensions = ["sparse", "blockdiag", "diag", ...quantizedFormats].map(t.wordToken);

/** Tells `frozen [out, in]`, a type, from `frozen R: [out, in] = …`, a statement. */
export function markFrozenTypes(tokens: readonly IToken[]): void {
  for (const [index, token] of tokens.entries()) {
    if (!is(token, t.wordToken("frozen"))) continue;
    const [previous, next, second] = [tokens[index - 1], tokens[index + 1], tokens[index + 2]];
    const isStructured = is(next, ...beforeDimensions) && is(second, t.LeftBracket);
    if (is(previous, t.Colon, t.Arrow) || is(next, t.LeftBracket) || isStructured)
      retype(token, t.FrozenTensor);
  }
}

/** Makes every `=` outside brackets in a `refresh` a definition: after `while` it would read as a slip for `==`. */
export function markRefreshDefinitions(tokens: readonly IToken[]): void {
  let inRefresh = false;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (isHead(token, tokens[index - 1])) {
      inRefresh = is(token, t.wordToken("refresh"));
      depth = 0;
    }
    if (is(token, t.LeftParenthesis, t.LeftBracket)) depth += 1;
    if (is(token, t.RightParenthesis, t.RightBracket)) depth -= 1;
    if (inRefresh && depth === 0 && is(token, t.Equals)) retype(token, t.PlainDefinition);
  }
}
