/** What a backward pass allocates beside packed operands: for sparse and low-rank parameters far less than a dense gradient. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCpuDevice } from "../../runtime/device/cpu/cpu-device.ts";
import { createWorkspacePool } from "../../runtime/device/workspace-pool.ts";
import type { Allocate } from "../../runtime/formats/packed-operand.ts";
import { bindArguments } from "../../runtime/model/bind-arguments.ts";
import { initialState } from "../../runtime/model/initial-state.ts";
import { createLayer } from "../../runtime/model/layer.ts";
import { buildProgram, testMatrix } from "./built-program.ts";

const source = `
import { random_support } from "std/select"

transform Sum(W: frozen [out, in], r: int = 16, nnz: int = 64) {
  param U: [out, r] = 0
  param V: [r, in] = 0
  param S: sparse [out, in] on random_support(nnz) = 0
  weight = W + U @ V + S
}
`;
const size = 4096;
const batch = 16;

test("the backward pass of W + U V + S", async () => {
  const program = await buildProgram({ text: source });
  const [transform] = program.artefact.manifest().transforms;
  if (transform === undefined) throw new Error("a transform");
  const W = { values: testMatrix(1, size * size), shape: [size, size] };
  const numbers = new Map([
    ["r", 16],
    ["nnz", Math.round(0.01 * size * size)],
  ]);
  const bound = bindArguments(transform, { tensors: new Map([["W", W]]), numbers });
  const state = initialState(transform, bound, { seed: 4, layer: "Sum" }, null);
  const device = openCpuDevice(join(program.folder, program.manifestFile), program.artefact.manifest());
  let allocated = 0;
  const counting: Allocate = (bytes) => {
    allocated += bytes;
    return device.allocate(bytes);
  };
  const layer = createLayer<Record<string, { readonly values: Float32Array }>>({
    transform,
    identity: { transform: "Sum", source: "", arguments: {}, seed: 4, name: "Sum", clocks: {} },
    state,
    device: { ...device, allocate: counting, workspaces: createWorkspacePool(counting) },
    threads: 2,
    cuda: null,
  });
  // The first call packs the operands; what it leaves in the pool of workspaces is smaller than the second one needs.
  layer.backward(new Float32Array(0), new Float32Array(0), { dx: false });
  const [x, dy] = [testMatrix(2, batch * size), testMatrix(3, batch * size)];
  allocated = 0;
  const { grads } = layer.backward(x, dy, { dx: false });
  expect(grads.S?.values.length).toBe(Math.round(0.01 * size * size));
  expect(allocated).toBeGreaterThan(0);
  const results = Object.values(grads).map(({ values }) => values);
  const peak = allocated + results.reduce((sum, { byteLength }) => sum + byteLength, 0);
  console.log(`workspace and results take ${peak} bytes, a dense gradient has ${4 * size * size}`);
  expect(peak).toBeLessThan((4 * size * size) / 20);
  layer.dispose();
});
