/**
 * Repairs words before the grammar sees them: misspelt keywords, reserved words used as names, percentages, and
 * statements that begin with no known word. Requires lexed tokens; ensures one diagnostic for each repair.
 */
import type { Diagnostic } from "../text/diagnostic.ts";
import { closestName } from "../text/closest-name.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { type IToken, tokenMatcher, type TokenType } from "./chevrotain-library.ts";
import { isReservedWord, type Keyword, type KeywordPlace, keywords } from "./keywords.ts";
import { isHead, placeOfKeyword } from "./regions.ts";
import { advise, replace, syntaxError } from "./syntax-problems.ts";
import * as t from "./tokens.ts";

type BlockKind = "module" | "transform" | "model" | "import";

interface Reading {
  readonly source: SourceText;
  readonly tokens: readonly IToken[];
  readonly diagnostics: Diagnostic[];
  /** Reserved words already reported as names: one message for each word. */
  readonly reported: Set<string>;
}

const spanOf = ({ source }: Reading, token: IToken): Span => ({
  file: source.file,
  start: token.startOffset,
  end: token.startOffset + token.image.length,
});

function retype(token: IToken, type: TokenType): void {
  token.tokenType = type;
  if (type.tokenTypeIdx !== undefined) token.tokenTypeIdx = type.tokenTypeIdx;
}

const is = (token: IToken | undefined, ...types: TokenType[]): boolean =>
  token !== undefined && types.some((type) => tokenMatcher(token, type));

/** True for an ordinary name: not for a word with a meaning. */
const isPlainName = (token: IToken | undefined): boolean => token?.tokenType === t.Identifier;

function startsLine({ source }: Reading, previous: IToken | undefined, token: IToken): boolean {
  if (previous === undefined || is(previous, t.LeftBrace, t.RightBrace)) return true;
  return source.text.slice(previous.startOffset + previous.image.length, token.startOffset).includes("\n");
}

/** True when a statement can be over before the next token. */
const canEnd = (token: IToken | undefined): boolean =>
  token === undefined ||
  isPlainName(token) ||
  is(token, t.NumberLiteral, t.StringLiteral, t.Transpose, t.RightParenthesis, t.RightBracket, t.LeftBrace, t.RightBrace) ||
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
  return synonym?.word ?? closestName(word, candidates.map((candidate) => candidate.word));
}

const listed = (words: readonly string[]): string =>
  words.map((word, index) => (index === 0 ? "" : index === words.length - 1 ? " or " : ", ") + `\`${word}\``).join("");

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
  return opensStatement || (is(previous, t.LeftBrace, t.RightBrace) || previous === undefined) ? candidates : null;
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

const nameFollowers = [
  t.Colon,
  t.Comma,
  t.RightParenthesis,
  t.RightBracket,
  t.RightBrace,
  t.LeftParenthesis,
  t.Transpose,
  t.DefinitionSign,
  t.ComparisonOperator,
  t.SumOperator,
  t.ProductOperator,
];
const beforeNames = [
  t.Comma,
  t.LeftParenthesis,
  t.LeftBracket,
  t.DefinitionSign,
  t.ComparisonOperator,
  t.SumOperator,
  t.ProductOperator,
];

/** True when the reserved word at `index` stands where its author meant a name. */
function isMeantAsName(reading: Reading, index: number, block: BlockKind): boolean {
  const { tokens } = reading;
  const [previous, token, next] = [tokens[index - 1], tokens[index], tokens[index + 1]];
  if (token === undefined || !isReservedWord(token.image) || isPlainName(token)) return false;
  const place = placeOfKeyword(token);
  const previousPlace = placeOfKeyword(previous);
  const sameLine = !startsLine(reading, previous, token);
  const isType = token.image === "support" && is(previous, t.Colon, t.Arrow);
  if (isType || place === null) return false;
  const endsHere = next === undefined || is(next, t.RightBrace) || isHead(next, token);
  if (block === "import" && is(previous, t.LeftBrace, t.Comma)) return is(next, t.Comma, t.RightBrace) || endsHere;
  if (is(next, t.Colon) && (is(previous, t.Comma, t.LeftParenthesis) || previousPlace !== null)) return true;
  const afterHead = previous !== undefined && previousPlace !== null && isHead(previous, tokens[index - 2]) && sameLine;
  if (afterHead && previous.image !== "require") {
    return place !== "expression" && (is(next, ...nameFollowers, t.LeftBrace) || endsHere);
  }
  if (!is(previous, ...beforeNames) || place === "expression" || place === "type") return false;
  if (is(next, t.DefinitionSign) && !is(next, t.DoubleEquals) && (token.image === "weight" || !sameLine)) return false;
  return is(next, ...nameFollowers) || (sameLine && endsHere);
}

function readAsName(reading: Reading, token: IToken): void {
  retype(token, t.Identifier);
  if (reading.reported.has(token.image)) return;
  reading.reported.add(token.image);
  reading.diagnostics.push(
    syntaxError("reservedName", {
      message: `\`${token.image}\` is a word of the language and cannot be a name`,
      span: spanOf(reading, token),
      label: "reserved word",
      facts: { found: token.image },
      help: [advise(`pick another name, such as \`${token.image}0\``)],
    }),
  );
}

/** `50%` is no number; the percent sign is dropped and a ratio offered. */
function isPercentage(reading: Reading, index: number): boolean {
  const [number, token, next] = [reading.tokens[index - 1], reading.tokens[index], reading.tokens[index + 1]];
  if (number === undefined || token === undefined) return false;
  if (!is(number, t.NumberLiteral) || !is(token, t.Percent)) return false;
  const startsValue = is(next, t.Identifier, t.NumberLiteral, t.LeftParenthesis, t.Minus) || next?.image === "sum";
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
const blockOf = (head: string): BlockKind => (head === "import" || head === "model" || head === "transform" ? head : "transform");

/** The tokens with their words repaired; tokens of statements that no keyword begins are left out. */
export function repairWords(source: SourceText, tokens: readonly IToken[], diagnostics: Diagnostic[]): IToken[] {
  const reading: Reading = { source, tokens, diagnostics, reported: new Set() };
  const kept: IToken[] = [];
  let block: BlockKind = "module";
  let head = "";
  let depth = 0;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] as IToken;
    const candidates = depth === 0 ? candidatesAt(reading, index, block) : null;
    if (candidates !== null) {
      const meant = meantKeyword(token.image, candidates);
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
    if (is(token, t.RightBrace)) block = "module";
    if (is(token, t.LeftParenthesis, t.LeftBracket)) depth += 1;
    if (is(token, t.RightParenthesis, t.RightBracket)) depth = Math.max(0, depth - 1);
  }
  return kept;
}
