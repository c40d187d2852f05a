/** The transforms of the standard library with sizes and numbers that reach the corners of their kernels. */
import { join } from "node:path";
import { expect } from "vitest";
import type { VariantChoice } from "../../compiler/plan/keep-variants.ts";
import type { Layer } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram } from "./built-program.ts";

export interface StdlibCase {
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
/** With one input a direction has no gradient, and only rounding could be compared. */
const severalInputs = anySizes.filter(([, inputs]) => inputs > 1);
const fours = [
  [1, 4],
  [13, 8],
  [16, 16],
  [17, 36],
  [47, 64],
] as const;

export const stdlibCases: readonly StdlibCase[] = [
  { file: "lora", transform: "LoRA", sizes: anySizes, numbers: { r: 1 } },
  {
    file: "lora",
    transform: "LoRA",
    sizes: [
      [33, 40],
      [64, 64],
    ],
    numbers: { r: 8 },
  },
  { file: "lora", transform: "LoRA", sizes: [[64, 47]], numbers: { r: 17 } },
  { file: "dsee", transform: "DSEE", sizes: anySizes, numbers: { r: 1, nnz: 1, keep: 0.4 } },
  { file: "dsee", transform: "DSEE", sizes: [[64, 64]], numbers: { r: 16, nnz: 200, keep: 0.1 } },
  { file: "sltrain", transform: "SLTrain", sizes: anySizes, numbers: { r: 1, delta: 0.3 } },
  { file: "nm", transform: "NM", sizes: fours },
  { file: "nm", transform: "TrainedNM", sizes: fours },
  { file: "sparse_delta", transform: "SparseDelta", sizes: anySizes, numbers: { nnz: 1 } },
  {
    file: "monarch",
    transform: "Monarch",
    sizes: [
      [16, 16],
      [64, 64],
      [36, 36],
    ],
  },
  { file: "monarch", transform: "Monarch", sizes: [[48, 48]], numbers: { b: 3 } },
  {
    file: "block_sparse",
    transform: "BlockSparse",
    sizes: [
      [4, 7],
      [16, 16],
      [20, 33],
      [36, 48],
    ],
    numbers: { keep: 0.3 },
  },
  {
    file: "phm",
    transform: "PHM",
    sizes: [
      [4, 4],
      [20, 12],
      [64, 16],
      [36, 68],
    ],
  },
  {
    file: "phm",
    transform: "Compacter",
    sizes: [
      [4, 8],
      [20, 12],
      [36, 68],
    ],
  },
  { file: "dora", transform: "DoRA", sizes: anySizes, numbers: { r: 1 } },
  { file: "dora", transform: "FullDoRA", sizes: severalInputs, numbers: { r: 1 } },
  { file: "dora", transform: "FullDoRA", sizes: [[47, 64]], numbers: { r: 16 } },
  { file: "loha", transform: "LoHa", sizes: anySizes, numbers: { r: 1 } },
  {
    file: "loha",
    transform: "LoHa",
    sizes: [
      [33, 20],
      [64, 48],
    ],
    numbers: { r: 3 },
  },
  {
    file: "lokr",
    transform: "LoKr",
    sizes: [
      [6, 4],
      [34, 66],
    ],
    numbers: { p: 2, q: 2, r: 2 },
  },
  { file: "lokr", transform: "FullLoKr", sizes: [[36, 20]], numbers: { p: 4, q: 2 } },
  { file: "lokr", transform: "ThinLoKr", sizes: [[36, 48]], numbers: { p: 6, q: 4, r: 3 } },
  {
    file: "oft",
    transform: "OFT",
    sizes: [
      [1, 3],
      [17, 15],
      [32, 48],
    ],
    numbers: { size: 3 },
  },
  {
    file: "boft",
    transform: "BOFT",
    sizes: [
      [5, 16],
      [33, 48],
      [20, 64],
    ],
    numbers: { size: 4 },
  },
  { file: "hra", transform: "HRA", sizes: severalInputs, numbers: { r: 1 } },
  {
    file: "hra",
    transform: "HRA",
    sizes: [
      [5, 7],
      [33, 40],
    ],
    numbers: { r: 4 },
  },
  { file: "ia3", transform: "IA3", sizes: anySizes },
  { file: "ia3", transform: "IA3Inputs", sizes: anySizes },
  { file: "soups", transform: "UniformSoup", sizes: anySizes },
  { file: "soups", transform: "LearnedSoup", sizes: anySizes },
  { file: "soups", transform: "WiSE", sizes: anySizes, numbers: { mix: 0.3 } },
  { file: "grafting", transform: "SkillGrafting", sizes: anySizes, numbers: { count: 1, bias: 0.5 } },
  {
    file: "qst",
    transform: "QSTMix",
    sizes: [
      [1, 2],
      [17, 34],
    ],
  },
];

/** Transforms whose value is computed from W at load, and those that only give it another form. */
const even = [
  [4, 4],
  [17, 12],
  [48, 32],
] as const;

export const computedCases: readonly StdlibCase[] = [
  { file: "pissa", transform: "PiSSA", sizes: anySizes, numbers: { r: 1 } },
  { file: "pissa", transform: "MiLoRA", sizes: [[33, 40]], numbers: { r: 5 } },
  { file: "vera", transform: "VeRA", sizes: anySizes, numbers: { r: 7 } },
  {
    file: "pela",
    transform: "PELA",
    sizes: [
      [17, 13],
      [48, 31],
    ],
  },
  { file: "lq_lora", transform: "LQLoRA", sizes: even, numbers: { r: 2, b: 4 } },
  { file: "lq_lora", transform: "LQLoRA3", sizes: even, numbers: { r: 1, b: 4 } },
  { file: "lq_lora", transform: "LQLoRA2", sizes: [[17, 12]], numbers: { r: 3, b: 12 } },
  { file: "qlora", transform: "QLoRA", sizes: even, numbers: { r: 3, b: 2 } },
  { file: "qst", transform: "QSTTrunk", sizes: even, numbers: { b: 4 } },
  { file: "qst", transform: "QSTSide", sizes: anySizes },
  { file: "qst", transform: "QSTUp", sizes: anySizes },
  { file: "qst", transform: "QSTDown", sizes: anySizes },
  { file: "allora", transform: "ALLoRA", sizes: anySizes, numbers: { r: 1 } },
  {
    file: "fourier_ft",
    transform: "FourierFT",
    sizes: [
      [1, 7],
      [17, 13],
      [32, 20],
    ],
    numbers: { n: 7, scale: 9 },
  },
  {
    file: "block_sparse",
    transform: "BlockSparseInt8",
    sizes: [
      [4, 7],
      [20, 33],
      [36, 48],
    ],
    numbers: { keep: 0.3 },
  },
];

export const errorBound = 1e-5;

/** Every file of the cases, built or taken from the cache. */
export async function buildStdlib(
  variants: VariantChoice = "winning",
  cases: readonly StdlibCase[] = stdlibCases,
): Promise<ReadonlyMap<string, BuiltProgram>> {
  const programs = new Map<string, BuiltProgram>();
  for (const file of new Set(cases.map((one) => one.file))) {
    programs.set(file, await buildProgram({ file: join("stdlib", `${file}.spx`) }, variants));
  }
  return programs;
}

/** Calls with a poisoned output between guards, so that a missing or a stray write shows. */
export function guardedForward(layer: Layer, x: Float32Array, batch: number, threads?: number): Float32Array {
  const guard = 64;
  const room = new Float32Array(batch * layer.out + 2 * guard).fill(-777);
  const y = room.subarray(guard, guard + batch * layer.out).fill(Number.NaN);
  layer.forward(x, threads === undefined ? { y } : { y, threads });
  expect(room.subarray(0, guard).every((value) => value === -777)).toBe(true);
  expect(room.subarray(guard + batch * layer.out).every((value) => value === -777)).toBe(true);
  return y;
}
