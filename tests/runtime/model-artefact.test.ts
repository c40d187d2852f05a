import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { batchIntervals, priceError, sampledBatches } from "../../runtime/contract/batch-intervals.ts";
import { abiVersion, type Manifest, type VariantManifest } from "../../runtime/contract/manifest.ts";
import { apply, number, symbol } from "../../runtime/contract/number-expression.ts";
import { chooseLevel } from "../../runtime/device/cpu/choose-level.ts";
import { createWorkspacePool } from "../../runtime/device/workspace-pool.ts";
import { chooseVariants, intervalAt, predictCost } from "../../runtime/model/choose-variant.ts";
import { openArtefact } from "../../runtime/model/open-artefact.ts";
import { checkManifest } from "../../runtime/model/read-manifest.ts";
import { createRandom } from "../sweep/random.ts";
import { createTestMemory } from "./formats-memory.ts";
import { sampleManifest, sampleTransform } from "./model-sample.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-artefact-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function store(name: string, manifest: unknown): { url: URL; hash: string } {
  const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
  writeFileSync(join(folder, name), text);
  return { url: pathToFileURL(join(folder, name)), hash: sha256(text) };
}

describe("manifest", () => {
  it("is read at first use and checked", () => {
    const missing = openArtefact(pathToFileURL(join(folder, "none.json")));
    expect(() => missing.manifest()).toThrow(/SPX8101/);
    const { url, hash } = store("good.json", sampleManifest());
    expect(openArtefact(url, hash).manifest()).toEqual(sampleManifest());
    expect(() => openArtefact(url, "00").manifest()).toThrow(/SPX8103/);
    expect(() => openArtefact(store("text.json", "{").url).manifest()).toThrow(/SPX8102.*no JSON/);
    expect(() => openArtefact(store("kind.json", { ...sampleManifest(), kind: "x" }).url).manifest()).toThrow(
      /SPX8102/,
    );
    expect(() => openArtefact(store("abi.json", { ...sampleManifest(), abi: 99 }).url).manifest()).toThrow(
      /SPX8201.*99/,
    );
  });

  it("is refused when any field of its outline is missing", () => {
    for (const field of ["compiler", "sources", "kernels", "transforms", "models"]) {
      expect(() => checkManifest({ ...sampleManifest(), [field]: undefined }, "m")).toThrow(
        new RegExp(`SPX8102.*\`${field}\``),
      );
    }
    for (const field of Object.keys(sampleTransform)) {
      if (field === "documentation") continue;
      const broken = { ...sampleManifest(), transforms: [{ ...sampleTransform, [field]: 7 }] };
      expect(() => checkManifest(broken, "m"), field).toThrow(/SPX8102.*`transforms`/);
    }
  });

  it("names the transforms that there are", async () => {
    const { url } = store("names.json", sampleManifest());
    const artefact = openArtefact(url);
    await expect(artefact.transform("Sampel").load({})).rejects.toThrow(
      /SPX8104[\s\S]*did you mean `Sample`/,
    );
    expect(() => artefact.model("Encodr").match([])).toThrow(/SPX8104[\s\S]*did you mean `Encoder`/);
  });
});

