// What a reader is told: who was best, which targets are reached, what everybody took, and where the numbers are from.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  bestDense,
  bestPeer,
  bestRounded,
  judge,
  scalingOf,
  summarise,
  worstFirst,
} from "../../bench/speed/judge-cells.ts";
import { resultsMarkdown } from "../../bench/speed/report.ts";
import { resultsPage } from "../../bench/speed/results-page.ts";
import { root } from "../architecture/source-files.ts";
import { sampleFacts, sampleResult, timed } from "./sample-results.ts";

const peers = [
  timed("MKL", "dense", 1.5),
  timed("spx dense", "dense", 1.2),
  timed("rows", "structured", 1.1),
  timed("eight bits", "structured", 0.4, 1e-2),
];

describe("who was best", () => {
  it("is one of others for the peer, spx's own dense kernel too for the dense form", () => {
    const cell = sampleResult("2:4 2048x2048 batch 1 cold", peers, 9e-7);
    expect(bestPeer(cell)?.name).toBe("rows");
    expect(bestDense(cell)?.name).toBe("spx dense");
  });

  it("is told apart from who rounds to fewer bits", () => {
    expect(bestRounded(sampleResult("int4 weights 2048x2048", peers, 9e-7))?.name).toBe("eight bits");
    expect(bestRounded(sampleResult("dense 2048x2048", peers.slice(0, 2), 9e-7))).toBeNull();
  });
});

describe("targets", () => {
  const named = (name: string, judged: ReturnType<typeof judge>) =>
    judged.find(({ target }) => target.name === name);

  it("say how many cells reach them and which is farthest below", () => {
    const below = named("2:4, batch 1", judge([sampleResult("2:4 2048x2048 batch 1 cold", peers, 9e-7)]));
    expect(below).toMatchObject({ met: 0 });
    expect(below?.worst?.reached).toBeCloseTo(1.2 / 1.7);
    const fast = peers.map((peer) => ({ ...peer, ratio: 2 }));
    const above = judge([sampleResult("2:4 2048x2048 batch 1 cold", fast, 9.5e-7)]);
    expect(named("2:4, batch 1", above)).toMatchObject({ met: 1 });
  });

  it("of what is added to a base count the time over the base alone", () => {
    const over = (ratio: number) =>
      named(
        "low-rank 16 over its base",
        judge([sampleResult("low-rank 16 2048x2048 batch 1", [timed("spx base", "base", ratio)], 9e-7)]),
      );
    expect(over(1 / 1.02)).toMatchObject({ met: 1 });
    expect(over(1 / 1.05)).toMatchObject({ met: 0 });
  });

  it("do not judge what is not offered", () => {
    const absent = { ...sampleResult("dense 2048x2048 batch 64", peers, 9e-7), own: null };
    expect(judge([absent])).toEqual([]);
  });
});

describe("a summary", () => {
  const even = sampleResult("2:4 2048x2048 batch 64", [timed("MKL", "dense", 1)], 5e-7);
  const slow = sampleResult("2:4 2048x2048 batch 16", [timed("MKL", "dense", 0.9)], 5e-7);

  it("counts cells that are slower than the best dense form by more than 3 %", () => {
    const { slower, roofline, cells } = summarise([even, slow]);
    expect(slower.map(({ name }) => name)).toEqual([slow.name]);
    expect(roofline).toBeCloseTo(0.5);
    expect(cells).toBe(2);
  });

  it("puts the cell first that is farthest behind", () => {
    expect(worstFirst([even, slow]).map(({ name }) => name)).toEqual([slow.name, even.name]);
  });

  it("tells what more threads bring, for cells that ran with both", () => {
    const one = sampleResult("dense 2048x2048 batch 64", peers, 9e-7, 1);
    const two = sampleResult("dense 2048x2048 batch 64", peers, 9e-7, 2);
    const slowOne = { ...one, own: timed("spx", "spx", 1.8) };
    expect(scalingOf([slowOne, two, even])).toEqual([{ name: one.name, threads: 2, faster: 1.8 }]);
  });
});

describe("what is written", () => {
  const offered = sampleResult("dense 2048x2048 batch 64", peers, 9e-7);
  const absent = { ...sampleResult("bf16 weights 2048x2048 batch 64", peers, 9e-7), own: null, plan: null };
  const results = [offered, { ...absent, roofline: null, refused: ["oneDNN: <no>"] }];

  it("names machine, peers, what could not take part and what is not offered", () => {
    const text = resultsMarkdown(results, sampleFacts);
    expect(text).toContain("not here: BLIS: not installed");
    expect(text).toContain("1 thread: 100 GFLOP/s");
    expect(text).toContain(offered.name);
    expect(text).toMatch(/bf16 weights .* not offered yet/);
    expect(text).toContain("0 of 80 calls wrong");
    expect(text).toContain("| Dense | 0.5 | 2 KiB |");
  });

  it("is told as forced down when it is", () => {
    const text = resultsMarkdown(results, { ...sampleFacts, level: "x86-64-v3", heldDown: true });
    expect(text).toContain("kernels for x86-64-v3, forced down");
  });

  it("is also a page that needs nothing beside it, with everybody's time", () => {
    const page = resultsPage(results, sampleFacts);
    expect(page).not.toMatch(/https?:|src=|@import|<link/);
    expect(page).toContain("refused: oneDNN: &lt;no&gt;");
    for (const { name } of [...peers, offered]) expect(page).toContain(name);
    expect(page.match(/<tr>/g)?.length).toBe(page.match(/<\/tr>/g)?.length);
  });

  it("has every field of its JSON in docs/benchmark.md", () => {
    const told = readFileSync(join(root, "docs/benchmark.md"), "utf8");
    const fields = new Set<string>();
    const collect = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(collect);
      else if (typeof value === "object" && value !== null)
        for (const [name, inner] of Object.entries(value)) {
          fields.add(name);
          collect(inner);
        }
    };
    collect(JSON.parse(JSON.stringify({ facts: sampleFacts, results })));
    // Numbers of an operation are its transform's own.
    for (const own of ["height", "width", "keep", "r"]) fields.delete(own);
    expect([...fields].filter((name) => !told.includes(`\`${name}\``))).toEqual([]);
  });
});
