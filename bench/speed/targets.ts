/** What the project wants of each kind of cell, as data; the report says which cells miss it. */
import type { Cell } from "./cells.ts";

export interface Target {
  /** What it is about, as the report prints it. */
  readonly name: string;
  readonly applies: (cell: Cell) => boolean;
  /** Least time of the best peer over spx's; null for none. */
  readonly overPeer: number | null;
  /** Least time of the best dense product over spx's; null for none. */
  readonly overDense: number | null;
  /** Least fraction of the roofline; null for none. */
  readonly roofline: number | null;
  /** Least time of the best peer that rounds tokens to fewer bits over spx's; absent for none. */
  readonly overRounded?: number;
  /** Most that the cell may take of the time of its base alone; absent for none. */
  readonly overBase?: (cell: Cell) => number;
}

const named = (start: string) => (cell: Cell) => cell.operation.name.startsWith(start);
const isNamed = (name: string) => (cell: Cell) => cell.operation.name === name;
const at = (start: string, test: (cell: Cell) => boolean) => (cell: Cell) => named(start)(cell) && test(cell);
const cold = (cell: Cell): boolean => cell.batch === 1 && cell.regime === "cold";
const isSixtyFour = (cell: Cell): boolean => cell.batch === 64;
const isOdd = ({ batch }: Cell): boolean => batch >= 3 && batch <= 31 && batch % 4 !== 0;

const row = (
  name: string,
  applies: Target["applies"],
  overPeer: number | null,
  overDense: number | null,
  roofline: number | null,
): Target => ({ name, applies, overPeer, overDense, roofline });

/** From 2048 on what is added may take 3 %; below, one and a half times its share of the bytes and multiplies. */
function addedByRank({ out, inputs }: Cell): number {
  const share = (16 * (out + inputs)) / (out * inputs);
  return Math.min(out, inputs) >= 2048 ? 1.03 : 1 + 1.5 * share;
}

export const targets: readonly Target[] = [
  ...["dense", "bf16 weights"].map((name) =>
    row(
      `${name}, batch >= 64`,
      at(name, ({ batch }) => batch >= 64),
      1,
      null,
      0.93,
    ),
  ),
  {
    ...row(
      "bf16 products, batch >= 64, peers that round",
      at("bf16 products", ({ batch }) => batch >= 64),
      null,
      null,
      0.93,
    ),
    overRounded: 1,
  },
  row("dense, odd batches 3 to 31", at("dense", isOdd), 1.15, null, 0.8),
  row("dense, batch 1, cold", at("dense", cold), 1, null, 0.92),
  ...["int8", "int4", "nf4"].flatMap((name) => [
    row(`${name} weights, batch 1`, at(`${name} weights`, cold), 1.1, null, 0.88),
    {
      ...row(
        `${name} weights, peers that round tokens to 8 bits`,
        at(`${name} weights`, cold),
        null,
        null,
        null,
      ),
      overRounded: 1.1,
    },
  ]),
  row("2:4, batch 1", at("2:4", cold), null, 1.7, 0.9),
  row("4:16, batch 1", at("4:16", cold), null, 3.1, 0.9),
  row("2:16, batch 1", at("2:16", cold), null, 6.5, 0.9),
  ...(
    [
      [50, 1.2],
      [70, 1.7],
      [90, 3.3],
      [95, 5],
    ] as const
  ).map(([percent, ratio]) =>
    row(`unstructured ${percent} %, batch 1`, at(`unstructured ${percent}`, cold), null, ratio, 0.8),
  ),
  ...(
    [
      [70, 1.6],
      [80, 2.3],
      [90, 4],
    ] as const
  ).map(([percent, ratio]) =>
    row(`unstructured ${percent} %, batch 64`, at(`unstructured ${percent}`, isSixtyFour), null, ratio, 0.65),
  ),
  ...["4x1", "8x1"].flatMap((tile) => [
    row(`${tile} blocks 70 %, batch 64`, at(`blocks ${tile} 70`, isSixtyFour), null, 2.3, 0.75),
    row(`${tile} blocks 90 %, batch 64`, at(`blocks ${tile} 90`, isSixtyFour), null, 7, 0.75),
  ]),
  { ...row("low-rank 16 over its base", isNamed("low-rank 16"), null, null, null), overBase: addedByRank },
  { ...row("W_q + S + UV over W_q", isNamed("W_q + S + UV"), null, null, null), overBase: () => 1.2 },
  row(
    "Monarch 4096, batch 1",
    at("monarch", ({ out, batch }) => out === 4096 && batch === 1),
    4,
    20,
    0.6,
  ),
  row(
    "Monarch 4096, batch 64",
    at("monarch", ({ out, batch }) => out === 4096 && batch === 64),
    4,
    8,
    0.6,
  ),
  row("sampled gradient 3 %", named("sampled gradient"), 5, null, null),
  row("exact top-k", named("exact top-k"), 20, null, 0.6),
  row("sparse AdamW", named("sparse AdamW"), 1, null, 0.85),
  row("SLTrain layer, forward and backward", named("SLTrain"), 4, null, null),
  row("any plan, any batch", (cell) => cell.operation.pass === "forward", null, 1 / 1.03, null),
];
