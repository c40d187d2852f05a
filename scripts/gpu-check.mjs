#!/usr/bin/env node
// `npm run gpu:check`: builds the operations of bench/gpu for CUDA and checks them on the device of this machine. With
// `--pack FOLDER` it puts everything that the check needs into a folder instead (a Node, koffi, the built artefact, the
// runtime, the Python peers), to be carried to a machine that has a driver and Python with torch and nothing else.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ensureSetup, isMainScript, repositoryRoot, runScript } from "./setup.mjs";

const help = `usage: npm run gpu:check [-- options]

Correctness first, then speed beside the peers; one line a cell. Status 1 when there is no device or a number is wrong.

  --pack FOLDER   carry: write all that the check needs to FOLDER, whose \`run\` takes the options below
  --only TEXT     cells whose name holds TEXT          --json FILE     everything as JSON
  --rounds N      rounds of each cell (5)              --seed N        of the inputs; fresh unless given
  --python PATH   with torch (python3)                 --quick         few sizes, no speed
  --no-speed      numbers only                         --no-sanitizer  without compute-sanitizer`;

const operations = join(repositoryRoot, "bench", "gpu", "gpu-operations.spx");
const artefacts = join(repositoryRoot, "build", "gpu");

/** @returns {string} path of the manifest */
function buildArtefact() {
  rmSync(artefacts, { recursive: true, force: true });
  const cli = join(repositoryRoot, "dist", "compiler", "cli", "main.js");
  const list = ["build", operations, "-o", artefacts, "--target", "cuda", "--elements", "f32,bf16"];
  const { status } = spawnSync(process.execPath, [cli, ...list], { stdio: "inherit" });
  if (status !== 0) throw new Error(`spxc build ended with status ${status}`);
  return join(artefacts, manifestName());
}

/** @returns {string} */
function manifestName() {
  const found = readdirSync(artefacts).find((name) => name.endsWith(".manifest.json"));
  if (found === undefined) throw new Error(`spxc build left no manifest in ${artefacts}`);
  return found;
}

/** @param {string} folder */
function pack(folder) {
  rmSync(folder, { recursive: true, force: true });
  const into = (/** @type {string[]} */ ...parts) => {
    const path = join(folder, ...parts);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  cpSync(join(repositoryRoot, "dist", "runtime"), into("dist", "runtime"), { recursive: true });
  cpSync(join(repositoryRoot, "dist", "bench", "gpu"), into("dist", "bench", "gpu"), { recursive: true });
  for (const script of ["gpu-peers.py", "gpu-triton.py"])
    copyFileSync(join(repositoryRoot, "bench", "gpu", script), into("dist", "bench", "gpu", script));
  const modules = join(repositoryRoot, "node_modules");
  for (const name of ["koffi", `@koromix/koffi-${process.platform}-${process.arch}`])
    if (existsSync(join(modules, name)))
      cpSync(realpathSync(join(modules, name)), into("node_modules", name), {
        recursive: true,
        filter: (path) => !/\/koffi\/(?:vendor|doc)$/.test(path),
      });
  cpSync(artefacts, into("artefact"), { recursive: true });
  copyFileSync(process.execPath, into("node"));
  chmodSync(join(folder, "node"), 0o755);
  writeFileSync(into("package.json"), '{ "type": "module" }\n');
  const run = `#!/bin/sh
# Checks the artefact beside this file on the CUDA device of this machine; see npm run gpu:check.
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/node" "$here/dist/bench/gpu/main.js" --manifest "$here/artefact/${manifestName()}" "$@"
`;
  writeFileSync(into("run"), run);
  chmodSync(join(folder, "run"), 0o755);
}

/** @param {string[]} args @returns {Promise<number>} exit status */
async function check(args) {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${help}\n`);
    return 0;
  }
  await ensureSetup();
  const packing = args.indexOf("--pack");
  const folder = packing < 0 ? undefined : args[packing + 1];
  if (packing >= 0 && folder === undefined) {
    process.stderr.write(`--pack needs a folder\n\n${help}\n`);
    return 2;
  }
  const manifest = buildArtefact();
  if (folder !== undefined) {
    pack(folder);
    process.stdout.write(`packed into ${folder}; on the machine with the device: ${folder}/run\n`);
    return 0;
  }
  const main = join(repositoryRoot, "dist", "bench", "gpu", "main.js");
  for (const script of ["gpu-peers.py", "gpu-triton.py"])
    copyFileSync(join(repositoryRoot, "bench", "gpu", script), join(dirname(main), script));
  const { status } = spawnSync(process.execPath, [main, "--manifest", manifest, ...args], {
    stdio: "inherit",
  });
  return status ?? 1;
}

if (isMainScript(import.meta.url)) await runScript(() => check(process.argv.slice(2)));
