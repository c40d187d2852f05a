// Installs the project as a user would get it: the packed tarball in an empty folder, with the one package that its
// runtime needs beside it and nothing else.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Installation {
  /** The empty folder; modules in it resolve packages from its node_modules only. */
  readonly folder: string;
  /** Paths inside the tarball. */
  readonly packed: readonly string[];
}

/** koffi finds its machine code in a package of its own for each platform. */
const runtimePackages = ["koffi", `@koromix/koffi-${process.platform}-${process.arch}`];

/** Needs `dist/`, which `npm test` builds first. The folder is the caller's to remove. */
export function installPacked(): Installation {
  if (!existsSync(join(root, "dist", "runtime", "index.js")))
    throw new Error("dist/ is missing: run `npm run build`");
  const folder = mkdtempSync(join(tmpdir(), "spx-package-"));
  const answer = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename, files }] = JSON.parse(answer) as [{ filename: string; files: { path: string }[] }];
  execFileSync("tar", ["-xzf", filename], { cwd: folder });
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  renameSync(join(folder, "package"), join(modules, "spx"));
  for (const name of runtimePackages) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    cpSync(join(root, "node_modules", name), join(modules, name), { recursive: true });
  }
  return { folder, packed: files.map(({ path }) => path) };
}

/**
 * Runs a script with plain Node in the installation, with nothing inherited: no PATH, no NODE_PATH, no library path.
 * The script's last line on standard output is JSON; it also tells which libraries the process had mapped.
 */
export function runAlone(
  folder: string,
  script: string,
): { readonly result: unknown; readonly mapped: readonly string[] } {
  const ending = `
    const result = await run();
    const { readFileSync: read } = await import("node:fs");
    const mapped = [...new Set(read("/proc/self/maps", "utf8").match(/\\/\\S+\\.(?:so|node)\\S*/g))];
    console.log(JSON.stringify({ result, mapped }));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script + ending], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: "/nonexistent", HOME: folder },
    timeout: 60_000,
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "null");
}

/** Names of the packages that a module in the installation could import. */
export function reachablePackages(folder: string): readonly string[] {
  return readdirSync(join(folder, "node_modules")).flatMap((name) =>
    name.startsWith("@")
      ? readdirSync(join(folder, "node_modules", name)).map((inner) => `${name}/${inner}`)
      : [name],
  );
}
