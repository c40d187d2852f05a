import { closeSync, ftruncateSync, mkdirSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../runtime/checkpoint/read-safetensors.ts";
import { entry, errorOf, fileOf, referenceFile, scratchFolder } from "./safetensors-bytes.ts";

const scratch = scratchFolder();

test("the file of the reference writer", async () => {
  const path = scratch.write("reference.safetensors", referenceFile);
  const checkpoint = await openCheckpoint(path);
  const inOrder = [
    "u",
    "ids",
    "z",
    "c",
    "b.weight",
    "empty",
    "u32",
    "step",
    "a.bias",
    "hu",
    "h",
    "i8",
    "é😀",
    "mask",
  ];
  expect(checkpoint.names).toEqual(inOrder);
  expect(checkpoint.metadata).toEqual({ format: "pt" });
  expect(checkpoint.files).toEqual([path]);
  const expected: Record<string, [string, number[], ArrayBufferView]> = {
    u: ["u64", [1], BigUint64Array.of(2n ** 64n - 1n)],
    ids: ["i64", [2, 2], BigInt64Array.of(1n, 2n, -3n, 2n ** 40n)],
    z: ["f64", [1], Float64Array.of(1e300)],
    c: ["c64", [1], new Uint8Array(Float32Array.of(1, 2).buffer)],
    "b.weight": ["f32", [2, 3], Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25)],
    empty: ["f32", [0, 5], new Float32Array(0)],
    u32: ["u32", [1], Uint32Array.of(2 ** 32 - 1)],
    step: ["i32", [], Int32Array.of(7)],
    "a.bias": ["f16", [4], Uint16Array.of(0x3e00, 0xc080, 0x7bff, 0x0002)],
    hu: ["u16", [1], Uint16Array.of(65535)],
    h: ["i16", [1], Int16Array.of(-5)],
    i8: ["i8", [1], Int8Array.of(-1)],
    "é😀": ["u8", [2], Uint8Array.of(255, 1)],
    mask: ["bool", [3], Uint8Array.of(1, 0, 1)],
  };
  for (const name of inOrder) {
    const { elementType, shape, data } = await checkpoint.read(name);
    expect([elementType, shape, data]).toEqual(expected[name]);
    expect(checkpoint.describe(name)).toMatchObject({
      name,
      elementType,
      shape,
      bytes: data.byteLength,
      file: path,
    });
  }
  await checkpoint.close();
});

test("rows, and data that are not aligned in the file", async () => {
  const text = JSON.stringify({
    odd: entry("U8", [1], 0, 1),
    w: entry("F32", [3, 2], 1, 25),
    f4: entry("F4", [2, 3], 25, 28),
  });
  const bytes = fileOf(text, 28);
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  bytes.set(new Uint8Array(values.buffer), 8 + text.length + 1);
  const checkpoint = await openCheckpoint(scratch.write("rows.safetensors", bytes));
  expect(checkpoint.describe("w").offset % 4).not.toBe(0);
  expect((await checkpoint.read("w")).data).toEqual(values);
  expect(await checkpoint.readRows("w", 1, 3)).toMatchObject({
    shape: [2, 2],
    data: Float32Array.of(3, 4, 5, 6),
  });
  expect((await checkpoint.readRows("w", 3, 3)).data).toHaveLength(0);
  for (const [from, to] of [
    [0, 4],
    [-1, 1],
    [2, 1],
    [0.5, 1],
    [0, Number.NaN],
  ] as const) {
    expect((await errorOf(() => checkpoint.readRows("w", from, to))).code).toBe("SPX8018");
  }
  expect((await errorOf(() => checkpoint.readRows("f4", 0, 1))).code).toBe("SPX8015");
  await checkpoint.close();
});

test("a name that is not there, with the nearest ones; and a closed checkpoint", async () => {
  const text = JSON.stringify({
    "layer.query.weight": entry("U8", [1], 0, 1),
    scalar: entry("U8", [], 1, 2),
  });
  const checkpoint = await openCheckpoint(scratch.write("names.safetensors", fileOf(text, 2)));
  const error = await errorOf(() => checkpoint.read("layer.qurey.weight"));
  expect([error.code, error.help]).toEqual(["SPX8014", "did you mean `layer.query.weight`?"]);
  expect((await errorOf(() => checkpoint.describe("zzz"))).help).toBe(
    "the tensors are `layer.query.weight`, `scalar`",
  );
  expect((await errorOf(() => checkpoint.readRows("scalar", 0, 1))).message).toContain("is a scalar");
  expect([checkpoint.has("scalar"), checkpoint.has("zzz")]).toEqual([true, false]);
  await checkpoint.close();
  await checkpoint.close();
  expect((await errorOf(() => checkpoint.read("scalar"))).code).toBe("SPX8023");
});

test("a file that shrinks after it was opened", async () => {
  const path = scratch.write("shrinks.safetensors", fileOf(JSON.stringify({ a: entry("U8", [9], 0, 9) }), 9));
  const checkpoint = await openCheckpoint(path);
  truncateSync(path, checkpoint.describe("a").offset + 4);
  const error = await errorOf(() => checkpoint.read("a"));
  expect([error.code, error.facts.at]).toEqual(["SPX8019", checkpoint.describe("a").offset + 4]);
  await checkpoint.close();
});

