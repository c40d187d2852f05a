import { describe, expect, it } from "vitest";
import { byteNanoseconds, widestMachine } from "../../compiler/plan/cost-model.ts";
import { costAt, lowerEnvelope } from "../../compiler/plan/envelope.ts";
import { printPlan } from "../../compiler/plan/print-plan.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { mostChoices, priceError, sampledBatches } from "../../runtime/contract/batch-intervals.ts";
import { evaluateNumber, number, symbolsOf } from "../../runtime/contract/number-expression.ts";
import { samples } from "../algebra/sample-transforms.ts";
import { planOf, sampleNamed, squareValues } from "./sample-plans.ts";

const sizes = [64, 384, 4096].map(squareValues);

describe.each(samples)("cost of $transform.name", ({ transform }) => {
  const plan = planOf(transform, "all");

  it("is a positive number that grows with the batch", () => {
    for (const values of sizes) checkPrices(values);
  });

  const checkPrices = (values: ReadonlyMap<string, number>): void => {
    for (const { cost, name } of plan.variants) {
      expect(symbolsOf(cost)).toContain("batch");
      const prices = [1, 16, 32, 256, 4096].map((batch) => costAt(cost, values, batch));
      expect(
        prices.every((price) => Number.isFinite(price) && price > 0),
        name,
      ).toBe(true);
      expect(prices, name).toEqual([...prices].sort((a, b) => a - b));
    }
    for (const { bytes, multiplies } of plan.operands) {
      expect(evaluateNumber(bytes, values)).toBeGreaterThan(0);
      expect(evaluateNumber(multiplies, values)).toBeGreaterThan(0);
    }
  };

  it("has an envelope that no variant undercuts by more than prices are off, over all batches without gaps", () => {
    for (const values of sizes) {
      const intervals = lowerEnvelope(plan.variants, values);
      expect(intervals[0]?.from).toBe(1);
      expect(intervals.at(-1)?.to).toBeNull();
      for (const [index, { from }] of intervals.slice(1).entries())
        expect(intervals[index]?.to).toBe(from - 1);
      for (const batch of sampledBatches.filter((_, index) => index % 7 === 0)) {
        const interval = intervals.find(({ from, to }) => from <= batch && (to === null || batch <= to));
        if (interval === undefined) throw new Error(`no interval for batch ${batch}`);
        const price = costAt(interval.variant.cost, values, batch);
        // Where more than three would be needed, the three that are missed most serve.
        const served = new Set(intervals.map(({ variant }) => variant)).size;
        const most = served < mostChoices ? priceError : 1.25;
        for (const { cost } of plan.variants)
          expect(price).toBeLessThanOrEqual(costAt(cost, values, batch) * most);
      }
    }
  });
});

describe("costs", () => {
  const winner = (name: string, size: number, batch: number, change: Record<string, number> = {}) => {
    const values = new Map([...squareValues(size), ...Object.entries(change)]);
    const priced = planOf(sampleNamed(name)).variants.map((variant) => ({
      name: variant.name,
      price: costAt(variant.cost, values, batch),
    }));
    return priced.reduce((best, other) => (other.price < best.price ? other : best)).name;
  };

  it("prefer a lane an output for single tokens and a lane a token for many", () => {
    expect(winner("SLTrain", 1024, 1)).toBe("separate/lane-output");
    expect(winner("SLTrain", 1024, 64)).toBe("separate/lane-token");
  });

  it("store a mask densely or packed by how much it keeps", () => {
    expect(winner("DSEE", 4096, 128, { keep: 0.9 })).toMatch(/^separate/);
    expect(winner("DSEE", 4096, 128, { keep: 0.05 })).toBe("sparse/lane-token");
    expect(winner("DSEE", 4096, 1, { keep: 0.1 })).toBe("sparse/lane-output");
  });

  it("merge when many tokens share the merge", () => {
    expect(winner("SLTrain", 1024, 1)).toBe("separate/lane-output");
    expect(winner("LoRA", 1024, 8193, { r: 512 })).toBe("merged/lane-output");
  });

  it("exclude a format whose index is too narrow", () => {
    expect(winner("SparseDelta", 4096, 64, { in: 65537 })).not.toBe("separate/lane-token");
  });

  it("hide reading from memory beneath multiply-adds, and from nowhere else", () => {
    const machine = widestMachine(defaultRates);
    const price = (bytes: number, beneath: number): number =>
      evaluateNumber(byteNanoseconds(number(bytes), machine, number(beneath)), new Map());
    const [near, far] = [machine.rates.memory.thirdLevelBytes, 4 * machine.rates.memory.thirdLevelBytes];
    expect(price(near, 1)).toBe(price(near, 0));
    expect(price(far, 0)).toBeCloseTo(machine.rates.memory.memoryNanoseconds.all, 12);
    expect(price(far, 1)).toBeCloseTo(machine.rates.memory.beneathMultipliesNanoseconds.all, 12);
    expect(price(far, 1)).toBeLessThan(price(far, 0));
  });

  it("pick the cheaper order of Kronecker factors", () => {
    const sizes = { p: 64, q: 2, s: 2, t: 64 };
    const [tall, wide] = [sizes, { p: 2, q: 64, s: 64, t: 2 }];
    const plan = planOf(sampleNamed("Kronecker"), "all");
    const price = (name: string, change: Record<string, number>): number => {
      const found = plan.variants.find((variant) => variant.name === name);
      return found === undefined
        ? Number.NaN
        : costAt(found.cost, new Map([...squareValues(64), ...Object.entries(change)]), 64);
    };
    expect(price("separate-reversed/lane-token", tall)).toBeLessThan(price("separate/lane-token", tall));
    expect(price("separate/lane-token", wide)).toBeLessThan(price("separate-reversed/lane-token", wide));
  });
});

describe("print", () => {
  it("prints the plan", () => {
    const text = printPlan(planOf(sampleNamed("LoRA")));
    expect(text.split("\n").slice(0, 9)).toEqual([
      "plan LoRA [out, in]",
      "  operand W_panels: panel16 [out, in] at load = W",
      "  operand A_panels: panel16 [r, in] at step = A",
      "  operand B_panels: panel16 [out, r] at step = (alpha / r) * B",
      "  operand W_B_A_panels: panel16 [out, in] at step = W + (alpha / r) * (B @ A)",
      "  variant separate/lane-output: y = W x + ((alpha / r) * B) (A x)",
      "    activations x [in], y [out], t1 [r]",
      "    t1 = dense A_panels · x",
      "    y = dense W_panels · x + dense B_panels · t1",
    ]);
    expect(text).toContain("specialised kernels for r = 16");
  });
});
