/**
 * What a program around the kernels notices: how long its event loop waits during `forwardAsync`, and whether several
 * worker threads that call at once get the same numbers as one.
 */
import { Worker } from "node:worker_threads";
import { randomMatrix } from "../random-numbers.ts";
import { type BuiltOperations, loadLayer } from "./spx-contestant.ts";

export interface Behaviour {
  /** Longest time between two turns of a timer of 1 ms, in milliseconds. */
  readonly idleDelay: number;
  readonly asyncDelay: number;
  readonly syncDelay: number;
  /** Milliseconds of one call. */
  readonly call: number;
  readonly workers: number;
  /** Calls made by all workers together, and those whose result differed in a bit from the same call alone. */
  readonly calls: number;
  readonly wrong: number;
}

const size = 2048;
const batch = 256;
const repeats = 8;
const workers = 4;
const callsEach = 20;
const workerBatch = 9;

/** Longest delay of a timer of 1 ms while `work` runs. */
async function longestDelay(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  await work();
  // The timer's own last turn, which a call that blocked has kept waiting.
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  return longest;
}

export async function measureBehaviour(
  built: BuiltOperations,
  level: string | null,
  threads: number,
): Promise<Behaviour> {
  const weight = { data: randomMatrix(size * size, 1, 1 / Math.sqrt(size)), shape: [size, size] };
  const layer = await loadLayer(built, { transform: "Dense", numbers: {} }, weight, threads);
  const x = randomMatrix(batch * size, 2);
  layer.prepare(batch);
  layer.forward(x);
  const start = performance.now();
  layer.forward(x);
  const call = performance.now() - start;
  const idleDelay = await longestDelay(() => new Promise((resolve) => setTimeout(resolve, 200)));
  const asyncDelay = await longestDelay(async () => {
    for (let index = 0; index < repeats; index += 1) await layer.forwardAsync(x);
  });
  const syncDelay = await longestDelay(async () => {
    for (let index = 0; index < repeats; index += 1) {
      layer.forward(x);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const alone = layer.forward(x.subarray(0, workerBatch * size)).data;
  layer.dispose();
  const given: WorkerTask = {
    manifest: built.manifestFile,
    level,
    threads,
    size,
    batch: workerBatch,
    calls: callsEach,
    weight: weight.data,
    x: x.slice(0, workerBatch * size),
    expected: alone.slice(),
  };
  const wrong = await Promise.all(Array.from({ length: workers }, () => runWorker(given)));
  return {
    idleDelay,
    asyncDelay,
    syncDelay,
    call,
    workers,
    calls: workers * callsEach,
    wrong: wrong.reduce((sum, count) => sum + count, 0),
  };
}

export interface WorkerTask {
  readonly manifest: string;
  readonly level: string | null;
  readonly threads: number;
  readonly size: number;
  readonly batch: number;
  readonly calls: number;
  readonly weight: Float32Array;
  readonly x: Float32Array;
  readonly expected: Float32Array;
}

/** How many of its calls a worker got wrong. */
function runWorker(workerData: WorkerTask): Promise<number> {
  return new Promise((resolve, reject) => {
    // Compiled beside this file, or its source where Node runs TypeScript.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./behaviour-worker.${extension}`, import.meta.url), { workerData });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}
