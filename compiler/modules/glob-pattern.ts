/**
 * Patterns of tensor names → regular expressions that the manifest can carry. Dots of a name count as the slashes
 * of a path, so that `*` stays within one part of the name and `**` crosses parts.
 */
import picomatch from "picomatch";

export type GlobResult = { readonly pattern: string } | { readonly problem: string };

const pairs: Readonly<Record<string, string>> = { "}": "{", "]": "[", ")": "(" };

/** What is wrong with the text of a glob, or null. */
function problemOf(glob: string): string | null {
  if (glob.trim() === "") return "is empty";
  if (glob.includes("\\") || glob.includes("/"))
    return "holds a slash; parts of a tensor's name are joined by `.`";
  const range = /\{[^{}]*\.\.[^{}]*\}/.exec(glob)?.[0];
  if (range !== undefined) return `holds the range \`${range}\`; braces list names`;
  if (glob.startsWith(".") || glob.endsWith(".") || glob.includes(".."))
    return "has an empty part between dots";
  const open: string[] = [];
  for (const character of glob) {
    if ("{[(".includes(character)) open.push(character);
    const opening = pairs[character];
    if (opening !== undefined && open.pop() !== opening)
      return `has a \`${character}\` without \`${opening}\``;
  }
  return open.length > 0 ? `has a \`${open.at(-1)}\` that is never closed` : null;
}

/** The source of an anchored regular expression over names with `.` written as `/`. */
export function globPattern(glob: string): GlobResult {
  const problem = problemOf(glob);
  if (problem !== null) return { problem };
  const expression = picomatch.makeRe(glob.replaceAll(".", "/"), {
    dot: true,
    nonegate: true,
    noextglob: true,
    strictBrackets: true,
    strictSlashes: true,
  });
  return { pattern: expression.source };
}
