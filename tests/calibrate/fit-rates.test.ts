/** Rates are found again from the prices that they make, also on a machine that something else keeps busy. */
import { describe, expect, it } from "vitest";
import { fitRates } from "../../compiler/calibrate/fit-rates.ts";
import { priceRows, untimedRate } from "../../compiler/calibrate/price-rows.ts";
import { ratesOf, withRates } from "../../compiler/calibrate/rate-vector.ts";
import { callCost, widestMachine } from "../../compiler/plan/cost-model.ts";
import { costAt } from "../../compiler/plan/envelope.ts";
import { lookupIn } from "../../compiler/plan/operand-table.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { identityOf } from "../../compiler/targets/rate-table.ts";
import { planOf, sampleNamed } from "../plan/sample-plans.ts";
import { testNumbers } from "../programs/built-program.ts";

const { rates, target, threads } = widestMachine(defaultRates);

describe("rates as a vector", () => {
  it("go there and back, and leave sizes alone", () => {
    expect(withRates(rates, (_, before) => before)).toEqual(rates);
    const doubled = withRates(rates, (_, before) => 2 * before);
    expect(ratesOf(doubled).map(({ value }) => value / 2)).toEqual(ratesOf(rates).map(({ value }) => value));
    expect(doubled.memory.secondLevelBytes).toBe(rates.memory.secondLevelBytes);
    expect(new Set(ratesOf(rates).map(({ path }) => path)).size).toBe(ratesOf(rates).length);
  });

  it("change the identity of a table with every number, and with nothing else", () => {
    const { id } = identityOf(defaultRates);
    expect(identityOf(structuredClone(defaultRates)).id).toBe(id);
    for (const { path } of ratesOf(rates).slice(0, 8)) {
      const changed = withRates(rates, (other, before) => (other === path ? before * 1.01 : before));
      expect(
        identityOf({ ...defaultRates, levels: { ...defaultRates.levels, "x86-64-v4": changed } }).id,
      ).not.toBe(id);
    }
  });
});

describe("prices", () => {
  it("are linear in the rates: the features times the rates are the price of a call that forms nothing", () => {
    const timed = withRates(rates, (path, before) => (path === untimedRate ? 0 : before));
    for (const name of ["DSEE", "SLTrain", "Monarch"]) {
      const plan = planOf(sampleNamed(name), "all");
      const symbols = { out: 768, in: 512, n: 1024, b: 32, r: 16, alpha: 32, keep: 0.5, nnz: 900 };
      const times = plan.variants
        .filter(({ merged }) => !merged)
        .flatMap((variant) =>
          [1, 5, 48].map((batch) => ({ variant: variant.name, batch, symbols, nanoseconds: 1 })),
        );
      const rows = priceRows(plan, times, { target, rates, threads });
      const values = ratesOf(rates).map(({ value }) => value);
      for (const [index, { variant, batch }] of times.entries()) {
        const found = plan.variants.find((candidate) => candidate.name === variant);
        if (found === undefined) throw new ReferenceError(variant);
        const sum = rows[index]?.features.reduce(
          (total, feature, j) => total + feature * (values[j] ?? 0),
          0,
        );
        const cost = callCost(found, lookupIn(plan.operands), { target, rates: timed, threads });
        const price = costAt(cost, new Map(Object.entries(symbols)), batch);
        expect(sum, `${name} ${variant} @${batch}`).toBeCloseTo(price, 3);
      }
    }
  });
});

describe("fitting", () => {
  const next = testNumbers(5);
  const truth = [0.02, 0.3, 3000, 0.5];
  const known = [0.03, 0.2, 2000, 0.9];
  const rowsWith = (slow: (index: number) => number) =>
    Array.from({ length: 80 }, (_, index) => {
      const features = [1e5 * (1 + next()), 2e4 * (1 + next()), 1 + index / 80, 3e3 * (1 + next())];
      const exact = features.reduce((sum, feature, j) => sum + feature * (truth[j] ?? 0), 0);
      return { features, measured: exact * slow(index) };
    });

  it("finds the rates that made the times", () => {
    const fitted = fitRates(
      rowsWith(() => 1),
      known,
    );
    for (const [j, rate] of fitted.rates.entries()) expect(rate / (truth[j] ?? 0)).toBeCloseTo(1, 1);
    expect(fitted.medianFactor).toBeLessThan(1.01);
    expect(fitted.told).toEqual([true, true, true, true]);
  });

  it("is hardly moved by every fifth time being twice as long", () => {
    const fitted = fitRates(
      rowsWith((index) => (index % 5 === 0 ? 2 : 1)),
      known,
    );
    for (const [j, rate] of fitted.rates.entries())
      expect(Math.abs(rate / (truth[j] ?? 0) - 1)).toBeLessThan(0.15);
  });

  it("keeps a rate that no row tells in proportion to the known one", () => {
    const rows = rowsWith(() => 3).map(({ features, measured }) => ({
      features: [...features, 0],
      measured,
    }));
    const fitted = fitRates(rows, [...truth, 7]);
    expect(fitted.told.at(-1)).toBe(false);
    expect(fitted.rates.at(-1)).toBeCloseTo(21, 0);
  });

  it("never makes a rate negative", () => {
    const rows = [1, 2, 3, 4].map((size) => ({
      features: [size, size * size],
      measured: 10 * size - size * size,
    }));
    expect(fitRates(rows, [1, 1]).rates.every((rate) => rate >= 0)).toBe(true);
  });
});
