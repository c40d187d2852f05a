/**
 * The rates that builds use unless they are given others: fitted by `spxc calibrate` on two cores of an AMD EPYC
 * (Zen 4, which executes 512-bit operations in two halves). Checked in, so that a build gives the same plan on every
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
  thirdLevelNanoseconds: { one: 0.0016, all: 0.0008 },
  memoryNanoseconds: { one: 0.025, all: 0.0125 },
} as const;

const calls = {
  callNanoseconds: 3000,
  stepNanoseconds: 200,
  sweepNanoseconds: 800,
  storeNanoseconds: { "lane-output": 0.01, "lane-token": 0.01 },
  transposeNanoseconds: 0.05,
  scatterNanoseconds: 0.5,
  mergeMultiplyNanoseconds: 0.024,
  mergeScatterNanoseconds: 0.5,
} as const;

const v4: LevelRates = {
  atoms: {
    // Lane = output: one 64-byte line feeds 16 outputs, four tokens share it; both layouts end near the peak.
    dense: { "lane-output": measured(0.0328, 0.0106), "lane-token": measured(0.002, 0.308) },
    // Lane = output: a permute beside every multiply-add. Lane = token is bound by index and broadcast.
    nm: { "lane-output": measured(0.0384, 0.0202), "lane-token": measured(0.1988, 0.4128) },
    // Per padded slot in lane = output: a window for every line and token. Lane = token: an index and a broadcast a value.
    sparse: { "lane-output": measured(0.0494, 0.0286), "lane-token": measured(0.002, 0.672) },
    // Several outputs share an index.
    block: { "lane-output": derived(0.0494, 0.0286), "lane-token": measured(0.002, 0.356) },
    blockdiag: { "lane-output": measured(0.0512, 0.0256), "lane-token": measured(0.002, 0.362) },
    diag: { "lane-output": derived(0.02, 0.08), "lane-token": derived(0.04, 0.8) },
  },
  gradients: {
    matrix: { panelNanoseconds: 0.4, valueNanoseconds: 1 },
    positions: { panelNanoseconds: 1.8, valueNanoseconds: 1.2 },
    diagonal: { panelNanoseconds: 0.8, valueNanoseconds: 1 },
  },
  memory,
  calls,
};

export const defaultRates: RateTable = {
  name: "default",
  threads: 2,
  levels: { "x86-64-v4": v4, "x86-64-v3": v4 },
};

/** One elementary operation (a multiply-add, an addition) of computing an operand outside of kernels, in JavaScript. */
export const formingNanoseconds = 4;

/** A merged weight serves this many calls before parameters change again: the training loop's one. */
export const callsPerStep = 1;

/**
 * Stored slots of a window-ell operand over its nonzeros, for random positions of density d: about
 * 0.593 + 0.592 / sqrt(d), at least 1 and at most 16; within 3 % of counted patterns for d from 0.05 to 0.5.
 */
export const windowPadding = { constant: 0.593, inverseRoot: 0.592, most: 16 } as const;