describe("level", () => {
  const { levels } = sampleManifest().kernels;
  it("is the widest that runs, or the forced one", () => {
    expect(chooseLevel(levels, new Set(["avx512f", "avx2", "fma"]), null).name).toBe("x86-64-v4");
    expect(chooseLevel(levels, new Set(["avx2", "fma"]), null).name).toBe("x86-64-v3");
    expect(chooseLevel(levels, new Set(["avx512f", "avx2", "fma"]), "v3").name).toBe("x86-64-v3");
  });
  it("is the rounding one only where the CPU has it and nothing else is forced", () => {
    const base = "x86-64-v4";
    const over = { name: "x86-64-v4-bf16", suffix: "v4bf16", needs: ["avx512f", "avx512_bf16"], base };
    const features = new Set(["avx512f", "avx512_bf16", "avx2", "fma"]);
    const chosen = (forced: string | null, has = features) =>
      chooseLevel([over, ...levels], has, forced).name;
    expect(chosen(null)).toBe("x86-64-v4-bf16");
    expect(chosen(null, new Set(["avx512f", "avx2", "fma"]))).toBe("x86-64-v4");
    expect(chosen("v4bf16")).toBe("x86-64-v4-bf16");
    expect(chosen("v4")).toBe("x86-64-v4");
    expect(chosen("x86-64-v3")).toBe("x86-64-v3");
  });
  it("is an error that lists what is missing", () => {
    expect(() => chooseLevel(levels, new Set(["avx2"]), null)).toThrow(
      /SPX8307.*x86-64-v4 needs avx512f; x86-64-v3 needs fma/,
    );
    expect(() => chooseLevel(levels, new Set(["avx2", "fma"]), "v4")).toThrow(/SPX8308.*avx512f/);
    expect(() => chooseLevel(levels, new Set(["avx2", "fma"]), "v5")).toThrow(/SPX8308.*no level `v5`/);
  });
});

describe("variants", () => {
  const variant = (name: string, fixed: number, each: number): VariantManifest => ({
    name,
    form: name,
    layout: "lane-output",
    kernels: [],
    costs: {
      any: apply(
        "+",
        number(fixed),
        apply("*", number(each), apply("ceil", apply("/", symbol("batch"), number(3)))),
      ),
    },
    merged: false,
    rules: [],
    steps: [],
  });
  it("follow the lower envelope of the costs at every batch, within what prices are off by", () => {
    const symbols = new Map<string, number>();
    for (const variants of [
      [variant("a", 10, 9), variant("b", 100, 3), variant("c", 900, 1)],
      [variant("a", 10, 1), variant("b", 20, 2)],
      [variant("b", 20, 2), variant("a", 10, 1)],
      [variant("only", 1, 1)],
    ]) {
      const intervals = chooseVariants(variants, symbols, "any");
      expect(intervals[0]?.from).toBe(1);
      intervals.forEach(({ to }, index) => {
        const next = intervals[index + 1];
        expect(to).toBe(next === undefined ? null : next.from - 1);
      });
      for (let batch = 1; batch <= 4096; batch++) {
        const best = Math.min(...variants.map((candidate) => predictCost(candidate, symbols, batch, "any")));
        const chosen = predictCost(intervalAt(intervals, batch).variant, symbols, batch, "any");
        expect(chosen).toBeLessThanOrEqual(best * priceError);
      }
      expect(intervalAt(intervals, 0)).toBe(intervals[0]);
    }
  });
});

describe("intervals of the batch", () => {
  const line = (fixed: number, each: number) => (batch: number) => fixed + each * batch;

  it("change where two lines cross", () => {
    expect(batchIntervals([line(100, 10), line(270, 5)])).toEqual([
      { choice: 0, from: 1, to: 34 },
      { choice: 1, from: 35, to: null },
    ]);
    expect(batchIntervals([line(270, 5), line(100, 10)])).toEqual([
      { choice: 1, from: 1, to: 34 },
      { choice: 0, from: 35, to: null },
    ]);
  });

  const stairs = (batch: number): number => 1000 + 160 * Math.ceil(batch / 16);

  it("do not alternate for gains that prices cannot tell", () => {
    expect(batchIntervals([stairs, line(1040, 10)])).toHaveLength(1);
    expect(batchIntervals([line(100, 10), line(100.5, 9.9)])).toHaveLength(1);
    // Cheaper by 4 % where a panel is full and dearer where it begins: a dozen changes, each within the error.
    const wave = (batch: number): number => stairs(batch) * (batch % 16 < 8 ? 0.97 : 1.03);
    expect(batchIntervals([stairs, wave])).toHaveLength(1);
  });

  it("change for a gain within the error that lasts, and for any beyond it", () => {
    const late = (batch: number): number => line(1000, 10)(batch) * (batch < 200 ? 1.05 : 0.94);
    expect(batchIntervals([line(1000, 10), late])).toEqual([
      { choice: 0, from: 1, to: 199 },
      { choice: 1, from: 200, to: null },
    ]);
    const once = (batch: number): number => line(1000, 10)(batch) * (batch === 16 ? 0.8 : 1.2);
    expect(batchIntervals([line(1000, 10), once]).map(({ choice }) => choice)).toEqual([0, 1, 0]);
  });

  it("stay within the error of the cheapest at every sampled batch where three suffice, by random costs", () => {
    const next = createRandom(5);
    for (let round = 0; round < 100; round++) {
      const costs = Array.from({ length: 3 }, () => line(1 + next.below(1000), 1 + next.below(50)));
      const intervals = batchIntervals(costs);
      for (const batch of sampledBatches) {
        const serving = intervals.find(({ from, to }) => from <= batch && (to === null || batch <= to));
        const least = Math.min(...costs.map((cost) => cost(batch)));
        expect(costs[serving?.choice ?? 0]?.(batch)).toBeLessThanOrEqual(least * priceError * (1 + 1e-6));
      }
    }
  });

  it("name at most three of many alternatives, and those that are missed most", () => {
    const many = Array.from({ length: 8 }, (_, index) => line(10 * 4 ** index, 1000 / 4 ** index));
    const chosen = new Set(batchIntervals(many).map(({ choice }) => choice));
    expect(chosen.size).toBe(3);
  });

  it("refuses to choose among none", () => {
    expect(() => batchIntervals([])).toThrow(RangeError);
  });
});

