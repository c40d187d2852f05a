/**
 * Repairs words before the grammar sees them: misspelt keywords, reserved words used as names, percentages, and
 * statements that begin with no known word. Requires lexed tokens; ensures one diagnostic for each repair.
 */
import { closestName } from "../text/closest-name.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText } from "../text/source-text.ts";
import type { IToken } from "./chevrotain-library.ts";
import { type Keyword, type KeywordPlace, keywords } from "./keywords.ts";
import { isHead, placeOfKeyword } from "./regions.ts";
import { isMeantAsName, readAsName } from "./repair-names.ts";
import { advise, replace, syntaxError } from "./syntax-problems.ts";
import {
  type BlockKind,
  is,
  isPlainName,
  type Reading,
  retype,
  spanOf,
  startsLine,
} from "./token-reading.ts";
import * as t from "./tokens.ts";

/** True when a statement can be over before the next token. */
const canEnd = (token: IToken | undefined): boolean =>
  token === undefined ||
  isPlainName(token) ||
  is(
    token,
    t.NumberLiteral,
    t.StringLiteral,
    t.Transpose,
    t.RightParenthesis,
    t.RightBracket,
    t.LeftBrace,
    t.RightBrace,
  ) ||
  ["int", "real", "ratio", "bool", "unstructured"].includes(token.image);

const offeredIn: Readonly<Record<Exclude<BlockKind, "import">, readonly KeywordPlace[]>> = {
  module: ["module"],
  transform: ["transform"],
  model: ["model"],
};

const headsOf = (places: readonly KeywordPlace[]): Keyword[] =>
  keywords.filter(({ place, reserved }) => reserved && places.includes(place));

/** The keyword that `word` is a slip of. */
function meantKeyword(word: string, candidates: readonly Keyword[]): string | null {
  const synonym = candidates.find(({ synonyms }) => synonyms.includes(word.toLowerCase()));
  return (
    synonym?.word ??
    closestName(
      word,
      candidates.map((candidate) => candidate.word),
    )
  );
}

const listed = (words: readonly string[]): string =>
  words
    .map((word, index) => `${index === 0 ? "" : index === words.length - 1 ? " or " : ", "}\`${word}\``)
    .join("");

const entryNames: Readonly<Record<BlockKind, string>> = {
  module: "declaration",
  import: "declaration",
  transform: "statement",
  model: "rule",
};

function reportUnknownWord(
  reading: Reading,
  token: IToken,
  block: BlockKind,
  candidates: readonly Keyword[],
  meant: string | null,
): void {
  const span = spanOf(reading, token);
  const help =
    meant === null
      ? advise(`begin with ${listed(candidates.map(({ word }) => word))}`)
      : advise(`write \`${meant}\``, replace(span, meant));
  reading.diagnostics.push(
    syntaxError("unknownWord", {
      message:
        meant === null
          ? `no ${entryNames[block]} begins with \`${token.image}\``
          : `\`${token.image}\` is not a word of the language`,
      span,
      label: meant === null ? `expected a ${entryNames[block]}` : "unknown word",
      facts: { found: token.image, ...(meant === null ? {} : { expected: meant }) },
      help: [help],
    }),
  );
}

/** Keywords that may be meant by the word at `index`, when it stands where only a keyword can; null elsewhere. */
function candidatesAt(reading: Reading, index: number, block: BlockKind): readonly Keyword[] | null {
  const { tokens } = reading;
  const [previous, token, next] = [tokens[index - 1], tokens[index], tokens[index + 1]];
  if (token === undefined || !isPlainName(token) || block === "import") return null;
  if (block === "model" && is(previous, t.StringLiteral) && is(next, t.Identifier, t.StringLiteral)) {
    const rules = headsOf(["rule"]);
    if (meantKeyword(token.image, rules) !== null) return rules;
  }
  if (!canEnd(previous) || !startsLine(reading, previous, token)) return null;
  const candidates = headsOf(offeredIn[block]);
  const opensStatement =
    is(next, t.Identifier, t.StringLiteral, t.DefinitionSign, t.Colon) ||
    (block === "module" && is(next, t.LeftBrace, t.LeftParenthesis)) ||
    (next !== undefined && placeOfKeyword(next) !== null && !isHead(next, token)) ||
    (is(next, t.LeftParenthesis, t.NumberLiteral, t.Minus) && closestName(token.image, ["require"]) !== null);
  return opensStatement || is(previous, t.LeftBrace, t.RightBrace) || previous === undefined
    ? candidates
    : null;
}

/** `def f(…) {` means a transform, `def f(…) =` a function. */
function hasBraces({ tokens }: Reading, index: number): boolean {
  const opener = tokens
    .slice(index)
    .find(
      (token, offset) => is(token, t.LeftBrace, t.RightBrace) || (offset > 0 && isHead(token, undefined)),
    );
  return opener !== undefined && is(opener, t.LeftBrace);
}

