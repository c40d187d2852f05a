/** `npm run quickstart -- --checkpoint DIR` as a user runs it, on a small checkpoint with the names of the real one. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { namedTensor, tensor, writeSafetensors } from "../../runtime/index.ts";
import { testMatrix } from "./built-program.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-quickstart-"));
const small = join(folder, "small");
const foreign = join(folder, "foreign");

const shapes: Readonly<Record<string, readonly [number, number]>> = {
  "encoder.layer.0.attention.self.query.weight": [48, 48],
  "encoder.layer.0.attention.self.key.weight": [48, 48],
  "encoder.layer.0.attention.self.value.weight": [48, 48],
  "encoder.layer.0.attention.output.dense.weight": [48, 48],
  "encoder.layer.0.intermediate.dense.weight": [96, 48],
  "encoder.layer.0.output.dense.weight": [48, 96],
  "pooler.dense.weight": [48, 48],
  "embeddings.word_embeddings.weight": [10, 48],
};

async function writeModel(target: string, names: readonly (readonly [string, readonly [number, number]])[]) {
  mkdirSync(target);
  const tensors = names.map(([name, [rows, columns]], index) =>
    namedTensor(name, tensor("f32", [rows, columns], testMatrix(index + 1, rows * columns))),
  );
  await writeSafetensors(join(target, "model.safetensors"), tensors, { format: "pt" });
}

const quickstart = (checkpoint: string) =>
  spawnSync(process.execPath, ["scripts/quickstart.mjs", "--checkpoint", checkpoint, "--rounds", "2"], {
    encoding: "utf8",
  });

beforeAll(async () => {
  await writeModel(small, Object.entries(shapes));
  await writeModel(foreign, [["transformer.h.0.attn.weight", [8, 8]]]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("transforms every linear layer, prints one table and ends well", () => {
  const { status, stdout, stderr } = quickstart(small);
  expect(stderr).not.toContain("error");
  const rows = stdout.split("\n").filter((line) => / (?:DSEE|LoRA|NM|SparseLowRank) /.test(line));
  expect(rows.map((line) => line.split(/\s+/)[0]).sort()).toEqual(
    Object.keys(shapes)
      .filter((name) => !name.startsWith("embeddings"))
      .sort(),
  );
  expect(stdout).toContain("All 7 layers are inside the bound");
  expect(status).toBe(0);
}, 120_000);

test("a checkpoint that the model block does not fit is an error that names real tensors", () => {
  const { status, stderr, stdout } = quickstart(foreign);
  expect(`${stdout}${stderr}`).toMatch(/SPX8501.*encoder\.layer/s);
  expect(`${stdout}${stderr}`).toContain("transformer.h.0.attn.weight");
  expect(`${stdout}${stderr}`).not.toContain("    at ");
  expect(status).toBe(1);
}, 120_000);

test("a missing checkpoint is an error with a code", () => {
  const { status, stderr, stdout } = quickstart(join(folder, "nowhere"));
  expect(`${stdout}${stderr}`).toContain("SPX8001");
  expect(`${stdout}${stderr}`).not.toContain("    at ");
  expect(status).toBe(1);
}, 120_000);
