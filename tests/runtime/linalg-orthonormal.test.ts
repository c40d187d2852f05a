// Orthonormal blocks by products are those of Gram-Schmidt, vector by vector; what is nearly dependent is left to that.
import { describe, expect, test } from "vitest";
import type { Multiply } from "../../runtime/linalg/form-product.ts";
import { orthonormalize, type VectorBlock } from "../../runtime/linalg/orthonormal-block.ts";
import { orthonormalizeBy } from "../../runtime/linalg/orthonormal-products.ts";
import { columnsDefect, distance, frobenius, noise, product, transpose } from "./linalg-oracle.ts";

const form: Multiply = (left, right, rows, inner, columns) => product(left, right, rows, inner, columns);
const [length, count] = [90, 7];
const block = (seed: number): VectorBlock => ({ values: noise(count, length, seed), count, length });
const copyOf = (own: VectorBlock): VectorBlock => ({ ...own, values: own.values.slice() });

const first = block(1);
orthonormalize(first, []);
const second = block(2);
orthonormalize(second, [first]);
const earlier = [first, second];

describe("by products", () => {
  test("directions and coefficients are the same", () => {
    for (const before of [[], earlier]) {
      const [one, other] = [block(3), block(3)];
      const expected = orthonormalize(one, before);
      const found = orthonormalizeBy(form, other, before);
      expect(distance(found, expected)).toBeLessThan(1e-11 * frobenius(expected));
      expect(distance(other.values, one.values)).toBeLessThan(1e-11);
      const all = Float64Array.from([...before, other].flatMap(({ values }) => [...values]));
      const total = all.length / length;
      expect(columnsDefect(transpose(all, total, length), length, total)).toBeLessThan(1e-13);
    }
  });

  test("a block that depends on others, or on itself, is done vector by vector", () => {
    const inSpan = copyOf(first);
    const doubled = block(4);
    doubled.values.copyWithin(length, 0, length);
    const almost = block(5);
    for (let k = 0; k < length; k++)
      almost.values[k] = (first.values[k] ?? 0) + 1e-7 * (almost.values[k] ?? 0);
    for (const own of [inSpan, doubled, almost]) {
      const plain = copyOf(own);
      const expected = orthonormalize(plain, earlier);
      expect(orthonormalizeBy(form, own, earlier)).toEqual(expected);
      expect(own.values).toEqual(plain.values);
    }
  });

  test("without somebody who forms products it is Gram-Schmidt", () => {
    const [one, other] = [block(6), block(6)];
    expect(orthonormalizeBy(null, one, earlier)).toEqual(orthonormalize(other, earlier));
  });
});
