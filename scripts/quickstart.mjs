/**
 * `npm run quickstart`: sets everything up, finds the checkpoint and runs the main job of the README.
 * `-- --checkpoint DIR` takes a checkpoint of your own; `-- --rounds N` sets how often each time is sampled.
 */
import { parseArgs } from "node:util";
import { ensureCheckpoint } from "./fetch-checkpoint.mjs";
import { ensureSetup, isMainScript, runScript } from "./setup.mjs";

/** A mistake in what was given is told without a stack. @returns {Promise<number>} */
async function main() {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "SpxError") throw error;
    console.error(error.message);
    return 1;
  }
}

async function run() {
  const { values } = parseArgs({
    options: { checkpoint: { type: "string" }, rounds: { type: "string", default: "15" } },
  });
  await ensureSetup({ comparison: true });
  const checkpoint = values.checkpoint ?? (await ensureCheckpoint({ log: console.log })).file;
  const { quickstart } = await import("../dist/bench/quickstart/main.js");
  const { SingleBar } = (await import("cli-progress")).default;
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: "{bar} {value}/{total} {tensor}  {eta_formatted} left",
        clearOnComplete: true,
        stream: process.stderr,
      })
    : null;
  const good = await quickstart({
    checkpoint,
    rounds: Number(values.rounds),
    say: (line) => {
      bar?.stop();
      console.log(line);
    },
    progress: (done, total, tensor) => {
      if (bar === null) {
        if (done === 1 || done === total || done % 10 === 0) console.log(`${done}/${total} ${tensor}`);
      } else if (done === 1) bar.start(total, done, { tensor });
      else bar.update(done, { tensor });
    },
  });
  console.log(`
Read next: examples/encoder.spx (what was applied), README.md (how to import a compiled module),
docs/language.md (the language), docs/architecture.md (one file through every level of the compiler).
Try next:  npx spxc explain stdlib/dsee.spx --out 768 --in 768
           npx spxc build stdlib/dsee.spx -o build
           npm run quickstart -- --checkpoint YOUR/FOLDER`);
  return good ? 0 : 1;
}

if (isMainScript(import.meta.url)) await runScript(main);
