// The project's TypeScript sources as the architecture tests see them: paths, lines, and what each file imports.
// Read as text on purpose: a rule about text needs no type checker, and the whole tree is read in a few milliseconds.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const sourceFolders = ["grammar", "runtime", "compiler", "bench"].filter((folder) =>
  existsSync(join(root, folder)),
);

export interface ImportLine {
  /** As written: a package name, `node:…`, or a relative path. */
  readonly specifier: string;
  /** For a relative import, the imported file's path from the repository root; otherwise null. */
  readonly file: string | null;
  readonly typeOnly: boolean;
  /** 1-based. */
  readonly line: number;
}

export interface SourceFile {
  /** From the repository root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and string contents blanked, line for line. */
  readonly code: string;
  readonly imports: readonly ImportLine[];
}

/** Every file and folder below `folder`, paths from the repository root; folders end with a slash. */
export function listTree(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? [`${path}/`, ...listTree(path)] : [path];
  });
}

export function readSources(folders: readonly string[] = sourceFolders): readonly SourceFile[] {
  const paths = folders.flatMap(listTree).filter((path) => path.endsWith(".ts"));
  return paths.map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return { path, text, code: blankCommentsAndStrings(text), imports: importsOf(path, text) };
  });
}

/** Static imports and re-exports, also over several lines, and `import("…")`. */
const importPattern =
  /(?:^|\n)[ \t]*(import|export)\s+(type\s+)?(?:[\w*\s{},$]+?\s+from\s+)?"([^"\n]+)"|\bimport\(\s*"([^"\n]+)"/g;

export function importsOf(path: string, text: string): readonly ImportLine[] {
  const withoutComments = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, " "),
  );
  // An import inside a string, such as a program of the language, is text and not an import.
  const code = blankCommentsAndStrings(text);
  const isCode = (match: RegExpMatchArray): boolean =>
    /^\s*(?:import|export)\b/.test(code.slice(match.index ?? 0));
  return [...withoutComments.matchAll(importPattern)].filter(isCode).map((match) => {
    const specifier = match[3] ?? match[4] ?? "";
    const start = (match.index ?? 0) + (match[0].startsWith("\n") ? 1 : 0);
    const relativePath = specifier.startsWith(".");
    return {
      specifier,
      file: relativePath ? relative(root, join(root, dirname(path), specifier)) : null,
      typeOnly: match[2] !== undefined,
      line: withoutComments.slice(0, start).split("\n").length,
    };
  });
}

function blankCommentsAndStrings(text: string): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, " ");
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/.*$|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/gm,
    blank,
  );
}
