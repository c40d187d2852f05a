import { appendFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { openArtefact, type Layer } from "../../runtime/index.ts";
import { buildProgram, randomizeParameters, testMatrix } from "./built-program.ts";

test("speed", async () => {
  for (const [file, name, numbers] of [["lora", "LoRA", { r: 16 }], ["dsee", "DSEE", { r: 16, nnz: 4096, keep: 0.1 }], ["sltrain", "SLTrain", { r: 16 }], ["monarch", "Monarch", { b: 32 }]] as const) {
    const program = await buildProgram({ file: join("stdlib", `${file}.spx`) });
    const manifestFile = readdirSync(program.folder).find((f) => f.includes("spx.json") || f.includes("manifest") || (f.endsWith(".json"))) ?? "";
    const manifest = JSON.parse(readFileSync(join(program.folder, manifestFile), "utf8"));
    for (const t of manifest.transforms) if (t.plan.variants.some((v: { merged: boolean }) => v.merged)) t.plan.variants = t.plan.variants.filter((v: { merged: boolean, name: string }) => v.merged || v.name === t.plan.merge.variant).map((v: { merged: boolean }) => ({ ...v, cost: { kind: "number", value: v.merged ? 0 : 1e9 } }));
    writeFileSync(join(program.folder, "forced.json"), JSON.stringify(manifest));
    const artefact = openArtefact(join(program.folder, "forced.json"));
    const n = 1536;
    const layer = (await artefact.transform(name).load({ W: { data: testMatrix(1, n * n), shape: [n, n] }, ...numbers, seed: 1 })) as Layer;
    const x = testMatrix(2, 64 * n);
    const times: number[][] = [[], [], []];
    for (let k = 0; k < 4; k++) {
      randomizeParameters(layer, k);
      let t = performance.now();
      layer.forward(x);
      times[0]?.push(performance.now() - t);
      t = performance.now();
      layer.forward(x);
      times[1]?.push(performance.now() - t);
      t = performance.now();
      layer.merge();
      times[2]?.push(performance.now() - t);
    }
    appendFileSync("/tmp/h-speed.log", `${file} ${layer.plan(64)[0]?.variant} first ${times[0]?.map((v) => v.toFixed(1))} next ${times[1]?.map((v) => v.toFixed(1))} merge ${times[2]?.map((v) => v.toFixed(1))}\n`);
    layer.dispose();
    program.remove();
  }
}, 300000);
