// Runs one long command of the set-up: everything it says goes to a log file, the reader sees what is
// running, for how long and how far it got, and an interrupt ends the command's whole process group.

import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { forgetRunning, recordRunning } from "./left-running.mjs";
import { setupProblem } from "./setup-problem.mjs";

/** Beside the logs: what is running, for a set-up that comes after a killed one. */
export const runningRecord = "running";

const plainLineEvery = 10_000;
const redrawEvery = 500;
const interrupts = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/** Prints one line about the set-up. On stderr, so that the output of the command that called it stays clean. @param {string} text */
export function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

/** @param {number} since milliseconds of `performance.now()` */
export function elapsed(since) {
  const seconds = (performance.now() - since) / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

/**
 * Runs a command to its end with a progress line.
 *
 * @param {object} step
 * @param {string} step.title what the reader sees, such as "npm packages"
 * @param {string} step.command
 * @param {string[]} step.args
 * @param {string} step.logFile truncated first; its folder is made
 * @param {string} [step.cwd]
 * @param {NodeJS.ProcessEnv} [step.env]
 * @param {(line: string) => string | undefined} [step.readProgress] how far, from one line of its output
 * @param {() => string | undefined} [step.askProgress] how far, asked for whenever a progress line is printed
 * @param {string[]} step.advice shown when the command fails
 * @param {(text: string) => void} [step.report] where the progress lines go; `say` when left out
 * @param {boolean} [step.tellWhenDone] true when left out
 * @returns {Promise<void>} throws a set-up problem when the command cannot start or ends with another status than 0
 */
export async function runStep(step) {
  const start = performance.now();
  mkdirSync(dirname(step.logFile), { recursive: true });
  const log = createWriteStream(step.logFile);
  log.write(`$ ${[step.command, ...step.args].join(" ")}\n`);
  const child = spawn(step.command, step.args, {
    cwd: step.cwd,
    env: step.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const runningFile = join(dirname(step.logFile), runningRecord);
  if (child.pid !== undefined) recordRunning(runningFile, child.pid);
  const release = endWithUs(child);
  let latest = "";
  const read = lineReader((line) => {
    latest = step.readProgress?.(line) ?? latest;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      log.write(chunk);
      read(chunk.toString());
    });
  }
  const ticker = startTicker(step.report ?? say, () => {
    const far = step.askProgress?.() ?? latest;
    return `${step.title}: ${elapsed(start)}${far === "" ? "" : `, ${far}`}`;
  });
  const outcome = await new Promise((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("close", (status, signal) =>
      resolve(status === 0 ? "" : signal === null ? `ended with status ${status}` : `was ended by ${signal}`),
    );
  });
  ticker.stop();
  release();
  forgetRunning(runningFile);
  await new Promise((resolve) => log.end(resolve));
  if (outcome !== "") {
    const what = `${step.title}: \`${[step.command, ...step.args].join(" ")}\` ${outcome}`;
    throw setupProblem({ what, advice: step.advice, logFile: step.logFile });
  }
  if (step.tellWhenDone ?? true) (step.report ?? say)(`${step.title}: done in ${elapsed(start)}`);
}

/** Splits chunks into lines; an unfinished line waits for its end. @param {(line: string) => void} take */
function lineReader(take) {
  let rest = "";
  return (/** @type {string} */ text) => {
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  };
}

/** On a terminal one line is redrawn; elsewhere a plain line comes every ten seconds. @param {(text: string) => void} report @param {() => string} text */
function startTicker(report, text) {
  const live = process.stderr.isTTY === true && process.env.CI === undefined;
  const draw = () => {
    if (live) process.stderr.write(`\r\x1b[2K${text().slice(0, (process.stderr.columns ?? 80) - 1)}`);
    else report(text());
  };
  const timer = setInterval(draw, live ? redrawEvery : plainLineEvery);
  return {
    stop() {
      clearInterval(timer);
      if (live) process.stderr.write("\r\x1b[2K");
    },
  };
}

/** A command outlives no interrupt: its group gets the signal, then this process ends with the usual status. @param {import("node:child_process").ChildProcess} child */
function endWithUs(child) {
  const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  const listeners = interrupts.map((signal) => {
    const listener = () => {
      if (child.pid !== undefined) endGroup(child.pid, signal);
      process.stderr.write(`\nset-up: interrupted; run the same command again to go on from here\n`);
      process.exit(statuses[signal]);
    };
    process.once(signal, listener);
    return /** @type {const} */ ([signal, listener]);
  });
  return () => {
    for (const [signal, listener] of listeners) process.removeListener(signal, listener);
  };
}

/** @param {number} groupId @param {NodeJS.Signals} signal */
function endGroup(groupId, signal) {
  try {
    process.kill(-groupId, signal);
  } catch {
    // The group has ended by itself between the signal and this line.
  }
}
