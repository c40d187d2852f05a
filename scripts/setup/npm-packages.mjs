// The npm dependencies, exactly as the lock file has them. npm leaves its own record of what it installed in
// node_modules/.package-lock.json, written last; that record is compared, so an interrupted install is seen and redone.
//
// `npm ci` is not used: it refuses a lock file that does not list the optional binaries of every platform. `npm install`
// takes the locked versions and checks their hashes all the same, keeps the compiled addon when another package changes,
// and the comparison afterwards leaves no doubt about the result.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { findCommand } from "./find-file.mjs";
import { runStep, say } from "./run-step.mjs";
import { setupProblem } from "./setup-problem.mjs";

const installArguments = [
  "install",
  "--no-save",
  "--package-lock=true",
  "--include=dev",
  "--include=optional",
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--no-update-notifier",
  "--progress=false",
];

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, link?: boolean }} LockedPackage */

/** @param {string} root @returns {string | undefined} why the packages must be installed; nothing when they are as the lock file says */
export function whyInstallPackages(root) {
  const wanted = readLock(join(root, "package-lock.json"));
  if (wanted === undefined)
    throw setupProblem({
      what: "npm packages: package-lock.json is missing or broken",
      advice: ["git checkout package-lock.json"],
    });
  const installed = readLock(join(root, "node_modules", ".package-lock.json"));
  if (installed === undefined) return "not installed yet";
  for (const [path, locked] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = installed[path];
    // What is only for other platforms is left out by npm; llvm-bindings is optional too, but spx builds on it.
    if (found === undefined && locked.optional === true && path !== "node_modules/llvm-bindings") continue;
    if (found === undefined) return `${path} is missing`;
    if (found.version !== locked.version || found.integrity !== locked.integrity)
      return `${path} is not the locked version`;
    if (!existsSync(join(root, path, "package.json"))) return `${path} is damaged`;
  }
  return undefined;
}

/** @param {string} root @param {string} logFolder @param {string} why */
export async function installPackages(root, logFolder, why) {
  const npm = findNpm();
  const places = Object.keys(readLock(join(root, "package-lock.json")) ?? {}).filter((path) => path !== "");
  prepareFolder(root);
  say(`npm packages: npm install, locked versions (${why})`);
  await runStep({
    title: "npm packages",
    command: npm.command,
    args: [...npm.args, ...installArguments],
    cwd: root,
    logFile: join(logFolder, "npm-install.log"),
    askProgress: () => {
      const here = places.filter((path) => existsSync(join(root, path, "package.json"))).length;
      return `${here} of at most ${places.length} packages in place`;
    },
    advice: [
      "npm must reach its registry: check the network, and `npm config get registry` and `npm config get proxy`.",
      "If the log names a file in node_modules that cannot be removed, delete the folder node_modules.",
      "Then run the same command again.",
    ],
  });
  const still = whyInstallPackages(root);
  if (still !== undefined) {
    throw setupProblem({
      what: `npm packages: npm install ended well, yet ${still}`,
      advice: ["Delete the folder node_modules, then run the same command again."],
      logFile: join(logFolder, "npm-install.log"),
    });
  }
}

/**
 * Without npm's record nothing says which packages are whole, so the folder is emptied. With it, the record goes first:
 * should this run be interrupted, the next one then knows.
 * @param {string} root
 */
function prepareFolder(root) {
  const folder = join(root, "node_modules");
  const record = join(folder, ".package-lock.json");
  if (existsSync(record)) rmSync(record);
  else rmSync(folder, { recursive: true, force: true });
}

/** npm as a script for this very Node where possible, so that a Node outside PATH works too. @returns {{ command: string, args: string[] }} */
function findNpm() {
  const scripts = [
    process.env.npm_execpath ?? "",
    join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
  ];
  const script = scripts.find((file) => /npm-cli\.js$/.test(file) && existsSync(file));
  if (script !== undefined) return { command: process.execPath, args: [script] };
  const command = findCommand("npm");
  if (command !== undefined) return { command, args: [] };
  throw setupProblem({
    what: "npm packages: npm itself was not found; it comes with Node, but some distributions package it apart",
    advice: ["apt-get install -y --no-install-recommends npm", "Then run the same command again."],
  });
}

/** @param {string} file @returns {Record<string, LockedPackage> | undefined} */
function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}
