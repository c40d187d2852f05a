/**
 * The last levels: the kernels of many cases compiled into one library of one instruction-set level, opened by the
 * runtime as an artefact, loaded, run and merged. Machine code is what a sweep waits for, so cases share a build.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transposeMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { applyDense } from "../../compiler/algebra/evaluate-algebra.ts";
import { type LoweredTransform, lowerTransform } from "../../compiler/driver/lower-transform.ts";
import { uniqueKernels } from "../../compiler/driver/unique-kernels.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import type { Manifest, TransformManifest } from "../../runtime/contract/manifest.ts";
import { type CpuDevice, openCpuDevice } from "../../runtime/device/cpu/cpu-device.ts";
import type { PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { createLayerLeaves } from "../../runtime/model/formula-scope.ts";
import type { DenseParameter, Layer } from "../../runtime/model/layer.ts";
import { artefactOver } from "../../runtime/model/open-artefact.ts";
import { createPackedOperands } from "../../runtime/model/packed-operands.ts";
import { openLibrary, readString } from "../../runtime/native/foreign-library.ts";
import { oracleGradients, weightGradient } from "../programs/gradient-oracle.ts";
import { demandEqual, gradientRounding, within32 } from "./demand-equal.ts";
import { exactBits, inputsFor, type LoadedCase, largestInput, type SweepCase } from "./loaded-case.ts";
import { clocksOf } from "./moved-case.ts";
import { allocate } from "./packed-case.ts";
import { applyMatrix } from "./program-oracle.ts";
import { createRandom, someOf } from "./random.ts";
import { atLevel, LevelFault, type Road } from "./road.ts";
import type { Stages } from "./stages.ts";
import { type Coverage, chooseVariants, markRun, structuresOf } from "./structure-coverage.ts";

/** A case that passed every level before. */
export interface NativeCase {
  readonly one: SweepCase;
  readonly stages: Stages;
  readonly loaded: LoadedCase;
  /** The operands of the whole plan. */
  readonly packed: ReadonlyMap<string, PackedOperand>;
}

/** A case that gets machine code. */
export interface WaitingCase extends NativeCase {
  /** Whether its gradients do as well: their kernel takes as long as those of two variants. */
  readonly backward: boolean;
}

/**
 * `mostVariants` of the plan, those with something new first, and the one that the merge goes through. Specialised
 * kernels only where the case has their numbers: elsewhere none would run.
 */
function reducedPlan(
  plan: Plan,
  { one: { seed }, loaded }: NativeCase,
  mostVariants: number,
  coverage: Coverage,
  level: string,
): Plan {
  const chosen = new Set(chooseVariants(plan, level, mostVariants, coverage, createRandom(seed)));
  for (const variant of chosen) markRun(coverage, structuresOf(plan, variant, level));
  const { merge, specializations } = plan;
  const fits = specializations.every(({ symbol, value }) => loaded.state.symbols.get(symbol) === value);
  return {
    ...plan,
    specializations: fits ? specializations : [],
    variants: plan.variants.filter(
      (variant) => chosen.has(variant) || (merge.method === "identity" && variant.name === merge.variant),
    ),
  };
}

/** How coverage calls machine code for `target`. */
export const nativeLevel = ({ name }: X86Target): string => `native ${name}`;

export interface NativeLibrary {
  readonly manifest: Manifest;
  readonly device: CpuDevice;
  readonly kernels: number;
  close(): void;
}

