/**
 * Cuts statements that are too large for recursion over their tree, before brackets are paired. Ensures that no
 * statement nests brackets deeper or holds more operators than the limits.
 */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText } from "../text/source-text.ts";
import { type IToken, tokenMatcher } from "./chevrotain-library.ts";
import { isHead, placeOfKeyword } from "./regions.ts";
import { advise, syntaxError } from "./syntax-problems.ts";
import * as t from "./tokens.ts";

export const deepestNesting = 64;
export const mostOperators = 512;

const operatorTypes = [t.SumOperator, t.ProductOperator, t.ComparisonOperator, t.Transpose, t.LeftBracket];
const isOperator = (token: IToken): boolean =>
  operatorTypes.some((type) => tokenMatcher(token, type)) || placeOfKeyword(token) === "expression";

/** Nesting of brackets other than braces and number of operators, the largest within one statement. */
function isTooLarge(region: readonly IToken[]): boolean {
  let depth = 0;
  let deepest = 0;
  let operators = 0;
  for (const token of region) {
    const { tokenType } = token;
    if (tokenType === t.LeftParenthesis || tokenType === t.LeftBracket) depth += 1;
    if (tokenType === t.RightParenthesis || tokenType === t.RightBracket) depth = Math.max(0, depth - 1);
    deepest = Math.max(deepest, depth);
    if (isOperator(token)) operators += 1;
  }
  return deepest > deepestNesting || operators > mostOperators;
}

/** Cuts statements that are too large down to their keyword and braces. */
export function cutLargeStatements(
  source: SourceText,
  tokens: readonly IToken[],
  diagnostics: Diagnostic[],
): IToken[] {
  const regions: IToken[][] = [[]];
  tokens.forEach((token, index) => {
    if (isHead(token, tokens[index - 1])) regions.push([]);
    regions.at(-1)?.push(token);
  });
  return regions.flatMap((region) => {
    const [head] = region;
    if (head === undefined || !isTooLarge(region)) return region;
    diagnostics.push(
      syntaxError("tooLarge", {
        message: `the statement is nested deeper than ${deepestNesting} or has over ${mostOperators} operators`,
        span: { file: source.file, start: head.startOffset, end: head.startOffset + head.image.length },
        label: "too large",
        help: [advise("name its parts with `let`")],
      }),
    );
    return region.filter(
      (token) => token === head || token.tokenType === t.LeftBrace || token.tokenType === t.RightBrace,
    );
  });
}
