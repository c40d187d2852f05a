/** Groups of the terms of a sum: every one of few, and of many those that keep a stage and a structure together. */
import { expect, it } from "vitest";
import { mostPartitionedTerms, setPartitions } from "../../compiler/plan/set-partitions.ts";
import { leaf, sum, tensor, transformOf } from "../algebra/sample-transforms.ts";
import { planOf } from "./sample-plans.ts";

const distinct = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`);
const textOf = (partition: readonly (readonly number[])[]): string =>
  partition
    .map((group) => [...group].sort((a, b) => a - b).join(" "))
    .sort()
    .join(" | ");

it("are all set partitions of few terms, the separate one first", () => {
  const bell = [1, 2, 5, 15, 52];
  for (const [at, expected] of bell.entries()) {
    const found = setPartitions(distinct(at + 1));
    expect(found).toHaveLength(expected);
    expect(new Set(found.map(textOf)).size).toBe(expected);
    expect(found[0]).toHaveLength(at + 1);
    expect(found.at(-1)).toHaveLength(1);
  }
});

it("of many terms keep those of a kind together or apart, by stage alone where there are many kinds", () => {
  const count = mostPartitionedTerms + 2;
  const kinds = (fine: number) =>
    distinct(count).map((_, index) => ({
      fine: `${index % fine}`,
      coarse: index % 2 === 0 ? "load" : "step",
    }));
  for (const [fine, expected] of [
    [2, 5],
    [3, 15],
    [5, 203],
    [count, 5],
  ] as const) {
    const found = setPartitions(distinct(count), kinds(fine));
    expect(found).toHaveLength(expected);
    expect(new Set(found.map(textOf)).size).toBe(expected);
    expect(found[0]).toHaveLength(count);
    expect(found.at(-1)).toHaveLength(1);
    for (const partition of found) {
      expect(partition.flat().sort((a, b) => a - b)).toEqual(distinct(count).map(Number));
      for (const group of partition.filter(({ length }) => length > 1)) {
        const unit = fine === count ? (index: number) => index % 2 : (index: number) => index % fine;
        const held = new Set(group.map(unit));
        const whole = distinct(count).filter((_, index) => held.has(unit(index)));
        expect(group).toHaveLength(whole.length);
      }
    }
  }
});

it("let what is frozen of a long sum become one matrix, and the plan say that the search was coarser", () => {
  const frozen = distinct(6).map((index) => tensor(`F${index}`, "frozen", ["out", "in"]));
  const trained = distinct(4).map((index) => tensor(`P${index}`, "param", ["out", "in"]));
  const [first, ...rest] = [...frozen, ...trained].map((each) => leaf(each));
  if (first === undefined) throw new Error("ten terms");
  const plan = planOf(transformOf("Long", sum(first, ...rest), [...frozen, ...trained]), "all");
  expect(plan.notes.join()).toContain("too many terms to try every group of them");
  const forms = plan.variants.map(({ form }) => form);
  expect(forms.some((form) => /^y = \(F0 \+ .* \+ F5\) x \+ \(P0 \+ .* \+ P3\) x$/.test(form))).toBe(true);
});
