import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { openCheckpoint } from "../../runtime/checkpoint/read-safetensors.ts";
import {
  namedTensor,
  type TensorToWrite,
  writeSafetensors,
} from "../../runtime/checkpoint/write-safetensors.ts";
import { elementTypeOrder } from "../../runtime/tensor/element-type.ts";
import { tensor, zeros } from "../../runtime/tensor/tensor.ts";
import { errorOf, referenceFile, scratchFolder } from "./safetensors-bytes.ts";

const scratch = scratchFolder();
const one = namedTensor("w", tensor("f32", [2], Float32Array.of(1, 2)));

/** An empty folder of the test's own. */
function freshFolder(name: string): string {
  const folder = join(scratch.folder, name);
  mkdirSync(folder);
  return folder;
}

test("writes the very bytes of the reference writer, in whatever order tensors come", async () => {
  const folder = freshFolder("reference");
  const source = join(folder, "source.safetensors");
  writeFileSync(source, referenceFile);
  const checkpoint = await openCheckpoint(source);
  const tensors: TensorToWrite[] = [];
  for (const name of checkpoint.names) tensors.push(namedTensor(name, await checkpoint.read(name)));
  await checkpoint.close();
  const target = join(folder, "written.safetensors");
  for (const order of [tensors, tensors.toReversed()]) {
    expect(await writeSafetensors(target, order)).toBe(referenceFile.length);
    expect(readFileSync(target).equals(referenceFile)).toBe(true);
  }
});

test("every element type comes back, and the data begin at a multiple of 8", async () => {
  const path = join(freshFolder("types"), "all.safetensors");
  const made = elementTypeOrder.map((type, index) => {
    const value = zeros(type, [2, 4]);
    new Uint8Array(value.data.buffer).fill(index + 1);
    return namedTensor(`t.${type}`, value);
  });
  await writeSafetensors(path, made, { step: "3", format: "np" });
  const checkpoint = await openCheckpoint(path);
  expect(checkpoint.metadata).toEqual({ format: "np", step: "3" });
  expect(checkpoint.names).toEqual(elementTypeOrder.toReversed().map((type) => `t.${type}`));
  expect(checkpoint.describe(checkpoint.names[0] ?? "").offset % 8).toBe(0);
  for (const [index, type] of elementTypeOrder.entries()) {
    const back = await checkpoint.read(`t.${type}`);
    expect([back.elementType, back.shape]).toEqual([type, [2, 4]]);
    expect(new Set(new Uint8Array(back.data.buffer))).toEqual(new Set([index + 1]));
  }
  await checkpoint.close();
});

test("names are sorted by their UTF-8 bytes, not by UTF-16 units", async () => {
  const path = join(freshFolder("names"), "n.safetensors");
  const names = ["\u{1f600}", "\uff5e", "b", "a.10", "a.2", "", "__proto__"];
  await writeSafetensors(
    path,
    names.map((name) => namedTensor(name, zeros("u8", [1]))),
  );
  const checkpoint = await openCheckpoint(path);
  expect(checkpoint.names).toEqual(["", "__proto__", "a.10", "a.2", "b", "\uff5e", "\u{1f600}"]);
  await checkpoint.close();
});

test("no tensors, and views into larger memory", async () => {
  const folder = freshFolder("edges");
  const empty = join(folder, "empty.safetensors");
  expect(await writeSafetensors(empty, [])).toBe(8 + 32);
  const large = Float32Array.of(9, 1, 2, 9);
  const path = join(folder, "view.safetensors");
  await writeSafetensors(path, [namedTensor("v", tensor("f32", [2], large.subarray(1, 3)))]);
  const checkpoint = await openCheckpoint(path);
  expect((await checkpoint.read("v")).data).toEqual(Float32Array.of(1, 2));
  await checkpoint.close();
});

test("data are asked for one tensor after the other, in the order of the file, piece by piece", async () => {
  const path = join(freshFolder("stream"), "s.safetensors");
  const events: string[] = [];
  const streamed = (name: string): TensorToWrite => ({
    name,
    elementType: "u8",
    shape: [3, 2],
    pieces: async function* () {
      for (let row = 0; row < 3; row += 1) {
        events.push(`${name}${row}`);
        yield Uint8Array.of(row, row);
      }
    },
  });
  await writeSafetensors(path, [streamed("b"), streamed("a")]);
  expect(events).toEqual(["a0", "a1", "a2", "b0", "b1", "b2"]);
  const checkpoint = await openCheckpoint(path);
  expect((await checkpoint.read("b")).data).toEqual(Uint8Array.of(0, 0, 1, 1, 2, 2));
  await checkpoint.close();
});

test("a link is replaced by the file, what it points to stays", async () => {
  const folder = freshFolder("link");
  writeFileSync(join(folder, "blob"), "precious");
  symlinkSync("blob", join(folder, "model.safetensors"));
  await writeSafetensors(join(folder, "model.safetensors"), [one]);
  expect(readFileSync(join(folder, "blob"), "utf8")).toBe("precious");
});

