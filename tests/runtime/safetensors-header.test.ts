import { expect, test } from "vitest";
import { headerLength, parseHeader } from "../../runtime/checkpoint/safetensors-header.ts";
import { entry, errorOf, fileOf } from "./safetensors-bytes.ts";

function parse(bytes: Uint8Array): ReturnType<typeof parseHeader> {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, "t.safetensors");
  return parseHeader(bytes.subarray(8, 8 + length), bytes.length, "t.safetensors");
}

const json = (entries: object): string => JSON.stringify(entries);

test("entries come in the order of their bytes, with offsets from the start of the file", () => {
  const text = json({
    second: entry("F32", [2, 1], 3, 11),
    __metadata__: { format: "pt", "": "é" },
    first: entry("BOOL", [3], 0, 3),
    none: entry("I64", [0, 7], 11, 11),
    scalar: entry("F16", [], 11, 13),
  });
  const header = parse(fileOf(`${text}   `, 13));
  const start = 8 + new TextEncoder().encode(text).length + 3;
  expect([...header.tensors.values()]).toEqual([
    { name: "first", elementType: "bool", shape: [3], bytes: 3, offset: start },
    { name: "second", elementType: "f32", shape: [2, 1], bytes: 8, offset: start + 3 },
    { name: "none", elementType: "i64", shape: [0, 7], bytes: 0, offset: start + 11 },
    { name: "scalar", elementType: "f16", shape: [], bytes: 2, offset: start + 11 },
  ]);
  expect(header.metadata).toEqual({ format: "pt", "": "é" });
});

test("an empty file of the format, names and escapes of any kind, and unknown fields", () => {
  expect(parse(fileOf("{}")).tensors.size).toBe(0);
  const odd =
    '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":{"a":[1e3,null]}},"\\u00e9\\n\\"":{"dtype":"F4","shape":[2],"data_offsets":[1,2]}}';
  expect([...parse(fileOf(odd, 2)).tensors.keys()]).toEqual(["__proto__", 'é\n"']);
});

