#!/usr/bin/env node
// `npm run bench:setup`: installs the libraries that the benchmark compares with into the user's cache, without root: Python
// packages in an environment of their own, BLAS libraries unpacked from Debian packages. What cannot be installed is said
// and left out; the benchmark lists it.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultCacheFolder } from "./fetch-checkpoint.mjs";
import { findCommand } from "./setup/find-file.mjs";
import { runStep, say } from "./setup/run-step.mjs";
import { isMainScript, runScript } from "./setup.mjs";

/** Versions are part of a result: all are pinned. A package that has no wheel here is skipped, not built. */
const pythonPackages = [
  "numpy==2.4.6",
  "torch==2.13.0",
  "onnxruntime==1.32.0",
  "onnx==1.23.2",
  "openvino==2026.4.1",
  "mkl==2026.2.0",
  "scipy==1.17.1",
];

const debianPackages = ["libopenblas0-pthread", "libblis4-pthread", "libgfortran5"];

export const benchFolder = () => join(defaultCacheFolder(), "bench");
export const benchPython = () => join(benchFolder(), "python", "bin", "python");
const missingFile = () => join(benchFolder(), "missing.json");

/** Folders with shared libraries of peers, for the loader's search path. */
export function peerLibraryFolders() {
  const debian = join(benchFolder(), "debian", "usr", "lib", "x86_64-linux-gnu");
  return [
    join(benchFolder(), "python", "lib"),
    join(debian, "openblas-pthread"),
    join(debian, "blis-pthread"),
    debian,
  ].filter((folder) => existsSync(folder));
}

/** @param {string} name @param {string} command @param {string[]} args @param {string} [cwd] */
const step = (name, command, args, cwd) =>
  runStep({
    title: name,
    command,
    args,
    logFile: join(benchFolder(), "logs", `${name.replace(/[^a-z0-9]+/gi, "-")}.log`),
    advice: ["The benchmark runs without it and says so."],
    ...(cwd === undefined ? {} : { cwd }),
  });

export async function setUpPeers() {
  const folder = benchFolder();
  mkdirSync(folder, { recursive: true });
  /** @type {string[]} */
  const missing = [];
  /** @param {string} what @param {() => Promise<void>} install */
  const attempt = async (what, install) => {
    try {
      await install();
    } catch (problem) {
      missing.push(`${what}: ${problem instanceof Error ? problem.message.split("\n")[0] : String(problem)}`);
    }
  };
  const python = findCommand("python3", process.env);
  if (python === undefined) missing.push("Python peers: no python3 on the path");
  else {
    if (!existsSync(benchPython()))
      await attempt("Python environment", () =>
        step("python environment", python, ["-m", "venv", join(folder, "python")]),
      );
    for (const name of pythonPackages) {
      const args = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:", name];
      if (existsSync(benchPython())) await attempt(name, () => step(name, benchPython(), args));
    }
  }
  const apt = findCommand("apt-get", process.env);
  const unpack = findCommand("dpkg-deb", process.env);
  if (apt === undefined || unpack === undefined) missing.push("OpenBLAS, BLIS: no apt-get and dpkg-deb here");
  else {
    const downloads = join(folder, "downloads");
    mkdirSync(downloads, { recursive: true });
    for (const name of debianPackages)
      await attempt(name, async () => {
        await step(name, apt, ["download", name], downloads);
        for (const file of readdirSync(downloads).filter((found) => found.startsWith(`${name}_`)))
          spawnSync(unpack, ["-x", join(downloads, file), join(folder, "debian")]);
      });
    rmSync(downloads, { recursive: true, force: true });
  }
  writeFileSync(missingFile(), JSON.stringify(missing, null, 2));
  for (const line of missing) say(`not installed: ${line}`);
  say(`peers are in ${folder}`);
  return 0;
}

if (isMainScript(import.meta.url)) await runScript(setUpPeers);
