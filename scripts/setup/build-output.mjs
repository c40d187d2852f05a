// Keeps dist/ in step with the sources: the type checker writes it, outputs whose source is gone are removed, and the
// command `spxc` is linked where npm scripts and npx look for it.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { placeParserLibrary } from "./parser-library.mjs";
import { runStep } from "./run-step.mjs";

const outputEndings = [".d.ts", ".js"];

/** @param {string} root @param {string} logFolder @returns {Promise<void>} throws a set-up problem when the sources do not type-check */
export async function buildOutput(root, logFolder) {
  const output = join(root, "dist");
  // The compiler trusts its record of what it wrote; where an output is gone, the record must go too.
  if (lacksOutput(root, output)) rmSync(join(output, ".tsbuildinfo"), { force: true });
  await runStep({
    title: "build",
    command: process.execPath,
    args: [join(root, "node_modules", "typescript", "bin", "tsc"), "-b"],
    cwd: root,
    logFile: join(logFolder, "build.log"),
    advice: [
      "Correct the errors above (`npm run build` shows all of them), then run the same command again.",
    ],
    // Usually a fraction of a second, which is not worth a line.
    tellWhenDone: false,
  });
  removeOrphans(root, output);
  placeParserLibrary(root);
  linkCommands(root);
}

/** @param {string} root @param {string} output */
function lacksOutput(root, output) {
  const folders = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")).include.map(String);
  const sources = folders.flatMap((/** @type {string} */ folder) => listSources(root, folder));
  return sources.some(
    (/** @type {string} */ source) => !existsSync(join(output, source.replace(/\.ts$/, ".js"))),
  );
}

/** @param {string} root @param {string} folder @returns {string[]} paths from `root` */
function listSources(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return listSources(root, path);
    return entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}

/** A removed or renamed source must not live on in the package. @param {string} root @param {string} folder */
function removeOrphans(root, folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      removeOrphans(root, path);
      if (readdirSync(path).length === 0) rmdirSync(path);
      continue;
    }
    const ending = outputEndings.find((candidate) => entry.name.endsWith(candidate));
    if (ending === undefined) continue;
    const source = join(root, relative(join(root, "dist"), path).slice(0, -ending.length));
    if (!existsSync(`${source}.ts`)) rmSync(path);
  }
}

/** @param {string} root */
function linkCommands(root) {
  const commands = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).bin ?? {};
  const folder = join(root, "node_modules", ".bin");
  for (const [name, path] of Object.entries(commands)) {
    const file = join(root, String(path));
    if (!existsSync(file)) continue;
    chmodSync(file, 0o755);
    const link = join(folder, name);
    mkdirSync(dirname(link), { recursive: true });
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(relative(folder, file), link);
  }
}
