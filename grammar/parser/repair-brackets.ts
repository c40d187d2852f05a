/**
 * Makes brackets pair up before the grammar sees them. Requires repaired words (a reserved word that stands for a
 * name would look like the end of its statement); ensures balanced brackets and one diagnostic for each repair.
 */
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText, Span } from "../text/source-text.ts";
import {
  closes,
  closingText,
  isBrace,
  isCloser,
  isOpener,
  madeUpBrace,
  madeUpCloser,
} from "./bracket-tokens.ts";
import type { IToken } from "./chevrotain-library.ts";
import { cutLargeStatements } from "./limit-statements.ts";
import { isHead, placeOfKeyword } from "./regions.ts";
import {
  advise,
  type ProblemDetails,
  propose,
  replace,
  type SyntaxProblemName,
  syntaxError,
} from "./syntax-problems.ts";
import { hasLocation } from "./token-location.ts";
import * as t from "./tokens.ts";

interface Pairing {
  readonly source: SourceText;
  readonly tokens: readonly IToken[];
  readonly diagnostics: Diagnostic[];
  /** The tokens that the grammar will see. */
  readonly kept: IToken[];
  /** Brackets not closed yet, the innermost last. */
  readonly open: IToken[];
  readonly importBraces: Set<IToken | undefined>;
  /** Indices of closers of braces that were left out. */
  readonly strayClosers: Set<number>;
  /** The `transform` or `model` whose brace has not come yet. */
  awaiting: IToken | null;
  /** True after a misplaced brace: one message a statement. */
  hasRefusedBrace: boolean;
}

const endOf = (token: IToken | undefined): number =>
  token === undefined ? 0 : token.startOffset + token.image.length;

const spanOf = ({ source }: Pairing, token: IToken): Span => ({
  file: source.file,
  start: token.startOffset,
  end: endOf(token),
});

/** The place after the token at `index`. */
const gapAfter = ({ source, tokens }: Pairing, index: number): Span => {
  const at = endOf(tokens[index]);
  return { file: source.file, start: at, end: at };
};

const report = (pairing: Pairing, name: SyntaxProblemName, details: ProblemDetails): void =>
  void pairing.diagnostics.push(syntaxError(name, details));

/** Closes the innermost `count` brackets before the token at `index`. */
function closeBefore(pairing: Pairing, index: number, count: number): void {
  const { open, kept, tokens } = pairing;
  const unclosed = open.splice(open.length - count, count).reverse();
  const [innermost] = unclosed;
  if (innermost === undefined) return;
  kept.push(...unclosed.map(madeUpCloser));
  const text = unclosed.map(closingText).join("");
  const span = gapAfter(pairing, index - 1);
  const isBlock = isBrace(innermost) && tokens[index - 1] !== innermost;
  report(pairing, "unclosedBracket", {
    message: `\`${innermost.image}\` is never closed`,
    span,
    label: `expected \`${text}\` here`,
    secondary: unclosed
      .filter(hasLocation)
      .map((opener) => ({ span: spanOf(pairing, opener), text: "opened here" })),
    facts: { expected: text },
    help: [propose(`add \`${text}\``, replace(span, isBlock ? `\n${text}` : text))],
  });
}

function refuseCloser(pairing: Pairing, token: IToken): void {
  const span = spanOf(pairing, token);
  report(pairing, "unopenedBracket", {
    message: `nothing opens this \`${token.image}\``,
    span,
    label: "closes nothing",
    facts: { found: token.image },
    help: [propose("remove it", replace(span, ""))],
  });
}

function replaceCloser(pairing: Pairing, token: IToken, opener: IToken): void {
  const expected = closingText(opener);
  const span = spanOf(pairing, token);
  pairing.open.pop();
  pairing.kept.push(madeUpCloser(opener));
  report(pairing, "unclosedBracket", {
    message: `\`${opener.image}\` is closed by \`${token.image}\``,
    span,
    label: `expected \`${expected}\``,
    secondary: [{ span: spanOf(pairing, opener), text: "opened here" }],
    facts: { expected, found: token.image },
    help: [advise(`write \`${expected}\``, replace(span, expected))],
  });
}

/** True when `opener` is closed in its statement after `index`. */
function isClosedLater({ tokens }: Pairing, opener: IToken, index: number): boolean {
  let depth = 0;
  for (let next = index + 1; next < tokens.length; next += 1) {
    const token = tokens[next];
    if (token === undefined || isBrace(token) || token.tokenType === t.RightBrace) return false;
    if (isHead(token, tokens[next - 1])) return false;
    if (token.tokenType === opener.tokenType) depth += 1;
    if (closes(token, opener)) depth -= 1;
    if (depth < 0) return true;
  }
  return false;
}

function close(pairing: Pairing, token: IToken, index: number): void {
  const { open, kept } = pairing;
  const closesBlock = token.tokenType === t.RightBrace;
  const matching = open.findLastIndex((opener) => closes(token, opener));
  const innermost = open.at(-1);
  // A brace keeps what is inside it apart from what is outside.
  const isBlocked = !closesBlock && open.slice(matching + 1).some(isBrace);
  if (matching !== -1 && !isBlocked) {
    closeBefore(pairing, index, open.length - 1 - matching);
    open.pop();
    kept.push(token);
    return;
  }
  const isMeant = innermost !== undefined && !isBrace(innermost) && !closesBlock;
  if (isMeant && !isClosedLater(pairing, innermost, index)) replaceCloser(pairing, token, innermost);
  else refuseCloser(pairing, token);
}

