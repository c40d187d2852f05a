// Puts Chevrotain's own bundled file beside the built grammar, in place of the package's hundred small files, whose
// loading alone takes several times as long as checking a file.

import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bundle = "chevrotain.min.mjs";

/** @param {string} root the repository's folder, with dist/ built */
export function placeParserLibrary(root) {
  const door = join(root, "dist", "grammar", "parser", "chevrotain-library.js");
  const text = readFileSync(door, "utf8");
  const placed = text.replace('from "chevrotain"', `from "./${bundle}"`);
  const copy = join(root, "dist", "grammar", "parser", bundle);
  if (placed === text && existsSync(copy)) return;
  copyFileSync(join(root, "node_modules", "chevrotain", "lib", bundle), copy);
  writeFileSync(door, placed);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) placeParserLibrary(process.cwd());
