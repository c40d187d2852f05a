/**
 * Text → tokens. Ensures that every slip of the pen (a foreign sign, an open string, a malformed number) becomes the
 * token that was meant, with one diagnostic, so that the parser never sees it.
 */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import { type IToken, Lexer, type TokenType } from "./chevrotain-library.ts";
import { advise, propose, replace, syntaxError, syntaxProblems } from "./syntax-problems.ts";
import { retype } from "./token-reading.ts";
import * as t from "./tokens.ts";

export interface Tokens {
  readonly tokens: IToken[];
  /** In order of appearance. */
  readonly comments: readonly IToken[];
  readonly diagnostics: Diagnostic[];
}

let lexer: Lexer | null = null;

const makeLexer = (skipValidations: boolean): Lexer =>
  new Lexer([...t.vocabulary], { positionTracking: "onlyOffset", skipValidations });

/** Builds the lexer with every check of the vocabulary itself; returns what is wrong with it. */
export function checkVocabulary(): string[] {
  return makeLexer(false).lexerDefinitionErrors.map((error) => error.message);
}

/** Letter outside a-z → how its name is written out. */
const letterNames: Readonly<Record<string, string>> = Object.fromEntries(
  (
    "α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu µ mu ν nu ξ xi π pi ρ rho σ sigma τ tau " +
    "φ phi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Φ Phi Ψ Psi Ω Omega " +
    "₀ 0 ₁ 1 ₂ 2 ₃ 3 ₄ 4 ₅ 5 ₆ 6 ₇ 7 ₈ 8 ₉ 9 ℓ l"
  )
    .split(" ")
    .reduce<[string, string][]>((rows, word, index, words) => {
      if (index % 2 === 0) rows.push([word, words[index + 1] ?? ""]);
      return rows;
    }, []),
);

const spelledOut = (name: string): string =>
  name
    .normalize("NFD")
    .replace(/[\u0300-\u036F]/g, "")
    .replace(/[^\w]/gu, (letter) => letterNames[letter] ?? "");

/** How a malformed number is written well; null when no reading of it is likely. */
function wellFormed(text: string): string | null {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return String(Number.parseInt(text.slice(2), 16));
  if (/^0[bB][01]+$/.test(text)) return String(Number.parseInt(text.slice(2), 2));
  if (/^\d[\d_]*$/.test(text)) return text.replaceAll("_", "");
  if (/^\d+\.$/.test(text)) return `${text}0`;
  if (/^\d+\.[eE][+-]?\d+$/.test(text)) return text.replace(".", ".0");
  if (/^\.\d+(?:[eE][+-]?\d+)?$/.test(text)) return `0${text}`;
  return null;
}

type Repair = (token: IToken, span: Span) => Diagnostic;

const foreignSign: Repair = (token, span) => {
  const sign = t.foreignSigns.find((row) => row.text === token.image);
  const [means, write, advice] =
    sign === undefined
      ? [t.Transpose, ".T", "`.T` for the transpose"]
      : [sign.means, sign.write, sign.advice];
  retype(token, means);
  return syntaxError("foreignSign", {
    message: `\`${token.image}\` is not a sign of the language`,
    span,
    label: "foreign sign",
    facts: { found: token.image, expected: write?.trim() ?? advice },
    help: [write === null ? advise(`write ${advice}`) : advise(`write ${advice}`, replace(span, write))],
  });
};

const foreignMember: Repair = (token, span) => {
  retype(token, t.Transpose);
  const meansTranspose = /^\.t(ranspose)?$/i.test(token.image);
  return syntaxError("foreignSign", {
    message: `a matrix has no member \`${token.image}\``,
    span,
    label: "unknown member",
    facts: { found: token.image, expected: ".T" },
    help: meansTranspose
      ? [advise("write `.T` for the transpose", replace(span, ".T"))]
      : [advise("only the transpose follows a dot: `A.T`; everything else is a call: `f(A)`")],
  });
};

const foreignName: Repair = (token, span) => {
  retype(token, t.Identifier);
  const plain = spelledOut(token.image);
  return syntaxError("foreignName", {
    message: `the name \`${token.image}\` has letters outside a-z`,
    span,
    label: "not a name",
    facts: { found: token.image },
    help: /^[A-Za-z_]/.test(plain)
      ? [advise(`write \`${plain}\``, replace(span, plain))]
      : [advise("use letters a-z, digits and `_`")],
  });
};

const foreignQuotation: Repair = (token, span) => {
  retype(token, t.StringLiteral);
  return syntaxError("foreignQuotes", {
    message: 'strings stand in double quotes, `"…"`',
    span,
    label: "other quotes",
    help: [advise("use straight double quotes", replace(span, `"${token.image.slice(1, -1)}"`))],
  });
};

