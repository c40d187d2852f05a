/** Products of derived tensors and of their gradients: by the artefact's kernels, by loops, and beside the event loop. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseParameter, Layer } from "../../runtime/index.ts";
import { formProduct } from "../../runtime/model/form-product.ts";
import { multiplyChain } from "../../runtime/model/matrix-product.ts";
import { perform, performLater } from "../../runtime/model/product-work.ts";
import { runnableSuffixes } from "../backend/native-kernels.ts";
import {
  type BuiltProgram,
  buildProgram,
  openChanged,
  randomizeParameters,
  testMatrix,
} from "./built-program.ts";

let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-products-"));
beforeAll(async () => {
  program = await buildProgram({ file: "stdlib/dora.spx" });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [out, inputs, r] = [193, 161, 7];
type Gradients = Readonly<Record<string, DenseParameter>>;

async function resultsOf(artefact: BuiltProgram["artefact"]) {
  const W = { data: testMatrix(1, out * inputs), shape: [out, inputs] };
  const layer = (await artefact.transform("FullDoRA").load({ W, r, seed: 1 })) as Layer;
  randomizeParameters(layer, 3);
  const [x, dy] = [testMatrix(4, 3 * inputs), testMatrix(5, 3 * out)];
  const y = layer.forward(x).data;
  const now = layer.backward(x, dy);
  const later = await layer.backwardAsync(x, dy);
  layer.dispose();
  return { y, now, later };
}

test("kernels give what loops give, at once and later", async () => {
  const levels = runnableSuffixes().map((suffix) => `x86-64-${suffix}`);
  const plain = openChanged(program, { folder, name: "plain", level: levels[0] ?? "" }, (manifest) => ({
    ...manifest,
    kernels: { ...manifest.kernels, products: [] },
  }));
  const expected = await resultsOf(plain);
  for (const level of levels) {
    const place = { folder, name: `kernels-${level}`, level };
    const found = await resultsOf(openChanged(program, place, (manifest) => manifest));
    expect(relativeError(found.y, Float64Array.from(expected.y))).toBeLessThan(1e-5);
    for (const [name, { values }] of Object.entries(expected.now.grads as Gradients)) {
      const wanted = Float64Array.from(values);
      for (const { grads } of [found.now, found.later, expected.later])
        expect(
          relativeError((grads as Gradients)[name]?.values ?? new Float32Array(), wanted),
          `${level} ${name}`,
        ).toBeLessThan(1e-5);
    }
  }
});

test("only transforms that compute beside their plans bring product kernels", async () => {
  expect(program.artefact.manifest().kernels.products.map(({ element }) => element)).toContain("f32");
  const lora = await buildProgram({ file: "stdlib/lora.spx" });
  expect(lora.artefact.manifest().kernels.products).toEqual([]);
});

test("a chain goes on when each of its products has been formed", async () => {
  const matrix = (rows: number, columns: number, seed: number) =>
    ({ kind: "dense", rows, columns, values: testMatrix(seed, rows * columns) }) as const;
  const factors = [matrix(3, 5, 1), matrix(5, 2, 2), matrix(2, 7, 3)];
  let turns = 0;
  const later = await performLater(multiplyChain(factors), async (product) => {
    await new Promise((resolve) => setImmediate(resolve));
    turns += 1;
    return formProduct(product);
  });
  expect(turns).toBe(2);
  expect(later).toEqual(perform(multiplyChain(factors), formProduct));
});