/** How many open brackets cannot reach past the token at `index`. */
function countEndedBy({ open, tokens, importBraces }: Pairing, token: IToken, index: number): number {
  const brace = open.findLastIndex(isBrace);
  const inImport = brace !== -1 && importBraces.has(open[brace]);
  const isFile = token.tokenType === t.wordToken("from") && tokens[index + 1]?.tokenType === t.StringLiteral;
  if (inImport && isFile) return open.length - brace;
  // Neither stands inside parentheses, so an open one was forgotten before it.
  if (isBrace(token) || token.tokenType === t.Arrow) return open.length - 1 - brace;
  if (!isHead(token, tokens[index - 1])) return 0;
  return placeOfKeyword(token) === "module" || inImport ? open.length : open.length - 1 - brace;
}

/** Supplies the brace that `head`, a transform or model, lacks before its first entry at `index`. */
function openBlock(pairing: Pairing, head: IToken, index: number): void {
  const brace = madeUpBrace();
  pairing.open.push(brace);
  pairing.kept.push(brace);
  const span = gapAfter(pairing, index - 1);
  const entries =
    head.tokenType === t.wordToken("model") ? "rules of the model" : "statements of the transform";
  report(pairing, "declarationForm", {
    message: `expected \`{\` before the ${entries}`,
    span,
    label: "missing here",
    secondary: [{ span: spanOf(pairing, head), text: "" }],
    facts: { expected: "{" },
    help: [advise("add `{`", replace(span, " {"))],
  });
}

/** Index of the next closing brace, when the declaration has one more than it has open ones; null otherwise. */
function extraCloser({ open, tokens }: Pairing, index: number): number | null {
  let depth = open.filter(isBrace).length;
  let first: number | null = null;
  for (let next = index + 1; next < tokens.length && depth >= 0; next += 1) {
    const token = tokens[next];
    if (token === undefined || (placeOfKeyword(token) === "module" && isHead(token, tokens[next - 1]))) break;
    if (isBrace(token)) depth += 1;
    if (token.tokenType !== t.RightBrace) continue;
    depth -= 1;
    first ??= next;
  }
  return depth < 0 ? first : null;
}

/** Leaves out a brace where none can stand, and the one that closes it. */
function refuseBrace(pairing: Pairing, token: IToken, index: number): void {
  if (pairing.hasRefusedBrace) return;
  pairing.hasRefusedBrace = true;
  const closer = extraCloser(pairing, index);
  if (closer !== null) pairing.strayClosers.add(closer);
  report(pairing, "misplaced", {
    message: "`{` cannot stand here",
    span: spanOf(pairing, token),
    label: "wrong place",
    facts: { found: "{" },
    because: ["braces stand around statements of a transform, rules of a model and names of an import"],
  });
}

/** A keyword that begins a declaration, statement or rule. */
function passHead(pairing: Pairing, token: IToken, index: number): void {
  const { awaiting } = pairing;
  const body = awaiting?.tokenType === t.wordToken("model") ? "model" : "transform";
  if (awaiting !== null && placeOfKeyword(token) === body) openBlock(pairing, awaiting, index);
  const hasBlock = token.tokenType === t.wordToken("transform") || token.tokenType === t.wordToken("model");
  pairing.awaiting = hasBlock ? token : null;
  pairing.hasRefusedBrace = false;
}

/** True when the brace at `index` may stand there. */
function acceptsBrace(pairing: Pairing, token: IToken, index: number): boolean {
  if (pairing.tokens[index - 1]?.tokenType === t.wordToken("import")) pairing.importBraces.add(token);
  else if (pairing.awaiting === null) return false;
  pairing.awaiting = null;
  return true;
}

function pass(pairing: Pairing, token: IToken, index: number): void {
  if (pairing.strayClosers.has(index)) return;
  const ended = countEndedBy(pairing, token, index);
  if (ended > 0) closeBefore(pairing, index, ended);
  if (isHead(token, pairing.tokens[index - 1])) passHead(pairing, token, index);
  if (isBrace(token) && !acceptsBrace(pairing, token, index)) {
    refuseBrace(pairing, token, index);
    return;
  }
  if (isOpener(token)) pairing.open.push(token);
  if (isCloser(token)) close(pairing, token, index);
  else pairing.kept.push(token);
}

/** The tokens with every bracket closed; without closing brackets that nothing opened. */
export function repairBrackets(
  source: SourceText,
  given: readonly IToken[],
  diagnostics: Diagnostic[],
): IToken[] {
  const pairing: Pairing = {
    source,
    tokens: cutLargeStatements(source, given, diagnostics),
    diagnostics,
    kept: [],
    open: [],
    importBraces: new Set(),
    strayClosers: new Set(),
    awaiting: null,
    hasRefusedBrace: false,
  };
  pairing.tokens.forEach((token, index) => {
    pass(pairing, token, index);
  });
  closeBefore(pairing, pairing.tokens.length, pairing.open.length);
  return pairing.kept;
}
