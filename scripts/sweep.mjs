#!/usr/bin/env node
// `npm run sweep`: compiles the sweep of tests/sweep with the compiler it sweeps, and runs it.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureSetup, isMainScript, repositoryRoot, runScript } from "./setup.mjs";

// In the checkout itself: several checkouts may have node_modules in common.
const output = join(repositoryRoot, "build", "sweep-compiled");

/** @param {string[]} args @returns {number} exit status */
export function runSweep(args) {
  const tsc = join(repositoryRoot, "node_modules", "typescript", "bin", "tsc");
  const inRoot = { cwd: repositoryRoot, stdio: /** @type {const} */ ("inherit") };
  const compiled = spawnSync(
    process.execPath,
    [tsc, "-p", "tests/sweep/tsconfig.json", "--outDir", output],
    inRoot,
  );
  if (compiled.status !== 0) return compiled.status ?? 1;
  // Ctrl-C reaches the sweep as well, which answers it with a report of what has run.
  process.on("SIGINT", () => {});
  const main = join(output, "tests", "sweep", "main.js");
  return spawnSync(process.execPath, [main, ...args], inRoot).status ?? 1;
}

if (isMainScript(import.meta.url)) {
  await runScript(async () => {
    await ensureSetup();
    return runSweep(process.argv.slice(2));
  });
}
