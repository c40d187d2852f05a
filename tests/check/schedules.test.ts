/** Schedules and phases: their values at the points that their sources name, their types, and what they may read. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkModule } from "../../compiler/check/check-module.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { printChecked } from "../../compiler/check/print-checked.ts";
import { type Clocks, numbersAt } from "../../runtime/contract/time.ts";
import { textHost } from "./text-host.ts";

function checked(statements: string, more = ""): CheckedTransform {
  const text = `import { clamp, constant_then_linear, cosine, cubic, decay, exponential, frame, linear, over } from "std/schedule"
transform T(W: frozen [out, in]${more}) {
${statements}
  weight = W
}
`;
  const { module, diagnostics } = checkModule("case.spx", textHost({ "case.spx": text }));
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const [transform] = module?.transforms ?? [];
  if (transform === undefined) throw new Error("it does not check");
  return transform;
}

const valueAt = (
  transform: CheckedTransform,
  clocks: Clocks,
  symbols: Record<string, number> = {},
): number => {
  const { time } = transform;
  if (time === null) throw new Error("nothing follows the clocks");
  return numbersAt(time, new Map(Object.entries(symbols)), clocks).get("s") ?? Number.NaN;
};

describe("ramps of the library", () => {
  /** Expression, clock, and the formula of its source with plain arithmetic. */
  const ramps: readonly (readonly [string, "progress" | "step", (at: number) => number])[] = [
    ["linear(2, -1, progress)", "progress", (u) => 2 - 3 * u],
    ["cubic(1, 0.2, progress)", "progress", (u) => 0.2 + 0.8 * (1 - u) * (1 - u) * (1 - u)],
    ["cosine(3, 1, progress)", "progress", (u) => 1 + (3 - 1) * 0.5 * (1 + Math.cos(Math.PI * u))],
    ["exponential(4, 0.25, progress)", "progress", (u) => 4 * 2 ** (-4 * u)],
    ["decay(step, 0.01)", "step", (t) => Math.E ** (-0.01 * t)],
    ["over(step, 10, 30)", "step", (t) => (t <= 10 ? 0 : t >= 30 ? 1 : (t - 10) / 20)],
    [
      "constant_then_linear(5, 1, step, 10, 30)",
      "step",
      (t) => (t <= 10 ? 5 : t >= 30 ? 1 : 5 - (t - 10) / 5),
    ],
    ["frame(step, 20, 4)", "step", (t) => (t < 20 ? 0 : t < 40 ? 1 : t < 60 ? 2 : 3)],
    ["clamp(step / 10, 1, 2)", "step", (t) => (t < 10 ? 1 : t > 20 ? 2 : t / 10)],
  ];
  test.each(ramps)("%s", (expression, clock, formula) => {
    const transform = checked(`  schedule s: real = ${expression}`);
    const times =
      clock === "progress"
        ? [0, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.99, 1]
        : [0, 1, 9, 10, 19, 20, 21, 30, 59, 60, 999];
    for (const at of times) expect(valueAt(transform, { [clock]: at })).toBeCloseTo(formula(at), 12);
  });

  test("the cubic ramp at its ends and a third of the way: s_f (1 - 1/8) at half", () => {
    const transform = checked("  schedule s: ratio = cubic(0, 0.9, over(progress, 0.1, 0.7))");
    const at = (progress: number): number => valueAt(transform, { progress });
    expect([at(0), at(0.1), at(0.4), at(0.7), at(1)].map((value) => Math.round(value * 1e12) / 1e12)).toEqual(
      [0, 0, 0.7875, 0.9, 0.9],
    );
  });

  test("the mean of a cubic sparsity over the run is s_f (3/4 (b - a) + 1 - b)", () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 1, max: 8 })),
        ([first, length]) => {
          const [a, b] = [first / 20, (first + length) / 20];
          const transform = checked(`  schedule s: ratio = cubic(0, 0.8, over(progress, ${a}, ${b}))`);
          const points = 4000;
          let sum = 0;
          for (let index = 0; index < points; index++)
            sum += valueAt(transform, { progress: (index + 0.5) / points });
          expect(sum / points).toBeCloseTo(0.8 * (0.75 * (b - a) + 1 - b), 5);
        },
      ),
      { numRuns: 10, seed: 1 },
    );
  });

  test("the frames of 350 epochs with a tenth dense and a tenth at the end change at 35, 105, 175 and 245", () => {
    const transform = checked("  schedule s: int = frame(epoch - 35, 70, 4)");
    const changes: number[] = [];
    for (let epoch = 1; epoch < 350; epoch++)
      if (valueAt(transform, { epoch }) !== valueAt(transform, { epoch: epoch - 1 })) changes.push(epoch);
    expect(changes).toEqual([35, 105, 175, 245]);
  });
});

