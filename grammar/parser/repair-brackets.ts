/**
 * Makes brackets pair up before the grammar sees them. Requires repaired words (a reserved word that stands for a
 * name would look like the end of its statement); ensures balanced brackets, nesting and lengths that recursion over
 * the tree can bear, and one diagnostic for each repair.
 */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { createTokenInstance, type IToken, tokenMatcher, type TokenType } from "./chevrotain-library.ts";
import { isHead, placeOfKeyword } from "./regions.ts";
import { hasLocation } from "./token-location.ts";
import { advise, replace, syntaxError } from "./syntax-problems.ts";
import * as t from "./tokens.ts";

const closers = new Map<TokenType, TokenType>([
  [t.LeftBrace, t.RightBrace],
  [t.LeftParenthesis, t.RightParenthesis],
  [t.LeftBracket, t.RightBracket],
]);
const closingTypes = new Set(closers.values());
const closingText = new Map<TokenType, string>([
  [t.LeftBrace, "}"],
  [t.LeftParenthesis, ")"],
  [t.LeftBracket, "]"],
]);

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
function cutLargeStatements(source: SourceText, tokens: readonly IToken[], diagnostics: Diagnostic[]): IToken[] {
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
    return region.filter((token) => token === head || token.tokenType === t.LeftBrace || token.tokenType === t.RightBrace);
  });
}

/** A bracket that stands nowhere in the text. */
const madeUp = (type: TokenType, text: string): IToken =>
  createTokenInstance(type, text, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN);

const closerFor = (opener: IToken): IToken =>
  madeUp(closers.get(opener.tokenType) ?? t.RightBrace, closingText.get(opener.tokenType) ?? "");

const endOf = (token: IToken | undefined): number => (token === undefined ? 0 : token.startOffset + token.image.length);

