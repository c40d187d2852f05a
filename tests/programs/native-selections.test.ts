/** Selections of a loaded layer by the artefact's kernels against those by loops, at every level of this machine. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Layer } from "../../runtime/index.ts";
import { runnableSuffixes } from "../backend/native-kernels.ts";
import { type BuiltProgram, buildProgram, openChanged, testMatrix } from "./built-program.ts";

const source = `
import { magnitude, sparse_part, topk } from "std/select"

transform Chosen(W: frozen [out, in], keep: ratio = 0.1) {
  mask M: unstructured = magnitude(W, keep)
  mask H: unstructured = topk(W, round(keep * out * in))
  weight = M .* W + H .* W
}

transform Split(W: frozen [out, in]) {
  param S: sparse [out, in] on topk(abs(sparse_part(W, rank: 2)), 60) = 0
  weight = W + S
}

transform Grouped(W: frozen [out, in]) {
  require in % 8 == 0
  mask M: nm(4, 8) along input = magnitude(W)
  weight = M .* W
}
`;

let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-selections-"));
beforeAll(async () => {
  program = await buildProgram({ text: source });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [out, inputs] = [257, 264];

async function patternsOf(artefact: BuiltProgram["artefact"], data: Float32Array, keep: number) {
  const W = { data, shape: [out, inputs] };
  const chosen = (await artefact.transform("Chosen").load({ W, keep })) as Layer;
  const grouped = (await artefact.transform("Grouped").load({ W })) as Layer;
  const found = { ...chosen.patterns(), G: grouped.patterns().M };
  chosen.dispose();
  grouped.dispose();
  return found;
}

test("the positions are the same, ties and all", async () => {
  const levels = runnableSuffixes().map((suffix) => `x86-64-${suffix}`);
  const plain = openChanged(program, { folder, name: "plain", level: levels[0] ?? "" }, (manifest) => ({
    ...manifest,
    kernels: { ...manifest.kernels, selections: [] },
  }));
  const random = testMatrix(1, out * inputs);
  const inputsOf = { random, coarse: random.map((value) => Math.round(4 * value) / 4) };
  const opened = levels.map((level) =>
    openChanged(program, { folder, name: `kernels-${level}`, level }, (manifest) => manifest),
  );
  for (const [name, data] of Object.entries(inputsOf)) {
    const keep = 0.3;
    const expected = await patternsOf(plain, data, keep);
    for (const [at, artefact] of opened.entries())
      expect(await patternsOf(artefact, data, keep), `${levels[at]} ${name}`).toEqual(expected);
  }
});

test("a split finds the same large entries with kernels and without", async () => {
  // A matrix of rank 2 with 60 large entries.
  const data = Float32Array.from(
    { length: out * inputs },
    (_, at) => Math.sin(Math.floor(at / inputs)) * Math.cos(at % inputs) + (at % inputs) / inputs,
  );
  const spikes = Array.from({ length: 60 }, (_, spike) => (spike * 1129) % data.length);
  for (const at of spikes) data[at] = (data[at] ?? 0) + 9;
  const W = { data, shape: [out, inputs] };
  for (const suffix of runnableSuffixes()) {
    const place = { folder, name: `split-${suffix}`, level: `x86-64-${suffix}` };
    const opened = openChanged(program, place, (manifest) => manifest);
    const layer = (await opened.transform("Split").load({ W })) as Layer;
    const [pattern] = Object.values(layer.patterns());
    expect([...(pattern?.positions ?? [])]).toEqual(spikes.toSorted((a, b) => a - b));
    layer.dispose();
  }
});

test("a value that is no number is named", async () => {
  const data = testMatrix(1, out * inputs);
  data[inputs + 7] = Number.NaN;
  const W = { data, shape: [out, inputs] };
  for (const name of ["Chosen", "Grouped"])
    await expect(program.artefact.transform(name).load({ W })).rejects.toMatchObject({ code: "SPX8408" });
});

test("only transforms that select bring selection kernels", async () => {
  const passes = program.artefact
    .manifest()
    .kernels.selections.map(({ pass, order, m }) => `${pass} ${order} ${m}`);
  expect(new Set(passes)).toEqual(
    new Set([
      "bracket magnitude 0",
      "mark magnitude 0",
      "bracket value 0",
      "mark value 0",
      "groups magnitude 8",
    ]),
  );
  const lora = await buildProgram({ file: "stdlib/lora.spx" });
  expect(lora.artefact.manifest().kernels.selections).toEqual([]);
});
