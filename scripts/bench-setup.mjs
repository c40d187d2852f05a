#!/usr/bin/env node
// `npm run bench:setup`: installs the libraries that the benchmark compares with into the user's cache, without root: Python
// packages in an environment of their own, BLAS libraries unpacked from Debian packages. What cannot be installed is said
// and left out; the benchmark lists it.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
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
  "scikit-learn==1.9.1",
  "MNN==3.6.1",
];

const debianPackages = ["libopenblas0-pthread", "libblis4-pthread", "libgfortran5"];

/**
 * oneDNN as a C library whose threads are OpenMP's. The newer packages of its makers run their CPU kernels through SYCL,
 * which finds no device on processors of others.
 */
const onednn = { package: "onednn-cpu-gomp", version: "2023.2.0" };
/** llama.cpp's kernels as C libraries, one for each kind of processor. */
const ggml = { package: "@node-llama-cpp/linux-x64", version: "3.22.1" };

/** What is asked for and cannot take part, whatever the machine. */
const notOffered = [
  "DeepSparse: proprietary, its licence is for each user to accept, and the newest package holds no engine",
  "zentorch: needs torch 2.14; the newest is built for no other",
  "XNNPACK: its sparse kernels for x86 are SSE; MNN's stand for sparse convolutions here",
  "LIBXSMM: Debian has 1.17 as a static archive for small products, without the sparse kernels of 2.0",
];

export const benchFolder = () => join(defaultCacheFolder(), "bench");
export const benchPython = () => join(benchFolder(), "python", "bin", "python");
const onednnFolder = () => join(benchFolder(), "onednn");
const ggmlFolder = () => join(benchFolder(), "ggml");
const missingFile = () => join(benchFolder(), "missing.json");

/** Folders with shared libraries of peers, for the loader's search path. */
export function peerLibraryFolders() {
  const debian = join(benchFolder(), "debian", "usr", "lib", "x86_64-linux-gnu");
  return [
    // Before the environment, which may hold a libdnnl of its own.
    join(onednnFolder(), `${onednn.package.replaceAll("-", "_")}-${onednn.version}.data`, "data", "lib"),
    join(ggmlFolder(), "package", "bins", "linux-x64"),
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

/** @param {string} folder @param {string} start @param {string} end */
function fileIn(folder, start, end) {
  const found = readdirSync(folder).find((name) => name.startsWith(start) && name.endsWith(end));
  if (found === undefined) throw new Error(`nothing called ${start}…${end} was downloaded`);
  return join(folder, found);
}

/** @param {string} python @param {string} downloads */
async function installOnednn(python, downloads) {
  if (existsSync(onednnFolder())) return;
  const wanted = `${onednn.package}==${onednn.version}`;
  const download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"];
  await step("oneDNN", python, [...download, "-d", downloads, wanted]);
  const wheel = fileIn(downloads, onednn.package.replaceAll("-", "_"), ".whl");
  await step("oneDNN unpacked", python, ["-m", "zipfile", "-e", wheel, onednnFolder()]);
}

/** @param {string} downloads */
async function installGgml(downloads) {
  if (existsSync(ggmlFolder())) return;
  const tar = findCommand("tar", process.env);
  const npm = findCommand("npm", process.env);
  if (tar === undefined || npm === undefined) throw new Error("no npm and tar here");
  await step("llama.cpp", npm, ["pack", "--silent", `${ggml.package}@${ggml.version}`], downloads);
  const archive = fileIn(downloads, "node-llama-cpp-linux-x64", ".tgz");
  const folder = `${ggmlFolder()}.part`;
  mkdirSync(folder, { recursive: true });
  await step("llama.cpp unpacked", tar, ["-xzf", archive, "-C", folder]);
  renameSync(folder, ggmlFolder());
}

export async function setUpPeers() {
  const folder = benchFolder();
  mkdirSync(folder, { recursive: true });
  /** @type {string[]} */
  const missing = [...notOffered];
  const downloads = join(folder, "downloads");
  mkdirSync(downloads, { recursive: true });
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
    await attempt("oneDNN", () => installOnednn(python, downloads));
  }
  await attempt("llama.cpp", () => installGgml(downloads));
  const apt = findCommand("apt-get", process.env);
  const unpack = findCommand("dpkg-deb", process.env);
  if (apt === undefined || unpack === undefined) missing.push("OpenBLAS, BLIS: no apt-get and dpkg-deb here");
  else {
    for (const name of debianPackages)
      await attempt(name, async () => {
        await step(name, apt, ["download", name], downloads);
        for (const file of readdirSync(downloads).filter((found) => found.startsWith(`${name}_`)))
          spawnSync(unpack, ["-x", join(downloads, file), join(folder, "debian")]);
      });
  }
  rmSync(downloads, { recursive: true, force: true });
  writeFileSync(missingFile(), JSON.stringify(missing, null, 2));
  for (const line of missing) say(`not installed: ${line}`);
  say(`peers are in ${folder}`);
  return 0;
}

if (isMainScript(import.meta.url)) await runScript(setUpPeers);
