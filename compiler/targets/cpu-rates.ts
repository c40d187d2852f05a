/**
 * What operations cost on a CPU, as data: nanoseconds on two threads of an AVX-512 core with two 512-bit
 * multiply-add pipes at about 4 GHz (peak: 240 fp32 multiplies a nanosecond on two threads).
 * Provenance: `measured` rows come from single-run probes of such a core with hand-written kernels (repeatable to
 * 15 %, two-thread memory figures to 40 %), scaled from one thread to two where the working set fits a cache;
 * `derived` rows count instructions. An AVX2-only core runs the compute-bound rows at half speed, which moves
 * crossovers little because all rows move together.
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
  // Lane = output: one 64-byte line feeds 16 outputs, four tokens share it. Lane = token: 8 x 3 tile near peak.
  dense: {
    "lane-output": outputLane(0.008, 0.006, "derived"),
    "lane-token": tokenLane(48, 0.005, 0.07, "measured"),
  },
  // 2:4 lane = output measured at 1.93x of dense, the ratio of its bytes. Lane = token is bound by index and broadcast.
  nm: {
    "lane-output": outputLane(0.009, 0.0085, "measured"),
    "lane-token": tokenLane(64, 0.16, 0.11, "derived"),
  },
  // Per padded slot in lane = output. Lane = token: 35 multiplies/ns a thread at 64 tokens, 15 at 16.
  sparse: {
    "lane-output": outputLane(0.01, 0.008, "measured"),
    "lane-token": tokenLane(64, 0.2, 0.13, "measured"),
  },
  // Four outputs share an index: 86 multiplies/ns a thread at 64 tokens, 33 at 16.
  block: {
    "lane-output": outputLane(0.01, 0.008, "derived"),
    "lane-token": tokenLane(64, 0.09, 0.075, "measured"),
  },
  blockdiag: {
    "lane-output": outputLane(0.009, 0.007, "derived"),
    "lane-token": tokenLane(48, 0.008, 0.075, "derived"),
  },
  diag: {
    "lane-output": outputLane(0.005, 0.02, "derived"),
    "lane-token": tokenLane(48, 0.01, 0.2, "derived"),
  },
};

/**
 * Gradients, lane = token: nanoseconds for each value and panel of 16 tokens (a multiply-add and its loads), and for
 * each value once: the sum over the lanes and the store. Derived by counting instructions.
 */
export const gradientRates = {
  matrix: { panelNanoseconds: 0.09, valueNanoseconds: 0.4 },
  positions: { panelNanoseconds: 0.25, valueNanoseconds: 0.6 },
  diagonal: { panelNanoseconds: 0.2, valueNanoseconds: 0.5 },
} as const;

/** Streaming operands: nanoseconds a byte by where all operands of a variant fit, on two threads. */
export const memoryRates = {
  /** 400 GB/s up to `secondLevelBytes`. */
  secondLevelBytes: 2 * 1024 * 1024,
  secondLevelNanoseconds: 0.0025,
  /** 200 GB/s up to `thirdLevelBytes`. */
  thirdLevelBytes: 24 * 1024 * 1024,
  thirdLevelNanoseconds: 0.005,
  /** 55 GB/s from memory. */
  memoryNanoseconds: 0.018,
} as const;

/** Costs that do not grow with the operands. */
export const callRates = {
  /** Entering a kernel and waking the second thread. */
  callNanoseconds: 1500,
  /** A parallel sweep with the barrier after it. */
  stepNanoseconds: 700,
  /** Writing and reading an activation value that stays in cache. */
  activationNanoseconds: 0.02,
  /** Transposing a value between row-major and 16-token panels. */
  transposeNanoseconds: 0.04,
  /** Storing a value through a permutation when a lane is an output: 16 scattered stores instead of one. */
  scatterNanoseconds: 0.25,
  /** One multiply of a merge, written as panels of 16 outputs. */
  mergeMultiplyNanoseconds: 0.006,
  /** A merged weight serves this many calls before parameters change again. */
  callsPerStep: 1,
} as const;

/**
 * Stored slots of a window-ell operand over its nonzeros, for random positions of density d: about
 * 0.593 + 0.592 / sqrt(d), at least 1 and at most 16; within 3 % of counted patterns for d from 0.05 to 0.5.
 */
export const windowPadding = { constant: 0.593, inverseRoot: 0.592, most: 16 } as const;
