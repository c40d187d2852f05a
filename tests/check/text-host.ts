/** A host for tests: files from a map of texts, the standard library from the repository. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import type { CompilerHost } from "../../compiler/host/compiler-host.ts";

export const libraryFolder = join(dirname(fileURLToPath(import.meta.url)), "../../stdlib");

const standardModules = ["", "std"].flatMap((folder) =>
  readdirSync(join(libraryFolder, folder))
    .filter((file) => file.endsWith(".spx"))
    .map((file) => posix.join(folder, file.replace(/\.spx$/, ""))),
);

/** Files of the library are called `stdlib/…`, wherever the repository stands. */
export function textHost(files: Readonly<Record<string, string>>): CompilerHost {
  return {
    readFile: (path) => {
      const text = files[path];
      if (text !== undefined) return text;
      if (!path.startsWith("stdlib/")) return null;
      try {
        return readFileSync(join(libraryFolder, path.slice("stdlib/".length)), "utf8");
      } catch {
        return null;
      }
    },
    resolveRelative: (from, relative) => `${posix.normalize(posix.join(posix.dirname(from), relative))}.spx`,
    resolveStandard: (module) => `stdlib/${module}.spx`,
    standardModules: () => standardModules,
  };
}
