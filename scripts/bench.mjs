#!/usr/bin/env node
// `npm run bench`: sets spx up, then runs bench/speed in a process whose loader finds the peers that `npm run bench:setup`
// installed, and whose libraries do not spin on the cores of whoever is timed next.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { benchFolder, benchPython, peerLibraryFolders } from "./bench-setup.mjs";
import { ensureSetup, isMainScript, repositoryRoot, runScript } from "./setup.mjs";

const inside = "SPX_BENCH_INSIDE";

/** Idle threads of these libraries go on spinning for milliseconds unless told otherwise. */
const quietThreads = {
  OPENBLAS_THREAD_TIMEOUT: "16",
  KMP_BLOCKTIME: "0",
  OMP_WAIT_POLICY: "PASSIVE",
  GOMP_SPINCOUNT: "0",
  MKL_DYNAMIC: "FALSE",
};

/**
 * Environments that hold peers to the instructions of a level. OpenBLAS, BLIS, MKL, oneDNN and torch listen; those that do
 * not are left out of such a run.
 */
const heldDown = {
  v3: {
    MKL_ENABLE_INSTRUCTIONS: "AVX2",
    OPENBLAS_CORETYPE: "Haswell",
    BLIS_ARCH_TYPE: "haswell",
    ONEDNN_MAX_CPU_ISA: "AVX2",
    ATEN_CPU_CAPABILITY: "avx2",
  },
};

const options = /** @type {const} */ ({
  suite: { type: "string", default: "smoke" },
  only: { type: "string", multiple: true, default: [] },
  threads: { type: "string", default: "1,2" },
  rounds: { type: "string" },
  level: { type: "string" },
  resume: { type: "boolean", default: false },
  minutes: { type: "string" },
  json: { type: "string" },
  html: { type: "string" },
  output: { type: "string" },
});

/** @returns {Promise<number>} exit status */
async function main() {
  if (process.env[inside] !== undefined) return await run();
  await ensureSetup();
  const { values } = parseArgs({ options });
  const held = values.level === undefined ? {} : (heldDown[/** @type {"v3"} */ (values.level)] ?? {});
  const folders = [...peerLibraryFolders(), process.env.LD_LIBRARY_PATH ?? ""].filter((name) => name !== "");
  const env = {
    ...quietThreads,
    ...held,
    ...process.env,
    [inside]: "1",
    LD_LIBRARY_PATH: folders.join(delimiter),
  };
  const script = join(repositoryRoot, "scripts", "bench.mjs");
  const { status, signal } = spawnSync(process.execPath, [script, ...process.argv.slice(2)], {
    env,
    stdio: "inherit",
  });
  // A library of others that crashes takes the process with it: what is done stands in the journal.
  if (signal !== null)
    console.error(`the benchmark was ended by ${signal}; \`--resume\` goes on after what is done`);
  return status ?? 1;
}

async function run() {
  const { values } = parseArgs({ options });
  const { bench } = await import("../dist/bench/speed/main.js");
  const { suiteNames } = await import("../dist/bench/speed/cells.js");
  const suite = suiteNames.find((/** @type {string} */ name) => name === values.suite);
  if (suite === undefined) throw new Error(`no suite ${values.suite}: there are ${suiteNames.join(" and ")}`);
  const missing = join(benchFolder(), "missing.json");
  const python = existsSync(benchPython())
    ? {
        interpreter: benchPython(),
        script: join(repositoryRoot, "bench", "speed", "peers", "python", "process.py"),
      }
    : null;
  const whole = values.only.length === 0 && values.level === undefined && suite !== "smoke";
  const good = await bench({
    suite,
    only: values.only,
    threads: values.threads.split(",").map(Number),
    rounds: values.rounds === undefined ? null : Number(values.rounds),
    level: values.level ?? null,
    resume: values.resume,
    minutes: values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes),
    json: values.json ?? null,
    html: values.html ?? null,
    // What is checked in is a whole suite.
    markdown: values.output ?? (whole ? join(repositoryRoot, "bench", "RESULTS.md") : null),
    python,
    missing: existsSync(missing)
      ? JSON.parse(readFileSync(missing, "utf8"))
      : ["the peers of `npm run bench:setup`: it was not run here"],
    say: (/** @type {string} */ line) => console.log(line),
  });
  return good ? 0 : 1;
}

if (isMainScript(import.meta.url)) await runScript(main);