/** @throws LevelFault at "compile". */
export async function compileCases(
  cases: readonly WaitingCase[],
  target: X86Target,
  road: Road,
  mostVariants: number,
  coverage: Coverage,
): Promise<NativeLibrary> {
  const [first] = cases;
  if (first === undefined) throw new TypeError("a library of no cases");
  const lowered = cases.flatMap((one) => {
    const { checked, built, normal, plan } = one.stages;
    if (plan === null) return [];
    const reduced = reducedPlan(plan, one, mostVariants, coverage, nativeLevel(target));
    const whole = lowerTransform({ checked, built, normal, plan: reduced, device: null }, [target]);
    return [one.backward ? whole : withoutBackward(whole)];
  });
  const { transforms, programs } = uniqueKernels(lowered);
  const library = await road.compileLibrary(programs, { foreign: { openLibrary, readString } });
  if (library.kind === "failure") throw new LevelFault("compile", JSON.stringify(library.problems));
  const folder = mkdtempSync(join(tmpdir(), "spx-sweep-"));
  const file = "sweep.so";
  writeFileSync(join(folder, file), library.bytes);
  const manifest = road.buildManifest({
    module: { ...first.stages.module, sources: cases.flatMap(({ stages }) => stages.module.sources) },
    transforms,
    kernels: {
      file,
      sha256: createHash("sha256").update(library.bytes).digest("hex"),
      bytes: library.bytes.byteLength,
      levels: x86Targets.map(({ name, suffix, needs }) => ({ name, suffix, needs })),
      products: [],
      selections: [],
      updates: [],
    },
    cuda: null,
    compiler: "sweep",
    hashes: new Map(),
  });
  const device = openCpuDevice(join(folder, "sweep.manifest.json"), manifest, target.name);
  return {
    manifest,
    device,
    kernels: programs.length,
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function withoutBackward(lowered: LoweredTransform): LoweredTransform {
  const left = new Set(lowered.backwardKernels.map(({ symbol }) => symbol));
  return {
    ...lowered,
    backwardKernels: [],
    programs: lowered.programs.filter(({ name }) => !left.has(name)),
  };
}

const guard = 32;

/** A call with a poisoned output between guards. */
function guardedForward(layer: Layer, x: Float32Array, batch: number, threads: number): Float32Array {
  const room = new Float32Array(batch * layer.out + 2 * guard).fill(1234.5);
  const y = room.subarray(guard, guard + batch * layer.out).fill(Number.NaN);
  layer.forward(x, { y, threads });
  const around = [...room.subarray(0, guard), ...room.subarray(guard + batch * layer.out)];
  if (around.some((value) => value !== 1234.5))
    throw new LevelFault("native", `batch ${batch} wrote around y`);
  return y;
}

/** Batches whose gradients are sums that float32 holds exactly. */
const exactBackward = ({ batches }: SweepCase, { bits, rounded }: LoadedCase): number[] =>
  batches.filter(
    (batch) => batch > 0 && (rounded > 0 || bits + Math.log2(largestInput * batch) <= exactBits),
  );

/** dx and every gradient, against the chain rule on the weight as written. */
function compareGradients({ one, stages, loaded }: NativeCase, layer: Layer, level: string): number {
  if (stages.plan === null) return 0;
  const { weight, compilerValues } = loaded;
  const batches = someOf(exactBackward(one, loaded), 2, createRandom(one.seed ^ 0x9ad1));
  for (const batch of batches) {
    const x = inputsFor(one.seed + batch, batch * weight.columns);
    const dy = inputsFor(one.seed + batch + 1, batch * weight.rows);
    const { dx, grads } = layer.backward(x, dy, { threads: 1 + (batch % 2) });
    const what = `on ${level}, batch ${batch}`;
    const turned = transposeMatrix(weight);
    const back = applyDense(turned, Float64Array.from(dy));
    demandEqual("native backward", `dx ${what}`, dx.data, back, within32(loaded, largestInput));
    const expected = oracleGradients(
      stages.built.root,
      stages.checked.tensors,
      compilerValues,
      weightGradient(x, dy, batch),
    );
    const found = grads as Readonly<Record<string, DenseParameter>>;
    const within = within32(loaded, gradientRounding(batch));
    for (const [name, gradient] of expected)
      demandEqual(
        "native backward",
        `gradient of ${name} ${what}`,
        found[name]?.values ?? [],
        gradient,
        within,
      );
  }
  return batches.length;
}

/** What the manifest tells the runtime to pack is what the plan packs. @throws LevelFault at "emit". */
function demandFaithful({ loaded: { state }, packed }: NativeCase, { plan }: TransformManifest): void {
  const leaves = createLayerLeaves(plan.derived, state);
  const noMerge = (): never => {
    throw new LevelFault("emit", "an operand that is to be packed is merged");
  };
  const operands = createPackedOperands(plan, state, leaves, allocate, noMerge);
  for (const { name, production } of plan.operands) {
    if (production === "merge") continue;
    const [found, expected] = [atLevel("emit", () => operands.get(name)), packed.get(name)].map(
      (operand) => new Uint8Array(operand?.block.view ?? new ArrayBuffer(0)),
    );
    demandEqual("emit", `the bytes of ${name}`, found ?? [], expected ?? []);
  }
}

export interface NativeRun {
  /** Backward passes that were compared. */
  readonly backward: number;
}

/** Every variant that was compiled, on every batch. @throws LevelFault at a native level. */
export async function runNatively(native: WaitingCase, library: NativeLibrary): Promise<NativeRun> {
  const { one, loaded } = native;
  const { manifest, device } = library;
  let backward = 0;
  const { program, batches, seed } = one;
  const transform = manifest.transforms.find(({ name }) => name === program.name);
  if (transform === undefined) throw new LevelFault("compile", `no transform ${program.name}`);
  demandFaithful(native, transform);
  const { weight, numbers, parameters } = loaded;
  const given = [...loaded.given].map(
    ([name, { shape, values }]) => [name, { shape, data: values }] as const,
  );
  for (const variant of transform.plan.variants) {
    // The merge through a variant needs that variant beside the one that is tried; the cost decides between the two.
    const through = transform.plan.merge.method === "identity" ? transform.plan.merge.variant : variant.name;
    const variants = transform.plan.variants
      .filter(({ name }) => name === variant.name || name === through)
      .map((kept) => ({
        ...kept,
        costs: Object.fromEntries(
          Object.keys(kept.costs).map((level) => [
            level,
            { kind: "number" as const, value: kept.name === variant.name ? 1 : 2 },
          ]),
        ),
      }));
    const only = { ...transform, plan: { ...transform.plan, variants } };
    const artefact = artefactOver(
      () => ({ ...manifest, transforms: [only] }),
      () => device,
    );
    const args = { ...Object.fromEntries([...given, ...numbers]), seed: seed >>> 1 };
    const layer = (await artefact.transform(program.name).load(args)) as Layer;
    // A call before the parameters change, so that what is packed again afterwards is seen to be.
    layer.forward(inputsFor(seed, 2 * weight.columns));
    for (const [name, { values }] of Object.entries(
      layer.parameters() as Readonly<Record<string, DenseParameter>>,
    ))
      values.set(parameters.get(name) ?? []);
    layer.updated();
    if (transform.time !== null) {
      const shape = [weight.rows, weight.columns];
      atLevel("native", () => layer.at(clocksOf(one), { gradient: { data: loaded.gradient, shape } }));
    }
    const { merge } = transform.plan;
    const demandMerged = (): void =>
      demandEqual(
        "native merge",
        `beside ${variant.name} on ${device.level}`,
        layer.merge().data,
        weight.values,
        within32(loaded),
      );
    // Variants may read what the merge kernel makes, and the merge may be a variant.
    if (merge.method === "kernel") demandMerged();
    for (const batch of batches) {
      const x = inputsFor(seed + batch, batch * weight.columns);
      const [interval] = layer.plan(batch);
      if (interval?.variant !== variant.name)
        throw new LevelFault("native", `${interval?.variant} ran for ${variant.name}`);
      const y = guardedForward(layer, x, batch, 1 + (batch % 2));
      demandEqual(
        "native",
        `${variant.name} on ${device.level}, batch ${batch}`,
        y,
        applyMatrix(weight, x, batch),
        within32(loaded, largestInput),
      );
    }
    if (merge.method === "identity") demandMerged();
    if (native.backward && backward === 0) backward = compareGradients(native, layer, device.level);
    layer.dispose();
  }
  return { backward };
}
