/**
 * Every transform of the standard library, compiled and loaded for real: forward, asynchronous forward, merge and
 * each variant of the plan on both levels against the float64 oracle, at awkward sizes and batches.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { oracleForward, oracleWeight, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { Layer } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram, randomizeParameters, testMatrix } from "./built-program.ts";

interface Case {
  readonly file: string;
  readonly transform: string;
  readonly sizes: readonly (readonly [out: number, inputs: number])[];
  readonly numbers?: Readonly<Record<string, number>>;
}

const anySizes = [
  [1, 1],
  [17, 13],
  [16, 16],
  [15, 33],
  [48, 31],
  [33, 64],
] as const;
const fours = [
  [1, 4],
  [13, 8],
  [16, 16],
  [17, 36],
  [47, 64],
] as const;

const cases: readonly Case[] = [
  { file: "lora", transform: "LoRA", sizes: anySizes, numbers: { r: 1 } },
  { file: "lora", transform: "LoRA", sizes: [[33, 40], [64, 64]], numbers: { r: 8 } },
  { file: "lora", transform: "LoRA", sizes: [[64, 47]], numbers: { r: 17 } },
  { file: "dsee", transform: "DSEE", sizes: anySizes, numbers: { r: 1, nnz: 1, keep: 0.4 } },
  { file: "dsee", transform: "DSEE", sizes: [[64, 64]], numbers: { r: 16, nnz: 200, keep: 0.1 } },
  { file: "sltrain", transform: "SLTrain", sizes: anySizes, numbers: { r: 1, delta: 0.3 } },
  { file: "nm", transform: "NM", sizes: fours },
  { file: "nm", transform: "TrainedNM", sizes: fours },
  { file: "sparse_delta", transform: "SparseDelta", sizes: anySizes, numbers: { nnz: 1 } },
  { file: "monarch", transform: "Monarch", sizes: [[16, 16], [64, 64], [36, 36]] },
  { file: "monarch", transform: "Monarch", sizes: [[48, 48]], numbers: { b: 3 } },
  { file: "block_sparse", transform: "BlockSparse", sizes: [[4, 7], [16, 16], [20, 33], [36, 48]], numbers: { keep: 0.3 } },
  { file: "phm", transform: "PHM", sizes: [[4, 4], [20, 12], [64, 16], [36, 68]] },
  { file: "phm", transform: "Compacter", sizes: [[4, 8], [20, 12], [36, 68]] },
];

const batches = [0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 49];
const bound = 1e-5;
const programs = new Map<string, BuiltProgram>();

beforeAll(async () => {
  for (const file of new Set(cases.map((one) => one.file))) {
    programs.set(file, await buildProgram({ file: join("stdlib", `${file}.spx`) }));
  }
}, 240_000);

afterAll(() => {
  for (const program of programs.values()) program.remove();
});

/** Calls with a poisoned output between guards, so that a missing or a stray write shows. */
function guardedForward(layer: Layer, x: Float32Array, batch: number): Float32Array {
  const guard = 64;
  const room = new Float32Array(batch * layer.out + 2 * guard).fill(-777);
  const y = room.subarray(guard, guard + batch * layer.out).fill(Number.NaN);
  layer.forward(x, { y });
  expect(room.subarray(0, guard).every((value) => value === -777)).toBe(true);
  expect(room.subarray(guard + batch * layer.out).every((value) => value === -777)).toBe(true);
  return y;
}

describe.each(cases)("$file $transform $numbers", ({ file, transform, sizes, numbers }) => {
  test.each(sizes)("[%i, %i]", async (out, inputs) => {
    const program = programs.get(file);
    const stages = program?.stages.get(transform);
    if (program === undefined || stages === undefined) throw new Error(`no ${transform}`);
    const weight = { data: testMatrix(out * 131 + inputs, out * inputs), shape: [out, inputs] };
    const layer = (await program.artefact.transform(transform).load({ W: weight, ...numbers, seed: 3 })) as Layer;
    randomizeParameters(layer, 5);
    const expected = oracleWeight(stages, layer, { W: weight });
    expect(relativeError(layer.merge().data, expected.values)).toBeLessThan(bound);
    for (const batch of batches) {
      const x = testMatrix(batch + 7, batch * inputs);
      const y = oracleForward(expected, x, batch);
      expect(relativeError(guardedForward(layer, x, batch), y), `batch ${batch}`).toBeLessThan(bound);
      const later = await layer.forwardAsync(x);
      expect(relativeError(later.data, y), `batch ${batch}, asynchronous`).toBeLessThan(bound);
    }
    layer.dispose();
  });
});
