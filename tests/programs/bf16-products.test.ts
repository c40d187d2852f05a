/**
 * Products of bfloat16 end to end: a level of its own for weights held in bf16, called only where build and layer allow it,
 * against float64 within what rounding the activations may change.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileFile, planFile } from "../../compiler/driver/compile.ts";
import { writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import type { Factors } from "../../compiler/plan/choose-plan.ts";
import { roundingTargets } from "../../compiler/targets/x86-targets.ts";
import type { Manifest } from "../../runtime/contract/manifest.ts";
import { type Artefact, openArtefact, tensor } from "../../runtime/index.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { narrowToHalves, widenHalves } from "../../runtime/tensor/half-precision.ts";
import { textHost } from "../check/text-host.ts";
import { testNumbers } from "./built-program.ts";

const source = `transform Held(W: frozen [out, in]) {
  frozen H: bf16 [out, in] = W
  weight = H
}
transform Tuned(W: frozen [out, in], r: int = 3) {
  frozen H: bf16 [out, in] = W
  param B: [out, r] = normal(std: 0.5)
  param A: [r, in] = normal(std: 0.5)
  weight = H + B @ A
}
transform Plain(W: frozen [out, in]) {
  weight = W
}
`;

const [level] = roundingTargets;
const { features } = detectCpu();
const runs = level?.needs.every((need) => features.has(need)) === true;
if (!runs) console.log(`${level?.name} is not run here`);

interface Build {
  readonly manifest: Manifest;
  open(forced?: string): Artefact;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function build(factors: Factors): Promise<Build> {
  const options = { name: "program", runtime: "spx/runtime", keepIr: false, factors };
  const { artefact } = await compileFile("program.spx", textHost({ "program.spx": source }), options);
  if (artefact === null || artefact.kind === "problem") throw new Error(JSON.stringify(artefact?.problems));
  const folder = mkdtempSync(join(tmpdir(), "spx-bf16-"));
  folders.push(folder);
  writeArtefact(folder, artefact.files, artefact.replaces);
  const location = pathToFileURL(join(folder, artefact.manifestFile));
  return {
    manifest: artefact.manifest,
    open: (forced) => openArtefact(location, null, forced === undefined ? {} : { level: forced }),
  };
}

let exact: Build;
let rounding: Build;
beforeAll(async () => {
  exact = await build("f32");
  rounding = await build("bf16");
}, 120_000);

const [rows, columns] = [37, 101];
const batches = [1, 3, 8, 24, 57];
const numbers = testNumbers(3);
const W = tensor("f32", [rows, columns], Float32Array.from({ length: rows * columns }, numbers));
const xs = new Map(
  batches.map((batch) => [batch, Float32Array.from({ length: batch * columns }, numbers)] as const),
);
const roundedToHalves = (values: Float32Array): Float32Array =>
  widenHalves("bf16", narrowToHalves("bf16", values));

/** y and the sum of the magnitudes of its products, in float64. */
function oracle(weight: Float32Array, x: Float32Array, token: number, row: number) {
  let [sum, magnitude] = [0, 0];
  for (let k = 0; k < columns; k++) {
    const term = (weight[row * columns + k] ?? NaN) * (x[token * columns + k] ?? NaN);
    sum += term;
    magnitude += Math.abs(term);
  }
  return { sum, magnitude };
}

