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
    dense: { "lane-output": measured(0.0351, 0.00915), "lane-token": measured(0.00976, 0.28) },
    table4: { "lane-output": measured(0.0137, 0.0151), "lane-token": measured(0.0282, 0.289) },
    int8: { "lane-output": measured(0.0183, 0.0148), "lane-token": measured(0.0282, 0.294) },
    bf16: { "lane-output": measured(0.00944, 0.0157), "lane-token": measured(0.0281, 0.294) },
    nm: { "lane-output": measured(0.0303, 0.0255), "lane-token": measured(0.202, 0.37) },
    sparse: { "lane-output": measured(0.042, 0.0284), "lane-token": measured(0.0505, 0.45) },
    block: { "lane-output": derived(0.0409, 0.0236), "lane-token": measured(0, 0.3) },
    blockdiag: { "lane-output": measured(0.0525, 0.00696), "lane-token": measured(0.00193, 0.304) },
    diag: { "lane-output": derived(0.0165, 0.0571), "lane-token": derived(0.0444, 0.449) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.326, valueNanoseconds: 2.75 },
    positions: { panelNanoseconds: 1.98, valueNanoseconds: 5.93 },
    diagonal: { panelNanoseconds: 0.723, valueNanoseconds: 0.87 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000201, all: 0.000201 },
    memoryNanoseconds: { one: 0.0178, all: 0.0149 },
  },
  calls: {
    callNanoseconds: 2710,
    stepNanoseconds: 56.1,
    partNanoseconds: 3.95,
    sweepNanoseconds: 399,
    passNanoseconds: { "lane-output": 0.891, "lane-token": 0.208 },
    storeNanoseconds: { "lane-output": 0.0102, "lane-token": 0.0287 },
    transposeNanoseconds: 0.0576,
    scatterNanoseconds: 0.973,
    mergeMultiplyNanoseconds: 0.0173,
    mergeScatterNanoseconds: 0.72,
    formingNanoseconds: 3.58,
  },
};

const v3: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0351, 0.0111), "lane-token": measured(0.0307, 0.294) },
    table4: { "lane-output": measured(0.0394, 0.0279), "lane-token": measured(0.0583, 0.325) },
    int8: { "lane-output": measured(0.0219, 0.0148), "lane-token": measured(0.0387, 0.324) },
    bf16: { "lane-output": measured(0.0283, 0.0118), "lane-token": measured(0.0338, 0.321) },
    nm: { "lane-output": measured(0.031, 0.0214), "lane-token": measured(0.0347, 0.557) },
    sparse: { "lane-output": measured(0.0173, 0.0643), "lane-token": measured(0, 0.543) },
    block: { "lane-output": derived(0.0499, 0.0289), "lane-token": measured(0.014, 0.321) },
    blockdiag: { "lane-output": measured(0.0394, 0.0157), "lane-token": measured(0.0426, 0.396) },
    diag: { "lane-output": derived(0.0196, 0.0598), "lane-token": derived(0.0459, 0.436) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.58, valueNanoseconds: 2.53 },
    positions: { panelNanoseconds: 1.85, valueNanoseconds: 2.39 },
    diagonal: { panelNanoseconds: 0.872, valueNanoseconds: 1.05 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000553, all: 0.000553 },
    memoryNanoseconds: { one: 0.0199, all: 0.0149 },
  },
  calls: {
    callNanoseconds: 2780,
    stepNanoseconds: 46.7,
    partNanoseconds: 3.28,
    sweepNanoseconds: 399,
    passNanoseconds: { "lane-output": 0.891, "lane-token": 0.208 },
    storeNanoseconds: { "lane-output": 0.0127, "lane-token": 0.0149 },
    transposeNanoseconds: 0.0905,
    scatterNanoseconds: 0.943,
    mergeMultiplyNanoseconds: 0.0335,
    mergeScatterNanoseconds: 0.589,
    formingNanoseconds: 3.85,
  },
};

export const defaultRates: RateTable = {
  name: "default",
  threads: 2,
  levels: { "x86-64-v4": v4, "x86-64-v3": v3 },
};

/** A merged weight serves this many calls before parameters change again: the training loop's one. */
export const callsPerStep = 1;

/**
 * Stored slots of a window-ell operand over its nonzeros, for random positions of density d: with g = 1 / d - 1 empty
 * places between two entries, 1 + g / (constant + root sqrt(g)), at most 16; within 2 % of counted patterns for d from
 * 0.005 to 0.5.
 */
export const windowPadding = { constant: 7.6, root: 1.53, most: 16 } as const;
