/**
 * A strict JSON reader that remembers where each value stands and refuses what `JSON.parse` lets pass: a key
 * that is there twice, and text that is no Unicode. Numbers stay text, so that the caller can tell 2^53 + 1
 * from 2^53.
 */

export type LocatedJson =
  | { readonly kind: "object"; readonly at: number; readonly members: ReadonlyMap<string, LocatedJson> }
  | { readonly kind: "array"; readonly at: number; readonly items: readonly LocatedJson[] }
  | { readonly kind: "string"; readonly at: number; readonly value: string }
  | { readonly kind: "number"; readonly at: number; readonly text: string }
  | { readonly kind: "literal"; readonly at: number; readonly value: boolean | null };

/** What was wrong, and where: `at` counts UTF-16 units from the start of the text. */
export interface JsonProblem {
  readonly kind: "syntax" | "duplicate-key";
  readonly message: string;
  readonly at: number;
}

export type JsonResult =
  | { readonly ok: true; readonly value: LocatedJson }
  | { readonly ok: false; readonly problem: JsonProblem };

/** Deeper nesting than any header has; a limit, so that hostile text cannot exhaust the stack. */
const deepest = 32;

/** Reads `text`, which has to be one JSON value with nothing but white space around it. */
export function readLocatedJson(text: string): JsonResult {
  const cursor: Cursor = { text, at: 0 };
  try {
    const value = readValue(cursor, 0);
    skipSpace(cursor);
    if (cursor.at < text.length) throw unexpected(cursor, "the end of the text");
    return { ok: true, value };
  } catch (thrown) {
    if (thrown instanceof Stopped) return { ok: false, problem: thrown.problem };
    throw thrown;
  }
}

interface Cursor {
  readonly text: string;
  at: number;
}

/** Leaves the recursion at the first problem; never leaves this file. */
class Stopped extends Error {
  readonly problem: JsonProblem;
  constructor(problem: JsonProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

function readValue(cursor: Cursor, depth: number): LocatedJson {
  skipSpace(cursor);
  const at = cursor.at;
  if (depth > deepest)
    throw new Stopped({ kind: "syntax", message: `values nested deeper than ${deepest}`, at });
  const first = cursor.text[at];
  if (first === "{") return readObject(cursor, depth);
  if (first === "[") return readArray(cursor, depth);
  if (first === '"') return { kind: "string", at, value: readText(cursor) };
  const number = match(cursor, /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
  if (number !== null) return { kind: "number", at, text: number };
  const literal = match(cursor, /true|false|null/y);
  if (literal === null) throw unexpected(cursor, "a value");
  return { kind: "literal", at, value: literal === "null" ? null : literal === "true" };
}

function readObject(cursor: Cursor, depth: number): LocatedJson {
  const at = cursor.at;
  const members = new Map<string, LocatedJson>();
  cursor.at += 1;
  skipSpace(cursor);
  if (accept(cursor, "}")) return { kind: "object", at, members };
  do {
    skipSpace(cursor);
    const keyAt = cursor.at;
    if (cursor.text[keyAt] !== '"') throw unexpected(cursor, "a key in double quotes");
    const key = readText(cursor);
    if (members.has(key)) {
      throw new Stopped({
        kind: "duplicate-key",
        message: `the key ${quote(key)} stands here again`,
        at: keyAt,
      });
    }
    skipSpace(cursor);
    if (!accept(cursor, ":")) throw unexpected(cursor, "`:`");
    members.set(key, readValue(cursor, depth + 1));
    skipSpace(cursor);
  } while (accept(cursor, ","));
  if (!accept(cursor, "}")) throw unexpected(cursor, "`,` or `}`");
  return { kind: "object", at, members };
}

function readArray(cursor: Cursor, depth: number): LocatedJson {
  const at = cursor.at;
  const items: LocatedJson[] = [];
  cursor.at += 1;
  skipSpace(cursor);
  if (accept(cursor, "]")) return { kind: "array", at, items };
  do {
    items.push(readValue(cursor, depth + 1));
    skipSpace(cursor);
  } while (accept(cursor, ","));
  if (!accept(cursor, "]")) throw unexpected(cursor, "`,` or `]`");
  return { kind: "array", at, items };
}

function readText(cursor: Cursor): string {
  const { text, at } = cursor;
  let end = at + 1;
  // By hand: a regular expression keeps a state for each character and gives up on strings of megabytes.
  for (let code = text.charCodeAt(end); code !== 0x22; code = text.charCodeAt(end)) {
    // Beyond the end of the text the code is NaN, which no comparison accepts.
    if (!(code >= 0x20)) throw new Stopped({ kind: "syntax", message: "a string that does not end", at });
    end += code === 0x5c ? 2 : 1;
  }
  cursor.at = end + 1;
  const source = text.slice(at, cursor.at);
  const value = source.includes("\\") ? decodeEscapes(source, at) : source.slice(1, -1);
  if (!isUnicode(value))
    throw new Stopped({ kind: "syntax", message: "half of a surrogate pair in a string", at });
  return value;
}

function decodeEscapes(source: string, at: number): string {
  try {
    return String(JSON.parse(source));
  } catch {
    throw new Stopped({ kind: "syntax", message: "a string with an escape that JSON does not have", at });
  }
}

/** False when `text` holds a surrogate without its other half, which UTF-8 cannot write. */
export function isUnicode(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** `text` for a message: in double quotes, control characters escaped, cut when long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 117)}...` : text);
}

function skipSpace(cursor: Cursor): void {
  while (" \t\r\n".includes(cursor.text[cursor.at] ?? "-")) cursor.at += 1;
}

function accept(cursor: Cursor, character: string): boolean {
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at += 1;
  return true;
}

function match(cursor: Cursor, pattern: RegExp): string | null {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0];
  if (found === undefined) return null;
  cursor.at += found.length;
  return found;
}

function unexpected(cursor: Cursor, expected: string): Stopped {
  const found =
    cursor.at < cursor.text.length ? quote(cursor.text.slice(cursor.at, cursor.at + 8)) : "the end";
  return new Stopped({ kind: "syntax", message: `expected ${expected}, found ${found}`, at: cursor.at });
}
