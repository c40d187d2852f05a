/**
 * What only shows when a layer is loaded: sizes that a `require` refuses, values without an order, tensors of another
 * type, checkpoints that are broken or lie, rules that match nothing.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namedTensor, openCheckpoint, type SpxError, tensor, writeSafetensors } from "../../runtime/index.ts";
import { repositoryRoot } from "../cli/spxc-process.ts";
import { type BuiltProgram, buildProgram, testMatrix } from "../programs/built-program.ts";
import { errorOf, fileOf } from "../runtime/safetensors-bytes.ts";

const source = `import { magnitude, topk } from "std/select"

transform SemiStructured(W: frozen [out, in]) {
  require in % 4 == 0
  mask M: nm(2, 4) along in = magnitude(W)
  weight = M .* W
}

transform Free(W: [out, in], r: int = 2, nnz: int = 4) {
  require r <= min(out, in)
  param S: sparse [out, in] on topk(abs(W), nnz) = 0
  weight = S
}

model Encoder {
  for "encoder.layer.*.attention.{query,value}.weight" use SemiStructured
}
`;

let program: BuiltProgram;
const folder = mkdtempSync(join(tmpdir(), "spx-load-"));
beforeAll(async () => {
  program = await buildProgram({ text: source });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const matrix = (rows: number, columns: number) =>
  tensor("f32", [rows, columns], testMatrix(rows + columns, rows * columns));

const loading = (name: string, args: object): Promise<SpxError> =>
  errorOf(() => program.artefact.transform(name).load(args));

describe("arguments", () => {
  it("`in % 4` is refused at load, with its place in the source", async () => {
    const error = await loading("SemiStructured", { W: matrix(8, 10) });
    expect(error.code).toBe("SPX4101");
    expect(error.message).toMatch(/`in % 4 == 0`/);
    expect(error.message).toMatch(/\.spx:4:11\b/);
    expect(error.message).toMatch(/\b10\b/);
  });

  it("a rank above min(out, in) and more entries than out * in are refused at load", async () => {
    const rank = await loading("Free", { W: matrix(8, 6), r: 7 });
    expect(rank.code).toBe("SPX4201");
    expect(rank.message).toMatch(/r <= min\(out, in\)[\s\S]*\.spx:10:11\b/);
    const count = await loading("Free", { W: matrix(8, 6), nnz: 49 });
    expect(count.code).toBe("SPX4401");
    expect(count.message).toMatch(/nnz[\s\S]*\.spx:11:/);
    const layer = await program.artefact.transform("Free").load({ W: matrix(8, 6), r: 6, nnz: 48 });
    layer.dispose();
  });

  it("weights that are not finite have no order of magnitude", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const W = matrix(8, 12);
      W.data[29] = value;
      const error = await loading("SemiStructured", { W });
      expect(error.code).toBe("SPX8408");
      expect(error.message).toMatch(/\b2\b.*\b5\b|\[2, 5\]|\b29\b/);
    }
  });

  it("a tensor of another type or shape, or none, is refused", async () => {
    const integers = tensor("i32", [8, 12], new Int32Array(96));
    expect((await loading("SemiStructured", { W: integers })).code).toBe("SPX8404");
    const flat = tensor("f32", [96], new Float32Array(96));
    expect((await loading("SemiStructured", { W: flat })).code).toBe("SPX8405");
    expect((await loading("SemiStructured", {})).code).toBe("SPX8401");
    expect((await loading("SemiStructured", { W: matrix(8, 12), keep: 1 })).code).toBe("SPX8402");
    // A misspelt option is no tensor that is malformed.
    expect(
      (await loading("SemiStructured", { W: matrix(8, 12), parameter: "a.safetensors" })).message,
    ).toMatch(/SPX8402.*no argument `parameter`.*did you mean `parameters`/s);
  });
});

describe("checkpoints", () => {
  const names = ["query", "value"].map((name) => `encoder.layer.0.attention.${name}.weight`);
  const file = (name: string): string => join(folder, name);
  const store = async (name: string, tensors: readonly string[]): Promise<string> => {
    await writeSafetensors(
      file(name),
      tensors.map((tensorName) => namedTensor(tensorName, matrix(8, 12))),
    );
    return file(name);
  };
  const loadAll = async (path: string): Promise<number> => {
    let count = 0;
    for await (const { layer } of program.artefact.model("Encoder").load(path)) {
      count += 1;
      layer.dispose();
    }
    return count;
  };

  it("load when they are whole", async () => {
    expect(await loadAll(await store("whole.safetensors", names))).toBe(2);
  });

  it("a rule that matches nothing is an error with the nearest real names", async () => {
    const path = await store("renamed.safetensors", [
      "encoder.layers.0.attention.query.weight",
      "pooler.bias",
    ]);
    const error = await errorOf(() => loadAll(path));
    expect(error.code).toBe("SPX8501");
    expect(error.message).toMatch(
      /"encoder\.layer\.\*\.attention\.\{query,value\}\.weight" of `Encoder` matches no tensor/,
    );
    expect(error.message).toMatch(/\.spx:16:7\b[\s\S]*`encoder\.layers\.0\.attention\.query\.weight`/);
  });

  it("a truncated file is refused with its offsets, and ends a program with status 1", async () => {
    const path = await store("cut.safetensors", names);
    const { length } = readFileSync(path);
    truncateSync(path, length - 100);
    const error = await errorOf(() => loadAll(path));
    expect(error.code).toBe("SPX8002");
    expect(error.message).toContain("cut.safetensors");
    expect(error.message).toMatch(new RegExp(`\\b${length - 100}\\b`));

    cpSync(program.folder, folder, { recursive: true });
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(repositoryRoot, join(folder, "node_modules", "spx"));
    const before = readdirSync(folder).sort();
    const script = `import { Encoder } from "./program.js";
      for await (const { layer } of Encoder.load("cut.safetensors")) await layer.save("delta.safetensors");`;
    const ran = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: folder,
      encoding: "utf8",
    });
    expect({ status: ran.status, stdout: ran.stdout }).toEqual({ status: 1, stdout: "" });
    expect(ran.stderr).toMatch(/error\[SPX8002\][\s\S]*help:/);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  it("a header that claims 2^60 bytes, or a tensor that does, allocates nothing", async () => {
    const entry = { dtype: "F32", shape: [2 ** 30, 2 ** 28], data_offsets: [0, 2 ** 60] };
    writeFileSync(file("long-header.safetensors"), fileOf("{}", 0, 2n ** 60n));
    writeFileSync(file("huge-tensor.safetensors"), fileOf(JSON.stringify({ [names[0] ?? ""]: entry }), 16));
    await errorOf(() => openCheckpoint(file("long-header.safetensors")));
    const bytes = (): number => {
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      return heapUsed + external + arrayBuffers;
    };
    for (const [name, code] of [
      ["long-header.safetensors", "SPX8003"],
      ["huge-tensor.safetensors", "SPX8008"],
    ] as const) {
      const before = bytes();
      const error = await errorOf(() => loadAll(file(name)));
      expect(error.code).toBe(code);
      expect(bytes() - before, name).toBeLessThan(2 ** 22);
    }
  });
});
