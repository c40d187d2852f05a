/** Words for the places where the grammar could not go on: one row for each token that a rule asks for. */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { EOF, type IToken, tokenMatcher } from "./chevrotain-library.ts";
import { placeOfKeyword } from "./regions.ts";
import type { GrammarMismatch } from "./spx-parser.ts";
import { advise, type ProblemDetails, replace, syntaxError, type SyntaxProblemName } from "./syntax-problems.ts";
import { hasLocation, tokenEnd } from "./token-location.ts";
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

const places: Readonly<Record<string, string>> = {
  module: "stand side by side, outside of braces",
  transform: "stand in the braces of a transform",
  model: "stand in the braces of a model",
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
  const isGap = end === null || (hasLocation(previous) && text.slice(gap, found.startOffset).includes("\n"));
  return isGap ? { span: { file, start: gap, end: gap }, isGap } : { span: { file, start: found.startOffset, end }, isGap };
}

const describe = (problem: SyntaxProblemName, details: ProblemDetails): Diagnostic => syntaxError(problem, details);

function misplaced(mismatch: GrammarMismatch, span: Span, where: string): Diagnostic {
  const { image } = mismatch.found;
  return describe("misplaced", {
    message: `\`${image}\` cannot stand here`,
    span,
    label: "wrong place",
    facts: { found: image },
    because: [`such ${where === "module" ? "declarations" : where === "model" ? "rules" : "statements"} ${places[where]}`],
  });
}

/** A block or file that goes on with something that is no statement, declaration or rule. */
function afterBlockEntry(mismatch: GrammarMismatch, { span, isGap: startsLine }: Place): Diagnostic {
  const { rule, found, previous } = mismatch;
  const place = placeOfKeyword(found);
  const isStarter = place === "module" || place === "transform" || place === "model";
  if (isStarter && hasLocation(found)) {
    return misplaced(mismatch, { ...span, start: found.startOffset, end: tokenEnd(found) ?? span.end }, place);
  }
  const next = { file: "declaration", modelDeclaration: "rule" }[rule] ?? "statement";
  const isFirst = previous.image === "{" || previous.image === "}" || !hasLocation(previous) || startsLine;
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
  const after = hasLocation(previous) && !tokenMatcher(previous, EOF) ? ` after ${foundText(previous)}` : "";
  return describe("missingExpression", {
    message: `expected a value${after}, found ${foundText(found)}`,
    span,
    label: isGap ? "value missing here" : "expected a value",
    facts: { found: found.image },
    help: [advise("a value is a number, a name, a call `f(x)` or an expression in parentheses")],
  });
}

const entryEnds = ["transformDeclaration:RightBrace", "modelDeclaration:RightBrace", "file:EOF"];

/** Sayings for a sign that authors put where another belongs. */
function wrongSign(mismatch: GrammarMismatch, span: Span): { readonly text: string; readonly write: string } | null {
  const { expected, found, rule } = mismatch;
  if (!hasLocation(found) || span.start === span.end) return null;
  if (expected === "Colon" && tokenMatcher(found, t.DefinitionSign)) return { text: "write `:` before a type", write: ":" };
  if (expected !== "DefinitionSign" || found.image !== ":") return null;
  if (rule === "letStatement") return { text: "a `let` has no type: `let scale = alpha / r`", write: "=" };
  if (rule === "supportStatement") return { text: "a support has no type: `support S = topk(abs(W), nnz)`", write: "=" };
  return { text: "write `=`", write: "=" };
}

/** The diagnostic for a place where the grammar could not go on. */
export function mismatchDiagnostic(source: SourceText, mismatch: GrammarMismatch): Diagnostic {
  const key = `${mismatch.rule}:${mismatch.expected ?? ""}`;
  const place = placeOf(source, mismatch);
  if (entryEnds.includes(key)) return afterBlockEntry(mismatch, place);
  const isEmptyList = mismatch.previous.image === "(" && key.endsWith("List:RightParenthesis");
  const found = isEmptyList ? rows[mismatch.rule === "parameterList" ? "parameter:Identifier" : ""] : rows[key];
  if (found === undefined) return missingValue(mismatch, place);
  const slip = wrongSign(mismatch, place.span);
  const gap = { ...place.span, start: tokenEnd(mismatch.previous) ?? place.span.start };
  const help =
    slip !== null
      ? advise(slip.text, replace(place.span, slip.write))
      : found.insert === null
        ? advise(found.advice)
        : advise(found.advice, replace({ ...gap, end: gap.start }, found.insert));
  return describe(found.problem, {
    message: `expected ${found.expected}, found ${foundText(mismatch.found)}`,
    span: place.span,
    label: place.isGap ? "missing here" : "unexpected",
    facts: { expected: found.expected, found: mismatch.found.image },
    help: [help],
  });
}
