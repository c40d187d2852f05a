/** Places where the grammar could not go on → diagnostics, in words of the language and with an edit where one mends it. */

import { maskModes, pinKinds, quantizedFormats } from "../syntax/syntax-tree.ts";
import { closestName } from "../text/closest-name.ts";
import type { Diagnostic, Help } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { EOF, type IToken, tokenMatcher } from "./chevrotain-library.ts";
import { type Keyword, keywords } from "./keywords.ts";
import { letForm, type MismatchWords, maskForm, mismatchWords, scheduleForm } from "./mismatch-words.ts";
import { placeOfKeyword } from "./regions.ts";
import type { GrammarMismatch } from "./spx-parser.ts";
import {
  advise,
  type ProblemDetails,
  propose,
  replace,
  type SyntaxProblemName,
  syntaxError,
} from "./syntax-problems.ts";
import { hasLocation, tokenEnd, tokenStart } from "./token-location.ts";
import * as t from "./tokens.ts";

const places: Readonly<Record<"module" | "transform" | "model", string>> = {
  module: "declarations stand side by side, outside of braces",
  transform: "such statements stand in the braces of a transform",
  model: "rules stand in the braces of a model",
};

function foundText(token: IToken): string {
  if (tokenMatcher(token, EOF)) return "the end of the file";
  return tokenMatcher(token, t.StringLiteral) ? "a string" : `\`${token.image}\``;
}

interface Place {
  readonly span: Span;
  /** True when the span is the gap in which something is missing. */
  readonly isGap: boolean;
}

/** The token that was found; the gap before it when it stands on a later line. */
function placeOf(source: SourceText, { found, previous }: GrammarMismatch): Place {
  const gap = tokenEnd(previous) ?? (hasLocation(found) ? found.startOffset : source.text.length);
  const end = tokenEnd(found);
  const { file, text } = source;
  const isGap = end === null || (previous !== null && text.slice(gap, found.startOffset).includes("\n"));
  return isGap
    ? { span: { file, start: gap, end: gap }, isGap }
    : { span: { file, start: found.startOffset, end }, isGap };
}

const describe = (problem: SyntaxProblemName, details: ProblemDetails): Diagnostic =>
  syntaxError(problem, details);

function misplaced(
  mismatch: GrammarMismatch,
  span: Span,
  where: "module" | "transform" | "model",
): Diagnostic {
  const { image } = mismatch.found;
  return describe("misplaced", {
    message: `\`${image}\` cannot stand here`,
    span,
    label: "wrong place",
    facts: { found: image },
    because: [places[where]],
  });
}

/** A block or file that goes on with something that is no statement, declaration or rule. */
function afterBlockEntry(mismatch: GrammarMismatch, { span: gap, isGap: startsLine }: Place): Diagnostic {
  const { rule, found, previous } = mismatch;
  const place = placeOfKeyword(found);
  const isStarter = place === "module" || place === "transform" || place === "model";
  const span = { ...gap, start: tokenStart(found) ?? gap.start, end: tokenEnd(found) ?? gap.end };
  if (isStarter) return misplaced(mismatch, span, place);
  const next = { file: "declaration", modelDeclaration: "rule" }[rule] ?? "statement";
  const isFirst = previous === null || previous.image === "{" || previous.image === "}" || startsLine;
  const expected =
    isFirst || rule !== "transformDeclaration" ? `a ${next}` : "an operator or the next statement";
  const help =
    rule === "transformDeclaration" && !isFirst
      ? [advise("join values with `+`, `*`, `@` or `.*`; a statement begins with its keyword")]
      : [advise(`every ${next} begins with its keyword`)];
  return describe(rule === "transformDeclaration" && !isFirst ? "expressionForm" : "declarationForm", {
    message: `expected ${expected}, found ${foundText(found)}`,
    span,
    label: "unexpected",
    facts: { found: found.image },
    help,
  });
}

function missingValue(mismatch: GrammarMismatch, { span, isGap }: Place): Diagnostic {
  const { found, previous } = mismatch;
  const after = previous === null ? "" : ` after ${foundText(previous)}`;
  return describe("missingExpression", {
    message: `expected a value${after}, found ${foundText(found)}`,
    span,
    label: isGap ? "value missing here" : "expected a value",
    facts: { found: found.image },
    help: [advise("a value is a number, a name, a call `f(x)` or an expression in parentheses")],
  });
}

const entryEnds = ["transformDeclaration:RightBrace", "modelDeclaration:RightBrace", "file:EOF"];

