// What the benchmark computes from its samples: ratios, errors, rooflines, which target a cell misses.
import { describe, expect, it } from "vitest";
import { cellsOf, nameOfCell } from "../../bench/speed/cells.ts";
import type { CellResult, Timed } from "../../bench/speed/measure-cell.ts";
import { driftOf, type MachineRates } from "../../bench/speed/probes.ts";
import { compressRows, errorOf } from "../../bench/speed/problem.ts";
import { bestDense, bestPeer, judge, resultsMarkdown } from "../../bench/speed/report.ts";
import { levelOf, rooflineOf } from "../../bench/speed/roofline.ts";

const rates: MachineRates = {
  read: { L2: 100e9, L3: 50e9, memory: 10e9 },
  multiplies: 50e9,
  permutes: 4e9,
};

const timed = (name: string, kind: Timed["kind"], ratio: number): Timed => ({
  name,
  kind,
  median: ratio * 1e-6,
  quartiles: [ratio * 1e-6, ratio * 1e-6],
  ratio,
  error: 1e-7,
});

function result(only: string, peers: readonly Timed[], seconds: number): CellResult {
  const [cell] = cellsOf("smoke", [1], only);
  if (cell === undefined) throw new Error(only);
  return {
    cell,
    name: nameOfCell(cell),
    own: timed("spx", "spx", 1),
    peers,
    plan: { variant: "separate/lane-output", form: "y = W x", predicted: 1e-6 },
    roofline: { seconds, bound: "bytes", level: "memory" },
    refused: [],
    drift: 0,
    runs: 1,
  };
}

describe("a problem", () => {
  const problem = {
    out: 2,
    inputs: 3,
    batch: 1,
    threads: 1,
    copies: 1,
    sparseCopies: 1,
    weight: Float32Array.of(1, 0, 2, 0, 0, 3),
    x: Float32Array.of(1, 1, 1),
  };

  it("tells a right result from a wrong one and from one never written", () => {
    expect(errorOf(problem, Float32Array.of(3, 3))).toBe(0);
    expect(errorOf(problem, Float32Array.of(3, 3.3))).toBeCloseTo(0.1, 5);
    expect(errorOf(problem, Float32Array.of(3, Number.NaN))).toBe(Number.POSITIVE_INFINITY);
  });

  it("is compressed row by row", () => {
    const { starts, columns, values } = compressRows(problem.weight, 2, 3);
    expect([...starts]).toEqual([0, 2, 3]);
    expect([...columns]).toEqual([0, 2, 2]);
    expect([...values]).toEqual([1, 2, 3]);
  });
});

describe("the roofline", () => {
  it("is the slowest of bytes, multiplies and permutes", () => {
    const work = { bytes: 100e3, multiplies: 1e6, permutes: 1e3 };
    expect(rooflineOf(work, rates, "memory")).toMatchObject({ seconds: 2e-5, bound: "multiplies" });
    expect(rooflineOf({ ...work, bytes: 1e6 }, rates, "memory")).toMatchObject({
      seconds: 1e-4,
      bound: "bytes",
    });
  });

  it("takes the level that holds the bytes", () => {
    const caches = { secondLevel: 1 << 20, thirdLevel: 32 << 20 };
    expect(levelOf(1 << 19, caches, 1, false)).toBe("L2");
    expect(levelOf(1 << 20, caches, 2, false)).toBe("L2");
    expect(levelOf(1 << 20, caches, 1, false)).toBe("L3");
    expect(levelOf(1 << 19, caches, 1, true)).toBe("memory");
  });

  it("of a machine that changed is seen as drift", () => {
    expect(driftOf(rates, rates)).toBe(0);
    expect(driftOf(rates, { ...rates, multiplies: 40e9 })).toBeCloseTo(0.2);
  });
});

describe("the report", () => {
  const peers = [
    timed("MKL", "dense", 1.5),
    timed("spx dense", "dense", 1.2),
    timed("rows", "structured", 1.1),
  ];

  it("compares with others for the peer, and with spx's own dense kernel too for the dense form", () => {
    const cell = result("2:4 768x768 batch 1 cold", peers, 9e-7);
    expect(bestPeer(cell)?.name).toBe("rows");
    expect(bestDense(cell)?.name).toBe("spx dense");
  });

  it("says of each target how many cells reach it and which is farthest below", () => {
    const below = judge([result("2:4 768x768 batch 1 cold", peers, 9e-7)]);
    const target = below.find(({ target: { name } }) => name === "2:4, batch 1");
    expect(target).toMatchObject({ met: 0 });
    expect(target?.worst?.reached).toBeCloseTo(1.2 / 1.7);
    const fast = peers.map((peer) => ({ ...peer, ratio: 2 }));
    const above = judge([result("2:4 768x768 batch 1 cold", fast, 9.5e-7)]);
    expect(above.find(({ target: { name } }) => name === "2:4, batch 1")).toMatchObject({ met: 1 });
  });

  it("names machine, peers and what could not take part", () => {
    const text = resultsMarkdown([result("dense 768x768 batch 64", peers, 9e-7)], {
      date: "2026-01-01",
      cpu: "a CPU",
      level: "x86-64-v4",
      suite: "smoke",
      rounds: 3,
      rates: [{ threads: 1, rates }],
      peers: ["MKL (1)"],
      missing: ["BLIS: not installed"],
      build: { seconds: 1, bytes: 1024, transforms: 1 },
    });
    expect(text).toContain("not here: BLIS: not installed");
    expect(text).toContain("1 thread: 100 GFLOP/s");
    expect(text).toContain("dense 768x768 batch 64 hot 1T");
  });
});
