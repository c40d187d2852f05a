// Builds llvm-bindings, the one dependency that is compiled on the user's machine. What counts is that the finished addon
// loads in a fresh process; a record of its size and time spares later runs that proof.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { findNodeHeaders, layOutApiHeaders } from "./node-headers.mjs";
import { runStep, say } from "./run-step.mjs";
import { setupProblem } from "./setup-problem.mjs";

/** One compilation of LLVM's headers takes up to this much memory. */
const bytesPerCompilation = 1.2e9;

const recordVersion = 1;

/** @param {string} root @returns {string | undefined} why the addon must be built; nothing when it is known to load */
export function whyBuildAddon(root) {
  const facts = addonFacts(root);
  if (facts === undefined) return "not built yet";
  if (readRecord(root) === facts) return undefined;
  if (!addonLoads(root)) return "the one at hand does not load";
  writeRecord(root, facts);
  return undefined;
}

/** @param {string} root @param {string} logFolder @param {string} why */
export async function buildAddon(root, logFolder, why) {
  const addon = addonFolder(root);
  const logFile = join(logFolder, "llvm-bindings.log");
  const headers = findNodeHeaders() ?? layOutApiHeaders(root, join(logFolder, "node-headers"));
  say(`llvm-bindings: compiling it against LLVM 14 (${why}); this takes a few minutes, once`);
  if (headers === undefined)
    say(`llvm-bindings: no headers for Node ${process.version} on this machine; the build downloads them`);
  await compile(root, headers, logFile);
  if (!addonLoads(root)) {
    // Objects that an earlier, killed build left behind can be cut short; without them the build starts clean.
    say("llvm-bindings: the result does not load; building once more from nothing");
    rmSync(join(addon, "build"), { recursive: true, force: true });
    await compile(root, headers, logFile);
  }
  const facts = addonFacts(root);
  if (facts === undefined || !addonLoads(root)) {
    throw setupProblem({
      what: "llvm-bindings: it was built, yet does not load",
      advice: buildAdvice(headers),
      logFile,
    });
  }
  writeRecord(root, facts);
}

/** @param {string} root @param {string | undefined} headers @param {string} logFile */
function compile(root, headers, logFile) {
  const addon = addonFolder(root);
  const commands = join(root, "node_modules", ".bin");
  mkdirSync(addon, { recursive: true });
  return runStep({
    title: "llvm-bindings",
    command: process.execPath,
    args: [join(root, "node_modules", "cmake-js", "bin", "cmake-js"), "compile"],
    cwd: addon,
    env: {
      ...process.env,
      // The package's cmake files call `node` and `cmake-js` by name.
      PATH: [commands, dirname(process.execPath), process.env.PATH ?? ""].join(delimiter),
      CMAKE_BUILD_PARALLEL_LEVEL: process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(compilationsAtOnce()),
      ...(headers === undefined ? {} : { npm_config_nodedir: headers }),
    },
    logFile,
    readProgress: compilationProgress,
    advice: buildAdvice(headers),
  });
}

/** How far ninja (`[3/47]`) or make (`[ 6%]`) has come. @param {string} line @returns {string | undefined} */
export function compilationProgress(line) {
  const steps = line.match(/^\[(\d+)\/(\d+)\]/);
  if (steps !== null) return `step ${steps[1]} of ${steps[2]}`;
  const share = line.match(/^\[\s*(\d+)%\]/);
  return share === null ? undefined : `${share[1]} %`;
}

function compilationsAtOnce() {
  const memory = process.availableMemory?.() ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(availableParallelism(), Math.floor(memory / bytesPerCompilation)));
}

/** @param {string | undefined} headers @returns {string[]} */
function buildAdvice(headers) {
  const advice = [
    "If the log names a missing file or library, install what brings it; if the compiler was killed, free some memory",
    "(2 GB are enough with CMAKE_BUILD_PARALLEL_LEVEL=1). Then run the same command again: it goes on where it stopped.",
  ];
  if (headers !== undefined) return advice;
  return [
    ...advice,
    `Node's headers are not on this machine, and their download may be what failed. Unpack node-${process.version}-headers.tar.gz`,
    "from nodejs.org (or install your distribution's libnode-dev) and set npm_config_nodedir to the folder above include/node.",
  ];
}

/** @param {string} root */
function addonFolder(root) {
  return join(root, "node_modules", "llvm-bindings");
}

/** A child process proves it, because a broken shared object can take the process with it. @param {string} root */
function addonLoads(root) {
  const proof =
    "const llvm = require('llvm-bindings'); new llvm.Module('proof', new llvm.LLVMContext()).print()";
  const child = spawnSync(process.execPath, ["-e", proof], { cwd: root, stdio: "ignore", timeout: 60_000 });
  return child.status === 0;
}

/** @param {string} root @returns {string | undefined} what tells this addon from another; nothing when there is none */
function addonFacts(root) {
  const file = join(addonFolder(root), "build", "Release", "llvm-bindings.node");
  if (!existsSync(file)) return undefined;
  const { size, mtimeMs } = statSync(file);
  return JSON.stringify({ recordVersion, size, mtimeMs, node: process.version });
}

/** @param {string} root */
function recordFile(root) {
  return join(root, "node_modules", ".spx-setup.json");
}

/** @param {string} root @returns {string | undefined} */
function readRecord(root) {
  try {
    return readFileSync(recordFile(root), "utf8");
  } catch {
    return undefined;
  }
}

/** @param {string} root @param {string} facts */
function writeRecord(root, facts) {
  const file = recordFile(root);
  writeFileSync(`${file}.${process.pid}`, facts);
  renameSync(`${file}.${process.pid}`, file);
}
