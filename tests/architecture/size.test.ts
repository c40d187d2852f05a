// Files stay small enough to be read in one go: above 300 lines a file says why (`// size: reason`), above 500 it is split.

import { describe, expect, it } from "vitest";
import { readSources } from "./source-files.ts";

const asksWhyAbove = 300;
const splitAbove = 500;
const reason = /^\s*(?:\/\/|\*|\/\*\*?)\s*size: \S.+/m;

const sizes = readSources()
  .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length, hasReason: reason.test(text) }))
  .sort((a, b) => b.lines - a.lines);

describe("file sizes", () => {
  it("are told: the largest files and the median", () => {
    const median = sizes[Math.floor(sizes.length / 2)]?.lines ?? 0;
    const largest = sizes.slice(0, 10).map(({ path, lines }) => `${String(lines).padStart(5)}  ${path}`);
    console.log(`${sizes.length} source files, median ${median} lines; the largest:\n${largest.join("\n")}`);
    expect(median).toBeLessThanOrEqual(200);
  });

  it(`above ${asksWhyAbove} lines come with a reason`, () => {
    const silent = sizes.filter(({ lines, hasReason }) => lines > asksWhyAbove && !hasReason);
    expect(silent.map(({ path, lines }) => `${path}: ${lines} lines and no \`// size: reason\``)).toEqual([]);
  });

  it(`never exceed ${splitAbove} lines`, () => {
    expect(
      sizes.filter(({ lines }) => lines > splitAbove).map(({ path, lines }) => `${path}: ${lines} lines`),
    ).toEqual([]);
  });
});
