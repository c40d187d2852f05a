/** Reserved words that stand where their authors meant names: read as names, each reported once. */
import type { IToken } from "./chevrotain-library.ts";
import { isReservedWord } from "./keywords.ts";
import { isHead, placeOfKeyword } from "./regions.ts";
import { advise, syntaxError } from "./syntax-problems.ts";
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
export function isMeantAsName(reading: Reading, index: number, block: BlockKind): boolean {
  const { tokens } = reading;
  const [previous, token, next] = [tokens[index - 1], tokens[index], tokens[index + 1]];
  if (token === undefined || !isReservedWord(token.image) || isPlainName(token)) return false;
  const place = placeOfKeyword(token);
  const previousPlace = placeOfKeyword(previous);
  const sameLine = !startsLine(reading, previous, token);
  const isType = token.image === "support" && is(previous, t.Colon, t.Arrow);
  if (isType || place === null || is(previous, t.wordToken("shared"))) return false;
  const endsHere = next === undefined || is(next, t.RightBrace) || isHead(next, token);
  if (block === "import" && is(previous, t.LeftBrace, t.Comma))
    return is(next, t.Comma, t.RightBrace) || endsHere;
  if (is(next, t.Colon) && (is(previous, t.Comma, t.LeftParenthesis) || previousPlace !== null)) return true;
  const afterHead =
    previous !== undefined && previousPlace !== null && isHead(previous, tokens[index - 2]) && sameLine;
  if (afterHead && previous.image !== "require") {
    return (
      place !== "expression" && (is(next, ...nameFollowers, t.LeftBrace, t.wordToken("every")) || endsHere)
    );
  }
  if (!is(previous, ...beforeNames) || place === "expression" || place === "type") return false;
  if (is(next, t.DefinitionSign) && !is(next, t.DoubleEquals) && (token.image === "weight" || !sameLine))
    return false;
  return is(next, ...nameFollowers) || (sameLine && endsHere);
}

/** Makes `token` a name. */
export function readAsName(reading: Reading, token: IToken): void {
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
