/**
 * The writer of artefacts, ended or failing before each of its file operations in turn: what lies in the folder is the
 * old artefact or the new one, never a mixture, and the next write clears away what is left over.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isHashedName, kernelsName, manifestName } from "../../compiler/driver/artefact-names.ts";
import { type ArtefactFile, sha256, writeArtefact } from "../../compiler/emit/artefact-writer.ts";
import { commandFile } from "../cli/spxc-process.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-writes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An artefact in the order of `emitArtefact`; the contents of each file name the next. */
function artefact(version: string): readonly ArtefactFile[] {
  const kernels = `kernels ${version}`;
  const so = kernelsName("a", sha256(kernels));
  const manifest = manifestName("a", sha256(so));
  return [
    { name: so, bytes: kernels },
    { name: manifest, bytes: so },
    { name: "a.js", bytes: manifest },
    { name: "a.d.ts", bytes: `declarations ${version}` },
  ];
}

const replacesBut =
  (files: readonly ArtefactFile[]) =>
  (name: string): boolean =>
    isHashedName("a", name) && !files.some((file) => file.name === name);

const [older, newer] = [artefact("old"), artefact("new")];
const previous = join(folder, "previous");
writeArtefact(previous, older, replacesBut(older));

const entries = (path: string): Record<string, string> =>
  Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), "utf8")]));
const asEntries = (files: readonly ArtefactFile[]): Record<string, string> =>
  Object.fromEntries(files.map(({ name, bytes }) => [name, String(bytes)]));

/** Which artefact a user of `path` gets, by way of the module; what it names has to be whole. */
function inUse(path: string): "old" | "new" {
  const text = (name: string): string => readFileSync(join(path, name), "utf8");
  const manifest = text("a.js");
  expect(manifest).toBe(manifestName("a", sha256(text(manifest))));
  const kernels = text(manifest);
  expect(kernels).toBe(kernelsName("a", sha256(text(kernels))));
  return manifest === older[2]?.bytes ? "old" : "new";
}

/** Writes the newer artefact in a process in which the file operation `step` (from 0) ends or fails. */
function writeInterrupted(path: string, step: number, how: "killed" | "failing") {
  const script = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    let count = 0;
    for (const name of ["mkdirSync", "writeFileSync", "copyFileSync", "renameSync", "rmSync", "readdirSync"]) {
      const real = fs[name];
      fs[name] = (...values) => {
        if (count++ === ${step}) {
          if (${how === "killed"}) process.kill(process.pid, "SIGKILL");
          throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
        }
        return real(...values);
      };
    }
    syncBuiltinESMExports();
    const { writeArtefact } = await import(${JSON.stringify(join(dirname(commandFile()), "..", "emit", "artefact-writer.js"))});
    const { isHashedName } = await import(${JSON.stringify(join(dirname(commandFile()), "..", "driver", "artefact-names.js"))});
    const files = ${JSON.stringify(newer)};
    try {
      writeArtefact(${JSON.stringify(path)}, files, (name) => isHashedName("a", name) && !files.some((file) => file.name === name));
      console.log("written " + count);
    } catch (cause) {
      console.log("refused " + cause.message);
    }`;
  const { stdout, signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return { signal, said: stdout.trim() };
}

const fresh = (name: string): string => {
  const path = join(folder, name);
  cpSync(previous, path, { recursive: true });
  return path;
};

describe("a writer that ends before any of its file operations", () => {
  const whole = writeInterrupted(fresh("whole"), 1000, "killed").said;
  const steps = Number(/^written (\d+)$/.exec(whole)?.[1]);

  it("has operations to be interrupted in", () => {
    expect(steps).toBeGreaterThan(10);
    expect(inUse(join(folder, "whole"))).toBe("new");
    expect(entries(join(folder, "whole"))).toEqual(asEntries(newer));
  });

  it("killed: leaves one artefact whole, and nothing after the next write", { timeout: 30_000 }, () => {
    const seen = new Set<string>();
    for (let step = 0; step < steps; step += 1) {
      const path = fresh(`killed-${step}`);
      expect(writeInterrupted(path, step, "killed").signal).toBe("SIGKILL");
      seen.add(inUse(path));
      writeArtefact(path, older, replacesBut(older));
      expect(entries(path), `after step ${step}`).toEqual(asEntries(older));
    }
    expect([...seen].sort()).toEqual(["new", "old"]);
  });

  it("failing: changes nothing when it says so", { timeout: 30_000 }, () => {
    let refused = 0;
    for (let step = 0; step < steps; step += 1) {
      const path = fresh(`failing-${step}`);
      const { said } = writeInterrupted(path, step, "failing");
      if (said !== "refused no space left") {
        expect(said).toMatch(/^written/);
        expect(inUse(path)).toBe("new");
      } else {
        refused += 1;
        expect(entries(path), `after step ${step}`).toEqual(asEntries(older));
      }
    }
    expect(refused).toBeGreaterThan(8);
  });

  it("takes a folder away again that it had made", () => {
    const parent = join(folder, "made");
    mkdirSync(parent);
    expect(writeInterrupted(join(parent, "deep", "out"), 2, "failing").said).toBe("refused no space left");
    expect(readdirSync(parent)).toEqual([]);
  });
});