const openString: Repair = (token, span) => {
  retype(token, t.StringLiteral);
  const end = span.start + token.image.trimEnd().length;
  return syntaxError("openString", {
    message: 'the string has no closing `"` on its line',
    span: { ...span, end },
    label: "opened here",
    help: [propose('close it with `"`', replace({ ...span, start: end, end }, '"'))],
  });
};

const malformedNumber: Repair = (token, span) => {
  retype(token, t.NumberLiteral);
  const fixed = wellFormed(token.image);
  return syntaxError("malformedNumber", {
    message: `\`${token.image}\` is not a number`,
    span,
    label: "malformed number",
    facts: { found: token.image },
    help:
      fixed === null
        ? [advise("numbers are written like `3`, `0.5` or `1e-4`")]
        : [advise(`write \`${fixed}\``, replace(span, fixed))],
  });
};

const repairs = new Map<TokenType, Repair>([
  [t.ForeignSignToken, foreignSign],
  [t.ForeignMember, foreignMember],
  [t.ForeignName, foreignName],
  [t.ForeignQuotation, foreignQuotation],
  [t.OpenString, openString],
  [t.MalformedNumber, malformedNumber],
]);

function foreignComment(token: IToken, span: Span): Diagnostic {
  const isHash = token.image.startsWith("#");
  const isClosed = isHash || token.image.endsWith("*/");
  const lines = (isHash ? token.image.slice(1) : token.image.slice(2, isClosed ? -2 : undefined))
    .trim()
    .split("\n");
  const written = lines.map((line) => `// ${line.replace(/^\s*\*?\s?/, "").trimEnd()}`).join("\n");
  return syntaxError("foreignComment", {
    message: `comments begin with \`//\`, not with \`${isHash ? "#" : "/*"}\``,
    span,
    label: isClosed ? "not a comment here" : "never ends",
    help: [advise("begin each line with `//`", replace(span, written))],
  });
}

const wordTokens = (...words: string[]): Set<TokenType> => new Set(words.map(t.wordToken));
const patternStarts = wordTokens("for", "freeze", "except");
const patternEnds = new Set([...wordTokens("use"), t.StringLiteral, t.RightBrace]);
const patternSigns: readonly string[] = [syntaxProblems.foreignSign.code];

/** A name is one mistake however often it is used: later uses bring their edits to the first. */
function joinUses(diagnostics: Diagnostic[], { code, message, help }: Diagnostic): boolean {
  const at = diagnostics.findIndex((before) => before.code === code && before.message === message);
  const first = diagnostics[at];
  if (first === undefined || code !== syntaxProblems.foreignName.code) return false;
  const joined = first.help.map((entry, index) => ({
    ...entry,
    edits: [...entry.edits, ...(help[index]?.edits ?? [])],
  }));
  diagnostics[at] = { ...first, help: joined };
  return true;
}

/** The tokens of `source`; never throws. */
export function tokenize(source: SourceText): Tokens {
  lexer ??= makeLexer(true);
  const { tokens, groups, errors } = lexer.tokenize(source.text);
  const spanOf = (token: IToken): Span => ({
    file: source.file,
    start: token.startOffset,
    end: token.startOffset + token.image.length,
  });
  const diagnostics: Diagnostic[] = [];
  let inPattern = false;
  for (const token of tokens) {
    // Offsets are all that is tracked, and the parser wants the last one of each token.
    token.endOffset = token.startOffset + token.image.length - 1;
    const repair = repairs.get(token.tokenType);
    inPattern = patternStarts.has(token.tokenType) || (inPattern && !patternEnds.has(token.tokenType));
    if (repair === undefined) continue;
    const problem = repair(token, spanOf(token));
    if (joinUses(diagnostics, problem)) continue;
    // A pattern of tensor names without its quotes is one mistake, not one for each of its dots and stars.
    if (!inPattern || !patternSigns.includes(problem.code)) diagnostics.push(problem);
  }
  const comments = groups.comments ?? [];
  for (const comment of comments) {
    if (comment.tokenType === t.ForeignComment) diagnostics.push(foreignComment(comment, spanOf(comment)));
  }
  for (const semicolon of groups.semicolons ?? []) {
    const span = spanOf(semicolon);
    const help = [advise("remove it", replace(span, ""))];
    diagnostics.push(
      syntaxError("semicolon", { message: "no `;` ends a statement", span, label: "not needed", help }),
    );
  }
  for (const error of errors) {
    const text = source.text.slice(error.offset, error.offset + error.length);
    diagnostics.push(
      syntaxError("unknownCharacter", {
        message: `the language does not use \`${text}\``,
        span: { file: source.file, start: error.offset, end: error.offset + error.length },
        label: "unknown character",
        facts: { found: text },
        help: [advise("remove it, or write what it stands for in words of the language")],
      }),
    );
  }
  return { tokens, comments, diagnostics };
}
