/**
 * What operations cost on a machine, as data: the numbers that prices are made of. Prices are linear in them, so that
 * they can be fitted to measured times; whoever fits and whoever prices share these types.
 */
import type { BaseLevel } from "./x86-targets.ts";

/** Levels that are measured; what the rounding ones cost follows from their bases. */
export type LevelName = BaseLevel;
/**
 * Kinds of operands with inner loops of their own; `table4`, `int8` and `bf16` are panels that have to be decoded, `quads`
 * sparse entries too far apart for windows.
 */
export type RatedAtom =
  | "dense"
  | "table4"
  | "int8"
  | "bf16"
  | "nm"
  | "sparse"
  | "quads"
  | "block"
  | "blockdiag"
  | "diag";
export type RatedLayout = "lane-output" | "lane-token";

/** Of one thread. */
export interface AtomRate {
  /** Nanoseconds a stored value each time the kernel walks its operand: loading it, its index, its broadcast. */
  readonly walkNanoseconds: number;
  /** Nanoseconds a stored value and vector of tokens (one token when a lane is an output, 16 when it is a token). */
  readonly multiplyNanoseconds: number;
  /** `measured`: fitted to times; `derived`: from counted instructions, or from a neighbouring row. */
  readonly provenance: "measured" | "derived";
}

/** Gradients, lane = token, of one thread. */
export interface GradientRate {
  /** Nanoseconds a value and panel of 16 tokens: a multiply-add and its loads. */
  readonly panelNanoseconds: number;
  /** Nanoseconds a value: the sum over the lanes and the store. */
  readonly valueNanoseconds: number;
}

/** Streaming operands, beside what the atoms already count for loads that hit the second level. */
export interface MemoryRates {
  /** Operands up to this size stay in the second level of the caches of all threads together. */
  readonly secondLevelBytes: number;
  readonly thirdLevelBytes: number;
  /** Nanoseconds a byte by where the bytes lie: one thread reading, and all threads of the table together. */
  readonly thirdLevelNanoseconds: ByThreads;
  readonly memoryNanoseconds: ByThreads;
  /** What a byte from memory still costs where many multiply-adds follow each line that was asked for ahead. */
  readonly beneathMultipliesNanoseconds: ByThreads;
  /** A vector of 16 tokens of an input that groups bring from the second level and multiply-adds do not hide, one thread. */
  readonly groupInputNanoseconds: number;
}

export interface ByThreads {
  readonly one: number;
  readonly all: number;
}

/** Costs that do not grow with the operands, and those of activations. */
export interface CallRates {
  /** Entering a kernel from JavaScript. */
  readonly callNanoseconds: number;
  /** A step of a kernel. */
  readonly stepNanoseconds: number;
  /** From one row of a tile of csr entries to the next, for the token panels that pass together, one thread. */
  readonly partNanoseconds: number;
  /** Handing the tiles of a step to other threads, and waiting for the last one. */
  readonly sweepNanoseconds: number;
  /** An activation value that one thread has written and another one reads, by layout. */
  readonly passNanoseconds: Readonly<Record<RatedLayout, number>>;
  /** Writing an activation value that stays in cache, one thread, by layout. */
  readonly storeNanoseconds: Readonly<Record<RatedLayout, number>>;
  /** Transposing a value between row-major and 16-token panels, one thread. */
  readonly transposeNanoseconds: number;
  /** Storing a value through a permutation when a lane is an output: 16 scattered stores instead of one. */
  readonly scatterNanoseconds: number;
  /** The same where 16 neighbouring blocks are transposed for it, so that lines are stored. */
  readonly stripNanoseconds: number;
  /** A multiply whose input is read through a permutation when a lane is an output, beside what it costs otherwise. */
  readonly stridedNanoseconds: number;
  /** One multiply of a merge, written as panels of 16 outputs, one thread. */
  readonly mergeMultiplyNanoseconds: number;
  /** Adding one stored value of a sparse operand to the merged panels, one thread. */
  readonly mergeScatterNanoseconds: number;
  /** An elementary operation that computes an operand from its tensors outside of kernels. */
  readonly formingNanoseconds: number;
}

export interface LevelRates {
  readonly atoms: Readonly<Record<RatedAtom, Readonly<Record<RatedLayout, AtomRate>>>>;
  readonly gradients: Readonly<Record<"matrix" | "positions" | "diagonal", GradientRate>>;
  readonly memory: MemoryRates;
  readonly calls: CallRates;
}

export interface RateTable {
  /** `default`, or the processor that was measured. */
  readonly name: string;
  /** Threads that a call is priced for. */
  readonly threads: number;
  readonly levels: Readonly<Record<LevelName, LevelRates>>;
}

/** How plans, manifests and explanations name the table that they were priced with. */
export interface RatesIdentity {
  readonly name: string;
  /** Changes with every number of the table. */
  readonly id: string;
  readonly threads: number;
}

const offsetBasis = 0x811c9dc5;
const prime = 0x01000193;

/** FNV-1a of numbers and names, whatever the order of their keys: eight hexadecimal digits. */
export function hashOf(content: unknown): string {
  let hash = offsetBasis;
  for (const character of JSON.stringify(ordered(content)))
    hash = Math.imul(hash ^ character.charCodeAt(0), prime) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

/** Name and hash of the table. */
export const identityOf = ({ name, threads, levels }: RateTable): RatesIdentity => ({
  name,
  threads,
  id: hashOf([threads, levels]),
});

/** Records with their keys in order: equal tables have equal hashes however they were written. */
function ordered(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, ordered(inner)]);
}
