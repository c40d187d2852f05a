/** Words for the places where the grammar could not go on: one row for each token that a rule asks for. */
import { closestName } from "../text/closest-name.ts";
import type { Diagnostic, Help } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { EOF, type IToken, tokenMatcher } from "./chevrotain-library.ts";
import { keywords } from "./keywords.ts";
import { placeOfKeyword } from "./regions.ts";
import type { GrammarMismatch } from "./spx-parser.ts";
import { advise, type ProblemDetails, replace, syntaxError, type SyntaxProblemName } from "./syntax-problems.ts";
import { hasLocation, tokenEnd, tokenStart } from "./token-location.ts";
import * as t from "./tokens.ts";

interface Row {
  readonly problem: SyntaxProblemName;
  /** Completes "expected …". */
  readonly expected: string;
  /** What to write where it is missing; null when no text fits every case. */
  readonly insert: string | null;
  readonly advice: string;
}

const row = (problem: SyntaxProblemName, expected: string, insert: string | null, advice: string): Row => ({
  problem,
  expected,
  insert,
  advice,
});

const definition = (problem: SyntaxProblemName, what: string, form: string): Row => row(problem, `\`=\` and ${what}`, " = ", `write \`${form}\``);
const named = (problem: SyntaxProblemName, what: string, form: string): Row => row(problem, what, null, `write \`${form}\``);

const maskForm = "mask M: unstructured = magnitude(W)";
const paramForm = "param B: [out, r] = 0";
const letForm = "let scale = alpha / r";
const initForm = "init L, R = monarch_projection(W)";
const useForm = 'for "names" use Transform(arguments)';
const sumForm = "sum(i < n, term)";
const importForm = 'import { magnitude, topk } from "std/select"';

const rows: Readonly<Record<string, Row>> = {
  "importDeclaration:LeftBrace": named("declarationForm", "`{` and names after `import`", importForm),
  "importDeclaration:RightBrace": row("declarationForm", "`,` or `}` after a name of the import", ", ", "separate the names with commas"),
  "importDeclaration:Word_from": row("declarationForm", "`from` and a file after the names", " from ", `write \`${importForm}\``),
  "importDeclaration:StringLiteral": named("declarationForm", "a file in double quotes after `from`", importForm),
  "importedName:Identifier": named("declarationForm", "a name to import", importForm),
  "transformDeclaration:Identifier": named("declarationForm", "a name after `transform`", "transform Name(W: frozen [out, in]) { … }"),
  "transformDeclaration:LeftBrace": row("declarationForm", "`{` after the parameters", " {", "statements stand in braces"),
  "functionDeclaration:Identifier": named("declarationForm", "a name after `function`", "function scaled(A: [m, n], s: real) = s * A"),
  "functionDeclaration:DefinitionSign": definition("declarationForm", "the function's value after the parameters", "function scaled(A: [m, n], s: real) = s * A"),
  "intrinsicDeclaration:Identifier": named("declarationForm", "a name after `intrinsic`", "intrinsic name(A: [m, n]) -> [m, n]"),
  "intrinsicDeclaration:Arrow": row("declarationForm", "`->` and a type after the parameters", " -> ", "write `intrinsic name(A: [m, n]) -> [m, n]`"),
  "modelDeclaration:Identifier": named("declarationForm", "a name after `model`", "model Encoder { … }"),
  "modelDeclaration:LeftBrace": row("declarationForm", "`{` after the model's name", " {", "rules stand in braces"),
  "parameterList:LeftParenthesis": named("declarationForm", "`(` and the parameters after the name", "Name(W: frozen [out, in], r: int = 16)"),
  "parameterList:RightParenthesis": row("declarationForm", "`,` or `)` after a parameter", ", ", "separate the parameters with commas"),
  "parameter:Identifier": named("declarationForm", "the name of a parameter", "r: int = 16"),
  "parameter:Colon": row("declarationForm", "`:` and a type after the parameter's name", ": ", "write `r: int`, `W: frozen [out, in]`"),
  "type:": named("typeForm", "a type", "[out, in]` or `int"),
  "numberType:": named("typeForm", "`int`, `real`, `ratio` or `bool` after `const`", "const int"),
  "tensorType:": named("typeForm", "dimensions in brackets", "[out, in]"),
  "dimensions:LeftBracket": named("typeForm", "dimensions in brackets", "[out, in]"),
  "dimensions:RightBracket": row("typeForm", "`,` or `]` after a dimension", ", ", "separate the dimensions with commas"),
  "patternType:": named("typeForm", "the pattern of a mask", "unstructured`, `nm(2, 4) along in` or `block(4, 1)"),
  "patternType:Identifier": named("typeForm", "a dimension after `along`", "nm(2, 4) along in"),
  "patternSizes:LeftParenthesis": named("typeForm", "the sizes of the pattern in parentheses", "nm(2, 4)`, `block(4, 1)"),
  "patternSizes:RightParenthesis": row("typeForm", "`,` or `)` after a size", ", ", "separate the sizes with commas"),
  "useRule:StringLiteral": named("ruleForm", "a pattern of tensor names in double quotes", useForm),
  "useRule:Word_use": row("ruleForm", "`use` and a transform after the pattern", " use ", `write \`${useForm}\``),
  "useRule:Identifier": named("ruleForm", "the name of a transform after `use`", useForm),
  "freezeRule:StringLiteral": named("ruleForm", "a pattern of tensor names in double quotes", 'freeze "names"'),
  "letStatement:Identifier": named("statementForm", "a name after `let`", letForm),
  "letStatement:DefinitionSign": definition("statementForm", "the value after the name", letForm),
  "maskStatement:Identifier": named("statementForm", "a name after `mask`", maskForm),
  "maskStatement:Colon": row("statementForm", "`:` and the mask's pattern after its name", ": ", `write \`${maskForm}\``),
  "maskStatement:DefinitionSign": definition("statementForm", "the mask's selection after the pattern", maskForm),
  "supportStatement:Identifier": named("statementForm", "a name after `support`", "support S = topk(abs(W), nnz)"),
  "supportStatement:DefinitionSign": definition("statementForm", "the selection after the support's name", "support S = topk(abs(W), nnz)"),
  "paramStatement:Identifier": named("statementForm", "a name after `param`", paramForm),
  "paramStatement:Colon": row("statementForm", "`:` and a type after the param's name", ": ", `write \`${paramForm}\``),
  "initStatement:Identifier": named("statementForm", "the name of a param", initForm),
  "initStatement:DefinitionSign": definition("statementForm", "the initial values after the names", initForm),
  "weightStatement:DefinitionSign": definition("statementForm", "the expression after `weight`", "weight = W + B @ A"),
  "slice:RightBracket": row("expressionForm", "`]` after the index", "]", "write `A[i]`"),
  "parenthesized:RightParenthesis": row("expressionForm", "an operator or `)`", null, "join values with `+`, `*`, `@` or `.*`"),
  "argumentList:RightParenthesis": row("expressionForm", "`,` or `)` after an argument", ", ", "separate the arguments with commas"),
  "indexedSum:LeftParenthesis": named("expressionForm", "`(` after `sum`", sumForm),
  "indexedSum:Identifier": named("expressionForm", "the index of the sum", sumForm),
  "indexedSum:Less": named("expressionForm", "`<` and a count after the index", sumForm),
  "indexedSum:Comma": row("expressionForm", "`,` and a term after the count", ", ", `write \`${sumForm}\``),
  "indexedSum:RightParenthesis": named("expressionForm", "`)` after the term", sumForm),
};

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
  return isGap ? { span: { file, start: gap, end: gap }, isGap } : { span: { file, start: found.startOffset, end }, isGap };
}