/** What is wrong, the code, and a part of the message that names place and numbers. */
const wrong: readonly [name: string, bytes: Uint8Array, code: string, says: string][] = [
  ["an empty file", new Uint8Array(0), "SPX8002", "has 0 bytes"],
  ["seven bytes", new Uint8Array(7), "SPX8002", "has 7 bytes"],
  [
    "a length beyond the file",
    fileOf("{}", 0, 3n),
    "SPX8003",
    "claim a header of 3 bytes; the file has 2 bytes after",
  ],
  ["a length of 2^60", fileOf("{}", 0, 2n ** 60n), "SPX8003", "1152921504606846976"],
  ["a length of 2^64 - 1", fileOf("{}", 0, 2n ** 64n - 1n), "SPX8003", "18446744073709551615"],
  ["an empty header", fileOf("", 4, 0n), "SPX8004", "at byte 8 has to begin with `{`, found an empty header"],
  ["a space first", fileOf(" {}"), "SPX8004", "found byte 0x20"],
  ["an array", fileOf("[]"), "SPX8004", "found byte 0x5b"],
  ["no UTF-8", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), "SPX8004", "not UTF-8"],
  ["JSON that ends early", fileOf('{"a":'), "SPX8004", "wrong at byte 13: expected a value, found the end"],
  ["JSON with more after it", fileOf("{}{}"), "SPX8004", "wrong at byte 10: expected the end of the text"],
  ["a comma at the end", fileOf('{"é":{},}'), "SPX8004", "wrong at byte 17: expected a key"],
  ["a number with a leading zero", fileOf('{"a":01}'), "SPX8004", "wrong at byte 14"],
  ["a string without an end", fileOf('{"a'), "SPX8004", "wrong at byte 9: a string that does not end"],
  ["a line break in a string", fileOf('{"a\n":1}'), "SPX8004", "wrong at byte 9"],
  ["an unknown escape", fileOf('{"\\x":1}'), "SPX8004", "wrong at byte 9"],
  ["half a surrogate pair", fileOf('{"\\ud800":1}'), "SPX8004", "half of a surrogate pair"],
  ["endless nesting", fileOf(`{"a":${"[".repeat(100_000)}`), "SPX8004", "nested deeper than 32"],
  [
    "the same tensor twice",
    fileOf(
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
    ),
    "SPX8005",
    'wrong at byte 61: the key "a" stands here again',
  ],
  ["the same field twice", fileOf('{"a":{"dtype":"U8","dtype":"U8"}}'), "SPX8005", "wrong at byte 27"],
  ["metadata twice", fileOf('{"__metadata__":{},"__metadata__":{}}'), "SPX8005", "wrong at byte 27"],
  ["an entry that is no object", fileOf('{"a":3}'), "SPX8006", 'tensor "a": expected an object'],
  [
    "no dtype",
    fileOf('{"a":{"shape":[],"data_offsets":[0,1]}}', 1),
    "SPX8006",
    "a field `dtype`, found none",
  ],
  ["an unknown dtype", fileOf(json({ a: entry("F33", [1], 0, 4) }), 4), "SPX8006", 'found "F33"'],
  ["a dtype in small letters", fileOf(json({ a: entry("f32", [1], 0, 4) }), 4), "SPX8006", 'found "f32"'],
  ["no shape", fileOf('{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1), "SPX8006", "a field `shape`"],
  ["a negative dimension", fileOf(json({ a: entry("U8", [-1], 0, 1) }), 1), "SPX8006", "found -1"],
  [
    "a broken dimension",
    fileOf('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1),
    "SPX8006",
    "found 1.0",
  ],
  [
    "a text as dimension",
    fileOf('{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}', 1),
    "SPX8006",
    "a string",
  ],
  ["one offset", fileOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', 1), "SPX8006", "two numbers"],
  [
    "three offsets",
    fileOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1),
    "SPX8006",
    "two numbers",
  ],
  ["metadata that are no object", fileOf('{"__metadata__":"pt"}'), "SPX8007", "found a string"],
  ["a number in metadata", fileOf('{"__metadata__":{"step":3}}'), "SPX8007", 'holds a number under "step"'],
  [
    "offsets backwards",
    fileOf(json({ a: entry("U8", [1], 1, 0) }), 1),
    "SPX8008",
    "offsets 1 to 0 run backwards",
  ],
  [
    "an offset beyond any file",
    fileOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[18446744073709551614,18446744073709551615]}}', 1),
    "SPX8008",
    "beyond any file",
  ],
  [
    "a tensor beyond the file",
    fileOf(json({ a: entry("U8", [1], 0, 1), b: entry("U8", [4], 90, 94) }), 1),
    "SPX8008",
    'tensor "b" lies at bytes',
  ],
  [
    "an overlap",
    fileOf(json({ a: entry("U8", [4], 0, 4), b: entry("U8", [2], 2, 4) }), 4),
    "SPX8009",
    'inside tensor "a"',
  ],
  [
    "the same bytes twice",
    fileOf(json({ a: entry("U8", [4], 0, 4), b: entry("U8", [4], 0, 4) }), 4),
    "SPX8009",
    'tensor "b" begins at byte',
  ],
  [
    "a hole",
    fileOf(json({ a: entry("U8", [1], 0, 1), b: entry("U8", [1], 2, 3) }), 3),
    "SPX8010",
    "nothing is between",
  ],
  ["a hole in front", fileOf(json({ a: entry("U8", [1], 1, 2) }), 2), "SPX8010", "the header ends at"],
  [
    "bytes for another shape",
    fileOf(json({ a: entry("F32", [3], 0, 8) }), 8),
    "SPX8011",
    "take 12 bytes, its offsets span 8",
  ],
  ["half a byte", fileOf(json({ a: entry("F4", [3], 0, 2) }), 2), "SPX8011", "no whole number of bytes"],
  [
    "a shape that overflows",
    fileOf(json({ a: entry("U8", [4294967296, 4294967296], 0, 0) })),
    "SPX8012",
    "shape [4294967296, 4294967296] has more than 2^53 elements",
  ],
  [
    "a dimension that overflows, beside a zero",
    fileOf('{"a":{"dtype":"U8","shape":[0,18446744073709551615],"data_offsets":[0,0]}}'),
    "SPX8012",
    "18446744073709551615",
  ],
  [
    "a dimension of a hundred digits",
    fileOf(`{"a":{"dtype":"U8","shape":[${"9".repeat(100)}],"data_offsets":[0,0]}}`),
    "SPX8006",
    "whole numbers",
  ],
  [
    "more bytes than tensors",
    fileOf(json({ a: entry("U8", [1], 0, 1) }), 3),
    "SPX8013",
    "the file goes on to",
  ],
  ["bytes without tensors", fileOf("{}", 1), "SPX8013", "ends at byte 10, the file goes on to 11"],
  ["data cut off", fileOf(json({ a: entry("F32", [2], 0, 8) }), 5), "SPX8002", "the file ends after"],
];

test.each(wrong)("%s", async (_, bytes, code, says) => {
  const error = await errorOf(() => parse(bytes));
  expect(error.code).toBe(code);
  expect(error.message).toContain(says);
  expect(error.summary).toMatch(/^t\.safetensors: /);
  expect(error.facts).toHaveProperty("file", "t.safetensors");
  expect(error.help.length).toBeGreaterThan(20);
});

test("a header longer than the format allows is refused, however large the file", async () => {
  const start = fileOf("", 0, 100_000_001n);
  expect((await errorOf(() => headerLength(start, 2 ** 40, "t"))).message).toContain(
    "the format allows 100000000",
  );
  expect(headerLength(fileOf("", 0, 100_000_000n), 2 ** 40, "t")).toBe(100_000_000);
});

test("names of megabytes are read, and cut in messages", async () => {
  const name = "x".repeat(20_000_000);
  const header = parse(fileOf(`{"${name}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1));
  expect([...header.tensors.keys()][0]).toHaveLength(20_000_000);
  const error = await errorOf(() => parse(fileOf(`{"${name}":1}`)));
  expect(error.message.length).toBeLessThan(500);
});
