/** Where the names of the standard library live, for those who forgot an import. Read only after a mistake. */
import type { CompilerHost } from "../host/compiler-host.ts";

/** Imports never name it: every file sees what it declares. */
const prelude = "std/prelude";

/** Name → the one module that declares it; names of several modules are left out. */
export function standardHomes(host: CompilerHost): ReadonlyMap<string, string> {
  const homes = new Map<string, string>();
  const several = new Set<string>();
  for (const module of host.standardModules().filter((name) => name !== prelude)) {
    const text = host.readFile(host.resolveStandard(module)) ?? "";
    for (const [, name = ""] of text.matchAll(/^(?:transform|function|intrinsic)\s+(\w+)/gm)) {
      if (homes.has(name) && homes.get(name) !== module) several.add(name);
      homes.set(name, module);
    }
  }
  for (const name of several) homes.delete(name);
  return homes;
}
