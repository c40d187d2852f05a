// Transforms of the standard library, planned for a device and run by its interpreter, against float64.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type CudaElements, cudaElements } from "../../runtime/contract/cuda.ts";
import { largestError, loadForDevice, planForDevice, runOnDevice } from "./device-program.ts";

/** Fractions of one and a half, of either sign, the same for the same index. */
const value = (index: number): number => ((Math.imul(index + 1, 2654435761) >>> 16) % 97) / 64 - 0.75;

/** Sums are f32; x, y and what lies between are rounded to the number type: 8, 11 or 24 bits. */
const bounds: Readonly<Record<CudaElements, number>> = { f32: 1e-5, tf32: 4e-3, bf16: 2e-2, f16: 3e-3 };

const cases: readonly {
  readonly file: string;
  readonly transform: string;
  readonly sizes: readonly (readonly [out: number, inputs: number])[];
  readonly numbers?: Readonly<Record<string, number>>;
}[] = [
  {
    file: "dsee",
    transform: "DSEE",
    sizes: [
      [17, 13],
      [48, 33],
    ],
    numbers: { r: 5, nnz: 9, keep: 0.4 },
  },
  {
    file: "lora",
    transform: "LoRA",
    sizes: [
      [1, 1],
      [33, 40],
    ],
    numbers: { r: 1 },
  },
  {
    file: "nm",
    transform: "NM",
    sizes: [
      [13, 8],
      [17, 36],
    ],
  },
  {
    file: "monarch",
    transform: "Monarch",
    sizes: [
      [16, 16],
      [36, 36],
    ],
  },
  { file: "block_sparse", transform: "BlockSparse", sizes: [[20, 33]], numbers: { keep: 0.3 } },
  { file: "lq_lora", transform: "LQLoRA", sizes: [[17, 12]], numbers: { r: 2, b: 4 } },
  { file: "qlora", transform: "QLoRA", sizes: [[20, 64]], numbers: { r: 3, b: 32 } },
  { file: "phm", transform: "PHM", sizes: [[20, 12]] },
];

describe.each(cases)("$transform", ({ file, transform, sizes, numbers = {} }) => {
  const program = planForDevice(join("stdlib", `${file}.spx`), cudaElements).get(transform);
  if (program === undefined) throw new Error(`no ${transform}`);

  it.each(cudaElements)("%s", (elements) => {
    const variants = program.cuda.variants.filter((variant) => variant.elements === elements);
    expect(variants.length).toBeGreaterThan(0);
    for (const [at, [out, inputs]] of sizes.entries()) {
      const state = loadForDevice(program, { out, inputs }, numbers, value);
      if (transform === "LQLoRA" && (elements === "bf16" || elements === "f16"))
        expect(variants.some(({ name }) => name.includes("codes"))).toBe(true);
      for (const variant of variants)
        for (const batch of [at === 0 ? 1 : 3, 18]) {
          const run = runOnDevice(program, variant, state, batch, value);
          expect(largestError(run), `${variant.name}, ${out} x ${inputs}, batch ${batch}`).toBeLessThan(
            bounds[elements],
          );
        }
    }
  });
});

describe("two adapters whose first factors are stacked", () => {
  const folder = mkdtempSync(join(tmpdir(), "spx-device-plans-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "two.spx");
  writeFileSync(
    file,
    `transform Two(W: frozen [out, in], r: int = 4) {
  param B: [out, r] = uniform(0.5)
  param A: [r, in]  = uniform(0.5)
  param D: [out, r] = uniform(0.5)
  param C: [r, in]  = uniform(0.5)
  weight = W + B @ A + D @ C
}
`,
  );
  const program = planForDevice(file, cudaElements).get("Two");
  if (program === undefined) throw new Error("no Two");

  it.each(cudaElements)("%s", (elements) => {
    const state = loadForDevice(program, { out: 33, inputs: 35 }, { r: 9 }, value);
    const variants = program.cuda.variants.filter((variant) => variant.elements === elements);
    expect(variants.some(({ name }) => name.includes("stacked"))).toBe(true);
    for (const variant of variants)
      for (const batch of [1, 18])
        expect(largestError(runOnDevice(program, variant, state, batch, value)), variant.name).toBeLessThan(
          bounds[elements],
        );
  });
});

describe("a weight that is held as bfloat16", () => {
  const folder = mkdtempSync(join(tmpdir(), "spx-device-plans-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "half.spx");
  writeFileSync(
    file,
    `transform Half(W: [out, in], r: int = 4) {
  frozen H: bf16 [out, in] = W
  param  B: [out, r]       = uniform(0.5)
  param  A: [r, in]        = uniform(0.5)
  weight = H + B @ A
}
`,
  );
  const program = planForDevice(file, cudaElements).get("Half");
  if (program === undefined) throw new Error("no Half");

  it.each(cudaElements)("%s", (elements) => {
    const state = loadForDevice(program, { out: 33, inputs: 35 }, { r: 5 }, value);
    const variants = program.cuda.variants.filter((variant) => variant.elements === elements);
    expect(variants.length).toBeGreaterThan(0);
    // Its 16 bits are a factor of matrix units as they are, so that one chain adds up everything.
    if (elements === "bf16")
      for (const { lines } of variants) expect(lines.every((line) => line.endsWith("(tensor)"))).toBe(true);
    for (const variant of variants)
      for (const batch of [1, 18])
        expect(largestError(runOnDevice(program, variant, state, batch, value)), variant.name).toBeLessThan(
          bounds[elements],
        );
  });
});

describe("what a device holds of a tensor in fewer bits", () => {
  const notesOf = (text: string, elements: readonly CudaElements[]): readonly string[] => {
    const folder = mkdtempSync(join(tmpdir(), "spx-device-notes-"));
    try {
      const file = join(folder, "held.spx");
      writeFileSync(file, text);
      const [program] = planForDevice(file, elements).values();
      return program?.cuda.notes.filter((note) => note.includes("is read as")) ?? [];
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  const held = (type: string): string =>
    `transform Held(W: [64, 96]) {\n  frozen Q: ${type} [64, 96]${type === "bf16" ? "" : " block 32"} = W\n  weight = Q\n}\n`;

  it("beside codes, the transpose that gradients by x read", () => {
    // 6 tiles of 16 inputs by 2 of 32 outputs, each of 1024 bytes.
    expect(notesOf(held("int4"), ["bf16"])).toEqual([
      "Q.T is read as half-tiles in 12288 bytes, beside Q as int4",
    ]);
    expect(notesOf(held("nf4"), ["f32"])).toEqual(["Q.T is read as panel16 in 24576 bytes, beside Q as nf4"]);
  });

  it("nothing where 16 bits stay what they are", () => {
    expect(notesOf(held("bf16"), ["bf16"])).toEqual([]);
    expect(notesOf("transform Held(W: frozen [64, 96]) {\n  weight = W\n}\n", ["bf16"])).toEqual([]);
  });
});