/** Tokens before which nothing is inserted: what should follow is missing as well. */
const listEnds = [t.Comma, t.RightParenthesis, t.RightBracket, t.RightBrace, EOF];

/** A sign that authors put where another belongs, and how it is mended. */
function wrongSign({ text }: SourceText, mismatch: GrammarMismatch, found: Span, gap: Span): Help | null {
  const { expected, rule } = mismatch;
  const sign = text.slice(found.start, found.end);
  const fromGap = { ...found, start: gap.start };
  if (expected === "Colon" && sign === "=") {
    if (rule === "maskStatement")
      return propose(`name the pattern: \`${maskForm}\``, replace(gap, ": unstructured"));
    return rule === "scheduleStatement"
      ? propose(`name the type: \`${scheduleForm}\``, replace(gap, ": real"))
      : advise("write `:` before a type", replace(fromGap, ":"));
  }
  if (expected !== "DefinitionSign" || sign !== ":") return null;
  const type = /^:\s*(?:const\s+)?(?:int|real|ratio|bool)\b/.exec(text.slice(found.start));
  if (rule === "letStatement" && type !== null) {
    return advise(
      `a \`let\` has no type: \`${letForm}\``,
      replace({ ...fromGap, end: found.start + type[0].length }, ""),
    );
  }
  return advise("write `=`", replace(fromGap, " ="));
}

const tensorWords: readonly string[] = ["frozen", "sparse", "blockdiag", "diag", ...quantizedFormats];

/** The words of the language that a rule asks for where it finds a name. */
const wordsOf: Readonly<Record<string, (keyword: Keyword) => boolean>> = {
  type: ({ place, word }) => place === "type" || word === "frozen",
  tensorType: ({ word }) => tensorWords.includes(word),
  dimensions: ({ word }) => tensorWords.includes(word),
  patternType: ({ word }) => ["unstructured", "nm", "block", ...maskModes].includes(word),
  pinStatement: ({ word }) => pinKinds.some((kind) => kind === word),
};

/** The word that was meant by a slip or by another language's word for it. */
function meantWord(rule: string, found: IToken): string | null {
  const words = keywords.filter(wordsOf[rule] ?? (() => false));
  const synonym = words.find(({ synonyms }) => synonyms.includes(found.image.toLowerCase()));
  return (
    synonym?.word ??
    closestName(
      found.image,
      words.map(({ word }) => word),
    )
  );
}

function helpFor(
  source: SourceText,
  mismatch: GrammarMismatch,
  { span, isGap }: Place,
  saying: MismatchWords,
): Help {
  const { found, previous, rule } = mismatch;
  const at = tokenEnd(previous) ?? span.start;
  const gap = { ...span, start: at, end: at };
  const slip = isGap ? null : wrongSign(source, mismatch, span, gap);
  if (slip !== null) return slip;
  const meant = tokenMatcher(found, t.Identifier) ? meantWord(rule, found) : null;
  if (meant !== null) return advise(`write \`${meant}\``, replace(span, meant));
  const isMendable = saying.insert !== null && !isGap && !listEnds.some((type) => tokenMatcher(found, type));
  if (saying.insert === null || !isMendable) return advise(saying.advice);
  // What is missing between two values of a list may be an operator as well as a comma.
  return (saying.insert === ", " ? propose : advise)(
    saying.advice,
    replace(gap, found.startOffset > at ? saying.insert.trimEnd() : saying.insert),
  );
}

/** The diagnostic for a place where the grammar could not go on. */
export function mismatchDiagnostic(source: SourceText, mismatch: GrammarMismatch): Diagnostic {
  const key = `${mismatch.rule}:${mismatch.expected ?? ""}`;
  const place = placeOf(source, mismatch);
  if (entryEnds.includes(key)) return afterBlockEntry(mismatch, place);
  const isEmptyList = mismatch.previous?.image === "(" && key.endsWith("List:RightParenthesis");
  const found = isEmptyList
    ? mismatchWords[mismatch.rule === "parameterList" ? "parameter:Identifier" : ""]
    : mismatchWords[key];
  if (found === undefined) return missingValue(mismatch, place);
  return describe(found.problem, {
    message: `expected ${found.expected}, found ${foundText(mismatch.found)}`,
    span: place.span,
    label: place.isGap ? "missing here" : "unexpected",
    facts: { expected: found.expected, found: mismatch.found.image },
    help: [helpFor(source, mismatch, place, found)],
  });
}
