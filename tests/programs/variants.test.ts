/**
 * Variants of the standard library that cover every atom, format and layout, also those that a build leaves out, forced
 * one at a time on every level that this CPU runs: forward and merge against the float64 oracle, before and after
 * parameters changed. Small layers choose few variants; the others are reached here alone.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { oracleForward, oracleWeight, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import type { DenseMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import type { Manifest, PlanManifest } from "../../runtime/contract/manifest.ts";
import type { Artefact, Layer } from "../../runtime/index.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import {
  type BuiltProgram,
  givenTensors,
  openChanged,
  randomizeParameters,
  testMatrix,
} from "./built-program.ts";
import { buildStdlib, errorBound, guardedForward, type StdlibCase, stdlibCases } from "./stdlib-cases.ts";

const batches = [1, 2, 4, 7, 15, 16, 17, 33, 48, 49, 65];
const folder = mkdtempSync(join(tmpdir(), "spx-variants-"));
let programs: ReadonlyMap<string, BuiltProgram> = new Map();

const { features } = detectCpu();
const runnable = x86Targets.filter(({ name, needs }) => {
  const missing = needs.filter((need) => !features.has(need));
  if (missing.length > 0) console.warn(`level ${name} is not tested: this CPU lacks ${missing.join(", ")}`);
  return missing.length === 0;
});

/** Files that hold every atom, format and layout between them; the others would only compile the same kernels again. */
const coveringFiles: ReadonlySet<string> = new Set([
  "block_sparse",
  "boft",
  "dsee",
  "ia3",
  "lora",
  "monarch",
  "nm",
  "phm",
  "qlora",
  "s2ft",
  "sltrain",
  "sparse_delta",
]);
const cases = stdlibCases.filter(({ file }) => coveringFiles.has(file));

beforeAll(async () => {
  programs = await buildStdlib("covering", cases);
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One price on every level. */
const samePrice = (costs: Readonly<Record<string, unknown>>, value: number) =>
  Object.fromEntries(Object.keys(costs).map((level) => [level, { kind: "number", value } as const]));

/**
 * Only the variant called `name` is ever chosen; that of the merge stays, because the identity goes through it, at a
 * cost that keeps it away. What the merge fills names no source: evaluating it would fail.
 */
function onlyVariant(plan: PlanManifest, name: string): PlanManifest {
  const { merge, backward, rates } = plan;
  const needed = merge.method === "identity" ? merge.variant : null;
  return {
    derived: plan.derived,
    operands: plan.operands.map((operand) =>
      operand.production === "merge"
        ? { ...operand, source: { kind: "leaf", name: "", slice: null } }
        : operand,
    ),
    variants: plan.variants
      .filter((variant) => variant.name === name || variant.name === needed)
      .map((variant) => ({ ...variant, costs: samePrice(variant.costs, variant.name === name ? 1 : 2) })),
    merge,
    backward,
    rates,
    cuda: null,
  };
}

function openVariant(program: BuiltProgram, transform: string, variant: string, level: string): Artefact {
  const place = join(folder, program.manifestFile);
  mkdirSync(place, { recursive: true });
  const name = `${transform}-${variant}-${level}`.replaceAll("/", "-");
  return openChanged(program, { folder: place, name, level }, (manifest: Manifest) => ({
    ...manifest,
    transforms: manifest.transforms
      .filter((candidate) => candidate.name === transform)
      .map((candidate) => ({ ...candidate, plan: onlyVariant(candidate.plan, variant) })),
  }));
}

interface Expected {
  readonly weight: DenseMatrix;
  readonly outputs: ReadonlyMap<number, { readonly x: Float32Array; readonly y: Float64Array }>;
}

/** What a layer in its present state should give; parameters depend on seeds alone, so all variants share it. */
function expectedOf(
  program: BuiltProgram,
  transform: string,
  layer: Layer,
  given: ReturnType<typeof givenTensors>,
): Expected {
  const stages = program.stages.get(transform);
  if (stages === undefined) throw new Error(`no ${transform}`);
  const weight = oracleWeight(stages, layer, given);
  const outputs = batches.map((batch) => {
    const x = testMatrix(batch + 7, batch * weight.columns);
    return [batch, { x, y: oracleForward(weight, x, batch) }] as const;
  });
  return { weight, outputs: new Map(outputs) };
}

function checkLayer(layer: Layer, { weight, outputs }: Expected): void {
  for (const [batch, { x, y }] of outputs) {
    for (const threads of [1, 2]) {
      const error = relativeError(guardedForward(layer, x, batch, threads), y);
      expect(error, `batch ${batch} on ${threads} threads`).toBeLessThanOrEqual(errorBound);
    }
  }
  expect(relativeError(layer.merge().data, weight.values), "merged").toBeLessThanOrEqual(errorBound);
}

async function checkCase(
  { file, transform, numbers }: StdlibCase,
  out: number,
  inputs: number,
): Promise<string[]> {
  const program = programs.get(file);
  const stages = program?.stages.get(transform);
  if (program === undefined || stages === undefined) throw new Error(`no ${file}`);
  const given = givenTensors(stages, out, inputs);
  const seeds = [5, 6];
  const expected = new Map<number, Expected>();
  const checked: string[] = [];
  const { variants } = program.artefact.manifest().transforms.find(({ name }) => name === transform)
    ?.plan ?? { variants: [] };
  for (const variant of variants) {
    for (const { name: level } of runnable) {
      const artefact = openVariant(program, transform, variant.name, level);
      const layer = (await artefact.transform(transform).load({ ...given, ...numbers, seed: 3 })) as Layer;
      for (const seed of seeds) {
        randomizeParameters(layer, seed);
        const wanted = expected.get(seed) ?? expectedOf(program, transform, layer, given);
        expected.set(seed, wanted);
        expect(layer.plan()).toMatchObject([{ variant: variant.name, merged: variant.merged, level }]);
        checkLayer(layer, wanted);
      }
      checked.push(`${variant.name} ${level}`);
      layer.dispose();
    }
  }
  return checked;
}

describe.each(cases)("$file $transform $numbers", (one) => {
  test.each(one.sizes)("[%i, %i]", async (out, inputs) => {
    expect(await checkCase(one, out, inputs)).not.toEqual([]);
  });
});
