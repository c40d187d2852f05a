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
import { sweep } from "./sweep.ts";

test("60 programs of seed 4 agree on every level, 8 of them down to machine code", async () => {
  const report = await sweep({
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
  });
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