/** The tokens with every bracket closed; without closing brackets that nothing opened. */
export function repairBrackets(source: SourceText, given: readonly IToken[], diagnostics: Diagnostic[]): IToken[] {
  const tokens = cutLargeStatements(source, given, diagnostics);
  const kept: IToken[] = [];
  const open: IToken[] = [];
  const importBraces = new Set<IToken | undefined>();
  const strayClosers = new Set<number>();
  const spanOf = (token: IToken): Span => ({ file: source.file, start: token.startOffset, end: endOf(token) });

  /** Closes the innermost `count` brackets between `previous` and what follows. */
  function closeBefore(previous: IToken | undefined, count: number): void {
    const unclosed = open.splice(open.length - count, count).reverse();
    const [innermost] = unclosed;
    if (innermost === undefined) return;
    kept.push(...unclosed.map(closerFor));
    const text = unclosed.map((opener) => closingText.get(opener.tokenType)).join("");
    const at = endOf(previous);
    const span = { file: source.file, start: at, end: at };
    const isBlock = innermost.tokenType === t.LeftBrace && previous !== innermost;
    diagnostics.push(
      syntaxError("unclosedBracket", {
        message: `\`${innermost.image}\` is never closed`,
        span,
        label: `expected \`${text}\` here`,
        secondary: unclosed.filter(hasLocation).map((opener) => ({ span: spanOf(opener), text: "opened here" })),
        facts: { expected: text },
        help: [advise(`add \`${text}\``, replace(span, isBlock ? `\n${text}` : text))],
      }),
    );
  }

  function refuseCloser(token: IToken): void {
    const span = spanOf(token);
    diagnostics.push(
      syntaxError("unopenedBracket", {
        message: `nothing opens this \`${token.image}\``,
        span,
        label: "closes nothing",
        facts: { found: token.image },
        help: [advise("remove it", replace(span, ""))],
      }),
    );
  }

  function replaceCloser(token: IToken, opener: IToken): void {
    const expected = closingText.get(opener.tokenType) ?? "";
    open.pop();
    kept.push(closerFor(opener));
    diagnostics.push(
      syntaxError("unclosedBracket", {
        message: `\`${opener.image}\` is closed by \`${token.image}\``,
        span: spanOf(token),
        label: `expected \`${expected}\``,
        secondary: [{ span: spanOf(opener), text: "opened here" }],
        facts: { expected, found: token.image },
        help: [advise(`write \`${expected}\``, replace(spanOf(token), expected))],
      }),
    );
  }

  /** True when a later closer of the statement can close what `token` does not. */
  function isClosedLater(opener: IToken, index: number): boolean {
    let depth = 0;
    for (let next = index + 1; next < tokens.length; next += 1) {
      const token = tokens[next] as IToken;
      if (token.tokenType === t.LeftBrace || token.tokenType === t.RightBrace || isHead(token, tokens[next - 1])) return false;
      if (token.tokenType === opener.tokenType) depth += 1;
      if (token.tokenType === closers.get(opener.tokenType)) depth -= 1;
      if (depth < 0) return true;
    }
    return false;
  }

  /** Supplies the brace that a transform or model forgot before its first statement. */
  function openBlock(head: IToken, previous: IToken | undefined): void {
    const at = endOf(previous);
    const brace = madeUp(t.LeftBrace, "{");
    open.push(brace);
    kept.push(brace);
    const span = { file: source.file, start: at, end: at };
    diagnostics.push(
      syntaxError("declarationForm", {
        message: `expected \`{\` before the ${head.tokenType === t.wordToken("model") ? "rules of the model" : "statements of the transform"}`,
        span,
        label: "missing here",
        secondary: [{ span: spanOf(head), text: "" }],
        facts: { expected: "{" },
        help: [advise("add `{`", replace(span, " {"))],
      }),
    );
  }

  function close(token: IToken, index: number): void {
    const previous = tokens[index - 1];
    const matching = open.findLastIndex((opener) => closers.get(opener.tokenType) === token.tokenType);
    const blocked = token.tokenType !== t.RightBrace && open.slice(matching + 1).some(({ tokenType }) => tokenType === t.LeftBrace);
    const innermost = open.at(-1);
    if (matching !== -1 && !blocked) {
      closeBefore(previous, open.length - 1 - matching);
      open.pop();
      kept.push(token);
    } else if (innermost !== undefined && innermost.tokenType !== t.LeftBrace && token.tokenType !== t.RightBrace && !isClosedLater(innermost, index)) {
      replaceCloser(token, innermost);
    } else refuseCloser(token);
  }

  /** How many open brackets cannot reach past `token`. */
  function endedBy(token: IToken, index: number): number {
    const previous = tokens[index - 1];
    const following = tokens[index + 1];
    const brace = open.findLastIndex(({ tokenType }) => tokenType === t.LeftBrace);
    const inImport = brace !== -1 && importBraces.has(open[brace]);
    if (inImport && token.tokenType === t.wordToken("from") && following?.tokenType === t.StringLiteral) return open.length - brace;
    // Neither stands inside parentheses, so an open one was forgotten before it.
    if (token.tokenType === t.LeftBrace || token.tokenType === t.Arrow) return open.length - 1 - brace;
    if (!isHead(token, previous)) return 0;
    if (placeOfKeyword(token) === "module" || inImport) return open.length;
    return open.length - 1 - brace;
  }

  /** Leaves out a brace where none can stand, and the one that closes it when the declaration has one too many. */
  function refuseBrace(token: IToken, index: number): void {
    let depth = open.filter(({ tokenType }) => tokenType === t.LeftBrace).length;
    let first: number | null = null;
    for (let next = index + 1; next < tokens.length; next += 1) {
      const type = tokens[next]?.tokenType;
      if (placeOfKeyword(tokens[next]) === "module" && type !== t.wordToken("from") && type !== t.wordToken("as")) break;
      if (type === t.LeftBrace) depth += 1;
      if (type === t.RightBrace) {
        depth -= 1;
        first ??= next;
      }
      if (depth < 0) break;
    }
    if (depth < 0 && first !== null) strayClosers.add(first);
    diagnostics.push(
      syntaxError("misplaced", {
        message: "`{` cannot stand here",
        span: spanOf(token),
        label: "wrong place",
        facts: { found: "{" },
        because: ["braces stand around statements of a transform, rules of a model and names of an import"],
      }),
    );
  }

  let awaited: IToken | null = null;
  let refusedInStatement = false;
  tokens.forEach((token, index) => {
    if (strayClosers.has(index)) return;
    const ended = endedBy(token, index);
    if (ended > 0) closeBefore(tokens[index - 1], ended);
    if (isHead(token, tokens[index - 1])) {
      const place = placeOfKeyword(token);
      const opensBlock = token.tokenType === t.wordToken("transform") || token.tokenType === t.wordToken("model");
      const body = awaited?.tokenType === t.wordToken("model") ? "model" : "transform";
      refusedInStatement = false;
      if (awaited !== null && place === body) openBlock(awaited, tokens[index - 1]);
      awaited = opensBlock ? token : null;
    }
    if (token.tokenType === t.LeftBrace) {
      if (tokens[index - 1]?.tokenType === t.wordToken("import")) importBraces.add(token);
      else if (awaited === null) {
        if (!refusedInStatement) refuseBrace(token, index);
        refusedInStatement = true;
        return;
      }
      awaited = null;
    }
    if (closers.has(token.tokenType)) open.push(token);
    if (closingTypes.has(token.tokenType)) close(token, index);
    else kept.push(token);
  });
  closeBefore(tokens.at(-1), open.length);
  return kept;
}
