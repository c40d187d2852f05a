// Which cells a suite has, what they load, and how a run goes on that was cut off.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { cellsOf, groupCells, nameOfCell, suiteNames } from "../../bench/speed/cells.ts";
import { openJournal } from "../../bench/speed/journal.ts";
import { operations } from "../../bench/speed/operations.ts";
import { encodeBlocks } from "../../bench/speed/peers/ggml-blocks.ts";
import type { Problem } from "../../bench/speed/problem.ts";
import { quantizedWeight } from "../../bench/speed/quantized-weight.ts";
import { targets } from "../../bench/speed/targets.ts";
import { planFile } from "../../compiler/driver/compile.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { gridLevels } from "../../runtime/tensor/quantized-grid.ts";
import { root } from "../architecture/source-files.ts";
import { sampleResult } from "./sample-results.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe("suites", () => {
  it("name every cell once", () => {
    for (const suite of suiteNames) {
      const names = cellsOf(suite, [1, 2], []).map(nameOfCell);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("have a cell for each target, the larger ones at least", () => {
    const cells = cellsOf("targets", [1, 2], []);
    expect(targets.filter(({ applies }) => !cells.some(applies)).map(({ name }) => name)).toEqual([]);
  });

  it("hold every operation; what is loaded is in operations.spx", () => {
    const { transforms, diagnostics } = planFile(join(root, "bench/speed/operations.spx"), nodeHost());
    expect(diagnostics).toEqual([]);
    const compiled = new Set(transforms.map(({ checked }) => checked.name));
    const wanted = operations.flatMap(({ loaded, base }) => [loaded, base].flatMap((form) => form ?? []));
    expect(wanted.filter(({ transform }) => !compiled.has(transform))).toEqual([]);
    const named = new Set(cellsOf("full", [2], []).map(({ operation }) => operation.name));
    expect(operations.filter(({ name }) => !named.has(name))).toEqual([]);
  }, 60_000);

  it("are cut to the cells that are asked for, and grouped by what they load", () => {
    const cells = cellsOf("targets", [1, 2], ["2:4 2048x2048", "dense 768x768 batch 64"]);
    expect(cells.every((cell) => /2:4 2048x2048|dense 768x768 batch 64/.test(nameOfCell(cell)))).toBe(true);
    for (const group of groupCells(cells))
      expect(new Set(group.map(({ operation, threads }) => `${operation.name} ${threads}`)).size).toBe(1);
    expect(groupCells(cells).flat()).toHaveLength(cells.length);
  });
});

describe("a journal", () => {
  const journalIn = (): string => {
    const folder = mkdtempSync(join(tmpdir(), "spx-journal-"));
    folders.push(folder);
    return join(folder, "inner", "cells.jsonl");
  };
  const first = sampleResult("dense 2048x2048 batch 64", [], 9e-7);
  const second = sampleResult("2:4 2048x2048 batch 64", [], 9e-7);

  it("gives back what was added, also when its last line was cut off", () => {
    const path = journalIn();
    openJournal(path, "a", false).add(first);
    appendFileSync(path, '{"identity":"a","res');
    const again = openJournal(path, "a", true);
    expect([...again.kept.keys()]).toEqual([first.name]);
    again.add(second);
    expect(openJournal(path, "a", true).kept.size).toBe(2);
  });

  it("forgets what other kernels did, and everything when it is not resumed", () => {
    const path = journalIn();
    openJournal(path, "a", false).add(first);
    expect(openJournal(path, "b", true).kept.size).toBe(0);
    openJournal(path, "b", true).add(second);
    expect(openJournal(path, "b", false).kept.size).toBe(0);
    expect(readFileSync(path, "utf8")).toBe("");
  });
});

describe("codes of a quantized weight", () => {
  it("are found again from its values, for every grid", () => {
    for (const type of ["int8", "int4", "nf4"] as const) {
      const levels = gridLevels[type];
      const highest = type === "nf4" ? 1 : Math.max(...levels);
      // A block holds its largest level, which the scale is known by.
      const places = Array.from({ length: 64 }, (_, index) =>
        index % 32 === 0 ? levels.length - 1 : (index * 7) % levels.length,
      );
      const scale = (index: number): number => (index < 32 ? 0.5 : 3);
      const weight = Float32Array.from(places, (place, index) => (levels[place] ?? 0) * scale(index));
      const found = quantizedWeight(weight, 64, type, 32);
      expect([...found.scales]).toEqual([0.5, 3]);
      found.codes.forEach((code, index) => {
        const level = type === "nf4" ? (levels[code] ?? Number.NaN) : code;
        expect(level * scale(index)).toBeCloseTo(weight[index] ?? Number.NaN, 5);
        expect(Math.abs(level)).toBeLessThanOrEqual(highest);
      });
    }
  });

  it("are refused of a weight that lies on no grid", () => {
    const weight = Float32Array.from({ length: 32 }, (_, index) => Math.sin(index));
    expect(() => quantizedWeight(weight, 32, "int4", 32)).toThrow(/not on the grid of int4/);
  });

  it("go into ggml's blocks: a half-precision scale, then pairs 16 apart", () => {
    const weight = Float32Array.from({ length: 32 }, (_, index) => 2 * ((index % 15) - 7));
    const quantized = quantizedWeight(weight, 32, "int4", 32);
    const bytes = encodeBlocks({ weight, quantized, inputs: 32 } as Problem, "int4");
    expect(bytes).toHaveLength(18);
    // 2 in half precision.
    expect([bytes[0], bytes[1]]).toEqual([0x00, 0x40]);
    const decoded = Array.from({ length: 32 }, (_, index) => {
      const pair = bytes[2 + (index % 16)] ?? 0;
      return 2 * ((index < 16 ? pair & 15 : pair >> 4) - 8);
    });
    expect(decoded).toEqual([...weight]);
  });
});
