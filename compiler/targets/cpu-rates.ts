/**
 * The rates that builds use unless they are given others: fitted by `spxc calibrate` on two cores of an AMD EPYC
 * (Zen 4, which executes 512-bit operations in two halves; one thread reaches 59 multiplies a nanosecond). Checked in, so that a build gives the same plan on every
 * machine. Other cores run the compute-bound rows faster or slower by one factor, which moves crossovers little
 * because all rows move together.
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
// What one thread tells is from `spxc calibrate`; bytes on all threads and `sweepNanoseconds` from a quiet machine.
const v4: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0392, 0.00937), "lane-token": measured(0.00175, 0.311) },
    table4: { "lane-output": derived(0.0105, 0.00934), "lane-token": derived(0.027, 0.322) },
    int8: { "lane-output": derived(0.0144, 0.00934), "lane-token": derived(0.03, 0.322) },
    bf16: { "lane-output": derived(0.0115, 0.00934), "lane-token": derived(0.025, 0.322) },
    nm: { "lane-output": measured(0.0528, 0.0208), "lane-token": measured(0.4, 0.44) },
    sparse: { "lane-output": measured(0.0565, 0.0262), "lane-token": measured(0.00182, 0.471) },
    block: { "lane-output": derived(0.0457, 0.0264), "lane-token": measured(0.05, 0.302) },
    blockdiag: { "lane-output": measured(0.0627, 0.0071), "lane-token": measured(0.00175, 0.386) },
    diag: { "lane-output": derived(0.0187, 0.072), "lane-token": derived(0.0361, 0.5) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.36, valueNanoseconds: 3.03 },
    positions: { panelNanoseconds: 2.1, valueNanoseconds: 3.69 },
    diagonal: { panelNanoseconds: 0.779, valueNanoseconds: 0.953 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.00279, all: 0.0008 },
    memoryNanoseconds: { one: 0.0184, all: 0.0125 },
  },
  calls: {
    callNanoseconds: 2600,
    stepNanoseconds: 60.6,
    partNanoseconds: 5.07,
    sweepNanoseconds: 1800,
    passNanoseconds: 0.2,
    storeNanoseconds: { "lane-output": 0.00931, "lane-token": 0.0233 },
    transposeNanoseconds: 0.0442,
    scatterNanoseconds: 1.29,
    mergeMultiplyNanoseconds: 0.0224,
    mergeScatterNanoseconds: 0.804,
    formingNanoseconds: 4,
  },
};

const v3: LevelRates = {
  atoms: {
    dense: { "lane-output": measured(0.0331, 0.0116), "lane-token": measured(0.00209, 0.321) },
    table4: { "lane-output": derived(0.04, 0.0116), "lane-token": derived(0.06, 0.321) },
    int8: { "lane-output": derived(0.025, 0.0116), "lane-token": derived(0.04, 0.321) },
    bf16: { "lane-output": derived(0.025, 0.0116), "lane-token": derived(0.035, 0.321) },
    nm: { "lane-output": measured(0.0322, 0.0193), "lane-token": measured(0.00192, 0.586) },
    sparse: { "lane-output": measured(0.0319, 0.0557), "lane-token": measured(0.00206, 0.544) },
    block: { "lane-output": derived(0.0519, 0.0301), "lane-token": measured(0.00204, 0.339) },
    blockdiag: { "lane-output": measured(0.0385, 0.0138), "lane-token": measured(0.00211, 0.447) },
    diag: { "lane-output": derived(0.0207, 0.0726), "lane-token": derived(0.0412, 0.48) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.577, valueNanoseconds: 2.14 },
    positions: { panelNanoseconds: 2.25, valueNanoseconds: 1.66 },
    diagonal: { panelNanoseconds: 0.872, valueNanoseconds: 1.07 },
  },
  memory: {
    ...memory,
    thirdLevelNanoseconds: { one: 0.0013, all: 0.0008 },
    memoryNanoseconds: { one: 0.023, all: 0.0125 },
  },
  calls: {
    callNanoseconds: 2940,
    stepNanoseconds: 50,
    partNanoseconds: 6,
    sweepNanoseconds: 1000,
    passNanoseconds: 0.2,
    storeNanoseconds: { "lane-output": 0.0113, "lane-token": 0.0113 },
    transposeNanoseconds: 0.0894,
    scatterNanoseconds: 0.896,
    mergeMultiplyNanoseconds: 0.0417,
    mergeScatterNanoseconds: 0.613,
    formingNanoseconds: 4,
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
