/** A small sweep on every run of the tests; `npm run sweep` is the long one. */
import { expect, test } from "vitest";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { chooseSizes } from "./choose-sizes.ts";
import { generateProgram } from "./generate-program.ts";
import { conditionsOf, type Expression, nodesOf, patternsOf, tensorsOf } from "./program.ts";
import { programText } from "./program-text.ts";
import { createRandom } from "./random.ts";
import { road } from "./road.ts";
import { sweep } from "./sweep.ts";

test("60 programs of seed 4 agree on every level, 20 of them down to machine code", async () => {
  const report = await sweep({
    programs: 60,
    seed: 4,
    nativeEvery: 3,
    mostNative: 20,
    casesInLibrary: 20,
    nativeVariants: 2,
    sizesEach: 2,
    choices: { loopVariants: 1, loopBatches: 1, everyTarget: true },
    host: nodeHost(),
    road,
    shrinkTries: 150,
  });
  expect(report.differences).toEqual([]);
  expect(report.programs).toBe(60);
  expect(report.cases).toBeGreaterThan(90);
  expect(report.nativeCases).toBe(20);
  expect(report.nativeBackward).toBeGreaterThan(10);
  expect(report.kernels).toBeGreaterThan(30);
}, 300_000);

const programs = Array.from({ length: 600 }, (_, seed) => generateProgram(seed, `P${seed}`));

test("equal seeds give equal programs, different ones different programs", () => {
  programs.slice(0, 20).forEach((program, seed) => {
    expect(programText(generateProgram(seed, `P${seed}`))).toBe(programText(program));
  });
  const bodies = programs.map((program) => programText({ ...program, name: "P" }));
  expect(new Set(bodies).size).toBeGreaterThan(525);
});

test("600 programs hold every construct", () => {
  const kinds = new Set(programs.flatMap(({ weight }) => [...nodesOf(weight)].map(({ kind }) => kind)));
  const all: readonly Expression["kind"][] = [
    "tensor",
    "sum",
    "product",
    "scale",
    "negative",
    "transpose",
    "mask",
    "hadamard",
    "kron",
    "blockdiag",
    "rows",
    "columns",
    "zeros",
    "indicator",
    "diag",
    "identity",
    "permutation",
    "loop",
    "let",
    "call",
    "map",
    "quotient",
    "detach",
    "normed",
    "entry",
    "sorted",
  ];
  expect([...kinds].sort()).toEqual([...all].sort());
  const tensors = programs.flatMap(({ weight }) => tensorsOf(weight));
  expect(new Set(tensors.map(({ structure }) => structure))).toEqual(
    new Set(["dense", "sparse", "blockdiag", "diag", "vector"]),
  );
  expect(new Set(tensors.map(({ role }) => role))).toEqual(
    new Set(["frozen", "source", "param", "computed"]),
  );
  expect(tensors.some(({ stack }) => stack !== null)).toBe(true);
  expect(tensors.some(({ isShared }) => isShared)).toBe(true);
  expect(new Set(tensors.map(({ grid }) => grid?.kind))).toEqual(new Set([undefined, "int8", "int4"]));
  const patterns = programs.flatMap(({ weight }) => patternsOf(weight));
  const shapes = patterns.map(({ shape }) => (shape.kind === "nm" ? `nm along ${shape.axis}` : shape.kind));
  expect(new Set(shapes)).toEqual(new Set(["unstructured", "nm along input", "nm along output", "block"]));
  expect(new Set(patterns.map(({ selection }) => selection.kind))).toEqual(
    new Set([
      ...["magnitude", "topk", "random", "above", "below", "nonzero", "top_rows", "top_columns"],
      ...["random_rows", "random_columns", "all", "diagonal", "not", "and", "or"],
    ]),
  );
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
