// Installs system packages with apt where that needs no question (root, or sudo without a password); elsewhere it can only
// say what to type.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { findCommand } from "./find-file.mjs";
import { runStep, say } from "./run-step.mjs";
import { setupProblem } from "./setup-problem.mjs";

const listsFolder = "/var/lib/apt/lists";
const listsStayFreshFor = 24 * 3600 * 1000;

/**
 * @typedef {{ allowed: true, prefix: string[] } | { allowed: false, reason: string }} AptPermission
 *   `prefix`: the words that go before `apt-get`
 */

/** @param {NodeJS.ProcessEnv} [env] `SPX_NO_APT` set to anything but 0 forbids it @returns {AptPermission} */
export function aptPermission(env = process.env) {
  if (findCommand("apt-get", env) === undefined)
    return { allowed: false, reason: "this machine has no apt-get" };
  if (env.SPX_NO_APT !== undefined && env.SPX_NO_APT !== "0")
    return { allowed: false, reason: "SPX_NO_APT forbids it" };
  if (process.getuid?.() === 0) return { allowed: true, prefix: [] };
  if (findCommand("sudo", env) === undefined)
    return { allowed: false, reason: "you are not root and there is no sudo" };
  try {
    execFileSync("sudo", ["-n", "true"], { stdio: "ignore", env });
    return { allowed: true, prefix: ["sudo", "-n"] };
  } catch {
    return { allowed: false, reason: "you are not root and sudo would ask for a password" };
  }
}

/** @param {string[]} packages @param {NodeJS.ProcessEnv} [env] @returns {string[]} what a person types to install them */
export function aptCommands(packages, env = process.env) {
  const sudo = process.getuid?.() === 0 || findCommand("sudo", env) === undefined ? "" : "sudo ";
  return [`${sudo}apt-get update`, `${sudo}apt-get install -y --no-install-recommends ${packages.join(" ")}`];
}

/**
 * @param {string[]} packages
 * @param {string[]} prefix from `aptPermission`
 * @param {string} logFolder
 * @param {{ title?: string, report?: (text: string) => void }} [manner]
 * @returns {Promise<void>} throws a set-up problem when a package is not to be had or cannot be installed
 */
export async function aptInstall(
  packages,
  prefix,
  logFolder,
  { title = "system packages", report = say } = {},
) {
  if (!listsAreFresh()) await update(prefix, logFolder, report);
  let unknown = unknownPackages(packages);
  if (unknown.length > 0 && listsAreFresh()) {
    await update(prefix, logFolder, report);
    unknown = unknownPackages(packages);
  }
  if (unknown.length > 0)
    throw setupProblem({
      what: `${title}: ${distributionName()} does not offer ${unknown.join(", ")}`,
      advice: adviceForUnknown(unknown),
    });
  report(`${title}: apt-get install ${packages.join(" ")}`);
  await runApt(["install", "-y", "--no-install-recommends", ...packages], {
    title,
    prefix,
    logFile: join(logFolder, "apt-install.log"),
    report,
    advice: ["Install them by hand, then run the same command again:", ...aptCommands(packages)],
  });
}

/** A third-party source that does not answer must not stop the rest, so a failed update is only told. @param {string[]} prefix @param {string} logFolder @param {(text: string) => void} report */
async function update(prefix, logFolder, report) {
  const logFile = join(logFolder, "apt-update.log");
  try {
    await runApt(["update"], { title: "apt package lists", prefix, logFile, report, advice: [] });
  } catch {
    report(`apt package lists: not every source answered (${logFile}); going on with the lists at hand`);
  }
}

/** @param {string[]} args @param {{ title: string, prefix: string[], logFile: string, report: (text: string) => void, advice: string[] }} facts */
function runApt(args, { title, prefix, logFile, report, advice }) {
  const words = [
    ...prefix,
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "-o",
    "DPkg::Lock::Timeout=300",
    ...args,
  ];
  const [command = "apt-get", ...rest] = words;
  return runStep({
    title,
    command,
    args: rest,
    logFile,
    report,
    advice,
    readProgress: (line) => line.match(/^(?:Get|Unpacking|Setting up).*$/)?.[0].slice(0, 60),
  });
}

function listsAreFresh() {
  if (!existsSync(listsFolder)) return false;
  const files = readdirSync(listsFolder).filter((name) => name.includes("_Packages"));
  return files.length > 0 && Date.now() - statSync(listsFolder).mtimeMs < listsStayFreshFor;
}

/** @param {string[]} packages @returns {string[]} those for which apt knows no version to install */
function unknownPackages(packages) {
  const answer = execFileSync("apt-cache", ["policy", ...packages], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const offered = new Set();
  let name = "";
  for (const line of answer.split("\n")) {
    const heading = line.match(/^(\S+):$/);
    if (heading?.[1] !== undefined) name = heading[1];
    else if (/^ {2}Candidate: (?!\(none\))/.test(line)) offered.add(name);
  }
  return packages.filter((wanted) => !offered.has(wanted));
}

/** @param {string[]} unknown @returns {string[]} */
function adviceForUnknown(unknown) {
  if (!unknown.some((name) => name.includes("llvm")))
    return ["Check the sources in /etc/apt, run `apt-get update`, then run the same command again."];
  return [
    "LLVM 14 is part of Debian 12, Ubuntu 22.04 and Ubuntu 24.04; on another release choose one of these:",
    "- work in a container of one of those releases;",
    "- add the LLVM project's own packages for your release (https://apt.llvm.org), if it offers version 14;",
    "- build LLVM 14 yourself and set LLVM_DIR to the folder that holds its LLVMConfig.cmake.",
    "Then run the same command again.",
  ];
}

export function distributionName() {
  try {
    return readFileSync("/etc/os-release", "utf8").match(/^PRETTY_NAME="?([^"\n]*)"?$/m)?.[1] ?? "this Linux";
  } catch {
    return "this system";
  }
}
