/** Which operations are timed at which shapes, batches and threads: one table for each suite. */
import { type Operation, operations } from "./operations.ts";

/** `hot`: one copy of the weights, as warm as its size allows. `cold`: copies in turn, more than the caches hold. */
export type Regime = "hot" | "cold";

export interface Cell {
  readonly operation: Operation;
  readonly out: number;
  readonly inputs: number;
  readonly batch: number;
  readonly threads: number;
  readonly regime: Regime;
}

/** `smoke`: minutes. `targets`: half an hour, the cells that targets speak of. `full`: hours, everything. */
export type SuiteName = "smoke" | "targets" | "full";
export const suiteNames: readonly SuiteName[] = ["smoke", "targets", "full"];

type Shape = readonly [out: number, inputs: number];

interface Suite {
  /** Names of operations; null for all. */
  readonly operations: ReadonlySet<string> | null;
  readonly shapes: readonly Shape[];
  readonly batches: readonly number[];
  /** Batches beside these, at 2048 x 2048 alone. */
  readonly middleBatches: readonly number[];
  /** For the dense product alone, at `denseShapes`: sizes that no register tile divides, and large ones. */
  readonly denseBatches: readonly number[];
  readonly denseShapes: readonly Shape[];
  /** Batch of the passes that go backward. */
  readonly trainingBatch: number;
  readonly trainingShapes: readonly Shape[];
  /** Weights of at least so many entries are also timed cold at batch 1; smaller ones need too many copies. */
  readonly coldFrom: number;
  /** Whether batch 1 is timed hot as well where it is timed cold. */
  readonly bothRegimes: boolean;
  /** Whether one thread runs every cell, or those of `scaled` alone where more threads run too. */
  readonly everyThread: boolean;
}

/** One or two of each kind, for a suite that lasts minutes. */
const few: ReadonlySet<string> = new Set([
  "dense",
  "bf16 weights",
  "bf16 products",
  "int8 weights",
  "int4 weights",
  "nf4 weights",
  "unstructured 70 %",
  "unstructured 90 %",
  "2:4",
  "4:16",
  "blocks 4x1 70 %",
  "blocks 8x1 90 %",
  "low-rank 16",
  "W + S + UV",
  "W_q + S + UV",
  "monarch",
  "kronecker 4",
  "sampled gradient 3 %",
  "SLTrain layer",
]);

const oddBatches = [3, 5, 7, 11, 19, 31];
const middle: Shape = [2048, 2048];
const large: Shape = [4096, 4096];

const suites: Readonly<Record<SuiteName, Suite>> = {
  smoke: {
    operations: few,
    shapes: [middle],
    batches: [1, 64],
    middleBatches: [],
    denseBatches: [7],
    denseShapes: [middle],
    trainingBatch: 256,
    trainingShapes: [middle],
    coldFrom: 2048 * 2048,
    bothRegimes: false,
    everyThread: false,
  },
  targets: {
    operations: null,
    shapes: [[768, 768], middle, large],
    batches: [1, 64],
    middleBatches: [16],
    denseBatches: [...oddBatches, 256, 2048],
    denseShapes: [middle],
    trainingBatch: 2048,
    trainingShapes: [middle],
    coldFrom: 2048 * 2048,
    bothRegimes: false,
    everyThread: false,
  },
  full: {
    operations: null,
    shapes: [[768, 768], [3072, 768], [768, 3072], [4096, 1024], middle, [8192, 2048], large, [14336, 4096]],
    batches: [1, 2, 4, 8, 16, 64, 256, 2048],
    middleBatches: [],
    denseBatches: oddBatches,
    denseShapes: [[768, 768], [4096, 1024], middle, large],
    trainingBatch: 2048,
    trainingShapes: [[768, 768], [4096, 1024], middle, large],
    coldFrom: 4096 * 1024,
    bothRegimes: true,
    everyThread: true,
  },
};

/** Operations that also run on one thread where the suite leaves the others out: what more threads bring is told by them. */
const scaled: ReadonlySet<string> = new Set(["dense", "unstructured 90 %", "2:4", "int4 weights"]);

const isSame = (a: Shape, b: Shape): boolean => a[0] === b[0] && a[1] === b[1];

/** Done with a weight, not with a batch. */
const isOnce = ({ pass }: Operation): boolean => pass === "load" || pass === "update";

function batchesAt(operation: Operation, shape: Shape, suite: Suite): readonly number[] {
  const { name, pass, quantized } = operation;
  const has = (shapes: readonly Shape[]): boolean => shapes.some((found) => isSame(found, shape));
  if (isOnce(operation)) return [1];
  if (pass !== "forward") return has(suite.trainingShapes) ? [suite.trainingBatch] : [];
  const batches = isSame(shape, middle) ? [...suite.batches, ...suite.middleBatches] : suite.batches;
  // Fewer bits are for calls that wait for memory.
  if (quantized !== null) return batches.filter((batch) => batch <= 16);
  const more = name === "dense" && has(suite.denseShapes) ? suite.denseBatches : [];
  return [...batches, ...more].sort((a, b) => a - b);
}

function regimesOf(cell: Omit<Cell, "regime">, { coldFrom, bothRegimes }: Suite): readonly Regime[] {
  const { operation, out, inputs, batch } = cell;
  if (operation.pass !== "forward" || batch > 1 || out * inputs < coldFrom) return ["hot"];
  return bothRegimes ? ["hot", "cold"] : ["cold"];
}

/**
 * Those on most threads first: a thread that a library starts while fewer cores are allowed would keep to those.
 * @param only keeps cells whose name contains one of these; all when empty.
 */
export function cellsOf(name: SuiteName, threads: readonly number[], only: readonly string[]): Cell[] {
  const suite = suites[name];
  const most = Math.max(...threads);
  const descending = threads.toSorted((a, b) => b - a);
  const cells = descending.flatMap((count) =>
    operations
      .filter((operation) => suite.operations?.has(operation.name) ?? true)
      .filter((operation) => suite.everyThread || count === most || scaled.has(operation.name))
      .flatMap((operation) => {
        const shapes = isOnce(operation) ? [large] : suite.shapes;
        return shapes
          .filter(([out, inputs]) => operation.fits(out, inputs))
          .flatMap((shape) =>
            batchesAt(operation, shape, suite).flatMap((batch) => {
              const cell = { operation, out: shape[0], inputs: shape[1], batch, threads: count };
              return regimesOf(cell, suite).map((regime): Cell => ({ ...cell, regime }));
            }),
          );
      }),
  );
  const wanted = (cell: Cell): boolean =>
    only.length === 0 || only.some((text) => nameOfCell(cell).includes(text));
  return cells.filter(wanted);
}

export const nameOfCell = ({ operation, out, inputs, batch, threads, regime }: Cell): string =>
  isOnce(operation)
    ? `${operation.name} ${out}x${inputs} ${threads}T`
    : `${operation.name} ${out}x${inputs} batch ${batch} ${regime} ${threads}T`;

/** Cells that load the same weights, in the order in which they stand. */
export function groupCells(cells: readonly Cell[]): readonly (readonly Cell[])[] {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const { operation, out, inputs, threads } = cell;
    const key = [operation.name, out, inputs, threads].join(" ");
    const found = groups.get(key);
    if (found === undefined) groups.set(key, [cell]);
    else found.push(cell);
  }
  return [...groups.values()];
}
