/** One of several worker threads that open the same artefact and call at once; posts how many calls went wrong. */
import { parentPort, workerData } from "node:worker_threads";
import { openArtefact } from "../../runtime/index.ts";
import type { WorkerTask } from "./behaviour.ts";

async function run(task: WorkerTask): Promise<number> {
  const { manifest, level, threads, size, calls, weight, x, expected } = task;
  const artefact = openArtefact(manifest, null, level === null ? {} : { level });
  const dense = artefact.transform<object, never>("Dense");
  const layer = await dense.load({ W: { data: weight, shape: [size, size] }, threads });
  let wrong = 0;
  for (let index = 0; index < calls; index += 1) {
    const y = index % 2 === 0 ? layer.forward(x).data : (await layer.forwardAsync(x)).data;
    if (y.some((value, place) => value !== expected[place])) wrong += 1;
  }
  layer.dispose();
  return wrong;
}

parentPort?.postMessage(await run(workerData as WorkerTask));
