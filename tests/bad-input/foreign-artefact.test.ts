/** Files of an artefact that do not belong together, or to this runtime: refused by hash or version, before they run. */

import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../../compiler/emit/artefact-writer.ts";
import { abiVersion } from "../../runtime/contract/manifest.ts";
import { openArtefact, type SpxError, tensor } from "../../runtime/index.ts";
import { type BuiltProgram, buildProgram } from "../programs/built-program.ts";
import { errorOf } from "../runtime/safetensors-bytes.ts";

let program: BuiltProgram;
let manifestFile = "";
let kernelsFile = "";
beforeAll(async () => {
  program = await buildProgram({ text: "transform Dense(W: frozen [out, in]) {\n  weight = W\n}\n" });
  kernelsFile = program.artefact.manifest().kernels.file;
  manifestFile = program.manifestFile;
});
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A copy of the artefact for a test to damage. */
function copy(): { readonly manifest: string; readonly kernels: string } {
  const folder = mkdtempSync(join(tmpdir(), "spx-foreign-"));
  folders.push(folder);
  cpSync(program.folder, folder, { recursive: true });
  return { manifest: join(folder, manifestFile), kernels: join(folder, kernelsFile) };
}

const W = tensor("f32", [4, 4], new Float32Array(16).fill(1));
const loadError = (manifest: string, hash: string | null = null): Promise<SpxError> =>
  errorOf(() => openArtefact(manifest, hash).transform("Dense").load({ W }));

function change(manifest: string, edit: (value: Record<string, unknown>) => void): void {
  const value = JSON.parse(readFileSync(manifest, "utf8"));
  edit(value);
  writeFileSync(manifest, JSON.stringify(value));
}

describe("manifest", () => {
  it("is refused when its hash is not the module's", async () => {
    const { manifest } = copy();
    const hash = sha256(readFileSync(manifest));
    const layer = await openArtefact(manifest, hash).transform("Dense").load({ W });
    layer.dispose();
    writeFileSync(manifest, `${readFileSync(manifest, "utf8")} `);
    const error = await loadError(manifest, hash);
    expect(error.code).toBe("SPX8103");
    expect(error.facts).toMatchObject({ file: manifest, expected: hash });
    expect(error.help).toMatch(/build the artefact again/);
  });

  it("is refused when it follows another version of the contract", async () => {
    const { manifest } = copy();
    change(manifest, (value) => {
      value.abi = 999;
    });
    const error = await loadError(manifest);
    expect(error.code).toBe("SPX8201");
    expect(error.message).toMatch(/999/);
  });

  it("is refused when it is half a file", async () => {
    const { manifest } = copy();
    const text = readFileSync(manifest, "utf8");
    writeFileSync(manifest, text.slice(0, text.length / 2));
    expect((await loadError(manifest)).code).toBe("SPX8102");
  });
});

describe("kernels", () => {
  it("are refused when one bit differs, are cut, or are gone", async () => {
    const { manifest, kernels } = copy();
    const bytes = readFileSync(kernels);
    const damaged = Buffer.from(bytes);
    damaged.writeUInt8(damaged.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
    for (const wrong of [damaged, bytes.subarray(0, bytes.length - 1)]) {
      writeFileSync(kernels, wrong);
      const error = await loadError(manifest);
      expect(error.code).toBe("SPX8103");
      expect(error.facts).toMatchObject({ expected: sha256(bytes), found: sha256(wrong) });
    }
    rmSync(kernels);
    expect((await loadError(manifest)).code).toBe("SPX8301");
  });

  it("are refused when they were built for another version, though the hash is theirs", async () => {
    const { manifest, kernels } = copy();
    const bytes = readFileSync(kernels);
    // `spx_abi_version` as machine code: mov eax, version; ret
    const code = Buffer.from([0xb8, abiVersion, 0, 0, 0, 0xc3]);
    const at = bytes.indexOf(code);
    expect(at).toBeGreaterThan(0);
    expect(bytes.indexOf(code, at + 1)).toBe(-1);
    bytes.writeUInt8(abiVersion + 1, at + 1);
    // Another name: the system's loader would answer with the library that it has under this one.
    const renamed = kernels.replace(".so", "-other.so");
    renameSync(kernels, renamed);
    writeFileSync(renamed, bytes);
    change(manifest, (value) => {
      const record = value.kernels as Record<string, unknown>;
      Object.assign(record, { file: kernelsFile.replace(".so", "-other.so"), sha256: sha256(bytes) });
    });
    expect((await loadError(manifest)).code).toBe("SPX8201");
  });
});
