/** What each command of the real process does: its output, its JSON, its files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { packageVersion } from "../../compiler/driver/package-version.ts";
import { spxc } from "./spxc-process.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-commands-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const good = file("good.spx", "transform Dense(W: frozen [out, in]) {\n  weight = W\n}\n");
const bad = file("bad.spx", "transform T(W: frozen [out, in]) {\n  weight = W + nothing\n}\n");
const mistyped = file("mistyped.spx", "transform T(W: frozen [out, in]) {\n  weight = = W\n}\n");
const loose = file("loose.spx", "transform Dense(W:frozen[out,in]){weight=W}\n");

describe("check", () => {
  it("says what it found and ends with 0, or with 1 when any file is wrong", () => {
    expect(spxc(["check", good])).toEqual({
      status: 0,
      stdout: `${good}: 1 transform, 0 checks left for load\n`,
      stderr: "",
    });
    const both = spxc(["check", good, bad]);
    expect(both.status).toBe(1);
    expect(both.stdout).toContain(`${good}: 1 transform`);
    expect(both.stderr).toMatch(/error\[SPX2001\][\s\S]*bad\.spx:2:16[\s\S]*1 error/);
    expect(spxc(["check", join(folder, "none.spx")])).toMatchObject({ status: 1, stdout: "" });
  });

  it("speaks JSON: one record a file, spans with lines and columns", () => {
    const { status, stdout, stderr } = spxc(["check", "--json", good, bad]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    const [first, second] = JSON.parse(stdout);
    expect(first).toEqual({ file: good, ok: true, diagnostics: [] });
    expect(second).toMatchObject({ file: bad, ok: false });
    expect(second.diagnostics[0]).toMatchObject({
      code: "SPX2001",
      severity: "error",
      primary: { span: { file: bad, from: { line: 2, column: 16 }, to: { line: 2, column: 23 } } },
    });
  });
});

describe("build", () => {
  it("writes the artefact and names its files in JSON", () => {
    const output = join(folder, "deep", "out");
    const { status, stdout, stderr } = spxc(["build", good, "-o", output, "--json", "--runtime", "./rt.js"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ ok: true, diagnostics: [], provider: expect.any(String) });
    expect(report.timings.map(({ stage }: { stage: string }) => stage)).toEqual(
      expect.arrayContaining(["check", "choose", "lower", "optimise", "link", "module"]),
    );
    const names = report.files.map((written: { file: string }) => written.file);
    expect([...names].sort()).toEqual(
      readdirSync(output)
        .map((name) => join(output, name))
        .sort(),
    );
    for (const { file: path, bytes } of report.files) expect(statSync(path).size).toBe(bytes);
    // In the order of their renames: what carries its hash, then the module, which makes it the artefact.
    expect(names.map((name: string) => basename(name).replace(/-[0-9a-f]{12}\./, "-HASH."))).toEqual([
      "good-HASH.so",
      "good-HASH.manifest.json",
      "good.js",
      "good.d.ts",
    ]);
    expect(readFileSync(join(output, "good.js"), "utf8")).toContain('from "./rt.js"');
  });

  it("says in JSON what is wrong, and writes nothing", () => {
    const output = join(folder, "nothing");
    const { status, stdout, stderr } = spxc(["build", bad, "-o", output, "--json"]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, problems: [], diagnostics: [{ code: "SPX2001" }] });
    expect(readdirSync(folder)).not.toContain("nothing");
  });
});

describe("explain", () => {
  it("shows the plan at sizes on one screen", () => {
    const { status, stdout, stderr } = spxc([
      "explain",
      "stdlib/lora.spx",
      "--out",
      "4096",
      "--in",
      "512",
      "-a",
      "r=4",
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^LoRA \[4096, 512\]/);
    expect(stdout).toMatch(/^batch 1[^:]*: \S+$/m);
    expect(stdout.split("\n").length).toBeLessThan(60);
  });

  it("gives the same as JSON", () => {
    const { status, stdout } = spxc(["explain", "stdlib/lora.spx", "--out", "4096", "--in", "512", "--json"]);
    expect(status).toBe(0);
    const { ok, diagnostics, transforms } = JSON.parse(stdout);
    expect({ ok, diagnostics }).toEqual({ ok: true, diagnostics: [] });
    expect(transforms[0]).toMatchObject({ transform: "LoRA", rows: 4096, columns: 512 });
    expect(transforms[0].variants[0]).toMatchObject({
      name: expect.any(String),
      intervals: expect.arrayContaining([expect.objectContaining({ from: 1 })]),
      bytes: expect.any(Number),
    });
    const failed = spxc(["explain", bad, "--json"]);
    expect(failed.status).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({
      ok: false,
      transforms: [],
      diagnostics: [{ code: "SPX2001" }],
    });
  });

  it("takes arguments by their names, draws a page, and says why", () => {
    const named = spxc(["explain", "stdlib/lora.spx", "--r", "4"]);
    expect(named.stdout).toContain("r = 4");
    expect(named.stdout).toBe(spxc(["explain", "stdlib/lora.spx", "-a", "r=4"]).stdout);
    expect(spxc(["explain", "stdlib/lora.spx", "--r"])).toMatchObject({ status: 2, stdout: "" });
    expect(spxc(["explain", "stdlib/lora.spx", "--rank", "4"]).stderr).toMatch(
      /no argument or dimension `rank`/,
    );
    const page = spxc(["explain", "stdlib/lora.spx", "--html"]);
    expect(page.stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(spxc(["explain", "stdlib/lora.spx", "--why", "B"]).stdout).toMatch(
      /^LoRA: B is a trained dense tensor/,
    );
    const unknown = spxc(["explain", "stdlib/lora.spx", "--why", "C"]);
    expect(unknown).toMatchObject({ status: 2, stdout: "" });
    expect(unknown.stderr).toMatch(/the weight has no `C`[\s\S]*it has W, B, A/);
  });

  it("opens the page of a code, and knows when there is none", () => {
    expect(spxc(["explain", "SPX4201"]).stdout).toMatch(
      /^# SPX4201: rank above bound[\s\S]*## Fails[\s\S]*## Works/,
    );
    const unknown = spxc(["explain", "SPX4999"]);
    expect(unknown).toMatchObject({ status: 2, stdout: "" });
    expect(unknown.stderr).toMatch(/no diagnostic has the code SPX4999/);
  });
});

describe("print", () => {
  it.each([
    ["syntax", /^transform Dense\(/],
    ["checked", /frozen W/],
    ["algebra", /# as written\nalgebra Dense[\s\S]*# in normal form\nalgebra Dense/],
    ["plan", /^plan Dense \[out, in\]/],
    ["loop", /^kernel \w+ for x86-64-v3 \{/m],
    ["llvm", /^define i32 @\w+_v3\(/m],
    ["module", /export declare const Dense[\s\S]*artefact\.transform\("Dense"\)/],
    ["manifest", /^\{\n "kind": "spx-manifest"/],
  ])("shows the stage %s", (stage, expected) => {
    const { status, stdout, stderr } = spxc(["print", "--stage", stage, "--level", "v3", good]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(expected);
  });

  it("shows nothing of a file that does not check", () => {
    for (const stage of ["syntax", "plan"]) {
      const result = spxc(["print", "--stage", stage, mistyped]);
      expect(result).toMatchObject({ status: 1, stdout: "" });
      expect(result.stderr).toMatch(/error\[SPX1\d{3}\]/);
    }
    expect(spxc(["print", "--stage", "syntax", folder]).stderr).toMatch(/error\[SPX0101\]/);
  });
});

describe("fmt", () => {
  const laidOut = "transform Dense(W: frozen [out, in]) {\n  weight = W\n}\n";

  it("checks without writing, then formats in place, then has nothing to do", () => {
    const before = readFileSync(loose, "utf8");
    const checked = spxc(["fmt", "--check", good, loose]);
    expect(checked).toMatchObject({ status: 1, stdout: "" });
    expect(checked.stderr).toBe(`${loose}: not formatted; run \`spxc fmt ${loose}\`\n`);
    expect(readFileSync(loose, "utf8")).toBe(before);
    expect(spxc(["fmt", good, loose])).toEqual({ status: 0, stdout: `${loose}: formatted\n`, stderr: "" });
    expect(readFileSync(loose, "utf8")).toBe(laidOut);
    expect(spxc(["fmt", "--check", good, loose])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("formats standard input to standard output", () => {
    const input = "transform Dense(W:frozen[out,in]){weight=W}";
    expect(spxc(["fmt", "-"], { input })).toEqual({ status: 0, stdout: laidOut, stderr: "" });
    expect(spxc(["fmt", "--check", "-"], { input })).toMatchObject({ status: 1, stdout: "" });
    expect(spxc(["fmt", "-"], { input: "transform {" })).toMatchObject({ status: 1, stdout: "" });
  });

  it("leaves a broken file untouched and formats the others", () => {
    const before = readFileSync(mistyped, "utf8");
    const other = file("other.spx", "transform Dense(W:frozen[out,in]){weight=W}\n");
    const result = spxc(["fmt", mistyped, other]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/error\[SPX1\d{3}\]/);
    expect(readFileSync(mistyped, "utf8")).toBe(before);
    expect(readFileSync(other, "utf8")).toBe(laidOut);
    expect(readdirSync(folder).filter((name) => name.includes(".part"))).toEqual([]);
  });
});

describe("doctor", () => {
  it("says what is there, and the same as JSON", () => {
    const text = spxc(["doctor"]);
    expect(text).toMatchObject({ status: 0, stderr: "" });
    for (const name of ["Node", "koffi", "CPU", "llvm-bindings", "LLVM 14", "linker", "NVIDIA driver"]) {
      expect(text.stdout).toMatch(new RegExp(`^ {2}(?:yes|no ) ${name} `, "m"));
    }
    const report = JSON.parse(spxc(["doctor", "--json"]).stdout);
    expect(report).toMatchObject({ ok: true, version: packageVersion(), node: process.version });
    for (const finding of report.findings) {
      expect(finding).toEqual({
        topic: expect.stringMatching(/^(?:run|build|device)$/),
        name: expect.any(String),
        ok: expect.any(Boolean),
        needed: expect.any(Boolean),
        detail: expect.any(String),
        help: expect.any(String),
      });
      expect(text.stdout).toContain(finding.detail);
    }
  });

  it("says what is missing and what to do, with status 1", () => {
    const { status, stdout } = spxc(["doctor"], { environment: { PATH: join(folder, "empty") } });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^ {2}no {2}linker +not found\n +help: install binutils/m);
    expect(stdout).toMatch(/1 missing/);
  });
});
