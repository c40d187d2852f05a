import { writeFileSync } from "node:fs";
import { join } from "node:path";
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
      for (const { at, byte, action } of edits)
        bytes.splice(at, action === "insert" ? 0 : 1, ...(action === "remove" ? [] : [byte]));
      await openWhole(Uint8Array.from(cut === null ? bytes : bytes.slice(0, cut)));
    }),
    { seed: 1, numRuns: 1000 },
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
    fc.asyncProperty(
      fc.dictionary(fc.string({ maxLength: 3 }), field, { maxKeys: 3 }),
      fc.nat({ max: 40 }),
      async (entries, data) => {
        codes.add(await openWhole(fileOf(JSON.stringify(entries), data)));
      },
    ),
    { seed: 2, numRuns: 1000 },
  );
  expect(codes.size).toBeGreaterThan(4);
});

/** Tensors side by side, a few of them moved by a byte or two, and data that may end a little off. */
const placed = fc
  .record({
    tensors: fc.array(
      fc.record({ length: fc.nat({ max: 4 }), move: fc.constantFrom(0, 0, 0, 0, -2, -1, 1) }),
      { maxLength: 4 },
    ),
    more: fc.constantFrom(0, 0, 0, -1, 1),
  })
  .map(({ tensors, more }) => {
    let at = 0;
    const spans = tensors.map(({ length, move }) => {
      const begin = Math.max(0, at + move);
      at = begin + length;
      return { begin, end: at };
    });
    return { spans, data: Math.max(0, at + more) };
  });

test("offsets are accepted exactly when the tensors tile the data", async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(placed, async ({ spans, data }) => {
      const entries = spans.map(({ begin, end }, index) => [
        `t${index}`,
        entry("U8", [end - begin], begin, end),
      ]);
      // Counted byte by byte: each belongs to one tensor; and an empty tensor lies at a border of others.
      const inside = (byte: number): number =>
        spans.filter(({ begin, end }) => begin <= byte && byte < end).length;
      const split = spans.some(
        (empty) =>
          empty.begin === empty.end &&
          spans.some(({ begin, end }) => begin < empty.begin && empty.begin < end),
      );
      const covered = Array.from({ length: data }, (_, byte) => inside(byte) === 1).every(Boolean);
      const right = covered && !split && spans.every(({ end }) => end <= data);
      const result = await openWhole(fileOf(JSON.stringify(Object.fromEntries(entries)), data));
      if (right) accepted += 1;
      expect(result === "read").toBe(right);
    }),
    { seed: 3, numRuns: 1200 },
  );
  expect(accepted).toBeGreaterThan(100);
});

const someTensor = fc
  .record({
    name: fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__"),
    elementType: fc.constantFrom<ElementType>(
      "f32",
      "f16",
      "bf16",
      "u8",
      "bool",
      "i64",
      "f64",
      "i16",
      "f8_e4m3",
      "u32",
    ),
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
  const metadata = fc.dictionary(
    fc.string({ unit: "grapheme", maxLength: 6 }),
    fc.string({ unit: "grapheme", maxLength: 9 }),
    { maxKeys: 3 },
  );
  await fc.assert(
    fc.asyncProperty(tensors, metadata, async (written, extra) => {
      await writeSafetensors(
        path,
        written.map(({ name, value }) => namedTensor(name, value)),
        extra,
      );
      const checkpoint = await openCheckpoint(path);
      expect({ ...checkpoint.metadata }).toEqual({ format: "pt", ...extra });
      expect([...checkpoint.names].sort()).toEqual(written.map(({ name }) => name).sort());
      for (const { name, value } of written) expect(await checkpoint.read(name)).toEqual(value);
      await checkpoint.close();
    }),
    { seed: 4, numRuns: 150 },
  );
});
