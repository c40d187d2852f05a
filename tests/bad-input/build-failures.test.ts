/** A build that cannot end well: it says why with a code, ends with 1 and leaves what was there as it was. */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../../compiler/emit/artefact-writer.ts";
import { commandFile, repositoryRoot, spxc } from "../cli/spxc-process.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-builds-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const source = join(folder, "layer.spx");
const output = join(folder, "out");
beforeAll(() => {
  writeFileSync(source, "transform Dense(W: frozen [out, in]) {\n  weight = W\n}\n");
  expect(spxc(["build", source, "-o", output])).toMatchObject({ status: 0, stderr: "" });
});

/** Every file of a folder, by name, as hashes. */
const contents = (path: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [name, sha256(readFileSync(join(path, name)))]),
  );

describe("output that cannot be written", () => {
  it("is found before the kernels are made", () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    for (const path of [file, join(file, "below"), join(file, "deep", "below")]) {
      const { status, stdout, stderr } = spxc(["build", source, "-o", path]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(
        /^error\[SPX0201\]: .*a-file[\s\S]*help: choose a folder you may write to with `-o`/,
      );
    }
    expect(readFileSync(file, "utf8")).toBe("");
  });

  it("leaves the artefact whole when one of its names is taken by a folder", () => {
    const taken = join(folder, "taken");
    cpSync(output, taken, { recursive: true });
    rmSync(join(taken, "layer.d.ts"));
    mkdirSync(join(taken, "layer.d.ts"));
    rmSync(join(taken, "layer.js"));
    writeFileSync(join(taken, "layer.js"), "// the previous module\n");
    const before = readdirSync(taken).sort();
    const { status, stderr } = spxc(["build", source, "-o", taken]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/error\[SPX0201\].*layer\.d\.ts/);
    expect(readdirSync(taken).sort()).toEqual(before);
    expect(readFileSync(join(taken, "layer.js"), "utf8")).toBe("// the previous module\n");
  });
});

describe("tools that are missing", () => {
  it("names the linker, and keeps the previous artefact", () => {
    const before = contents(output);
    const { status, stderr } = spxc(["build", source, "-o", output], { environment: { PATH: folder } });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error\[SPX7003\]: no linker was found[\s\S]*help: install binutils/);
    expect(contents(output)).toEqual(before);
  });

  it("names llvm-bindings, which checking does without", () => {
    const installation = packageWithout("llvm-bindings");
    const command = join(installation, "dist", "compiler", "cli", "main.js");
    const fresh = join(folder, "fresh");
    const built = spxc(["build", source, "-o", fresh, "--json"], { command });
    expect(built.status).toBe(1);
    expect(JSON.parse(built.stdout)).toMatchObject({
      ok: false,
      diagnostics: [],
      problems: [{ code: "SPX7001", help: expect.stringContaining("npm run setup") }],
    });
    expect(existsSync(fresh)).toBe(false);
    expect(spxc(["check", source], { command })).toMatchObject({ status: 0, stderr: "" });
    const report = spxc(["doctor"], { command });
    expect(report).toMatchObject({ status: 1, stderr: "" });
    expect(report.stdout).toMatch(/no {2}llvm-bindings/);
  });
});

/** The package as it is installed, with the packages of this clone except one. */
function packageWithout(missing: string): string {
  const installation = join(folder, "installation");
  const modules = join(repositoryRoot, "node_modules");
  mkdirSync(join(installation, "node_modules"), { recursive: true });
  for (const name of readdirSync(modules).filter((entry) => entry !== missing && !entry.startsWith("."))) {
    symlinkSync(join(modules, name), join(installation, "node_modules", name));
  }
  for (const part of ["package.json", "stdlib"])
    symlinkSync(join(repositoryRoot, part), join(installation, part));
  cpSync(join(repositoryRoot, "dist"), join(installation, "dist"), { recursive: true });
  return installation;
}

it("is not disturbed by a file name that means something in a URL", () => {
  const odd = join(folder, "50%#? ä.spx");
  writeFileSync(odd, readFileSync(source));
  const target = join(folder, "odd");
  expect(spxc(["build", odd, "-o", target])).toMatchObject({ status: 0, stderr: "" });
  const module = readFileSync(join(target, "50%#? ä.js"), "utf8");
  const [, location = ""] = /new URL\("([^"]+)"/.exec(module) ?? [];
  expect(existsSync(new URL(location, pathToFileURL(join(target, "50%#? ä.js"))))).toBe(true);
});

it("leaves the previous artefact when it is killed while kernels are made", async () => {
  const before = contents(output);
  const changed = join(folder, "changed", "layer.spx");
  mkdirSync(dirname(changed));
  writeFileSync(changed, "transform Dense(W: frozen [out, in], a: real = 2) {\n  weight = a * W\n}\n");
  for (const milliseconds of [150, 600]) {
    const building = spawn(process.execPath, [commandFile(), "build", changed, "-o", output], {
      stdio: "ignore",
    });
    const ended = new Promise((resolve) => building.once("close", resolve));
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    building.kill("SIGKILL");
    await ended;
    if (building.exitCode === null) expect(contents(output)).toEqual(before);
  }
});
