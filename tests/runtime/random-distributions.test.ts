import { expect, test } from "vitest";
import { fillNormal, fillUniform, normalAt, uniformAt, wordAt } from "../../runtime/random/distributions.ts";
import { normalQuantile } from "../../runtime/random/normal-quantile.ts";
import { randomStream } from "../../runtime/random/philox.ts";

const stream = randomStream(7, "tests");
const count = 100_000;

test("any range, in any order and size, gives the same numbers", () => {
  const whole = fillNormal(stream, new Float32Array(1000), 0.5, 2);
  const pieces = new Float32Array(1000);
  for (const [from, to] of [
    [997, 1000],
    [3, 500],
    [500, 997],
    [0, 3],
  ] as const) {
    fillNormal(stream, pieces.subarray(from, to), 0.5, 2, from);
  }
  expect(pieces).toEqual(whole);
  expect(Float32Array.from({ length: 1000 }, (_, i) => 0.5 + 2 * normalAt(stream, i))).toEqual(whole);
  const far = 2 ** 40 + 1;
  expect(fillUniform(stream, new Float32Array(1), -1, 1, far)[0]).toBe(
    Math.fround(-1 + 2 * uniformAt(stream, far)),
  );
});

test("the numbers are these on every machine", () => {
  // Computed once; a change here changes the initial values of every program.
  expect([0, 1, 2, 1_000_000].map((index) => wordAt(stream, index))).toMatchInlineSnapshot(`
    [
      1800576781,
      2179794127,
      3480891660,
      1413647173,
    ]
  `);
  expect([0, 1, 2, 1_000_000].map((index) => normalAt(stream, index))).toMatchInlineSnapshot(`
    [
      -0.20386512111046015,
      0.01885815568832449,
      0.8795862166015205,
      -0.4422880701907736,
    ]
  `);
});

test("uniform: range, moments, and a chi-square over 100 cells", () => {
  const cells = new Float64Array(100);
  let [sum, squares, outside] = [0, 0, 0];
  for (let index = 0; index < count; index += 1) {
    const value = uniformAt(stream, index);
    if (!(value >= 0 && value < 1)) outside += 1;
    cells[Math.floor(value * 100)] = (cells[Math.floor(value * 100)] ?? 0) + 1;
    sum += value;
    squares += value * value;
  }
  expect(outside).toBe(0);
  const deviation = 1 / Math.sqrt(12 * count);
  expect(Math.abs(sum / count - 0.5)).toBeLessThan(4 * deviation);
  expect(Math.abs(squares / count - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / count));
  const expected = count / 100;
  const chiSquare = cells.reduce((total, cell) => total + (cell - expected) ** 2 / expected, 0);
  // 99 degrees of freedom: 0.1 % and 99.9 % quantiles.
  expect(chiSquare).toBeGreaterThan(60.4);
  expect(chiSquare).toBeLessThan(148.2);
});

test("normal: the first four moments, and the share beyond two standard deviations", () => {
  const values = fillNormal(stream, new Float32Array(count));
  const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / count;
  const error = 1 / Math.sqrt(count);
  expect(Math.abs(moment(1))).toBeLessThan(4 * error);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2) * error);
  expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15) * error);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96) * error);
  const beyond = values.filter((value) => Math.abs(value) > 2).length / count;
  expect(Math.abs(beyond - 0.04550026)).toBeLessThan(4 * Math.sqrt(0.0455 * 0.9545) * error);
});

test("neighbours and streams are not correlated", () => {
  const here = fillNormal(stream, new Float32Array(count));
  const correlation = (other: Float32Array): number =>
    other.reduce((sum, value, index) => sum + value * (here[index] ?? 0), 0) / count;
  for (const other of [
    fillNormal(stream, new Float32Array(count), 0, 1, 1),
    fillNormal(stream, new Float32Array(count), 0, 1, 4),
    fillNormal(randomStream(8, "tests"), new Float32Array(count)),
    fillNormal(randomStream(7, "testt"), new Float32Array(count)),
  ]) {
    expect(Math.abs(correlation(other))).toBeLessThan(4 / Math.sqrt(count));
  }
});

/** p and the z with erfc(-z / sqrt 2) / 2 = p, found by bisection with the C library's erfc. */
const quantiles = [
  [2 ** -33, -6.3379577545537895],
  [1e-9, -5.997807015007687],
  [1e-6, -4.753424308822899],
  [0.00013, -3.65220321749619],
  [0.001, -3.090232306167814],
  [0.01, -2.3263478740408416],
  [0.07, -1.4757910281791706],
  [0.0751, -1.4388253927525403],
  [0.1, -1.2815515655446008],
  [0.25, -0.6744897501960818],
  [0.4, -0.2533471031357999],
  [0.4999, -0.00025066283008807707],
] as const;

test.each(quantiles)("quantile of %d", (p, z) => {
  expect(Math.abs(normalQuantile(p) / z - 1)).toBeLessThan(2e-12);
});

test("the quantile is odd around one half and ascends", () => {
  expect(normalQuantile(0.5)).toBe(0);
  let before = Number.NEGATIVE_INFINITY;
  for (let step = 0; step < 4096; step += 1) {
    const p = (step + 0.5) / 4096;
    const z = normalQuantile(p);
    expect(z).toBe(-normalQuantile(1 - p));
    expect(z).toBeGreaterThan(before);
    before = z;
  }
});