const pieces = (...values: ArrayBufferView[]): TensorToWrite => ({ ...one, pieces: () => values });
const failing: TensorToWrite = {
  ...one,
  pieces: function* () {
    yield new Float32Array(1);
    throw new RangeError("the source broke");
  },
};

test.each<[string, TensorToWrite[], Record<string, string>, string, string]>([
  ["a name twice", [one, one], {}, "SPX8021", 'tensor "w": the name is taken'],
  ["the name of the metadata", [{ ...one, name: "__metadata__" }], {}, "SPX8021", "the name is taken"],
  ["a name that is no Unicode", [{ ...one, name: "\ud800" }], {}, "SPX8021", "no Unicode"],
  ["metadata that are no Unicode", [one], { a: "\udc00" }, "SPX8021", 'metadata under "a"'],
  ["too few data", [pieces(new Float32Array(1))], {}, "SPX8021", "takes 8 bytes, its data have 4"],
  ["too many data", [pieces(new Float32Array(2), new Float32Array(1))], {}, "SPX8021", "have at least 12"],
  ["a shape without a size", [{ ...one, shape: [-1] }], {}, "SPX8407", "shape [-1]"],
])("%s: refused, and the old file stays", async (_, tensors, metadata, code, says) => {
  const folder = freshFolder(`bad-${_.replaceAll(" ", "-")}`);
  const path = join(folder, "model.safetensors");
  writeFileSync(path, "old");
  const error = await errorOf(() => writeSafetensors(path, tensors, metadata));
  expect(error.code).toBe(code);
  expect(error.message).toContain(says);
  expect(readdirSync(folder)).toEqual(["model.safetensors"]);
  expect(readFileSync(path, "utf8")).toBe("old");
});

test("what the source of the data throws comes through, and nothing is left behind", async () => {
  const folder = freshFolder("source");
  await expect(writeSafetensors(join(folder, "m.safetensors"), [failing])).rejects.toThrow(
    new RangeError("the source broke"),
  );
  expect(readdirSync(folder)).toEqual([]);
});

/** Replaces a method of all open files for the time of `action`. */
async function withFileMethod(
  method: "write" | "sync",
  behaviour: (this: FileHandle, ...values: unknown[]) => Promise<unknown>,
  action: (original: (...values: unknown[]) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const handle = await open("/dev/null");
  const prototype = Object.getPrototypeOf(handle) as Record<
    string,
    (...values: unknown[]) => Promise<unknown>
  >;
  await handle.close();
  const original = prototype[method];
  if (original === undefined) throw new Error(`file handles have no ${method}`);
  const spy = vi.spyOn(prototype, method).mockImplementation(behaviour as () => Promise<unknown>);
  try {
    await action(original);
  } finally {
    spy.mockRestore();
  }
}

test.each(["write", "sync"] as const)(
  "a disk that is full at %s: said, and the old file stays",
  async (method) => {
    const folder = freshFolder(`full-${method}`);
    const path = join(folder, "model.safetensors");
    writeFileSync(path, "old");
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    await withFileMethod(
      method,
      () => Promise.reject(full),
      async () => {
        const error = await errorOf(() => writeSafetensors(path, [one]));
        expect([error.code, error.help, error.cause]).toEqual([
          "SPX8020",
          "free space on that disk, or write to another one",
          full,
        ]);
      },
    );
    expect(readdirSync(folder)).toEqual(["model.safetensors"]);
    expect(readFileSync(path, "utf8")).toBe("old");
  },
);

test("a system that writes a few bytes at a time", async () => {
  const path = join(freshFolder("few"), "m.safetensors");
  await writeSafetensors(path, [one]);
  const expected = readFileSync(path);
  let original: ((...values: unknown[]) => Promise<unknown>) | null = null;
  await withFileMethod(
    "write",
    function (bytes, offset, length, position) {
      return (
        original?.call(this, bytes, offset, Math.min(Number(length), 5), position) ??
        Promise.reject(new Error("early"))
      );
    },
    async (found) => {
      original = found;
      await writeSafetensors(path, [one]);
    },
  );
  expect(readFileSync(path).equals(expected)).toBe(true);
});

test("places that cannot be written to", async () => {
  const folder = freshFolder("places");
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "taken"));
  const cases: [string, string][] = [
    [join(folder, "none", "m.safetensors"), "create the folder first"],
    [join(folder, "file", "m.safetensors"), "a part of the path is a file"],
    [join(folder, "taken"), "a folder has that name"],
    ["/proc/m.safetensors", ""],
  ];
  for (const [path, help] of cases) {
    const error = await errorOf(() => writeSafetensors(path, [one]));
    expect(error.code).toBe("SPX8020");
    expect(error.help).toContain(help);
  }
  expect(readdirSync(folder).sort()).toEqual(["file", "taken"]);
  expect(existsSync("/proc/m.safetensors")).toBe(false);
});
