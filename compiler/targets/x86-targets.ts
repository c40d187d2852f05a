/** The x86-64 levels as data: what LLVM is told, and the register tiles that fit. */

/** Level name of the System V psABI. */
export type BaseLevel = "x86-64-v3" | "x86-64-v4";

export interface X86Target {
  readonly name: BaseLevel | "x86-64-v4-bf16";
  /** The level itself, or the one whose kernels run where this one has none of its own. */
  readonly base: BaseLevel;
  /** Suffix of every kernel's symbol. */
  readonly suffix: "v3" | "v4" | "v4bf16";
  /** LLVM `target-features` of every function. */
  readonly features: string;
  /** LLVM `prefer-vector-width` in bits. */
  readonly vectorBits: 256 | 512;
  /** Feature names as Linux prints them in /proc/cpuinfo, all needed to run. */
  readonly needs: readonly string[];
  /** Lane = token tiles [outputs, vectors of 16 tokens] with a dense operand; largest first. */
  readonly denseTokenTile: { readonly outputs: number; readonly vectors: number };
  /** Lane = token tiles for sparse operands, whose rows have their own indices. */
  readonly sparseTokenTile: { readonly outputs: number; readonly vectors: number };
  /** Lane = output: tokens held in registers at once. */
  readonly outputTokens: number;
  /** The same where each line is decoded, which more tokens then share. */
  readonly codedOutputTokens: number;
  /** The same for dense panels alone, whose lines pass the tokens in groups; largest first, none where registers are few. */
  readonly groupedOutputTokens: readonly number[];
  /**
   * The same where weights held in `bf16` multiply activations rounded to `bf16`, two inputs at once; null where
   * activations are never rounded.
   */
  readonly pairedOutputTokens: number | null;
  /** Pages of 4 KiB that a core reads in turn without walking page tables, as a call's tokens and outputs lie in them. */
  readonly translatedPages: number;
}

/** A level that stands for itself. */
export interface MeasuredTarget extends X86Target {
  readonly name: BaseLevel;
}

/** Half of what Zen 4 remembers, as many as other cores of its time do. */
const translatedPages = 1536;

const v3Features =
  "+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+cx16,+sahf,+xsave";

const v4: MeasuredTarget = {
  name: "x86-64-v4",
  base: "x86-64-v4",
  suffix: "v4",
  features: `${v3Features},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl`,
  vectorBits: 512,
  needs: [
    "avx512f",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512vl",
    "avx2",
    "bmi1",
    "bmi2",
    "f16c",
    "fma",
    "movbe",
  ],
  // 8 x 3 accumulators + 3 activations + a broadcast: 28 of 32 registers.
  denseTokenTile: { outputs: 8, vectors: 3 },
  sparseTokenTile: { outputs: 4, vectors: 4 },
  outputTokens: 4,
  codedOutputTokens: 8,
  groupedOutputTokens: [24, 16, 12, 8, 7, 6, 5],
  pairedOutputTokens: null,
  translatedPages,
};

const v3: MeasuredTarget = {
  name: "x86-64-v3",
  base: "x86-64-v3",
  suffix: "v3",
  features: v3Features,
  vectorBits: 256,
  needs: ["avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"],
  // A 16-lane vector takes two registers: 4 x 1 x 2 accumulators + 2 activations + a broadcast: 11 of 16.
  denseTokenTile: { outputs: 4, vectors: 1 },
  sparseTokenTile: { outputs: 2, vectors: 2 },
  outputTokens: 4,
  codedOutputTokens: 4,
  groupedOutputTokens: [],
  pairedOutputTokens: null,
  translatedPages,
};

/** Ordered from the widest to the narrowest: the first that the CPU supports is used. */
export const x86Targets: readonly MeasuredTarget[] = [v4, v3];

/**
 * Levels that round activations, which only the author may allow: they have kernels for what they compute otherwise than
 * their base, and none beside.
 */
export const roundingTargets: readonly X86Target[] = [
  {
    ...v4,
    name: "x86-64-v4-bf16",
    suffix: "v4bf16",
    features: `${v4.features},+avx512bf16`,
    needs: [...v4.needs, "avx512_bf16"],
    // 24 accumulators, a line of weights; activations are broadcast from memory.
    pairedOutputTokens: 24,
  },
];

/** Every level, the rounding ones first: a CPU that has one of them has its base. */
export const allTargets: readonly X86Target[] = [...roundingTargets, ...x86Targets];

/** Tokens that the registers of every level hold at once, by the meaning of a lane. */
export const tileTokens: Readonly<Record<"lane-output" | "lane-token", readonly number[]>> = {
  "lane-output": upTo(Math.min(...x86Targets.map(({ outputTokens }) => outputTokens))),
  "lane-token": upTo(
    Math.min(
      ...x86Targets.map(({ denseTokenTile, sparseTokenTile }) =>
        Math.max(denseTokenTile.vectors, sparseTokenTile.vectors),
      ),
    ),
  ).map((vectors) => 16 * vectors),
};

function upTo(most: number): readonly number[] {
  return Array.from({ length: most }, (_, index) => index + 1);
}

/** The level with tiles of `tokens` tokens, as many registers in all; one of `tileTokens`. */
export function withTile(target: X86Target, tokens: number): X86Target {
  if (tokens < 16)
    return {
      ...target,
      outputTokens: tokens,
      codedOutputTokens: tokens,
      groupedOutputTokens: [],
      pairedOutputTokens: target.pairedOutputTokens === null ? null : tokens,
    };
  const vectors = tokens / 16;
  const shaped = (tile: X86Target["denseTokenTile"]): X86Target["denseTokenTile"] => ({
    outputs: Math.max(1, Math.floor((tile.outputs * tile.vectors) / vectors)),
    vectors,
  });
  return {
    ...target,
    denseTokenTile: shaped(target.denseTokenTile),
    sparseTokenTile: shaped(target.sparseTokenTile),
  };
}