/** The largest error over the magnitude of its products. */
function worstError(y: Float32Array, weight: Float32Array, x: Float32Array): number {
  let worst = 0;
  for (let at = 0; at < y.length; at++) {
    const { sum, magnitude } = oracle(weight, x, Math.floor(at / rows), at % rows);
    const error = Math.abs((y[at] ?? NaN) - sum) / magnitude;
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  return worst;
}

/** Half a unit in the last of 8 bits, and sums of float32. */
const halfUnit = 2 ** -8;
const sumUnits = 2 * columns * 2 ** -24;

describe("the artefact", () => {
  test("has the level only where it is allowed, over the levels that it had", () => {
    const names = ({ manifest }: Build): string[] => manifest.kernels.levels.map(({ name }) => name);
    expect(names(exact)).toEqual(["x86-64-v4", "x86-64-v3"]);
    expect(names(rounding)).toEqual(["x86-64-v4-bf16", "x86-64-v4", "x86-64-v3"]);
    expect(rounding.manifest.kernels.levels[0]?.base).toBe("x86-64-v4");
  });

  test("has kernels of the level for weights held in bf16 alone, and with a lane an output alone", () => {
    for (const { name, plan } of rounding.manifest.transforms) {
      for (const variant of plan.variants) {
        const own = variant.kernels.some((kernel) => kernel.level === level?.name);
        expect(own, `${name} ${variant.name}`).toBe(
          name !== "Plain" && variant.layout === "lane-output" && !variant.merged,
        );
        expect(level !== undefined && level.name in variant.costs).toBe(name !== "Plain");
      }
      const others = [plan.merge, plan.backward].flatMap((part) => ("kernels" in part ? part.kernels : []));
      expect(others.filter((kernel) => kernel.level === level?.name)).toEqual([]);
    }
  });
});

test("the plan says whether anything is rounded", () => {
  const host = textHost({ "program.spx": source });
  const notesOf = (factors: Factors) =>
    planFile("program.spx", host, undefined, undefined, undefined, [], factors).transforms.map(({ plan }) =>
      plan.notes.filter((note) => note.startsWith("products of bf16")),
    );
  expect(notesOf("f32")).toEqual([[], [], []]);
  expect(notesOf("bf16")).toMatchObject(
    [[/rounds/], [/rounds/], [/no weight is held/]].map((row) =>
      row.map((text) => expect.stringMatching(text)),
    ),
  );
});

describe.runIf(runs)("a layer that may round", () => {
  test.each(["Held", "Tuned"])("%s is within the rounding of its activations", async (name) => {
    const layer = await rounding.open().transform(name).load({ W, elements: "bf16" });
    const weight = layer.merge().data;
    for (const [batch, x] of xs) {
      const error = worstError(layer.forward(x).data, weight, x);
      expect(error).toBeLessThan(halfUnit + sumUnits);
      expect(layer.plan(batch)[0]?.level).toBe("x86-64-v4-bf16");
      // It does round: float32 would be far nearer.
      expect(error).toBeGreaterThan(2 * sumUnits);
    }
    layer.dispose();
  });

  test("Held multiplies exactly what rounding gives", async () => {
    const layer = await rounding.open().transform("Held").load({ W, elements: "bf16" });
    const weight = layer.merge().data;
    for (const x of xs.values())
      expect(worstError(layer.forward(x).data, weight, roundedToHalves(x))).toBeLessThan(sumUnits);
    layer.dispose();
  });
});

describe("a layer that may not", () => {
  test.each([
    ["without leave of its own", () => rounding.open().transform("Tuned").load({ W })],
    ["of an artefact without leave", () => exact.open().transform("Tuned").load({ W, elements: "bf16" })],
    ["of a forced level", () => rounding.open("v3").transform("Tuned").load({ W, elements: "bf16" })],
    ["without a weight in bf16", () => rounding.open().transform("Plain").load({ W, elements: "bf16" })],
  ] as const)("%s computes in float32", async (_, load) => {
    const layer = await load();
    const weight = layer.merge().data;
    for (const [batch, x] of xs) {
      expect(worstError(layer.forward(x).data, weight, x)).toBeLessThan(sumUnits);
      expect(layer.plan(batch)[0]?.level).toMatch(/^x86-64-v[34]$/);
    }
    layer.dispose();
  });

  test("a number type that the CPU has no products of is an error", async () => {
    await expect(rounding.open().transform("Held").load({ W, elements: "f16" })).rejects.toMatchObject({
      code: "SPX8407",
    });
  });
});