describe("phases", () => {
  test("are numbers and conditions, with the intervals that they are", () => {
    const transform = checked(`
  phase warm = step < 5
  phase late = progress > 0.5 and 0.9 >= progress
  phase odd = step % 2 == 1
  schedule s: real = warm * 2 + when(late and not warm) * 10 + odd`);
    const at = (step: number, progress: number): number => valueAt(transform, { step, progress });
    expect([at(0, 0), at(1, 0.7), at(6, 0.7), at(7, 0.95), at(8, 0.9)]).toEqual([2, 3, 10, 1, 10]);
    const phases = transform.time?.numbers.filter((entry) => entry.kind === "phase") ?? [];
    expect(phases.map(({ name, intervals }) => [name, intervals?.length ?? null])).toEqual([
      ["warm", 1],
      ["late", 2],
      ["odd", null],
    ]);
    expect(phases[1]?.intervals).toEqual([
      { clock: "progress", from: { kind: "number", value: 0.5 }, afterStart: true, to: null, withEnd: false },
      { clock: "progress", from: null, afterStart: false, to: { kind: "number", value: 0.9 }, withEnd: true },
    ]);
    expect(transform.time?.clocks).toEqual(["step", "progress"]);
  });
});

describe("types and obligations", () => {
  test("a value out of its type at a time is refused there", () => {
    const transform = checked("  schedule s: ratio = a * progress", ", a: real = 1");
    expect(valueAt(transform, { progress: 0.5 }, { a: 2 })).toBe(1);
    expect(() => valueAt(transform, { progress: 0.75 }, { a: 2 })).toThrow(
      /`s` is 1.5, expected a number from 0 to 1/,
    );
  });

  test("a division by a clock is no requirement at load, and no number where the clock is 0", () => {
    const transform = checked("  schedule s: real = 1 / (step + a)", ", a: real = 1");
    expect(transform.requirements).toEqual([]);
    expect(() => valueAt(transform, { step: 2 }, { a: -2 })).toThrow(/expected a finite number/);
  });

  test("a schedule that reads another comes after it, in whatever order they are written", () => {
    const transform = checked("  schedule s: real = 2 * other\n  schedule other: real = progress + 1");
    expect(transform.time?.numbers.map(({ name }) => name)).toEqual(["other", "s"]);
    expect(valueAt(transform, { progress: 0.25 })).toBe(2.5);
  });

  test("a requirement may speak of schedules", () => {
    const transform = checked("  schedule s: real = progress\n  require s <= a", ", a: real = 2");
    expect(transform.requirements.map(({ text }) => text)).toEqual(["s <= a"]);
    expect(printChecked({ transforms: [transform], models: [] })).toContain("schedule s: real = progress");
  });
});

test("a schedule that divides by nothing is one mistake", () => {
  const text = `import { linear, over } from "std/schedule"
transform T(W: frozen [out, in], end: int = 0) {
  schedule s: ratio = linear(0, 1, over(step, 0, end))
  weight = s * W
}
`;
  const { diagnostics } = checkModule("case.spx", textHost({ "case.spx": text }));
  expect(diagnostics.map(({ code }) => code)).toEqual(["SPX4501"]);
});
