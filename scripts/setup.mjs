#!/usr/bin/env node
// Makes a fresh clone ready to work: finds or installs the npm packages, the compiler, cmake, LLVM 14 and the addon built
// on it, then builds dist/. Plain JavaScript on Node's own modules, because it runs before anything is installed.

import { realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { aptCommands, aptInstall, aptPermission, distributionName } from "./setup/apt-install.mjs";
import { buildOutput } from "./setup/build-output.mjs";
import { endLeftRunning } from "./setup/left-running.mjs";
import { buildAddon, whyBuildAddon } from "./setup/llvm-addon.mjs";
import { installPackages, whyInstallPackages } from "./setup/npm-packages.mjs";
import { elapsed, runningRecord, say } from "./setup/run-step.mjs";
import { takeSetupLock } from "./setup/setup-lock.mjs";
import { isSetupProblem, setupProblem } from "./setup/setup-problem.mjs";
import { missingPieces } from "./setup/system-pieces.mjs";

export const repositoryRoot = fileURLToPath(new URL("..", import.meta.url));
const logFolder = join(repositoryRoot, "build", "setup");
const oldestNode = [20, 19];

const help = `usage: npm run setup [-- --check]

Finds or installs what spx needs: npm packages, a C++ compiler, cmake, LLVM 14, and llvm-bindings built on it; then builds
dist/. It does only what is missing, so running it again is cheap. With apt where no password is asked; elsewhere it prints
the commands to type and stops.

  --check   only say what is missing (status 1 when something is)

Environment: SPX_NO_APT=1 never calls apt · LLVM_DIR the folder of an LLVMConfig.cmake (version 14) of your own
             npm_config_nodedir the folder above include/node of Node's headers
Logs: build/setup/`;

/**
 * Brings this clone up to date. Prints nothing when there was nothing to do.
 * @param {{ comparison?: boolean }} [wish] `comparison`: also try to get the optional peer that kernels are timed against,
 *   on a machine that has everything else (a machine that lacks more gets it anyway)
 * @returns {Promise<boolean>} whether something was done besides the build; throws a set-up problem when it cannot go on
 */
export async function ensureSetup({ comparison = false } = {}) {
  refuseOldNode();
  let doing = "looking at what is missing";
  const lock = await takeSetupLock(repositoryRoot, () => doing);
  try {
    const start = performance.now();
    if (endLeftRunning(join(logFolder, runningRecord))) say("ended what a killed set-up had left running");
    // Packages first: whether the addon must be built, and so whether cmake and LLVM's headers are needed, is known after.
    const whyPackages = whyInstallPackages(repositoryRoot);
    doing = "installing system packages";
    const installed = await installMissingPieces(whyPackages !== undefined, comparison);
    doing = "installing npm packages";
    if (whyPackages !== undefined) await installPackages(repositoryRoot, logFolder, whyPackages);
    doing = "building llvm-bindings";
    const whyAddon = whyBuildAddon(repositoryRoot);
    if (whyAddon !== undefined) await buildAddon(repositoryRoot, logFolder, whyAddon);
    doing = "building dist/";
    await buildOutput(repositoryRoot, logFolder);
    const done = installed || whyPackages !== undefined || whyAddon !== undefined;
    if (done) say(`ready, after ${elapsed(start)}`);
    return done;
  } finally {
    lock.release();
  }
}

/**
 * Before npm's minutes, so that a machine where something cannot be installed says so at once.
 * @param {boolean} packagesMissing
 * @param {boolean} comparison
 * @returns {Promise<boolean>} whether anything was installed
 */
async function installMissingPieces(packagesMissing, comparison) {
  const addonMissing = packagesMissing || whyBuildAddon(repositoryRoot) !== undefined;
  const required = missingPieces(addonMissing ? ["addon", "kernels"] : ["kernels"]);
  const optional = required.length > 0 || addonMissing || comparison ? missingPieces(["comparison"]) : [];
  if (required.length === 0 && optional.length === 0) return false;
  const permission = aptPermission();
  if (required.length > 0) {
    for (const piece of required) say(`missing: ${piece.name} (${piece.reason})`);
    const packages = packageNames(required);
    if (!permission.allowed) {
      throw setupProblem({
        what: `${packages.length === 1 ? "a system package is" : "system packages are"} missing, and set-up cannot install them here (${distributionName()}): ${permission.reason}`,
        advice: [
          "As an administrator of this machine (root, or with sudo):",
          ...aptCommands([...packages, ...packageNames(optional)]),
          "then run the same command again.",
        ],
      });
    }
    await aptInstall(packages, permission.prefix, logFolder);
    const still = missingPieces(addonMissing ? ["addon", "kernels"] : ["kernels"]);
    if (still.length > 0) {
      throw setupProblem({
        what: `apt installed its packages, yet this is still not found: ${still.map((piece) => piece.name).join(", ")}`,
        advice: [],
        logFile: join(logFolder, "apt-install.log"),
      });
    }
  }
  const gotOptional = await installOptionalPieces(optional, permission);
  return required.length > 0 || gotOptional;
}

/**
 * @param {import("./setup/system-pieces.mjs").SystemPiece[]} optional
 * @param {import("./setup/apt-install.mjs").AptPermission} permission
 * @returns {Promise<boolean>} whether they were installed
 */
async function installOptionalPieces(optional, permission) {
  if (optional.length === 0) return false;
  const packages = packageNames(optional);
  const loss = optional.map((piece) => `${piece.name} (${piece.reason})`).join(", ");
  if (!permission.allowed) {
    say(`optional, and missing: ${loss}. To have it: ${aptCommands(packages).join(" && ")}`);
    return false;
  }
  try {
    await aptInstall(packages, permission.prefix, logFolder, { title: "optional system packages" });
    return true;
  } catch (error) {
    if (!isSetupProblem(error)) throw error;
    say(`going on without ${loss}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
    return false;
  }
}

/** @param {import("./setup/system-pieces.mjs").SystemPiece[]} pieces @returns {string[]} */
function packageNames(pieces) {
  const names = new Set(pieces.map((piece) => piece.aptPackage));
  // The development package brings the library itself.
  if (names.has("llvm-14-dev")) names.delete("libllvm14");
  return [...names];
}

function refuseOldNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [needMajor = 0, needMinor = 0] = oldestNode;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw setupProblem({
    what: `Node ${oldestNode.join(".")} or newer is needed; this is ${process.versions.node} (${process.execPath})`,
    advice: ["Install a newer Node, for example from https://nodejs.org, then run the same command again."],
  });
}

/** @returns {number} exit status */
function reportMissing() {
  const whyPackages = whyInstallPackages(repositoryRoot);
  const whyAddon = whyPackages === undefined ? whyBuildAddon(repositoryRoot) : "needs the npm packages first";
  const lacks = missingPieces(whyAddon === undefined ? ["kernels"] : ["addon", "kernels"]).map(
    (piece) => `${piece.name}: ${piece.reason} (${piece.aptPackage})`,
  );
  if (whyPackages !== undefined) lacks.push(`npm packages: ${whyPackages}`);
  if (whyAddon !== undefined) lacks.push(`llvm-bindings: ${whyAddon}`);
  for (const piece of missingPieces(["comparison"]))
    process.stdout.write(`optional  ${piece.name}: ${piece.reason} (${piece.aptPackage})\n`);
  for (const line of lacks) process.stdout.write(`missing   ${line}\n`);
  if (lacks.length === 0) process.stdout.write("nothing is missing\n");
  return lacks.length === 0 ? 0 : 1;
}

/** @param {string} url the caller's `import.meta.url` @returns {boolean} whether Node was started with that file */
export function isMainScript(url) {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(url);
}

/** Runs a command-line script: a set-up problem is told without a stack, and the status says how it went. @param {() => Promise<number>} main */
export async function runScript(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!isSetupProblem(error)) throw error;
    process.stderr.write(`\nset-up stopped: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}

if (isMainScript(import.meta.url)) {
  const [option, ...more] = process.argv.slice(2);
  await runScript(async () => {
    if (option === "--help" || option === "-h") {
      process.stdout.write(`${help}\n`);
      return 0;
    }
    if (option === "--check" && more.length === 0) return reportMissing();
    if (option !== undefined) {
      process.stderr.write(`unknown option ${option}\n\n${help}\n`);
      return 2;
    }
    const start = performance.now();
    if (!(await ensureSetup())) say(`everything is in place (looked and built in ${elapsed(start)})`);
    return 0;
  });
}
