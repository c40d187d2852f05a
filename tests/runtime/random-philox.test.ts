import { expect, test } from "vitest";
import { SpxError } from "../../runtime/errors.ts";
import { wordAt } from "../../runtime/random/distributions.ts";
import { hashName } from "../../runtime/random/name-hash.ts";
import { philox4x32, philoxBlock, randomStream } from "../../runtime/random/philox.ts";

/** Counter, key, output: the vectors that the authors publish with Random123. */
const knownAnswers = [
  { counter: [0, 0, 0, 0], key: [0, 0], words: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    words: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    words: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

test.each(knownAnswers)("published vector with counter $counter", ({ counter, key, words }) => {
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter;
  const target = new Uint32Array(6);
  philox4x32(c0, c1, c2, c3, key[0] ?? 0, key[1] ?? 0, target, 1);
  expect([...target]).toEqual([0, ...words, 0]);
});

/** The generator by its definition, in whole numbers of any size. */
function definition(counter: readonly bigint[], key: readonly bigint[]): number[] {
  let [a = 0n, b = 0n, c = 0n, d = 0n] = counter;
  let [k = 0n, l = 0n] = key;
  const low = (value: bigint): bigint => value & 0xffffffffn;
  for (let round = 0; round < 10; round += 1) {
    const [p, q] = [0xd2511f53n * a, 0xcd9e8d57n * c];
    [a, b, c, d] = [(q >> 32n) ^ b ^ k, low(q), (p >> 32n) ^ d ^ l, low(p)];
    [k, l] = [low(k + 0x9e3779b9n), low(l + 0xbb67ae85n)];
  }
  return [a, b, c, d].map(Number);
}

test("equals its definition for many counters, streams and large block numbers", () => {
  for (const [seed, name, block] of [
    [0, "", 0],
    [-1, "W", 1],
    [2 ** 53 - 1, "encoder.layer.0.weight/A", 2 ** 32 + 5],
    [-(2 ** 40), "é😀", 2 ** 51 - 1],
  ] as const) {
    const stream = randomStream(seed, name);
    const words = new Uint32Array(4);
    philoxBlock(stream, block, words);
    const [low, high] = hashName(name);
    const number = BigInt(block);
    const key = BigInt.asUintN(64, BigInt(seed));
    const counter = [number & 0xffffffffn, number >> 32n, BigInt(low), BigInt(high)];
    expect([...words]).toEqual(definition(counter, [key & 0xffffffffn, key >> 32n]));
    expect([0, 1, 2, 3].map((word) => wordAt(stream, block * 4 + word))).toEqual([...words]);
  }
});

test.each([
  ["", 0xcbf29ce484222325n],
  ["a", 0xaf63dc4c8601ec8cn],
  ["foobar", 0x85944171f73967e8n],
])("FNV-1a of %j is the published one", (name, hash) => {
  const [low, high] = hashName(name);
  expect((BigInt(high) << 32n) | BigInt(low)).toBe(hash);
});

test("names and seeds give streams of their own", () => {
  const firstWords = ["A", "B", "layer.1/A", "layer.2/A"].flatMap((name) =>
    [0, 1, -1, 7].map((seed) => wordAt(randomStream(seed, name), 0)),
  );
  expect(new Set(firstWords).size).toBe(16);
});

test.each([1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])("seed %d is refused", (seed) => {
  expect(() => randomStream(seed, "A")).toThrow(SpxError);
});
