/**
 * The token vocabulary. Tokens that are only ever a slip (`≤`, `:=`, an open string) stand in the table beside the
 * token they mean, so that the parser reads on and one slip gives one message.
 */
import { createToken, Lexer, type TokenType } from "./chevrotain-library.ts";
import { keywords } from "./keywords.ts";

export const StringLiteral = createToken({ name: "StringLiteral", pattern: /"[^"\n\r]*"/ });
export const NumberLiteral = createToken({
  name: "NumberLiteral",
  pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w|\.(?!\*|\/(?!\/)|T(?!\w)))/,
  start_chars_hint: [..."0123456789"],
  line_breaks: false,
});
export const Identifier = createToken({ name: "Identifier", pattern: /[A-Za-z_]\w*/ });

/** The sign between what is defined and what it is: `=`, and the slips `:=` and `==`. */
export const DefinitionSign = createToken({ name: "DefinitionSign", pattern: Lexer.NA });
/** `=` where it cannot be a slip for `==`. */
export const PlainDefinition = createToken({
  name: "PlainDefinition",
  pattern: Lexer.NA,
  categories: [DefinitionSign],
});
/** `frozen` before the brackets of a type; elsewhere the word begins a statement. */
export const FrozenTensor = createToken({ name: "FrozenTensor", pattern: Lexer.NA });
/** `==` … `>=`, and the slip `=`. */
export const ComparisonOperator = createToken({ name: "ComparisonOperator", pattern: Lexer.NA });
export const SumOperator = createToken({ name: "SumOperator", pattern: Lexer.NA });
export const ProductOperator = createToken({ name: "ProductOperator", pattern: Lexer.NA });

const sign = (name: string, pattern: string, ...categories: TokenType[]): TokenType =>
  createToken({ name, pattern, categories });

export const LeftBrace = sign("LeftBrace", "{");
export const RightBrace = sign("RightBrace", "}");
export const LeftParenthesis = sign("LeftParenthesis", "(");
export const RightParenthesis = sign("RightParenthesis", ")");
export const LeftBracket = sign("LeftBracket", "[");
export const RightBracket = sign("RightBracket", "]");
export const Comma = sign("Comma", ",");
export const Colon = sign("Colon", ":");
export const Arrow = sign("Arrow", "->");
export const ColonEquals = sign("ColonEquals", ":=", DefinitionSign);
export const DoubleEquals = sign("DoubleEquals", "==", ComparisonOperator, DefinitionSign);
export const Equals = sign("Equals", "=", DefinitionSign, ComparisonOperator);
export const NotEquals = sign("NotEquals", "!=", ComparisonOperator);
export const LessEquals = sign("LessEquals", "<=", ComparisonOperator);
export const GreaterEquals = sign("GreaterEquals", ">=", ComparisonOperator);
export const Less = sign("Less", "<", ComparisonOperator);
export const Greater = sign("Greater", ">", ComparisonOperator);
export const Plus = sign("Plus", "+", SumOperator);
export const Minus = sign("Minus", "-", SumOperator);
export const DotStar = sign("DotStar", ".*", ProductOperator);
/** `./`, but not the point of `1.// note`. */
export const DotSlash = createToken({
  name: "DotSlash",
  pattern: /\.\/(?!\/)/,
  categories: [ProductOperator],
  start_chars_hint: ["."],
  line_breaks: false,
});
export const Star = sign("Star", "*", ProductOperator);
export const Slash = sign("Slash", "/", ProductOperator);
export const Percent = sign("Percent", "%", ProductOperator);
export const At = sign("At", "@", ProductOperator);
export const Transpose = createToken({
  name: "Transpose",
  pattern: /\.T(?!\w)/,
  start_chars_hint: ["."],
  line_breaks: false,
});

/** A sign of another notation → the token that is meant, and what to write. */
export interface ForeignSign {
  readonly text: string;
  readonly means: TokenType;
  /** What stands in its place; null where that would be another program and the author has to write it. */
  readonly write: string | null;
  /** Completes "write … ". */
  readonly advice: string;
}

const foreign = (texts: string, means: TokenType, write: string | null, advice: string): ForeignSign[] =>
  texts.split(" ").map((text) => ({ text, means, write, advice }));

const wordTokens: ReadonlyMap<string, TokenType> = new Map(
  keywords.map((keyword) => [
    keyword.word,
    createToken({
      name: `Word_${keyword.word}`,
      pattern: keyword.word,
      longer_alt: Identifier,
      categories: keyword.reserved ? [] : [Identifier],
    }),
  ]),
);

/** The token type of a word of the language. */
export function wordToken(word: string): TokenType {
  const found = wordTokens.get(word);
  if (found === undefined) throw new RangeError(`\`${word}\` is not in the table of keywords`);
  return found;
}

