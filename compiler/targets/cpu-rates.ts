/**
 * The rates that builds use unless they are given others: what `spxc calibrate` found on two cores of an AMD EPYC (Zen 4,
 * which executes 512-bit operations in two halves; one thread reaches 59 multiplies a nanosecond), rounded; no number is
 * set by hand. `measured`: its probes told the rate; `derived`: they told too little, and it stays in proportion to the
 * table before. What is of several threads is fitted on the widest level and goes to the other one; forming operands
 * outside of kernels is timed by no probe. Checked in, so that a build gives the same plan on every machine. Other cores
 * run the compute-bound rows faster or slower by one factor, which moves crossovers little because all rows move together.
 */
import type { AtomRate, LevelRates, RateTable } from "./rate-table.ts";

const measured = (walkNanoseconds: number, multiplyNanoseconds: number): AtomRate => ({
  walkNanoseconds,
  multiplyNanoseconds,
  provenance: "measured",
});
const derived = (walkNanoseconds: number, multiplyNanoseconds: number): AtomRate => ({
  walkNanoseconds,
  multiplyNanoseconds,
  provenance: "derived",
});

const memory = {
  secondLevelBytes: 2 * 1024 * 1024,
  /** Less than the cache has: it is shared with whatever else runs. */
  thirdLevelBytes: 8 * 1024 * 1024,
} as const;

// Lane = output: one 64-byte line feeds 16 outputs, four tokens share it; nm and sparse permute beside every multiply-add.
// Lane = token: bound by the multiply-adds; sparse formats also by an index and a broadcast a value.
const v4: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0382, 0.00833), "lane-token": measured(0.0103, 0.281) },
    table4: { "lane-output": measured(0.0143, 0.015), "lane-token": measured(0.0273, 0.288) },
    int8: { "lane-output": measured(0.0188, 0.0149), "lane-token": measured(0.0276, 0.291) },
    bf16: { "lane-output": measured(0.0124, 0.0157), "lane-token": measured(0.0283, 0.296) },
    nm: { "lane-output": measured(0.0281, 0.0253), "lane-token": measured(0.225, 0.338) },
    sparse: { "lane-output": measured(0.04, 0.0267), "lane-token": measured(0.0522, 0.407) },
    quads: { "lane-output": measured(0.228, 0.268), "lane-token": derived(0.0604, 0.425) },
    block: { "lane-output": derived(0.0388, 0.0224), "lane-token": measured(0.00784, 0.29) },
    blockdiag: { "lane-output": measured(0.0608, 0.00664), "lane-token": measured(0.00489, 0.286) },
    diag: { "lane-output": derived(0.0151, 0.042), "lane-token": derived(0.0441, 0.454) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.38, valueNanoseconds: 2.69 },
    positions: { panelNanoseconds: 1.38, valueNanoseconds: 6.56 },
    diagonal: { panelNanoseconds: 0.703, valueNanoseconds: 0.833 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000134, all: 0.000134 },
    memoryNanoseconds: { one: 0.0194, all: 0.0129 },
    beneathMultipliesNanoseconds: { one: 0.00389, all: 0.00219 },
    groupInputNanoseconds: 0.366,
  },
  calls: {
    callNanoseconds: 2910,
    stepNanoseconds: 105,
    partNanoseconds: 2.48,
    sweepNanoseconds: 324,
    passNanoseconds: { "lane-output": 0.14, "lane-token": 0.193 },
    storeNanoseconds: { "lane-output": 0.0196, "lane-token": 0.0472 },
    transposeNanoseconds: 0.0719,
    scatterNanoseconds: 0.523,
    mergeMultiplyNanoseconds: 0.0172,
    mergeScatterNanoseconds: 0.686,
    formingNanoseconds: 3.58,
  },
};

const v3: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0326, 0.0121), "lane-token": measured(0.03, 0.301) },
    table4: { "lane-output": measured(0.0345, 0.0292), "lane-token": measured(0.0568, 0.32) },
    int8: { "lane-output": measured(0.0211, 0.015), "lane-token": measured(0.0376, 0.319) },
    bf16: { "lane-output": measured(0.0294, 0.0114), "lane-token": measured(0.0329, 0.321) },
    nm: { "lane-output": measured(0.0343, 0.0225), "lane-token": measured(0.0405, 0.569) },
    sparse: { "lane-output": measured(0.0172, 0.0642), "lane-token": measured(0.0256, 0.373) },
    quads: { "lane-output": measured(0.323, 0.195), "lane-token": derived(0.0532, 0.531) },
    block: { "lane-output": derived(0.0485, 0.0281), "lane-token": measured(0.0154, 0.317) },
    blockdiag: { "lane-output": measured(0.0558, 0.0101), "lane-token": measured(0.041, 0.357) },
    diag: { "lane-output": derived(0.0182, 0.0442), "lane-token": derived(0.0434, 0.327) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.573, valueNanoseconds: 2.58 },
    positions: { panelNanoseconds: 0.972, valueNanoseconds: 5.82 },
    diagonal: { panelNanoseconds: 0.917, valueNanoseconds: 1.07 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000379, all: 0.000267 },
    memoryNanoseconds: { one: 0.0244, all: 0.0129 },
    beneathMultipliesNanoseconds: { one: 0.0159, all: 0.00219 },
    groupInputNanoseconds: 0.167,
  },
  calls: {
    callNanoseconds: 2780,
    stepNanoseconds: 55.8,
    partNanoseconds: 3.87,
    sweepNanoseconds: 324,
    passNanoseconds: { "lane-output": 0.14, "lane-token": 0.193 },
    storeNanoseconds: { "lane-output": 0.0192, "lane-token": 0.0318 },
    transposeNanoseconds: 0.103,
    scatterNanoseconds: 0.713,
    mergeMultiplyNanoseconds: 0.0313,
    mergeScatterNanoseconds: 0.572,
    formingNanoseconds: 3.85,
  },
};

export const defaultRates: RateTable = {
  name: "default",
  threads: 2,
  levels: { "x86-64-v4": v4, "x86-64-v3": v3 },
};

/**
 * Rates of a level that multiplies weights held in `bf16` by activations rounded to `bf16`, from those of its base: two
 * products an instruction, as many instructions a nanosecond.
 */
export function roundingRates(base: LevelRates): LevelRates {
  const { bf16 } = base.atoms;
  const { walkNanoseconds, multiplyNanoseconds } = bf16["lane-output"];
  const paired = derived(walkNanoseconds, multiplyNanoseconds / 2);
  return { ...base, atoms: { ...base.atoms, bf16: { ...bf16, "lane-output": paired } } };
}

/** A merged weight serves this many calls before parameters change again: the training loop's one. */
export const callsPerStep = 1;

/**
 * Stored slots of a window-ell operand over its nonzeros, for random positions of density d: with g = 1 / d - 1 empty
 * places between two entries, 1 + g / (constant + root sqrt(g)), at most 16; within 2 % of counted patterns for d from
 * 0.005 to 0.5.
 */
export const windowPadding = { constant: 7.6, root: 1.53, most: 16 } as const;

/**
 * Entries of a mixed-ell operand below which random positions fill fewer than `entriesWorthLine` slots of a line of
 * windows, over its area: where `windowPadding` gives 4 slots an entry.
 */
export const quadDensity = 0.017;

/**
 * Empty slots of quads are this times the square root of rows times entries: within 2 % of the slots of counted random
 * patterns for 2 to 80 entries a row.
 */
export const quadPadding = 0.37;
