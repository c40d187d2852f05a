/** Results of cells that nobody ran, for the tests of what is made of results. */
import { cellsOf, nameOfCell } from "../../bench/speed/cells.ts";
import type { CellResult, Timed } from "../../bench/speed/measure-cell.ts";
import type { MachineRates } from "../../bench/speed/probes.ts";
import type { RunFacts } from "../../bench/speed/report.ts";

export const sampleRates: MachineRates = {
  read: { L2: 100e9, L3: 50e9, memory: 10e9 },
  copy: 8e9,
  multiplies: 50e9,
  permutes: 4e9,
};

/** Somebody's time, `ratio` times spx's microsecond. */
export const timed = (
  name: string,
  kind: Timed["kind"],
  ratio: number,
  error: number | null = 1e-7,
): Timed => ({
  name,
  kind,
  median: ratio * 1e-6,
  quartiles: [ratio * 1e-6, ratio * 1e-6],
  ratio,
  error,
});

/** The first cell of the targets whose name contains `only`; @param seconds its roofline, where spx takes a microsecond. */
export function sampleResult(
  only: string,
  peers: readonly Timed[],
  seconds: number,
  threads = 2,
): CellResult {
  const [cell] = cellsOf("targets", threads === 1 ? [1] : [1, threads], [only]).filter(
    (found) => found.threads === threads,
  );
  if (cell === undefined) throw new Error(only);
  return {
    cell,
    name: nameOfCell(cell),
    own: timed("spx", "spx", 1),
    peers,
    plan: { variant: "separate/lane-output", form: "y = W x", predicted: 1.5e-6 },
    roofline: { seconds, bound: "bytes", level: "memory" },
    refused: [],
    drift: 0,
    runs: 1,
  };
}

export const sampleFacts: RunFacts = {
  date: "2026-01-01",
  cpu: "a CPU",
  cores: 2,
  node: "20.0.0",
  spx: "0.1.0",
  level: "x86-64-v4",
  heldDown: false,
  suite: "targets",
  only: [],
  rounds: 3,
  rates: [{ threads: 1, rates: sampleRates }],
  peers: ["MKL (1)"],
  missing: ["BLIS: not installed"],
  failed: [],
  build: { seconds: 1, bytes: 1024, transforms: 1 },
  builds: [{ name: "Dense", seconds: 0.5, kernelBytes: 2048 }],
  behaviour: {
    idleDelay: 1.2,
    asyncDelay: 2.5,
    syncDelay: 20,
    call: 18,
    workers: 4,
    calls: 80,
    wrong: 0,
  },
};