const describe = (problem: SyntaxProblemName, details: ProblemDetails): Diagnostic => syntaxError(problem, details);

function misplaced(mismatch: GrammarMismatch, span: Span, where: "module" | "transform" | "model"): Diagnostic {
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
  const expected = isFirst || rule !== "transformDeclaration" ? `a ${next}` : "an operator or the next statement";
  const help = rule === "transformDeclaration" && !isFirst
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
    return rule === "maskStatement"
      ? advise(`name the pattern: \`${maskForm}\``, replace(gap, ": unstructured"))
      : advise("write `:` before a type", replace(fromGap, ":"));
  }
  if (expected !== "DefinitionSign" || sign !== ":") return null;
  const type = /^:\s*(?:const\s+)?(?:int|real|ratio|bool)\b/.exec(text.slice(found.start));
  if (rule === "letStatement" && type !== null) {
    return advise(`a \`let\` has no type: \`${letForm}\``, replace({ ...fromGap, end: found.start + type[0].length }, ""));
  }
  return advise("write `=`", replace(fromGap, " ="));
}

/** The type word that was meant by another language's word for it. */
function meantType(found: IToken): string | null {
  const types = keywords.filter(({ place }) => place === "type");
  const synonym = types.find(({ synonyms }) => synonyms.includes(found.image.toLowerCase()));
  return synonym?.word ?? closestName(found.image, types.map(({ word }) => word));
}

function helpFor(source: SourceText, mismatch: GrammarMismatch, { span, isGap }: Place, saying: Row): Help {
  const { found, previous, rule } = mismatch;
  const at = tokenEnd(previous) ?? span.start;
  const gap = { ...span, start: at, end: at };
  const slip = isGap ? null : wrongSign(source, mismatch, span, gap);
  if (slip !== null) return slip;
  const meant = rule === "type" && tokenMatcher(found, t.Identifier) ? meantType(found) : null;
  if (meant !== null) return advise(`write \`${meant}\``, replace(span, meant));
  const isMendable = saying.insert !== null && !isGap && !listEnds.some((type) => tokenMatcher(found, type));
  if (saying.insert === null || !isMendable) return advise(saying.advice);
  return advise(saying.advice, replace(gap, found.startOffset > at ? saying.insert.trimEnd() : saying.insert));
}

/** The diagnostic for a place where the grammar could not go on. */
export function mismatchDiagnostic(source: SourceText, mismatch: GrammarMismatch): Diagnostic {
  const key = `${mismatch.rule}:${mismatch.expected ?? ""}`;
  const place = placeOf(source, mismatch);
  if (entryEnds.includes(key)) return afterBlockEntry(mismatch, place);
  const isEmptyList = mismatch.previous?.image === "(" && key.endsWith("List:RightParenthesis");
  const found = isEmptyList ? rows[mismatch.rule === "parameterList" ? "parameter:Identifier" : ""] : rows[key];
  if (found === undefined) return missingValue(mismatch, place);
  return describe(found.problem, {
    message: `expected ${found.expected}, found ${foundText(mismatch.found)}`,
    span: place.span,
    label: place.isGap ? "missing here" : "unexpected",
    facts: { expected: found.expected, found: mismatch.found.image },
    help: [helpFor(source, mismatch, place, found)],
  });
}
