/**
 * What operations cost on a CPU, as data: nanoseconds on two threads of an AVX-512 core which executes 512-bit
 * operations in two halves (peak: 118 fp32 multiplies a nanosecond on two threads).
 * Provenance: `measured` rows are least-squares fits to the times of `npm run calibrate:rates -- --threads 1`, which a
 * busy machine disturbs least, halved for two threads; `derived` rows count instructions. Other cores run the
 * compute-bound rows faster or slower by one factor, which moves crossovers little because all rows move together.
 */

export interface AtomRate {
  /** The kernel walks its operand once for this many tokens. */
  readonly tileTokens: number;
  /** Nanoseconds a stored value for each such walk: loading it, its index, its broadcast. */
  readonly tileNanoseconds: number;
  /** Tokens that one vector instruction serves: 1 when a lane is an output, 16 when a lane is a token. */
  readonly groupTokens: number;
  /** Nanoseconds a stored value for each group: the multiply-add and the access to the activation. */
  readonly groupNanoseconds: number;
  readonly provenance: "measured" | "derived";
}

type RateTable = Readonly<
  Record<
    "dense" | "nm" | "sparse" | "block" | "blockdiag" | "diag",
    Readonly<Record<"lane-output" | "lane-token", AtomRate>>
  >
>;

const outputLane = (
  tileNanoseconds: number,
  groupNanoseconds: number,
  provenance: AtomRate["provenance"],
): AtomRate => ({
  tileTokens: 4,
  tileNanoseconds,
  groupTokens: 1,
  groupNanoseconds,
  provenance,
});
const tokenLane = (
  tileTokens: number,
  tileNanoseconds: number,
  groupNanoseconds: number,
  provenance: AtomRate["provenance"],
): AtomRate => ({
  tileTokens,
  tileNanoseconds,
  groupTokens: 16,
  groupNanoseconds,
  provenance,
});

/** Atom and layout → rate. */
export const atomRates: RateTable = {
  // Lane = output: one 64-byte line feeds 16 outputs, four tokens share it; both layouts end near the peak.
  dense: {
    "lane-output": outputLane(0.0164, 0.0053, "measured"),
    "lane-token": tokenLane(48, 0.001, 0.154, "measured"),
  },
  // Lane = output: a permute beside every multiply-add. Lane = token is bound by index and broadcast.
  nm: {
    "lane-output": outputLane(0.0192, 0.0101, "measured"),
    "lane-token": tokenLane(64, 0.0994, 0.2064, "measured"),
  },
  // Per padded slot in lane = output: a window for every line and token. Lane = token: an index and a broadcast a value.
  sparse: {
    "lane-output": outputLane(0.0247, 0.0143, "measured"),
    "lane-token": tokenLane(64, 0.001, 0.336, "measured"),
  },
  // Four outputs share an index.
  block: {
    "lane-output": outputLane(0.0247, 0.0143, "derived"),
    "lane-token": tokenLane(64, 0.001, 0.178, "measured"),
  },
  blockdiag: {
    "lane-output": outputLane(0.0256, 0.0128, "measured"),
    "lane-token": tokenLane(48, 0.001, 0.181, "measured"),
  },
  diag: {
    "lane-output": outputLane(0.01, 0.04, "derived"),
    "lane-token": tokenLane(48, 0.02, 0.4, "derived"),
  },
};

/**
 * Gradients, lane = token: nanoseconds for each value and panel of 16 tokens (a multiply-add and its loads), and for
 * each value once: the sum over the lanes and the store. Matrix and positions measured on two threads at 1024 and 2048
 * features and 16 to 512 tokens; the diagonal derived from them.
 */
export const gradientRates = {
  matrix: { panelNanoseconds: 0.2, valueNanoseconds: 0.5 },
  positions: { panelNanoseconds: 0.9, valueNanoseconds: 0.6 },
  diagonal: { panelNanoseconds: 0.4, valueNanoseconds: 0.5 },
} as const;

/**
 * Streaming operands: nanoseconds a byte by where all operands of a variant fit, on two threads, beside what the rates
 * above already count for loads that hit the second level.
 */
export const memoryRates = {
  secondLevelBytes: 2 * 1024 * 1024,
  secondLevelNanoseconds: 0,
  /** Less than the cache has: it is shared with whatever else runs. */
  thirdLevelBytes: 8 * 1024 * 1024,
  thirdLevelNanoseconds: 0.0008,
  memoryNanoseconds: 0.0125,
} as const;

/** Costs that do not grow with the operands. */
export const callRates = {
  /** Entering a kernel from JavaScript and waking the second thread. */
  callNanoseconds: 3000,
  /** A parallel sweep with the barrier after it. */
  stepNanoseconds: 1000,
  /** A step of one panel and few tokens has one tile, so that one thread works: its time over that of two. */
  singleTileFactor: 2,
  /** Writing and reading an activation value that stays in cache. */
  activationNanoseconds: 0.005,
  /** Transposing a value between row-major and 16-token panels: bound by memory, no faster on two threads. */
  transposeNanoseconds: 0.05,
  /** Storing a value through a permutation when a lane is an output: 16 scattered stores instead of one. */
  scatterNanoseconds: 0.25,
  /** One multiply of a merge, written as panels of 16 outputs. */
  mergeMultiplyNanoseconds: 0.012,
  /** A merged weight serves this many calls before parameters change again. */
  callsPerStep: 1,
} as const;

/**
 * Stored slots of a window-ell operand over its nonzeros, for random positions of density d: about
 * 0.593 + 0.592 / sqrt(d), at least 1 and at most 16; within 3 % of counted patterns for d from 0.05 to 0.5.
 */
export const windowPadding = { constant: 0.593, inverseRoot: 0.592, most: 16 } as const;
