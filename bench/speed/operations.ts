/**
 * What is timed, as a table. An operation names the transform of `operations.spx` (or the instance of it that the compiler
 * made for other constants), the numbers it is loaded with, and what others do beside it.
 */
import type { QuantizedType } from "./quantized-weight.ts";

/**
 * `load`: from the weight to a layer that could be called, selections and decompositions included. `update`: a step of the
 * optimizer over the parameters.
 */
export type Pass = "forward" | "backward" | "forward and backward" | "load" | "update";

/** Which ways of others to do the same. */
export type PeerGroup =
  | "dense"
  | "sparse"
  | "blocks"
  | "low-rank"
  | "monarch"
  | "sampled"
  | "sltrain"
  | "bf16"
  | QuantizedType
  | "adam"
  | "top-k"
  | "n:m selection"
  | "svd";

export interface Loaded {
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  /** Loaded with leave to round tokens to bf16. */
  readonly rounds?: true;
}

export interface Operation {
  /** As shown in reports and matched by `--only`. */
  readonly name: string;
  /** Null where spx does not offer it: the peers are timed alone, and the report says so. */
  readonly loaded: Loaded | null;
  /** What peers are told beside the tensors. */
  readonly numbers: Readonly<Record<string, number>>;
  /** `load` and `update` are done with a whole weight, without a batch. */
  readonly pass: Pass;
  /** Readings of the whole weight that a load cannot do without; 0 where that is not told. */
  readonly readings: number;
  readonly peers: PeerGroup;
  /** What it adds something to: timed beside it, so that what is added has a price. */
  readonly base: Loaded | null;
  /** The grid of the frozen weight, with the entries that share a scale (0: a row). */
  readonly quantized: { readonly type: QuantizedType; readonly block: number } | null;
  /** Only these shapes, e.g. square ones. */
  readonly fits: (out: number, inputs: number) => boolean;
}

const always = (): boolean => true;
const divisible = (by: number) => (out: number, inputs: number) => out % by === 0 && inputs % by === 0;

const operation = (
  name: string,
  transform: string | null,
  peers: PeerGroup,
  more: Partial<Omit<Operation, "name" | "loaded" | "peers">> = {},
): Operation => {
  const { numbers = {}, pass = "forward", readings = 0, base = null, quantized = null, fits = always } = more;
  const loaded = transform === null ? null : { transform, numbers };
  return { name, loaded, numbers, pass, readings, peers, base, quantized, fits };
};

export const denseForm: Loaded = { transform: "Dense", numbers: {} };
const int4Form: Loaded = { transform: "Int4", numbers: {} };
const int4 = { type: "int4", block: 32 } as const;

const unstructured = [0.5, 0.3, 0.2, 0.1, 0.05].map((keep) =>
  operation(`unstructured ${Math.round(100 * (1 - keep))} %`, "Unstructured", "sparse", {
    numbers: { keep },
  }),
);

const grouped = (
  [
    ["2:4", "Grouped"],
    ["1:4", "Grouped_n1"],
    ["4:8", "Grouped_n4_m8"],
    ["2:16", "Grouped_m16"],
    ["4:16", "Grouped_n4_m16"],
  ] as const
).map(([name, transform]) => operation(name, transform, "sparse"));

const blocks = (
  [
    ["Blocks", 4, 1],
    ["Blocks_height8", 8, 1],
    ["Blocks_height16", 16, 1],
    ["Blocks_height16_width16", 16, 16],
  ] as const
).flatMap(([transform, height, width]) =>
  [0.3, 0.1].map((keep): Operation => {
    const name = `blocks ${height}x${width} ${Math.round(100 * (1 - keep))} %`;
    const made = operation(name, transform, "blocks", { numbers: { keep }, fits: divisible(height) });
    return { ...made, numbers: { height, width } };
  }),
);

const lowRank = [4, 16, 64, 128].map((r) =>
  operation(`low-rank ${r}`, "LowRank", "low-rank", { numbers: { r }, base: denseForm }),
);

// The divisor of n nearest to its root among the powers of two.
const monarch = [32, 64].map((b) =>
  operation("monarch", "Monarch", "monarch", {
    numbers: { b },
    fits: (out, inputs) => out === inputs && (out >= 4096 ? 64 : 32) === b,
  }),
);

const quantized = [
  operation("int8 weights", "Int8", "int8", { quantized: { type: "int8", block: 0 } }),
  operation("int4 weights", "Int4", "int4", { quantized: int4 }),
  operation("nf4 weights", "Nf4", "nf4", { quantized: { type: "nf4", block: 64 } }),
];

const isLarge = (out: number, inputs: number): boolean => out === 4096 && inputs === 4096;
const loading = (
  name: string,
  transform: string,
  peers: PeerGroup,
  numbers: Readonly<Record<string, number>>,
  readings: number,
): Operation => ({
  ...operation(name, transform, peers, { pass: "load", readings, fits: isLarge }),
  numbers,
});

export const operations: readonly Operation[] = [
  operation("dense", "Dense", "dense"),
  operation("bf16 weights", "Half", "bf16"),
  { ...operation("bf16 products", "Half", "bf16"), loaded: { transform: "Half", numbers: {}, rounds: true } },
  ...quantized,
  ...unstructured,
  ...grouped,
  ...blocks,
  ...lowRank,
  operation("W + S + UV", "SparseLowRank", "low-rank", { base: denseForm }),
  operation("W_q + S + UV", "QuantizedSparseLowRank", "low-rank", { base: int4Form }),
  ...monarch,
  operation("kronecker 4", "Kronecker", "dense", { fits: divisible(4) }),
  operation("hypercomplex 4", "Hypercomplex", "dense", { fits: divisible(4) }),
  operation("sampled gradient 3 %", "Sampled", "sampled", { pass: "backward" }),
  operation("SLTrain layer", "SLTrain", "sltrain", {
    pass: "forward and backward",
    fits: (out, inputs) => Math.min(out, inputs) >= 128,
  }),
  {
    ...operation("sparse AdamW 3 %", "Sampled", "adam", { pass: "update", fits: isLarge }),
    numbers: { density: 0.03 },
  },
  // One reading to find the threshold, one to mark what is above it.
  loading("exact top-k 10 %", "Unstructured", "top-k", { keep: 0.1 }, 2),
  loading("2:4 selection", "Grouped", "n:m selection", { n: 2, m: 4 }, 1),
  loading("randomized SVD 16", "Factored", "svd", { r: 16 }, 0),
];
