// The one way a set-up step says that it cannot go on: what failed, what the log says, what to do.
// Everything else thrown during set-up is a mistake in these scripts and is shown with its stack.

import { readFileSync } from "node:fs";

const problemName = "SetupProblem";

/**
 * @param {{ what: string, advice: string[], logFile?: string | undefined }} facts
 *   `what`: one sentence; `advice`: lines that the reader can act on; `logFile`: the whole log, when there is one.
 * @returns {Error} an error whose message is ready to print
 */
export function setupProblem({ what, advice, logFile }) {
  const lines = [what];
  if (logFile !== undefined) {
    lines.push("", "  The last lines of its log:", ...lastLines(logFile, 20).map((line) => `  | ${line}`));
    lines.push("", `  The whole log: ${logFile}`);
  }
  if (advice.length > 0) lines.push("", "  What to do:", ...advice.map((line) => `    ${line}`));
  const problem = new Error(lines.join("\n"));
  problem.name = problemName;
  return problem;
}

/** @param {unknown} error */
export function isSetupProblem(error) {
  return error instanceof Error && error.name === problemName;
}

/** @param {string} file @param {number} count @returns {string[]} */
function lastLines(file, count) {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.filter((line) => line.trim() !== "").slice(-count);
  } catch (error) {
    return [`(the log cannot be read: ${error instanceof Error ? error.message : error})`];
  }
}
