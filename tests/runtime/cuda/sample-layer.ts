/** Layers of the sample artefact on the fake device, and what their results should be in double precision. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect } from "vitest";
import type { Manifest } from "../../../runtime/contract/manifest.ts";
import { openCudaDevice } from "../../../runtime/device/cuda/cuda-device.ts";
import type { DenseParameter, Layer, SparseParameter } from "../../../runtime/model/layer.ts";
import { artefactOver } from "../../../runtime/model/open-artefact.ts";
import type { LoadOptions } from "../../../runtime/model/transform.ts";
import { fillNormal } from "../../../runtime/random/distributions.ts";
import { randomStream } from "../../../runtime/random/philox.ts";
import { sampleDevice } from "../model-sample.ts";
import { writeSampleArtefact } from "./device-sample.ts";
import { buildFakeCuda } from "./fake-cuda.ts";
import { runSampleKernel } from "./sample-kernels.ts";

export interface SampleArguments extends LoadOptions {
  readonly W: unknown;
  readonly r?: number;
  readonly nnz?: number;
}
export interface SampleParameters {
  readonly B: DenseParameter;
  readonly A: DenseParameter;
  readonly S: SparseParameter;
}

export const fake = buildFakeCuda();
export const folder = mkdtempSync(join(tmpdir(), "spx-device-"));
process.env.SPX_CACHE = join(folder, "cache");
process.env.SPX_CUDA_DRIVER = fake.path;
process.env.SPX_NVRTC = fake.path;
export const manifest = writeSampleArtefact(folder, [
  ["cubin", "sm_80"],
  ["cubin", "sm_90a"],
  ["ptx", "sm_80"],
]);

export function start(settings: Readonly<Record<string, number>> = {}): void {
  fake.reset();
  fake.set({ abi: manifest.abi, ...settings });
  fake.onLaunch(runSampleKernel);
}
/** Each test begins with a device as it was, and ends with nothing left on it. */
export function checkedEachTest(): void {
  beforeEach(() => start());
  afterEach(() => {
    openCudaDevice().close();
    expect(fake.faults()).toBe("");
    expect(fake.alive()).toBe("");
  });
  afterAll(() => {
    fake.remove();
    rmSync(folder, { recursive: true });
  });
}

export const transformOf = (from: Manifest, at = folder) =>
  artefactOver(
    () => from,
    () => sampleDevice(),
    () => at,
  ).transform<SampleArguments, SampleParameters>("Sample");

export const noise = (name: string, count: number): Float32Array =>
  fillNormal(randomStream(9, name), new Float32Array(count));
const weightOf = (rows: number, columns: number) => ({
  data: noise("W", rows * columns),
  shape: [rows, columns],
});
export const [out, inputs] = [13, 7];
export const W = weightOf(out, inputs);
export const load = (more: object = {}, from: Manifest = manifest): Promise<Layer<SampleParameters>> =>
  transformOf(from).load({ W, nnz: 9, ...more });

export function give(layer: Layer<SampleParameters>): void {
  const { B, S } = layer.parameters();
  B.values.set(noise("B", B.values.length));
  S.values.set(noise("S", S.values.length));
  layer.updated();
}

/** W ⊙ M + (alpha / r) (B A + S) in double precision. */
export function dense(
  layer: Pick<Layer<SampleParameters>, "parameters" | "patterns" | "arguments">,
): Float64Array {
  const { B, A, S } = layer.parameters();
  const { r = 4, alpha = 8 } = layer.arguments;
  const kept = new Set(layer.patterns().M?.positions);
  const weight = Float64Array.from({ length: out * inputs }, (_, place) => {
    let sum = 0;
    for (let k = 0; k < r; k++)
      sum +=
        (B.values[Math.floor(place / inputs) * r + k] ?? 0) * (A.values[k * inputs + (place % inputs)] ?? 0);
    return (alpha / r) * sum + (kept.has(place) ? (W.data[place] ?? 0) : 0);
  });
  for (const [entry, place] of S.positions.entries())
    weight[place] = (weight[place] ?? 0) + (alpha / r) * (S.values[entry] ?? 0);
  return weight;
}

/** x weightᵀ in double precision. */
export function product(weight: Float64Array, x: Float32Array): number[] {
  return Array.from({ length: (x.length / inputs) * out }, (_, place) => {
    const [row, column] = [Math.floor(place / out), place % out];
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += (weight[column * inputs + k] ?? 0) * (x[row * inputs + k] ?? 0);
    return sum;
  });
}

export function close(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++)
    expect(Math.abs((found[i] ?? 0) - (expected[i] ?? 0)), `value ${i}`).toBeLessThan(
      tolerance * (1 + Math.abs(expected[i] ?? 0)),
    );
}

/** Kernels launched since the log was cleared. */
export const launches = (): string[] =>
  fake
    .log()
    .filter((line) => line.startsWith("cuLaunch"))
    .map((line) => line.split(" ")[1] ?? "");
