// The promise to those who deploy: a built artefact runs with plain Node, the packed runtime and koffi, in a folder where
// neither LLVM nor any part of the compiler is within reach.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Installation, installPacked, reachablePackages, root, runAlone } from "./pack-project.ts";

// Not a file of the standard library, so that the test holds whatever becomes of those.
const source = `
/// W + (B·A), both factors trained.
transform Adapted(W: frozen [out, in], r: int = 4) {
  param B: [out, r] = normal(std: 0.5)
  param A: [r, in]  = normal(std: 0.5)
  weight = W + B @ A
}
`;

let installation: Installation = { folder: "", packed: [] };

beforeAll(() => {
  installation = installPacked();
  const { folder } = installation;
  const built = join(folder, "built-with-the-compiler");
  mkdirSync(built);
  writeFileSync(join(built, "adapted.spx"), source);
  const compiler = join(root, "dist", "compiler", "cli", "main.js");
  execFileSync(process.execPath, [compiler, "build", join(built, "adapted.spx"), "-o", join(built, "out")], {
    stdio: "pipe",
  });
  cpSync(join(built, "out"), join(folder, "artefact"), { recursive: true });
  rmSync(built, { recursive: true });
});
afterAll(() => rmSync(installation.folder, { recursive: true, force: true }));

it("is a module, its declarations, its kernels and a manifest, and imports the runtime alone", () => {
  const files = readdirSync(join(installation.folder, "artefact"));
  const endings = files.map((file) => file.replace(/^adapted(?:-[0-9a-f]{12})?/, "")).sort();
  expect(endings).toEqual([".d.ts", ".js", ".manifest.json", ".so"].sort());
  expect(
    reachablePackages(installation.folder).filter((name) => !/^(?:spx|koffi|@koromix\/)/.test(name)),
  ).toEqual([]);
});

it("loads, runs and merges with nothing but the packed runtime, and agrees with plain loops in float64", () => {
  const { result, mapped } = runAlone(installation.folder, runner);
  const { forwardErrors, mergeError, parameters } = result as {
    forwardErrors: Record<string, number>;
    mergeError: number;
    parameters: Record<string, number>;
  };
  expect(parameters).toEqual({ B: 37 * 3, A: 3 * 53 });
  expect(mergeError).toBeLessThan(1e-5);
  for (const [batch, error] of Object.entries(forwardErrors))
    expect(error, `batch ${batch}`).toBeLessThan(1e-5);
  expect(mapped.filter((path) => /llvm/i.test(path))).toEqual([]);
  expect(mapped.filter((path) => /adapted.*\.so$/.test(path))).toHaveLength(1);
});

it("refuses kernels that were tampered with", () => {
  const { result } = runAlone(installation.folder, tamperingRunner);
  expect(result).toBe("SPX8103");
});

/** Plain JavaScript, because that is what a user without any tool would run. */
const runner = `
  import { Adapted } from "./artefact/adapted.js";
  const out = 37, inputs = 53, r = 3;
  let state = 12345;
  const next = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648) * 2 - 1;
  const random = (count) => Float32Array.from({ length: count }, next);
  const relative = (found, expected) => {
    let difference = 0, size = 0;
    for (let i = 0; i < expected.length; i++) {
      difference += (found[i] - expected[i]) ** 2;
      size += expected[i] ** 2;
    }
    return Math.sqrt(difference) / Math.max(Math.sqrt(size), 1e-30);
  };
  async function run() {
    const W = random(out * inputs);
    const layer = await Adapted.load({ W: { data: W, shape: [out, inputs] }, r, seed: 7 });
    const { B, A } = layer.parameters();
    const weight = new Float64Array(out * inputs);
    for (let o = 0; o < out; o++)
      for (let i = 0; i < inputs; i++) {
        let sum = W[o * inputs + i];
        for (let k = 0; k < r; k++) sum += B.values[o * r + k] * A.values[k * inputs + i];
        weight[o * inputs + i] = sum;
      }
    const forwardErrors = {};
    for (const batch of [1, 2, 16, 17, 128]) {
      const x = random(batch * inputs);
      const y = new Float32Array(batch * out).fill(NaN);
      layer.forward({ data: x, shape: [batch, inputs] }, { y });
      const expected = new Float64Array(batch * out);
      for (let b = 0; b < batch; b++)
        for (let o = 0; o < out; o++) {
          let sum = 0;
          for (let i = 0; i < inputs; i++) sum += x[b * inputs + i] * weight[o * inputs + i];
          expected[b * out + o] = sum;
        }
      forwardErrors[batch] = relative(y, expected);
    }
    const mergeError = relative(layer.merge().data, weight);
    return { forwardErrors, mergeError, parameters: { B: B.values.length, A: A.values.length } };
  }`;

const tamperingRunner = `
  import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
  async function run() {
    cpSync("artefact", "tampered", { recursive: true });
    const library = "tampered/" + readdirSync("tampered").find((file) => file.endsWith(".so"));
    const bytes = readFileSync(library);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(library, bytes);
    const { Adapted } = await import(process.cwd() + "/tampered/adapted.js");
    const W = { data: new Float32Array(16), shape: [4, 4] };
    try {
      await Adapted.load({ W, r: 1 });
      return "loaded";
    } catch (error) {
      return error.code ?? error.message;
    }
  }`;
