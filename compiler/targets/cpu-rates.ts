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
    dense: { "lane-output": measured(0.0376, 0.00857), "lane-token": measured(0.0142, 0.28) },
    table4: { "lane-output": measured(0.0145, 0.015), "lane-token": measured(0.0279, 0.289) },
    int8: { "lane-output": measured(0.0186, 0.0149), "lane-token": measured(0.0282, 0.29) },
    bf16: { "lane-output": measured(0.0123, 0.0157), "lane-token": measured(0.0312, 0.305) },
    nm: { "lane-output": measured(0.0339, 0.0245), "lane-token": measured(0.257, 0.342) },
    sparse: { "lane-output": measured(0.0486, 0.0249), "lane-token": measured(0.0433, 0.41) },
    quads: { "lane-output": measured(0.229, 0.266), "lane-token": derived(0.0597, 0.42) },
    block: { "lane-output": derived(0.0384, 0.0221), "lane-token": measured(0.00551, 0.29) },
    blockdiag: { "lane-output": measured(0.045, 0.00858), "lane-token": measured(0, 0.291) },
    diag: { "lane-output": derived(0.0165, 0.0775), "lane-token": derived(0.044, 0.426) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.381, valueNanoseconds: 2.68 },
    positions: { panelNanoseconds: 1.11, valueNanoseconds: 4.29 },
    diagonal: { panelNanoseconds: 0.721, valueNanoseconds: 0.841 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000123, all: 0.000123 },
    memoryNanoseconds: { one: 0.0198, all: 0.0146 },
    beneathMultipliesNanoseconds: { one: 0.00376, all: 0.00369 },
    groupInputNanoseconds: 0.398,
  },
  calls: {
    callNanoseconds: 2900,
    stepNanoseconds: 102,
    partNanoseconds: 2.78,
    sweepNanoseconds: 349,
    passNanoseconds: { "lane-output": 0.16, "lane-token": 0.158 },
    storeNanoseconds: { "lane-output": 0.0357, "lane-token": 0.0557 },
    transposeNanoseconds: 0.0572,
    scatterNanoseconds: 0.511,
    stripNanoseconds: 0.0512,
    stridedNanoseconds: 0.017,
    mergeMultiplyNanoseconds: 0.0173,
    mergeScatterNanoseconds: 0.678,
    formingNanoseconds: 3.58,
  },
};

const v3: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0351, 0.0109), "lane-token": measured(0.0297, 0.291) },
    table4: { "lane-output": measured(0.0319, 0.032), "lane-token": measured(0.0563, 0.32) },
    int8: { "lane-output": measured(0.0213, 0.015), "lane-token": measured(0.0372, 0.319) },
    bf16: { "lane-output": measured(0.0307, 0.0111), "lane-token": measured(0.0326, 0.322) },
    nm: { "lane-output": measured(0.0367, 0.0196), "lane-token": measured(0.0372, 0.567) },
    sparse: { "lane-output": measured(0.0207, 0.0645), "lane-token": measured(0.0262, 0.372) },
    quads: { "lane-output": measured(0.341, 0.18), "lane-token": derived(0.0526, 0.525) },
    block: { "lane-output": derived(0.0479, 0.0278), "lane-token": measured(0.0138, 0.313) },
    blockdiag: { "lane-output": measured(0.0461, 0.0111), "lane-token": measured(0.0406, 0.359) },
    diag: { "lane-output": derived(0.0198, 0.072), "lane-token": derived(0.0417, 0.258) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.683, valueNanoseconds: 3.26 },
    positions: { panelNanoseconds: 0.805, valueNanoseconds: 6.34 },
    diagonal: { panelNanoseconds: 0.888, valueNanoseconds: 1.04 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000304, all: 0.000226 },
    memoryNanoseconds: { one: 0.0241, all: 0.0146 },
    beneathMultipliesNanoseconds: { one: 0.0184, all: 0.00369 },
    groupInputNanoseconds: 0.133,
  },
  calls: {
    callNanoseconds: 2720,
    stepNanoseconds: 75.6,
    partNanoseconds: 3.77,
    sweepNanoseconds: 349,
    passNanoseconds: { "lane-output": 0.16, "lane-token": 0.158 },
    storeNanoseconds: { "lane-output": 0.0322, "lane-token": 0.0461 },
    transposeNanoseconds: 0.0847,
    scatterNanoseconds: 0.646,
    stripNanoseconds: 0.236,
    stridedNanoseconds: 0.019,
    mergeMultiplyNanoseconds: 0.0305,
    mergeScatterNanoseconds: 0.565,
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
