/**
 * What is timed: operations x shapes x batches x threads, as a table. A cell names the transform of `operations.spx` (or
 * the instance of it that the compiler made for other constants) and the numbers it is loaded with.
 */

export type Pass = "forward" | "backward" | "forward and backward";
/** `hot`: one copy of the weights, as warm as its size allows. `cold`: copies in turn, more than the caches hold. */
export type Regime = "hot" | "cold";

export interface Operation {
  /** As shown in reports and matched by `--only`. */
  readonly name: string;
  readonly transform: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly pass: Pass;
  /** What is done beside the dense product of the same function. */
  readonly peers: PeerGroup;
  /** Only these shapes, e.g. square ones; all when absent. */
  readonly fits?: (out: number, inputs: number) => boolean;
}

/** Which ways of others to do the same: a dense product is always among them. */
export type PeerGroup = "dense" | "sparse" | "blocks" | "low-rank" | "monarch" | "sampled" | "sltrain";

export interface Cell {
  readonly operation: Operation;
  readonly out: number;
  readonly inputs: number;
  readonly batch: number;
  readonly threads: number;
  readonly regime: Regime;
}

const forward = { pass: "forward" } as const;
const divisible = (by: number) => (out: number, inputs: number) => out % by === 0 && inputs % by === 0;

export const operations: readonly Operation[] = [
  { name: "dense", transform: "Dense", numbers: {}, peers: "dense", ...forward },
  ...[0.5, 0.3, 0.2, 0.1, 0.05].map(
    (keep): Operation => ({
      name: `unstructured ${Math.round(100 * (1 - keep))} %`,
      transform: "Unstructured",
      numbers: { keep },
      peers: "sparse",
      ...forward,
    }),
  ),
  ...(
    [
      ["2:4", "Grouped"],
      ["1:4", "Grouped_n1"],
      ["4:8", "Grouped_n4_m8"],
      ["2:16", "Grouped_m16"],
      ["4:16", "Grouped_n4_m16"],
    ] as const
  ).map(([name, transform]): Operation => ({ name, transform, numbers: {}, peers: "sparse", ...forward })),
  ...(
    [
      ["4x1", "Blocks", 4],
      ["8x1", "Blocks_height8", 8],
      ["16x1", "Blocks_height16", 16],
      ["16x16", "Blocks_height16_width16", 16],
    ] as const
  ).flatMap(([tile, transform, side]) =>
    [0.3, 0.1].map(
      (keep): Operation => ({
        name: `blocks ${tile} ${Math.round(100 * (1 - keep))} %`,
        transform,
        numbers: { keep },
        peers: "blocks",
        fits: divisible(side),
        ...forward,
      }),
    ),
  ),
  ...[4, 16, 64, 128].map(
    (r): Operation => ({
      name: `low-rank ${r}`,
      transform: "LowRank",
      numbers: { r },
      peers: "low-rank",
      ...forward,
    }),
  ),
  { name: "W + S + UV", transform: "SparseLowRank", numbers: {}, peers: "low-rank", ...forward },
  // The divisor of n nearest to its root among the powers of two.
  ...[32, 64].map(
    (b): Operation => ({
      name: "monarch",
      transform: "Monarch",
      numbers: { b },
      peers: "monarch",
      fits: (out, inputs) => out === inputs && (out >= 4096 ? 64 : 32) === b,
      ...forward,
    }),
  ),
  { name: "kronecker 4", transform: "Kronecker", numbers: {}, peers: "dense", ...forward },
  { name: "hypercomplex 4", transform: "Hypercomplex", numbers: {}, peers: "dense", ...forward },
  { name: "sampled gradient 3 %", transform: "Sampled", numbers: {}, peers: "sampled", pass: "backward" },
  {
    name: "SLTrain layer",
    transform: "SLTrain",
    numbers: {},
    peers: "sltrain",
    pass: "forward and backward",
    fits: (out, inputs) => Math.min(out, inputs) >= 128,
  },
];

type Shape = readonly [out: number, inputs: number];

const shapes: Readonly<Record<SuiteName, readonly Shape[]>> = {
  smoke: [
    [768, 768],
    [2048, 2048],
  ],
  full: [
    [768, 768],
    [3072, 768],
    [768, 3072],
    [4096, 1024],
    [2048, 2048],
    [8192, 2048],
    [4096, 4096],
    [14336, 4096],
  ],
};

const batches: Readonly<Record<SuiteName, readonly number[]>> = {
  smoke: [1, 7, 64],
  full: [1, 2, 4, 8, 16, 64, 256, 2048],
};

/** Sizes that no register tile divides, for the dense product alone. */
const oddBatches: readonly number[] = [3, 5, 11, 19, 31];

export type SuiteName = "smoke" | "full";
export const suiteNames: readonly SuiteName[] = ["smoke", "full"];

/** Reads whose weights stay in a cache tell little about one that streams them: the first batch is timed both ways. */
const regimesOf = (batch: number): readonly Regime[] => (batch === 1 ? ["hot", "cold"] : ["hot"]);

/** @param only keeps cells whose name contains it. */
export function cellsOf(suite: SuiteName, threads: readonly number[], only: string | null): Cell[] {
  const cells = threads.flatMap((count) =>
    operations.flatMap((operation) =>
      shapes[suite].flatMap(([out, inputs]) => {
        if (operation.fits !== undefined && !operation.fits(out, inputs)) return [];
        const trained = operation.pass !== "forward";
        const ladder = trained
          ? batches[suite].slice(-1)
          : operation.name === "dense" && suite === "full"
            ? [...batches.full, ...oddBatches].sort((a, b) => a - b)
            : batches[suite];
        return ladder.flatMap((batch) =>
          (trained ? (["hot"] as const) : regimesOf(batch)).map(
            (regime): Cell => ({ operation, out, inputs, batch, threads: count, regime }),
          ),
        );
      }),
    ),
  );
  return only === null ? cells : cells.filter((cell) => nameOfCell(cell).includes(only));
}

export const nameOfCell = ({ operation, out, inputs, batch, threads, regime }: Cell): string =>
  `${operation.name} ${out}x${inputs} batch ${batch} ${regime} ${threads}T`;
