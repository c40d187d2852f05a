/** The compiler's view of this machine's files. The one implementation of `CompilerHost` outside the tests. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import type { CompilerHost } from "../host/compiler-host.ts";
import { packageFolder } from "./package-version.ts";

const withSlashes = (path: string): string => (sep === "/" ? path : path.split(sep).join("/"));

/** The path as a user would write it: relative to the working folder where that is shorter. */
function shown(path: string): string {
  if (!isAbsolute(path)) return withSlashes(path);
  const near = relative(process.cwd(), path);
  return withSlashes(near.startsWith("..") || near === "" ? path : near);
}

function modulesIn(folder: string, prefix: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".spx"))
    .map((name) => `${prefix}${name.slice(0, -".spx".length)}`);
}

export function nodeHost(): CompilerHost {
  const standard = join(packageFolder(), "stdlib");
  return {
    readFile: (path) => {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return null;
      }
    },
    resolveRelative: (from, module) => shown(`${join(dirname(from), module)}.spx`),
    resolveStandard: (module) => shown(`${join(standard, ...module.split("/"))}.spx`),
    standardModules: () => [...modulesIn(standard, ""), ...modulesIn(join(standard, "std"), "std/")].sort(),
  };
}
