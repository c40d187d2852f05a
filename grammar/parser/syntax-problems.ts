/**
 * The table of syntax problems: code, what it is about, a failing example and its repair. The compiler's catalogue
 * takes these rows in; the tests hold every row to its examples.
 */
import type { Diagnostic, Help, Label, TextEdit } from "../text/diagnostic.ts";
import type { Span } from "../text/source-text.ts";

export interface SyntaxProblem {
  readonly code: string;
  /** One sentence: what is wrong, in general. */
  readonly title: string;
  /** Why the language is so; shown by `spxc explain`. */
  readonly explanation: string;
  /** A file that has this problem and no other. */
  readonly wrong: string;
  /** The same file without it. */
  readonly right: string;
}

/** A whole file, which checks once the statements are right. */
const inTransform = (statements: string): string =>
  `transform T(W: frozen [n, n]${/\bA\b/.test(statements) ? ", A: frozen [n, n]" : ""}) {\n  ${statements}\n}\n`;

const row = (
  code: string,
  title: string,
  explanation: string,
  wrong: string,
  right: string,
): SyntaxProblem => ({
  code,
  title,
  explanation,
  wrong,
  right,
});

export const syntaxProblems = {
  unknownCharacter: row(
    "SPX1001",
    "a character that the language does not use",
    "Outside comments and strings a file holds names, numbers, strings and the signs of the language.",
    inTransform("weight = W $ A"),
    inTransform("weight = W + A"),
  ),
  foreignSign: row(
    "SPX1002",
    "a sign of another notation",
    "Every operator has one spelling, which every keyboard has: `.*` for the Hadamard product, `@` for the matrix product, `*` for a product with a number, `.T` for the transpose, `and`, `or`, `not`.",
    inTransform("weight = W ⊙ A"),
    inTransform("weight = W .* A"),
  ),
  semicolon: row(
    "SPX1003",
    "a semicolon",
    "A statement begins with its keyword, so nothing has to end it.",
    inTransform("weight = W;"),
    inTransform("weight = W"),
  ),
  foreignComment: row(
    "SPX1004",
    "a comment of another language",
    "Comments begin with `//` and end with the line; `///` documents what follows.",
    inTransform("# the weight\n  weight = W"),
    inTransform("// the weight\n  weight = W"),
  ),
  unclosedBracket: row(
    "SPX1005",
    "a bracket that is never closed",
    "Brackets pair up inside one statement; braces pair up inside one declaration.",
    inTransform("weight = (W + A"),
    inTransform("weight = (W + A)"),
  ),
  unopenedBracket: row(
    "SPX1006",
    "a closing bracket without an opening one",
    "Brackets pair up inside one statement; braces pair up inside one declaration.",
    inTransform("weight = W + A)"),
    inTransform("weight = W + A"),
  ),
  foreignName: row(
    "SPX1007",
    "a name with letters outside a-z",
    "Names become names of TypeScript, C and tensors, so they are made of letters a-z, digits and `_`, and begin with a letter.",
    inTransform("let α = 2\n  weight = α * W"),
    inTransform("let alpha = 2\n  weight = alpha * W"),
  ),
  openString: row(
    "SPX1101",
    "a string without its closing quote",
    "A string ends on the line on which it begins.",
    'import { topk } from "std/select\n',
    'import { topk } from "std/select"\n',
  ),
  malformedNumber: row(
    "SPX1102",
    "a number that is not written as one",
    "Numbers are decimal: `3`, `0.5`, `1e-4`. Digits stand on both sides of the point.",
    inTransform("weight = 1. * W"),
    inTransform("weight = 1.0 * W"),
  ),
  foreignQuotes: row(
    "SPX1103",
    "quotes of another kind",
    'Strings stand in straight double quotes, "…".',
    "import { topk } from 'std/select'\n",
    'import { topk } from "std/select"\n',
  ),
  unknownWord: row(
    "SPX1201",
    "a word where a keyword must stand",
    "Every declaration, statement and rule begins with a keyword that says what it is.",
    "transfrom T(W: frozen [n, n]) {\n  weight = W\n}\n",
    "transform T(W: frozen [n, n]) {\n  weight = W\n}\n",
  ),
  reservedName: row(
    "SPX1202",
    "a word of the language used as a name",
    "Reserved words keep their meaning everywhere, so that a file can be read word by word.",
    inTransform("param mask: [n, n] = 0\n  weight = W + mask"),
    inTransform("param M: [n, n] = 0\n  weight = W + M"),
  ),
  declarationForm: row(
    "SPX1203",
    "a declaration that lacks a part",
    "The parts of a declaration stand in a fixed order.",
    "transform (W: frozen [n, n]) {\n  weight = W\n}\n",
    "transform T(W: frozen [n, n]) {\n  weight = W\n}\n",
  ),
  statementForm: row(
    "SPX1204",
    "a statement that lacks a part",
    "The parts of a statement stand in a fixed order.",
    inTransform("param B [n, n] = 0\n  weight = W + B"),
    inTransform("param B: [n, n] = 0\n  weight = W + B"),
  ),
  definitionSign: row(
    "SPX1205",
    "another sign in the place of `=`",
    "`=` defines, `==` compares, `:` stands before a type.",
    inTransform("weight := W"),
    inTransform("weight = W"),
  ),
  typeForm: row(
    "SPX1206",
    "something else in the place of a type",
    "A type is a number type (`int`, `real`, `ratio`, `bool`), a tensor type (`[out, in]`, with `frozen`, `sparse`, `blockdiag`, `diag` or a format such as `int8` before it), or a pattern (`unstructured`, `nm(2, 4)`, `block(4, 1)`, `support`).",
    "transform T(W: frozen) {\n  weight = W\n}\n",
    "transform T(W: frozen [n, n]) {\n  weight = W\n}\n",
  ),
  misplaced: row(
    "SPX1207",
    "a statement or declaration in the wrong place",
    "Imports stand first; declarations stand side by side; statements stand in a transform and rules in a model.",
    "let s = 2\n",
    "transform T(W: frozen [n, n]) {\n  let s = 2\n  weight = s * W\n}\n",
  ),
  missingExpression: row(
    "SPX1301",
    "nothing where a value must stand",
    "Every operator has a value on both sides; every `=` has one on its right.",
    inTransform("weight = W +"),
    inTransform("weight = W + A"),
  ),
  comparisonChain: row(
    "SPX1302",
    "comparisons in a row",
    "`a < b < c` means different things in different languages; `a < b and b < c` means one.",
    inTransform("require 1 < n < 9\n  weight = W"),
    inTransform("require 1 < n and n < 9\n  weight = W"),
  ),
  mixedProducts: row(
    "SPX1303",
    "`.*` or `./` beside `@` in one product without parentheses",
    "`(M .* A) @ B` and `M .* (A @ B)` are different matrices, and papers print both as M ⊙ A B.",
    inTransform("weight = W .* A @ W"),
    inTransform("weight = W .* (A @ W)"),
  ),
  comparisonSign: row(
    "SPX1304",
    "`=` in the place of `==`",
    "`=` defines, `==` compares.",
    inTransform("require n = 4\n  weight = W"),
    inTransform("require n == 4\n  weight = W"),
  ),
  argumentSign: row(
    "SPX1305",
    "`=` after the name of an argument",
    "An argument is named with a colon: `f(std: 0.02)`.",
    inTransform("param B: [n, n] = normal(std = 0.02)\n  weight = W + B"),
    inTransform("param B: [n, n] = normal(std: 0.02)\n  weight = W + B"),
  ),
  expressionForm: row(
    "SPX1306",
    "an expression that goes on in an unexpected way",
    "Values are joined by operators; arguments and dimensions are separated by commas.",
    inTransform("weight = kron(W A)"),
    inTransform("weight = kron(W, A)"),
  ),
  tooLarge: row(
    "SPX1307",
    "an expression that is nested too deeply or too long",
    "Brackets may be nested 64 deep, and one statement may hold 512 operators; `let` names parts of longer ones.",
    inTransform(`weight = ${"(".repeat(65)}W${")".repeat(65)}`),
    inTransform("weight = (W)"),
  ),
  ruleForm: row(
    "SPX1401",
    "a rule of a model that lacks a part",
    'A rule is `for "names" except "names" use Transform(arguments)`, or `freeze "names"`.',
    'import { LoRA } from "lora"\n\nmodel M {\n  for "a.*" LoRA(r: 8)\n}\n',
    'import { LoRA } from "lora"\n\nmodel M {\n  for "a.*" use LoRA(r: 8)\n}\n',
  ),
  globForm: row(
    "SPX1402",
    "a pattern of tensor names that cannot match",
    "A pattern holds names, `.`, `*` (within one part), `**` (any parts) and `{a,b}` (one of several).",
    'model M {\n  freeze "a.{b,c"\n}\n',
    'model M {\n  freeze "a.{b,c}"\n}\n',
  ),
} as const satisfies Record<string, SyntaxProblem>;

export type SyntaxProblemName = keyof typeof syntaxProblems;

export interface ProblemDetails {
  readonly message: string;
  readonly span: Span;
  readonly label?: string;
  readonly secondary?: readonly Label[];
  readonly facts?: Readonly<Record<string, string | number>>;
  readonly because?: readonly string[];
  readonly help?: readonly Help[];
}

/** Help with edits that spell what was meant; without any, words alone. */
export const advise = (text: string, ...edits: TextEdit[]): Help => ({
  text,
  edits,
  applicability: edits.length === 0 ? "sketch" : "safe",
});

/** Help with edits that make one of several programs. */
export const propose = (text: string, ...edits: TextEdit[]): Help => ({
  text,
  edits,
  applicability: "likely",
});

export const replace = (span: Span, replacement: string): TextEdit => ({ span, replacement });

export function syntaxError(name: SyntaxProblemName, details: ProblemDetails): Diagnostic {
  return {
    code: syntaxProblems[name].code,
    severity: "error",
    message: details.message,
    primary: { span: details.span, text: details.label ?? "" },
    secondary: details.secondary ?? [],
    facts: details.facts ?? {},
    because: details.because ?? [],
    help: details.help ?? [],
  };
}
