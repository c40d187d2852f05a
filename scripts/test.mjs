#!/usr/bin/env node
// `npm test`: sets the clone up, runs every test (or those that the arguments name) and closes with one plain line of
// counts. The counts come from vitest's own JSON report, the exit status from vitest itself.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureSetup, isMainScript, repositoryRoot, runScript } from "./setup.mjs";

const reportFile = join(repositoryRoot, "build", "test", "report.json");

/**
 * @typedef {{ status: string }} TestCase
 * @typedef {{ name: string, status: string, assertionResults: TestCase[] }} TestFile
 */

/**
 * A file that fails before any of its tests runs counts as one failure, so that it cannot hide behind a count of zero.
 * @param {{ testResults: TestFile[] }} report vitest's JSON report
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function countOutcomes(report) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults) {
    const failures = file.assertionResults.filter((test) => test.status === "failed").length;
    counts.passed += file.assertionResults.filter((test) => test.status === "passed").length;
    counts.skipped += file.assertionResults.filter(
      (test) => !["passed", "failed"].includes(test.status),
    ).length;
    counts.failed += failures === 0 && file.status === "failed" ? 1 : failures;
  }
  return counts;
}

/** @param {string[]} args for vitest @returns {Promise<number>} exit status */
async function runTests(args) {
  mkdirSync(dirname(reportFile), { recursive: true });
  rmSync(reportFile, { force: true });
  const vitest = join(repositoryRoot, "node_modules", "vitest", "vitest.mjs");
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const status = await runInForeground(process.execPath, [vitest, "run", ...reports, ...args]);
  if (!existsSync(reportFile)) {
    process.stdout.write("vitest ended without a report\n\n0 passed, 1 failed, 0 skipped\n");
    return status === 0 ? 1 : status;
  }
  const { passed, failed, skipped } = countOutcomes(JSON.parse(readFileSync(reportFile, "utf8")));
  // An error outside any test (an unhandled rejection, a worker that died), or no test at all, shows in the status alone.
  const unseen = status !== 0 && failed === 0 ? 1 : 0;
  if (unseen > 0)
    process.stdout.write(
      `${passed === 0 ? "no test ran" : "an error came from outside the tests"} (see above)\n`,
    );
  process.stdout.write(`\n${passed} passed, ${failed + unseen} failed, ${skipped} skipped\n`);
  return status === 0 && failed > 0 ? 1 : status;
}

/** @param {string} command @param {string[]} args @returns {Promise<number>} exit status; 128 + n after signal n, as shells have it */
function runInForeground(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repositoryRoot, stdio: ["ignore", "inherit", "inherit"] });
    const forward = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    process.on("SIGTERM", forward).on("SIGINT", forward);
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

if (isMainScript(import.meta.url)) {
  await runScript(async () => {
    await ensureSetup();
    return runTests(process.argv.slice(2));
  });
}