/** Index after the statement or declaration that begins with an unknown word at `index`. */
function endOfUnknown(reading: Reading, index: number, block: BlockKind): number {
  const { tokens } = reading;
  let depth = 0;
  for (let end = index + 1; end < tokens.length; end += 1) {
    const token = tokens[end] as IToken;
    if (is(token, t.LeftBrace)) depth += 1;
    if (is(token, t.RightBrace)) depth -= 1;
    if (depth < 0) return end;
    const opens = isHead(token, tokens[end - 1]) && startsLine(reading, tokens[end - 1], token);
    if (opens && (depth === 0 || placeOfKeyword(token) === "module")) return end;
    if (block === "module" && depth === 0 && is(token, t.RightBrace)) return end + 1;
  }
  return tokens.length;
}

/** `50%` is no number; the percent sign is dropped and a ratio offered. */
function isPercentage(reading: Reading, index: number): boolean {
  const [number, token, next] = [reading.tokens[index - 1], reading.tokens[index], reading.tokens[index + 1]];
  if (number === undefined || token === undefined) return false;
  if (!is(number, t.NumberLiteral) || !is(token, t.Percent)) return false;
  const startsValue =
    is(next, t.Identifier, t.NumberLiteral, t.LeftParenthesis, t.Minus) ||
    ["sum", "product"].includes(next?.image ?? "");
  if (startsValue) return false;
  const ratio = String(Number((Number(number.image) / 100).toPrecision(12)));
  const span = { ...spanOf(reading, number), end: token.startOffset + 1 };
  reading.diagnostics.push(
    syntaxError("malformedNumber", {
      message: `\`${number.image}%\` is not a number`,
      span,
      label: "percentage",
      facts: { found: `${number.image}%` },
      help: [advise(`write \`${ratio}\``, replace(span, ratio))],
    }),
  );
  return true;
}

/** Kind of the block that a brace after `head` opens. */
const blockOf = (head: string): BlockKind =>
  head === "import" || head === "model" || head === "transform" ? head : "transform";

/** Index after braces that no declaration begins, with the file that they take names from. */
function endOfBareBraces({ tokens }: Reading, index: number): number {
  let end = index;
  for (let depth = 0; end < tokens.length; end += 1) {
    const token = tokens[end];
    if (is(token, t.LeftBrace)) depth += 1;
    if (is(token, t.RightBrace)) depth -= 1;
    if (depth === 0) break;
  }
  const isImport = tokens[end + 1]?.tokenType === t.wordToken("from");
  return Math.min(tokens.length, isImport ? end + 3 : end + 1);
}

function reportBareBraces(reading: Reading, index: number, end: number): void {
  const token = reading.tokens[index] as IToken;
  const span = spanOf(reading, token);
  const isImport = is(reading.tokens[end - 1], t.StringLiteral);
  reading.diagnostics.push(
    syntaxError("unknownWord", {
      message: "no declaration begins with `{`",
      span,
      label: "expected a declaration",
      facts: { found: "{" },
      help: isImport
        ? [advise("write `import` before the names", replace({ ...span, end: span.start }, "import "))]
        : [advise(`begin with ${listed(headsOf(["module"]).map(({ word }) => word))}`)],
    }),
  );
}

/** The tokens with their words repaired; tokens of statements that no keyword begins are left out. */
export function repairWords(
  source: SourceText,
  tokens: readonly IToken[],
  diagnostics: Diagnostic[],
): IToken[] {
  const reading: Reading = { source, tokens, diagnostics, reported: new Set() };
  const kept: IToken[] = [];
  let block: BlockKind = "module";
  let head = "";
  let depth = 0;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] as IToken;
    if (
      block === "module" &&
      is(token, t.LeftBrace) &&
      head === "" &&
      startsLine(reading, tokens[index - 1], token)
    ) {
      const end = endOfBareBraces(reading, index);
      reportBareBraces(reading, index, end);
      index = end - 1;
      continue;
    }
    const candidates = depth === 0 ? candidatesAt(reading, index, block) : null;
    if (candidates !== null) {
      const nearest = meantKeyword(token.image, candidates);
      const meant = nearest === "function" && hasBraces(reading, index) ? "transform" : nearest;
      reportUnknownWord(reading, token, block, candidates, meant);
      if (meant === null) {
        index = endOfUnknown(reading, index, block) - 1;
        continue;
      }
      retype(token, t.wordToken(meant));
    } else if (isMeantAsName(reading, index, block)) {
      readAsName(reading, token);
    }
    if (isPercentage(reading, index)) continue;
    kept.push(token);
    if (isHead(token, tokens[index - 1])) {
      depth = 0;
      if (placeOfKeyword(token) === "module") {
        head = token.tokenType.name.slice("Word_".length);
        block = "module";
      }
    }
    if (is(token, t.LeftBrace)) block = blockOf(head);
    if (is(token, t.RightBrace)) {
      block = "module";
      head = "";
    }
    if (is(token, t.LeftParenthesis, t.LeftBracket)) depth += 1;
    if (is(token, t.RightParenthesis, t.RightBracket)) depth = Math.max(0, depth - 1);
  }
  return kept;
}
