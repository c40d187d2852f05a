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
}

const named = (start: string) => (cell: Cell) => cell.operation.name.startsWith(start);
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

export const targets: readonly Target[] = [
  row(
    "dense, batch >= 64",
    at("dense", ({ batch }) => batch >= 64),
    1,
    null,
    0.93,
  ),
  row("dense, odd batches 3 to 31", at("dense", isOdd), 1.15, null, 0.8),
  row("dense, batch 1, cold", at("dense", cold), 1, null, 0.92),
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
  row("SLTrain layer, forward and backward", named("SLTrain"), 4, null, null),
  row("any plan, any batch", (cell) => cell.operation.pass === "forward", null, 1 / 1.03, null),
];
