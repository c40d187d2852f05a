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
    dense: { "lane-output": measured(0.0386, 0.00831), "lane-token": measured(0.00639, 0.284) },
    table4: { "lane-output": measured(0.0154, 0.0151), "lane-token": measured(0.0275, 0.29) },
    int8: { "lane-output": measured(0.0186, 0.0149), "lane-token": measured(0.0273, 0.292) },
    bf16: { "lane-output": measured(0.0117, 0.0159), "lane-token": measured(0.0292, 0.301) },
    nm: { "lane-output": measured(0.028, 0.0265), "lane-token": measured(0.211, 0.353) },
    sparse: { "lane-output": measured(0.0403, 0.0265), "lane-token": measured(0.0625, 0.44) },
    quads: { "lane-output": measured(0.28, 0.25), "lane-token": derived(0.0625, 0.44) },
    block: { "lane-output": derived(0.0402, 0.0232), "lane-token": measured(0, 0.293) },
    blockdiag: { "lane-output": measured(0.0617, 0.00652), "lane-token": measured(0.0104, 0.304) },
    diag: { "lane-output": derived(0.016, 0.0531), "lane-token": derived(0.0441, 0.459) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.404, valueNanoseconds: 3.37 },
    positions: { panelNanoseconds: 1.77, valueNanoseconds: 6.25 },
    diagonal: { panelNanoseconds: 0.702, valueNanoseconds: 0.845 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000161, all: 0.000161 },
    memoryNanoseconds: { one: 0.019, all: 0.0153 },
    beneathMultipliesNanoseconds: { one: 0.00478, all: 0.00357 },
    groupInputNanoseconds: 0.3,
  },
  calls: {
    callNanoseconds: 2880,
    stepNanoseconds: 73.9,
    partNanoseconds: 3.79,
    sweepNanoseconds: 398,
    passNanoseconds: { "lane-output": 0.296, "lane-token": 0.204 },
    storeNanoseconds: { "lane-output": 0.013, "lane-token": 0.0371 },
    transposeNanoseconds: 0.0538,
    scatterNanoseconds: 0.554,
    mergeMultiplyNanoseconds: 0.0181,
    mergeScatterNanoseconds: 0.71,
    formingNanoseconds: 3.58,
  },
};

const v3: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0334, 0.0114), "lane-token": measured(0.0301, 0.292) },
    table4: { "lane-output": measured(0.0323, 0.0308), "lane-token": measured(0.0571, 0.32) },
    int8: { "lane-output": measured(0.0216, 0.0149), "lane-token": measured(0.0379, 0.322) },
    bf16: { "lane-output": measured(0.0288, 0.0115), "lane-token": measured(0.0331, 0.321) },
    nm: { "lane-output": measured(0.03, 0.0228), "lane-token": measured(0.0356, 0.571) },
    sparse: { "lane-output": measured(0.0166, 0.065), "lane-token": measured(0, 0.535) },
    quads: { "lane-output": measured(0.28, 0.24), "lane-token": derived(0, 0.535) },
    block: { "lane-output": derived(0.0488, 0.0283), "lane-token": measured(0.0139, 0.317) },
    blockdiag: { "lane-output": measured(0.049, 0.0118), "lane-token": measured(0.0415, 0.375) },
    diag: { "lane-output": derived(0.0188, 0.0528), "lane-token": derived(0.0443, 0.371) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.584, valueNanoseconds: 2.6 },
    positions: { panelNanoseconds: 1.51, valueNanoseconds: 4.39 },
    diagonal: { panelNanoseconds: 0.886, valueNanoseconds: 1.05 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.000471, all: 0.000359 },
    memoryNanoseconds: { one: 0.0252, all: 0.0153 },
    beneathMultipliesNanoseconds: { one: 0.0131, all: 0.00357 },
    groupInputNanoseconds: 0.3,
  },
  calls: {
    callNanoseconds: 2750,
    stepNanoseconds: 52,
    partNanoseconds: 3.17,
    sweepNanoseconds: 398,
    passNanoseconds: { "lane-output": 0.296, "lane-token": 0.204 },
    storeNanoseconds: { "lane-output": 0.0152, "lane-token": 0.0212 },
    transposeNanoseconds: 0.0895,
    scatterNanoseconds: 0.773,
    mergeMultiplyNanoseconds: 0.0312,
    mergeScatterNanoseconds: 0.576,
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
