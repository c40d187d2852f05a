import { join } from "node:path";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../runtime/checkpoint/read-safetensors.ts";
import { namedTensor, writeSafetensors } from "../../runtime/checkpoint/write-safetensors.ts";
import { SpxError } from "../../runtime/errors.ts";
import { type ElementType, elementBytes, viewData } from "../../runtime/tensor/element-type.ts";
import { tensor } from "../../runtime/tensor/tensor.ts";
import { entry, fileOf, referenceFile, scratchFolder } from "./safetensors-bytes.ts";

const scratch = scratchFolder();
const path = join(scratch.folder, "fuzz.safetensors");

/** Opens and reads everything. Right or refused with a code; and never more bytes than the file has. */
async function openWhole(bytes: Uint8Array): Promise<"read" | string> {
  writeFileSync(path, bytes);
  try {
    const checkpoint = await openCheckpoint(path);
    let total = 0;
    for (const name of checkpoint.names) total += (await checkpoint.read(name)).data.byteLength;
    await checkpoint.close();
    expect(total).toBeLessThanOrEqual(bytes.length);
    return "read";
  } catch (thrown) {
    if (!(thrown instanceof SpxError)) throw thrown;
    expect(thrown.code).toMatch(/^SPX80(0[2-9]|1[0-3])$/);
    expect(thrown.summary.startsWith(path)).toBe(true);
    return thrown.code;
  }
}

const changes = fc.array(
  fc.record({
    at: fc.nat({ max: 961 }),
    // Characters of JSON are likelier to give a header that is still read.
    byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...Buffer.from('0123456789"{}[],: -\\FUI'))),
    action: fc.constantFrom("replace", "insert", "remove"),
  }),
  { minLength: 1, maxLength: 6 },
);

test("a damaged file is read or refused with a code, nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.option(fc.nat({ max: 962 })), async (edits, cut) => {
      const bytes = [...referenceFile];
      for (const { at, byte, action } of edits) bytes.splice(at, action === "insert" ? 0 : 1, ...(action === "remove" ? [] : [byte]));
      await openWhole(Uint8Array.from(cut === null ? bytes : bytes.slice(0, cut)));
    }),
    { seed: 1, numRuns: 1500 },
  );
});

const small = fc.oneof(fc.nat({ max: 12 }), fc.constantFrom(2 ** 32, 2 ** 53, -1, 0.5, 1e300));
const field = fc.record({
  dtype: fc.constantFrom("F32", "BF16", "U8", "F4", "F6_E2M3", "I64", "Q8"),
  shape: fc.array(small, { maxLength: 3 }),
  data_offsets: fc.array(small, { minLength: 1, maxLength: 3 }),
});

test("a header of any values is read or refused with a code, nothing else", async () => {
  const codes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string({ maxLength: 3 }), field, { maxKeys: 3 }), fc.nat({ max: 40 }), async (entries, data) => {
      codes.add(await openWhole(fileOf(JSON.stringify(entries), data)));
    }),
    { seed: 2, numRuns: 1500 },
  );
  expect(codes.size).toBeGreaterThan(4);
});

const placed = fc.record({ begin: fc.nat({ max: 6 }), length: fc.nat({ max: 6 }) });

test("offsets are accepted exactly when the tensors tile the data", async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(placed, { maxLength: 4 }), fc.nat({ max: 12 }), async (tensors, data) => {
      const entries = tensors.map(({ begin, length }, index) => [`t${index}`, entry("U8", [length], begin, begin + length)]);
      // Counted byte by byte: each belongs to one tensor; and an empty tensor lies at a border of others.
      const owners = Array.from({ length: data }, (_, byte) => tensors.filter((t) => t.begin <= byte && byte < t.begin + t.length));
      const inside = tensors.every(({ begin, length }) => begin + length <= data);
      const split = tensors.some((empty) => empty.length === 0 && tensors.some((t) => t.begin < empty.begin && empty.begin < t.begin + t.length));
      const right = inside && !split && owners.every((owner) => owner.length === 1);
      const result = await openWhole(fileOf(JSON.stringify(Object.fromEntries(entries)), data));
      if (right) accepted += 1;
      expect(result === "read").toBe(right);
    }),
    {
      seed: 3,
      numRuns: 1500,
      examples: [
        [[{ begin: 0, length: 2 }, { begin: 2, length: 0 }, { begin: 2, length: 3 }], 5],
        [[{ begin: 0, length: 4 }, { begin: 2, length: 0 }], 4],
      ],
    },
  );
  expect(accepted).toBeGreaterThan(20);
});

const someTensor = fc
  .record({
    name: fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__"),
    elementType: fc.constantFrom<ElementType>("f32", "f16", "bf16", "u8", "bool", "i64", "f64", "i16", "f8_e4m3", "u32"),
    shape: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }),
    byte: fc.nat({ max: 255 }),
  })
  .map(({ name, elementType, shape, byte }) => {
    const count = shape.reduce((product, dimension) => product * dimension, 1);
    const bytes = elementBytes(elementType, count) ?? 0;
    const buffer = new ArrayBuffer(bytes);
    new Uint8Array(buffer).forEach((_, index, all) => {
      all[index] = byte + 7 * index;
    });
    return { name, value: tensor<ElementType>(elementType, shape, viewData(elementType, buffer, 0, bytes)) };
  });

test("what is written comes back, whatever the names, types and shapes", async () => {
  const tensors = fc.uniqueArray(someTensor, { selector: ({ name }) => name, maxLength: 6 });
  const metadata = fc.dictionary(fc.string({ unit: "grapheme", maxLength: 6 }), fc.string({ unit: "grapheme", maxLength: 9 }), { maxKeys: 3 });
  await fc.assert(
    fc.asyncProperty(tensors, metadata, async (written, extra) => {
      await writeSafetensors(path, written.map(({ name, value }) => namedTensor(name, value)), extra);
      const checkpoint = await openCheckpoint(path);
      expect({ ...checkpoint.metadata }).toEqual({ format: "pt", ...extra });
      expect([...checkpoint.names].sort()).toEqual(written.map(({ name }) => name).sort());
      for (const { name, value } of written) expect(await checkpoint.read(name)).toEqual(value);
      await checkpoint.close();
    }),
    { seed: 4, numRuns: 150 },
  );
});
