/** `spx.lock`: written by `lock`, held to by `build --locked`, which never writes. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { runSpxc } from "./spxc-in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const source = join(folder, "lora.spx");
const path = join(folder, "spx.lock");
const output = join(folder, "out");
const build = ["build", source, "-o", output, "--locked"];

beforeEach(() => {
  copyFileSync("stdlib/lora.spx", source);
  rmSync(path, { force: true });
});

const locked = () => JSON.parse(readFileSync(path, "utf8"));

describe("spxc lock", () => {
  it("writes source hash, compiler, rates and choices, and the same bytes again", async () => {
    expect(await runSpxc(["lock", source])).toEqual({
      status: 0,
      stdout: `${source}: locked in ${path}\n`,
      stderr: "",
    });
    const first = readFileSync(path, "utf8");
    const file = locked().files["lora.spx"];
    expect(file).toMatchObject({
      source: expect.stringMatching(/^[0-9a-f]{64}$/),
      compiler: expect.any(String),
      rates: { name: "default", id: expect.stringMatching(/^[0-9a-f]{8}$/) },
    });
    const [variant] = file.transforms.LoRA.variants;
    expect(variant).toMatchObject({
      name: "separate/lane-output",
      form: "y = W x + ((alpha / r) * B) (A x)",
      formats: { A_panels: "panel16", B_panels: "panel16", W_panels: "panel16" },
    });
    expect(variant.steps).toHaveLength(2);
    expect(variant.rules).toContain("low-rank-fused");
    expect((await runSpxc(["lock", source])).status).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(first);
  });

  it("keeps what it says of other files", async () => {
    const other = join(folder, "other.spx");
    writeFileSync(other, "transform Dense(W: frozen [out, in]) {\n  weight = W\n}\n");
    expect((await runSpxc(["lock", source])).status).toBe(0);
    expect((await runSpxc(["lock", other])).status).toBe(0);
    expect(Object.keys(locked().files)).toEqual(["lora.spx", "other.spx"]);
  });
});

describe("spxc build --locked", () => {
  it("builds what is locked and leaves the lock alone", async () => {
    await runSpxc(["lock", source]);
    const before = readFileSync(path, "utf8");
    expect((await runSpxc(build)).status).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it("fails without a lock, and writes none", async () => {
    const { status, stderr } = await runSpxc(build);
    expect(status).toBe(1);
    expect(stderr).toContain("SPX0401");
    expect(existsSync(path)).toBe(false);
  });

  it("fails on a lock that it cannot read", async () => {
    writeFileSync(path, "<<<<<<< ours\n");
    expect((await runSpxc(build)).stderr).toContain("SPX0402");
    expect((await runSpxc(["lock", source])).stderr).toContain("SPX0402");
    expect(readFileSync(path, "utf8")).toBe("<<<<<<< ours\n");
  });

  it("fails when the source has changed, with the plans that differ", async () => {
    await runSpxc(["lock", source]);
    writeFileSync(source, readFileSync(source, "utf8").replace("weight = W", "weight = 2 * W"));
    const { status, stderr } = await runSpxc(build);
    expect(status).toBe(1);
    expect(stderr).toContain("SPX0403");
    expect(stderr).toMatch(/- separate\/lane-output: y = W x/);
  });

  it("fails when another plan was locked, showing the old form and the new one", async () => {
    await runSpxc(["lock", source]);
    const lock = locked();
    lock.files["lora.spx"].transforms.LoRA.variants[0].form = "y = (W + B @ A) x";
    lock.files["lora.spx"].compiler = "0.0.1";
    writeFileSync(path, JSON.stringify(lock));
    const { status, stderr } = await runSpxc(build);
    expect(status).toBe(1);
    expect(stderr).toContain("SPX0404");
    expect(stderr).toContain("not 0.0.1");
    expect(stderr).toContain("- separate/lane-output: y = (W + B @ A) x");
    expect(stderr).toContain("+ separate/lane-output: y = W x + ((alpha / r) * B) (A x)");
  });

  it("is not asked for together with --lock", async () => {
    expect((await runSpxc([...build, "--lock"])).status).toBe(2);
  });
});