describe("workspaces", () => {
  it("are reused, never handed out twice, and few are kept", () => {
    const memory = createTestMemory();
    const pool = createWorkspacePool(memory.allocate);
    const first = pool.take(100);
    const second = pool.take(100);
    expect(first.block.address).not.toBe(second.block.address);
    pool.give(first);
    expect(pool.take(50)).toBe(first);
    expect(pool.take(1000).block.view.byteLength).toBeGreaterThanOrEqual(1000);
    const many = Array.from({ length: 20 }, () => pool.take(64));
    for (const workspace of many) pool.give(workspace);
    const before = memory.blocks.length;
    for (let count = 0; count < 4; count++) pool.take(64);
    expect(memory.blocks.length).toBe(before);
    pool.take(64);
    expect(memory.blocks.length).toBe(before + 1);
  });
});

const compiler = ["cc", "gcc", "clang"].find((name) => {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

/** y = dense(panel16) x with the weight's address and its sizes in the frame; fails when memory is not aligned. */
const kernelText = `
#include <stdint.h>
int32_t spx_abi_version(void) { return ABI; }
int32_t dense(void *frame, void *workspace, const float *x, float *y, int64_t batch, int32_t threads) {
  int64_t *slots = frame;
  const float *weight = (const float *)slots[0];
  int64_t rows = slots[1], columns = slots[2];
  if (slots[0] % 64 || (intptr_t)workspace % 64 || threads < 1) return 7;
  for (int64_t i = 0; i < 16; i++) ((float *)workspace)[i] = 1;
  for (int64_t b = 0; b < batch; b++)
    for (int64_t row = 0; row < rows; row++) {
      double sum = 0;
      for (int64_t k = 0; k < columns; k++)
        sum += (double)weight[((row >> 4) * columns + k) * 16 + (row & 15)] * x[b * columns + k];
      y[b * rows + row] = (float)sum;
    }
  return 0;
}
`;

describe.skipIf(compiler === undefined)("native kernels (needs a C compiler)", () => {
  function buildLibrary(name: string, abi: number): { file: string; bytes: Uint8Array } {
    const source = join(folder, `${name}.c`);
    const file = join(folder, `${name}.so`);
    writeFileSync(source, kernelText.replace("ABI", String(abi)));
    execFileSync(compiler ?? "cc", ["-O1", "-shared", "-fPIC", "-o", file, source]);
    return { file: `${name}.so`, bytes: readFileSync(file) };
  }

  function denseManifest(library: { file: string; bytes: Uint8Array }): Manifest {
    const [out, inputs] = [symbol("out"), symbol("in")];
    const kernel = {
      symbol: "dense",
      level: "any",
      guard: null,
      buffers: [{ operand: "weight", buffer: "values" }],
      symbols: [
        { name: "out", value: out },
        { name: "in", value: inputs },
      ],
      workspace: apply("*", number(64), symbol("batch")),
    };
    const variant = {
      name: "dense",
      form: "W x",
      layout: "lane-output",
      kernels: [kernel],
      costs: { any: number(1) },
      merged: false,
      rules: [],
      steps: [],
    } as const;
    const sample = sampleManifest();
    return {
      ...sample,
      kernels: {
        file: library.file,
        sha256: sha256(library.bytes),
        bytes: library.bytes.length,
        levels: [{ name: "any", suffix: "", needs: [] }],
        products: [],
        selections: [],
        updates: [],
      },
      transforms: [
        {
          ...sampleTransform,
          name: "Dense",
          arguments: [{ kind: "tensor", name: "W", dimensions: [out, inputs], frozen: true }],
          requirements: [],
          patterns: [],
          parameters: [],
          order: [],
          trainable: number(0),
          plan: {
            derived: [],
            operands: [
              {
                name: "weight",
                format: { name: "panel16" },
                rows: out,
                columns: inputs,
                source: { kind: "leaf", name: "W", slice: null },
                stage: "load",
                production: "pack",
                bytes: number(0),
              },
            ],
            variants: [variant],
            rates: { name: "none", id: "00000000", threads: 1 },
            merge: { method: "identity", variant: "dense" },
            backward: { kernels: [], intermediates: [], cost: number(0), steps: [] },
            cuda: null,
          },
        },
      ],
    };
  }

  it("run from a file, synchronously and in parallel, and merge", async () => {
    const { url, hash } = store("native.json", denseManifest(buildLibrary("native", abiVersion)));
    const W = {
      data: Float32Array.from({ length: 33 * 20 }, (_, index) => (index % 23) - 11),
      shape: [33, 20],
    };
    const layer = await openArtefact(url, hash).transform<{ W: typeof W }, object>("Dense").load({ W });
    expect(layer.merge().data).toEqual(W.data);
    const x = Float32Array.from({ length: 5 * 20 }, (_, index) => (index % 7) - 3);
    const expected = Float32Array.from({ length: 5 * 33 }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < 20; k++)
        sum += (W.data[(at % 33) * 20 + k] ?? 0) * (x[Math.floor(at / 33) * 20 + k] ?? 0);
      return sum;
    });
    expect(layer.forward(x).data).toEqual(expected);
    const results = await Promise.all(
      Array.from({ length: 16 }, () => layer.forwardAsync(x, { threads: 1 })),
    );
    for (const { data } of results) expect(data).toEqual(expected);
    layer.dispose();
  });

  it("are refused when the file is another one, or follows another contract", async () => {
    const library = buildLibrary("changed", abiVersion);
    const load = (name: string, manifest: Manifest) =>
      openArtefact(store(name, manifest).url)
        .transform<{ W: unknown }, object>("Dense")
        .load({ W: { data: new Float32Array(4), shape: [2, 2] } });
    const manifest = denseManifest(library);
    await expect(
      load("lost.json", { ...manifest, kernels: { ...manifest.kernels, file: "lost.so" } }),
    ).rejects.toThrow(/SPX8301/);
    await expect(load("other.json", denseManifest(buildLibrary("later", abiVersion + 1)))).rejects.toThrow(
      `contract version ${abiVersion + 1}, this runtime ${abiVersion}`,
    );
    const old = join(folder, library.file);
    writeFileSync(old, "not a library");
    await expect(load("changed.json", manifest)).rejects.toThrow(/SPX8103/);
    writeFileSync(old, library.bytes);
    await expect(load("right.json", manifest)).resolves.toMatchObject({ out: 2 });
    const rebuilt = { ...manifest.kernels, sha256: "00" };
    await expect(load("again.json", { ...manifest, kernels: rebuilt })).rejects.toThrow(
      /SPX8302.*another version/,
    );
  });
});