/** Longest texts first, because the pattern tries them in this order. */
export const foreignSigns: readonly ForeignSign[] = [
  ...foreign("=== ≡", DoubleEquals, "==", "`==` to compare"),
  ...foreign("<> ≠", NotEquals, "!=", "`!=`"),
  ...foreign("≤ ⩽", LessEquals, "<=", "`<=`"),
  ...foreign("≥ ⩾", GreaterEquals, ">=", "`>=`"),
  ...foreign("≔", Equals, "=", "`=`"),
  ...foreign("=> → ⟶ ↦", Arrow, "->", "`->`"),
  ...foreign("⊙ ∘ ⊚ ○", DotStar, ".*", "`.*` for the Hadamard product"),
  ...foreign("⊘", DotSlash, "./", "`./` for the quotient entry by entry"),
  ...foreign("· ⋅ • ∙", At, "@", "`@` between matrices, `*` with a number"),
  ...foreign("×", At, "@", "`@` between matrices, `*` with a number"),
  ...foreign("∗ ＊", Star, "*", "`*`"),
  ...foreign("⊗", Star, null, "`kron(A, B)` for the Kronecker product"),
  ...foreign("** ^", Star, null, "`pow(a, b)` of numbers, `A @ A` or `A .* A` of a matrix"),
  ...foreign("÷", Slash, "/", "`/`"),
  ...foreign("− – —", Minus, "-", "`-`, the ASCII minus"),
  ...foreign("&& ∧", wordToken("and"), "and", "`and`"),
  ...foreign("|| ∨", wordToken("or"), "or", "`or`"),
  ...foreign("! ¬", wordToken("not"), "not ", "`not`"),
  ...foreign("ᵀ ⊤ ᵗ", Transpose, ".T", "`.T` for the transpose"),
];

/** `!` alone is foreign, `!=` is not. */
const pattern = (text: string): string => (text === "!" ? "!(?!=)" : text.replace(/[*^|]/g, "\\$&"));

/** `x'` after a name or a closing bracket is a transpose; elsewhere `'` opens a quotation. */
export const ForeignSignToken = createToken({
  name: "ForeignSign",
  pattern: new RegExp(`${foreignSigns.map((row) => pattern(row.text)).join("|")}|(?<=[\\w)\\]])'`),
  start_chars_hint: ["'", ...foreignSigns.map((row) => row.text.charAt(0))],
  line_breaks: false,
});
/** `.transpose`, `.t`: the only member of a matrix is `.T`. */
export const ForeignMember = createToken({ name: "ForeignMember", pattern: /\.[A-Za-z_]\w*/ });
export const ForeignQuotation = createToken({
  name: "ForeignQuotation",
  pattern: /'[^'\n\r]*'|[“”„][^“”„"\n\r]*[“”"]/,
});
/** A name with letters outside ASCII; generated code must carry every name, so the language has none of them. */
export const ForeignName = createToken({
  name: "ForeignName",
  pattern:
    /[A-Za-z_]*[\u00AA\u00B5\u00BA\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u0370-\u1CFF\u1E00-\u1FFF\u2080-\u209C\u2100-\u2138][\w\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u0370-\u1CFF\u1E00-\u1FFF\u2080-\u209C]*/,
  line_breaks: false,
});
export const OpenString = createToken({ name: "OpenString", pattern: /"[^"\n\r]*/ });
/** Text that begins like a number and is none: `1.`, `0x1F`, `.5`, `3px`, `1e`. */
export const MalformedNumber = createToken({
  name: "MalformedNumber",
  pattern: /\d+(?:\.\d+)*(?:[eE][+-]\d+)?\w*(?:\.(?!\*|\/(?!\/)|T(?!\w)))?|\.\d[\w.]*/,
  start_chars_hint: [..."0123456789."],
  line_breaks: false,
});

export const Whitespace = createToken({
  name: "Whitespace",
  pattern: /[\s\uFEFF]+/,
  group: Lexer.SKIPPED,
  line_breaks: true,
});
export const DocComment = createToken({
  name: "DocComment",
  pattern: /\/\/\/(?!\/)[^\n\r]*/,
  group: "comments",
  line_breaks: false,
  start_chars_hint: ["/"],
});
export const LineComment = createToken({ name: "LineComment", pattern: /\/\/[^\n\r]*/, group: "comments" });
export const ForeignComment = createToken({
  name: "ForeignComment",
  pattern: /#[^\n\r]*|\/\*[\s\S]*?\*\/|\/\*[\s\S]*/,
  group: "comments",
  line_breaks: true,
  start_chars_hint: ["#", "/"],
});
export const Semicolon = createToken({ name: "Semicolon", pattern: /;+/, group: "semicolons" });

/** All tokens, the first that matches wins. */
export const vocabulary: readonly TokenType[] = [
  Whitespace,
  DocComment,
  LineComment,
  ForeignComment,
  Semicolon,
  StringLiteral,
  OpenString,
  ForeignName,
  // `blocks` before `block`: a word is tried before its own beginnings.
  ...[...wordTokens].sort(([first], [second]) => second.length - first.length).map(([, token]) => token),
  Identifier,
  NumberLiteral,
  MalformedNumber,
  Transpose,
  ForeignMember,
  Arrow,
  ForeignSignToken,
  ForeignQuotation,
  ColonEquals,
  DoubleEquals,
  NotEquals,
  LessEquals,
  GreaterEquals,
  Less,
  Greater,
  Equals,
  DotStar,
  DotSlash,
  Star,
  Slash,
  Percent,
  At,
  Plus,
  Minus,
  LeftBrace,
  RightBrace,
  LeftParenthesis,
  RightParenthesis,
  LeftBracket,
  RightBracket,
  Comma,
  Colon,
  FrozenTensor,
  PlainDefinition,
  DefinitionSign,
  ComparisonOperator,
  SumOperator,
  ProductOperator,
];