test("a tensor beyond 4 GiB of a file with holes on the disk", async () => {
  const rows = 2 ** 21;
  const text = JSON.stringify({
    big: entry("F32", [rows, 1024], 0, rows * 4096),
    end: entry("U8", [2], rows * 4096, rows * 4096 + 2),
  });
  const path = scratch.write("large.safetensors", fileOf(text));
  const file = openSync(path, "r+");
  ftruncateSync(file, 8 + text.length + rows * 4096 + 2);
  writeFileSync(file, "");
  closeSync(file);
  const checkpoint = await openCheckpoint(path);
  expect(checkpoint.describe("end").offset).toBeGreaterThan(8 * 2 ** 30);
  expect((await checkpoint.read("end")).data).toEqual(Uint8Array.of(0, 0));
  expect((await checkpoint.readRows("big", rows - 1, rows)).data).toEqual(new Float32Array(1024));
  await checkpoint.close();
});

test("a file that claims what no memory holds: opened, and refused when it is read", async () => {
  const bytes = 2 ** 42;
  const text = JSON.stringify({ huge: entry("F32", [bytes / 4], 0, bytes) });
  const path = scratch.write("huge.safetensors", fileOf(text));
  const file = openSync(path, "r+");
  ftruncateSync(file, 8 + text.length + bytes);
  closeSync(file);
  const checkpoint = await openCheckpoint(path);
  expect((await errorOf(() => checkpoint.read("huge"))).code).toBe("SPX8304");
  await checkpoint.close();
});

test("folders: the usual name, one other file, several, none, no folder", async () => {
  const one = fileOf(JSON.stringify({ a: entry("U8", [1], 0, 1) }), 1);
  const folder = (name: string, files: Record<string, Uint8Array>): string => {
    const path = join(scratch.folder, name);
    mkdirSync(path);
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
    return path;
  };
  const usual = await openCheckpoint(
    folder("usual", { "model.safetensors": one, "other.safetensors": fileOf("{}") }),
  );
  expect(usual.names).toEqual(["a"]);
  await usual.close();
  const single = await openCheckpoint(
    folder("single", { "adapter_model.safetensors": one, "config.json": one }),
  );
  expect(single.names).toEqual(["a"]);
  await single.close();
  const several = await errorOf(() =>
    openCheckpoint(folder("several", { "a.safetensors": one, "b.safetensors": one })),
  );
  expect([several.code, several.facts.candidates]).toEqual(["SPX8022", ["a.safetensors", "b.safetensors"]]);
  expect((await errorOf(() => openCheckpoint(folder("none", { "config.json": one })))).code).toBe("SPX8001");
  expect((await errorOf(() => openCheckpoint(join(scratch.folder, "nowhere")))).code).toBe("SPX8001");
  expect((await errorOf(() => openCheckpoint("/dev/null"))).message).toContain("no regular file");
});

const first = JSON.stringify({ __metadata__: { format: "pt", part: "1" }, a: entry("U8", [1], 0, 1) });
const second = JSON.stringify({
  __metadata__: { format: "np", more: "yes" },
  b: entry("U8", [2], 0, 2),
  c: entry("U8", [1], 2, 3),
});
const weightMap = {
  c: "model-00002-of-00002.safetensors",
  a: "model-00001-of-00002.safetensors",
  b: "model-00002-of-00002.safetensors",
};

function sharded(name: string, index: unknown): string {
  const folder = join(scratch.folder, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "model-00001-of-00002.safetensors"), fileOf(first, 1));
  writeFileSync(join(folder, "model-00002-of-00002.safetensors"), fileOf(second, 3));
  writeFileSync(
    join(folder, "model.safetensors.index.json"),
    typeof index === "string" ? index : JSON.stringify(index),
  );
  return folder;
}

test("shards and their index are one checkpoint", async () => {
  const folder = sharded("shards", { metadata: { total_size: 4 }, weight_map: weightMap });
  for (const path of [folder, join(folder, "model.safetensors.index.json")]) {
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.names).toEqual(["a", "b", "c"]);
    expect(checkpoint.metadata).toEqual({ format: "pt", part: "1", more: "yes" });
    expect((await checkpoint.read("b")).data).toEqual(Uint8Array.of(0, 1));
    expect(checkpoint.describe("c").file).toBe(join(folder, "model-00002-of-00002.safetensors"));
    await checkpoint.close();
  }
});

test.each<[string, unknown, string, string]>([
  ["text", "nonsense", "SPX8016", "wrong at character 0"],
  [
    "twice",
    '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}',
    "SPX8016",
    'the key "a" stands here again',
  ],
  ["map", { weights: {} }, "SPX8016", "weight_map"],
  ["number", { weight_map: { a: 1 } }, "SPX8016", "is no string"],
  [
    "outside",
    { weight_map: { a: "../shards/model-00001-of-00002.safetensors" } },
    "SPX8016",
    "beside the index",
  ],
  ["absolute", { weight_map: { a: "/etc/passwd" } }, "SPX8016", "beside the index"],
  ["pickle", { weight_map: { a: "model.bin" } }, "SPX8016", "beside the index"],
  [
    "missing-shard",
    { weight_map: { ...weightMap, a: "model-00003-of-00002.safetensors" } },
    "SPX8001",
    "no such file",
  ],
  [
    "missing-tensor",
    { weight_map: { ...weightMap, d: "model-00001-of-00002.safetensors" } },
    "SPX8017",
    '"d" should be in',
  ],
  [
    "unlisted",
    { weight_map: { a: weightMap.a, b: weightMap.b } },
    "SPX8017",
    '"c" is in "model-00002-of-00002.safetensors" and is not listed',
  ],
])("an index that is wrong: %s", async (name, index, code, says) => {
  const error = await errorOf(() => openCheckpoint(sharded(`wrong-${name}`, index)));
  expect([error.code, error.message.includes(says), error.message]).toEqual([code, true, error.message]);
});
