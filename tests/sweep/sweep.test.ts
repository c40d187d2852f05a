/** A small sweep on every run of the tests; `npm run sweep` is the long one. */
import { expect, test } from "vitest";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { chooseSizes } from "./choose-sizes.ts";
import { constructs, countConstructs } from "./construct-coverage.ts";
import { generateProgram } from "./generate-program.ts";
import { conditionsOf } from "./program-declarations.ts";
import { programText } from "./program-text.ts";
import { createRandom } from "./random.ts";
import { road } from "./road.ts";
import { type SweepOptions, sweep } from "./sweep.ts";

const options: SweepOptions = {
  programs: 60,
  seed: 4,
  nativeEvery: 3,
  mostNative: 8,
  casesInLibrary: 8,
  nativeVariants: 1,
  backwardEvery: 1,
  sizesEach: 2,
  choices: { loopVariants: 1, loopBatches: 1, everyTarget: true },
  host: nodeHost(),
  road,
  shrinkTries: 150,
};

test("a sweep that is ended early reports what has run", async () => {
  const told: number[] = [];
  const goOn = async (ran: number): Promise<boolean> => told.push(ran) <= 3;
  const report = await sweep({ ...options, nativeEvery: 0, goOn });
  expect(report).toMatchObject({ programs: told.at(-1), differences: [] });
  expect(told).toHaveLength(4);
  expect(report.programs).toBeGreaterThan(0);
});

test("60 programs of seed 4 agree on every level, 8 of them down to machine code", async () => {
  const report = await sweep(options);
  expect(report.differences).toEqual([]);
  expect(report.programs).toBe(60);
  expect(report.cases).toBeGreaterThan(90);
  expect(report.nativeCases).toBe(8);
  expect(report.nativeBackward).toBeGreaterThan(4);
  expect(report.kernels).toBeGreaterThan(12);
}, 400_000);

const programs = Array.from({ length: 1000 }, (_, seed) => generateProgram(seed, `P${seed}`));

test("equal seeds give equal programs, different ones different programs", () => {
  programs.slice(0, 20).forEach((program, seed) => {
    expect(programText(generateProgram(seed, `P${seed}`))).toBe(programText(program));
  });
  const bodies = programs.map((program) => programText({ ...program, name: "P" }));
  expect(new Set(bodies).size).toBeGreaterThan(900);
});

test("1000 programs hold every construct that a weight can be written with", () => {
  const counts = countConstructs(programs);
  expect(constructs.filter((construct) => !counts.has(construct))).toEqual([]);
});

test("sizes meet the conditions of their program and reach both sides of a panel", () => {
  const seen = new Set<number>();
  programs.forEach((program, seed) => {
    const sizes = chooseSizes(program, createRandom(seed));
    if (sizes === null) return;
    for (const { dividend, divisor } of conditionsOf(program.weight))
      expect(evaluateNumber(dividend, sizes) % evaluateNumber(divisor, sizes)).toBe(0);
    for (const side of [program.weight.rows, program.weight.columns]) seen.add(evaluateNumber(side, sizes));
  });
  for (const size of [1, 7, 15, 16, 17, 31, 32, 33]) expect(seen).toContain(size);
});
