/** One case through every level that needs no machine code, each compared with the oracle to the last bit. */
import { blockDiagonal, type DenseMatrix, transposeMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { evaluateSource as evaluateDense } from "../../compiler/algebra/evaluate-source.ts";
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import type { LoweredKernel } from "../../compiler/loop/lower-variant.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import { interpretBackward } from "../../compiler/plan/interpret-backward.ts";
import { interpretMerge, interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import type { DerivedManifest } from "../../runtime/contract/manifest.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { unpackOperand } from "../../runtime/formats/pack-operand.ts";
import {
  floatsOf,
  integersOf,
  type MemoryBlock,
  type PackedOperand,
} from "../../runtime/formats/packed-operand.ts";
import { readPanels } from "../../runtime/formats/panel16.ts";
import { packQuantizedPanels } from "../../runtime/formats/quantized-panels.ts";
import { evaluateSource } from "../../runtime/model/evaluate-source.ts";
import { createLayerLeaves } from "../../runtime/model/formula-scope.ts";
import { codesOf } from "../../runtime/model/packed-operands.ts";
import { oracleGradients, weightGradient } from "../programs/gradient-oracle.ts";
import { inputsFor, type LoadedCase, largestInput, type SweepCase } from "./loaded-case.ts";
import { applyMatrix } from "./program-oracle.ts";
import { createRandom, type Random } from "./random.ts";
import { atLevel, type Level, LevelFault, type Road } from "./road.ts";
import { demandLawfulPlan, type Stages } from "./stages.ts";
import { type Coverage, chooseVariants, markRun, structuresOf } from "./structure-coverage.ts";

/** What may be between two ways to calculate in float64 and float32: shares of the parts that are rounded. */
const [roundingOf64, roundingOf32] = [1e-13, 5e-7];
export const within64 = ({ rounded }: LoadedCase, times = 1): number => rounded * times * roundingOf64;
export const within32 = ({ rounded }: LoadedCase, times = 1): number => rounded * times * roundingOf32;

/** @throws LevelFault at the first entry that is further than `within` from the expected one. */
export function demandEqual(
  level: Level,
  what: string,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  within = 0,
): void {
  if (found.length !== expected.length)
    throw new LevelFault(level, `${what}: ${found.length} values, expected ${expected.length}`);
  for (let index = 0; index < expected.length; index++) {
    const [one = Number.NaN, other = Number.NaN] = [found[index], expected[index]];
    if (one !== other && !(Math.abs(one - other) <= within))
      throw new LevelFault(
        level,
        `${what}: entry ${index} of ${expected.length} is ${one}, expected ${other}${within === 0 ? "" : ` within ${within}`}`,
      );
  }
}

export interface LevelChoices {
  /** Variants that are interpreted as loops, of each level; the rest is left to other cases. 0: no loops at all. */
  readonly loopVariants: number;
  readonly loopBatches: number;
  /** Whether loops run for every level of the CPU, or for one of them, which changes from case to case. */
  readonly everyTarget: boolean;
  /** What has been run before, so that variants with something new go first. */
  readonly coverage: Coverage;
}

/** @throws LevelFault. Requires a plan. */
export function compareLevels(
  one: SweepCase,
  stages: Stages,
  loaded: LoadedCase,
  road: Road,
  choices: LevelChoices,
): void {
  compareAlgebra(stages, loaded);
  const { plan, refusal } = stages;
  if (plan === null) {
    if (refusal === "SPX6001" && loaded.weight.values.some((value) => value !== 0))
      throw new LevelFault("plan", "the weight is said to be zero and is not");
    if (refusal !== "SPX6001") throw new LevelFault("plan", `refused with ${refusal}`);
    return;
  }
  demandLawfulPlan(plan);
  comparePlan(one, stages, loaded, plan);
  compareBackward(one, stages, loaded, plan);
  const packed = packOperands(plan, stages, loaded, road);
  if (choices.loopVariants > 0) compareLoops(one, plan, loaded, packed, road, choices);
}

function compareAlgebra({ built, normal }: Stages, loaded: LoadedCase): void {
  const { weight, compilerValues } = loaded;
  for (const [level, graph] of [
    ["build", built],
    ["normalise", normal],
  ] as const) {
    const found = atLevel(level, () => densify(graph.root, compilerValues));
    demandEqual(level, "shape", [found.rows, found.columns], [weight.rows, weight.columns]);
    demandEqual(level, "the weight", found.values, weight.values, within64(loaded));
  }
}

function comparePlan(one: SweepCase, { checked }: Stages, loaded: LoadedCase, plan: Plan): void {
  const { weight, compilerValues } = loaded;
  const batch = 2;
  const x = inputsFor(one.seed, batch * weight.columns);
  const expected = applyMatrix(weight, x, batch);
  for (const variant of plan.variants) {
    const y = atLevel("plan", () =>
      interpretVariant(plan, variant, checked.tensors, compilerValues, Float64Array.from(x), batch),
    );
    demandEqual("plan", `${variant.name}: ${variant.form}`, y, expected, within64(loaded, largestInput));
  }
  const merged: DenseMatrix = atLevel("merge plan", () =>
    interpretMerge(plan, checked.tensors, compilerValues),
  );
  const merging = `merge by ${plan.merge.method}`;
  demandEqual("merge plan", merging, merged.values, weight.values, within64(loaded));
}

/** dx and every gradient against the chain rule on the weight as written. */
function compareBackward(one: SweepCase, { checked, built }: Stages, loaded: LoadedCase, plan: Plan): void {
  const { backward } = plan;
  const { weight, compilerValues: values } = loaded;
  const batch = 2;
  const x = Float64Array.from(inputsFor(one.seed, batch * weight.columns));
  const dy = Float64Array.from(inputsFor(one.seed + 1, batch * weight.rows));
  const scope = { plan, tensors: checked.tensors, values };
  const found = atLevel("backward plan", () => interpretBackward(backward, scope, x, dy, batch));
  const dx = applyDense(transposeMatrix(weight), dy);
  demandEqual("backward plan", "dx", found.dx, dx, within64(loaded, largestInput));
  const whole = weightGradient(x, dy, batch);
  const expected = oracleGradients(built.root, checked.tensors, values, whole);
  const within = within64(loaded, gradientRounding(batch));
  for (const [name, gradient] of expected) {
    const own = found.gradients.get(name) ?? [];
    demandEqual("backward plan", `gradient of ${name}`, own, gradient, within);
    if (loaded.rounded > 0) compareDerivative(one, loaded, name, own, whole);
  }
}

/** How many times the rounding of a weight an entry of a gradient may have: products of `batch` inputs, several uses. */
export const gradientRounding = (batch: number): number => 8 * batch * largestInput ** 2;

/** A gradient along one random direction against the central difference of the loss, from the program's tree alone. */
function compareDerivative(
  one: SweepCase,
  loaded: LoadedCase,
  name: string,
  gradient: ArrayLike<number>,
  whole: DenseMatrix,
): void {
  const random = createRandom(one.seed ^ 0xd1ff);
  const direction = Array.from(gradient, () => (random.chance(0.5) ? 1 : -1) * (1 + random.below(3)));
  const step = 2 ** -14;
  const loss = (by: number): number =>
    loaded
      .moved(name, direction, by)
      .values.reduce((sum, value, at) => sum + value * (whole.values[at] ?? 0), 0);
  const measured = (loss(step) - loss(-step)) / (2 * step);
  const along = direction.reduce((sum, value, at) => sum + value * (gradient[at] ?? 0), 0);
  const largest = whole.values.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
  const within = 1e-6 * loaded.rounded * largest * Math.max(4, Math.sqrt(direction.length));
  demandEqual("backward plan", `derivative by ${name} along a direction`, [along], [measured], within);
}

const allocate = (bytes: number): MemoryBlock => ({
  address: 0n,
  view: new ArrayBuffer(bytes),
  free: () => undefined,
});

/** Every operand, packed by the runtime, against its source in float64. */
function packOperands(
  plan: Plan,
  { checked }: Stages,
  loaded: LoadedCase,
  road: Road,
): ReadonlyMap<string, PackedOperand> {
  const { state, compilerValues } = loaded;
  const { symbols } = state;
  const leaves = createLayerLeaves(manifestsOf(plan), state);
  return new Map(
    plan.operands.map((operand) => {
      const { name, format, source } = operand;
      const packed = atLevel("pack", () => {
        if (format.name !== "table4-panel16" && format.name !== "int8-panel16")
          return road.packOperand(format, evaluateSource(source, leaves), symbols, allocate);
        const { matrix, factor } = codesOf(name, source, state);
        return packQuantizedPanels(format.name, matrix, factor, allocate);
      });
      const found = atLevel("pack", () => unpackOperand(format, packed, symbols));
      const expected = evaluateDense(source, [...checked.tensors, ...plan.derived], compilerValues);
      const copies =
        format.name === "blockdiag16" && format.repeated ? evaluateNumber(format.blocks, symbols) : 1;
      const whole = blockDiagonal(Array.from({ length: copies }, () => expected));
      demandEqual("pack", `${name} as ${format.name}`, found, whole.values, within32(loaded));
      return [name, packed];
    }),
  );
}

const manifestsOf = ({ derived }: Plan): DerivedManifest[] =>
  derived.flatMap(({ name, derivation }) =>
    derivation === undefined ? [] : [{ name, formula: derivation.formula, stage: derivation.stage }],
  );

interface LoopCall {
  readonly kernel: LoweredKernel;
  readonly packed: ReadonlyMap<string, PackedOperand>;
  readonly loaded: LoadedCase;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly batch: number;
  readonly seed: number;
}

/** Runs a kernel on packed bytes, its tiles in a random order. */
function interpretKernel({ kernel, packed, loaded, x, y, batch, seed }: LoopCall): void {
  const { program } = kernel;
  const constants = program.buffers.filter(({ space }) => space === "constant");
  const buffers = new Map<string, BufferData>([
    ["x", x],
    ["y", y],
  ]);
  kernel.buffers.forEach(({ operand, buffer }, index) => {
    const bytes = packed.get(operand);
    if (bytes === undefined) throw new ReferenceError(`no operand ${operand}`);
    const element = bytes.buffers.find(({ name }) => name === buffer)?.element;
    const data = element === "f32" ? floatsOf(bytes, buffer) : (integersOf(bytes, buffer) as BufferData);
    buffers.set(constants[index]?.name ?? "", data);
  });
  const random = createRandom(seed);
  interpretLoop(program, {
    buffers,
    symbols: new Map(
      kernel.symbols.map(({ name, value }) => [name, evaluateNumber(value, loaded.state.symbols)]),
    ),
    batch,
    tileOrder: (count) => {
      const order = Array.from({ length: count }, (_, tile) => tile);
      return order
        .map((tile) => ({ tile, key: random.below(2 ** 30) }))
        .sort((a, b) => a.key - b.key)
        .map(({ tile }) => tile);
    },
  });
}

/** The constants of a specialised kernel, where the case's sizes are those. */
function constantsFor(plan: Plan, loaded: LoadedCase): Readonly<Record<string, number>> {
  const { specializations } = plan;
  const fits = specializations.every(({ symbol, value }) => loaded.state.symbols.get(symbol) === value);
  return fits ? Object.fromEntries(specializations.map(({ symbol, value }) => [symbol, value])) : {};
}

function compareLoops(
  one: SweepCase,
  plan: Plan,
  loaded: LoadedCase,
  packed: ReadonlyMap<string, PackedOperand>,
  road: Road,
  { loopVariants, loopBatches, everyTarget, coverage }: LevelChoices,
): void {
  const { weight } = loaded;
  const targets = everyTarget
    ? x86Targets
    : x86Targets.filter((_, at) => at === one.seed % x86Targets.length);
  for (const target of targets) {
    const level: Level = target.suffix === "v4" ? "loop v4" : "loop v3";
    const covered = everyTarget ? "loop" : level;
    // Equal choices for every level of the CPU, so that a fault of both is seen at the first.
    const random = createRandom(one.seed ^ 0x1007);
    const options = { name: "kernel", constants: random.chance(0.5) ? constantsFor(plan, loaded) : {} };
    const common = { packed, loaded, seed: one.seed };
    for (const variant of chooseVariants(plan, covered, loopVariants, coverage, random)) {
      if (target === targets.at(-1)) markRun(coverage, structuresOf(plan, variant, covered));
      const kernel = atLevel(level, () => road.lowerVariant(plan, variant, target, options));
      demandVerified(level, kernel);
      for (const batch of someOf(bearable(one.batches), loopBatches, random)) {
        const x = inputsFor(one.seed + batch, batch * weight.columns);
        const y = new Float32Array(batch * weight.rows).fill(Number.NaN);
        atLevel(level, () => interpretKernel({ kernel, x, y, batch, ...common }));
        const what = `${variant.name}, batch ${batch}`;
        demandEqual(level, what, y, applyMatrix(weight, x, batch), within32(loaded, largestInput));
      }
    }
    if (plan.merge.method === "identity") continue;
    const mergeLevel: Level = target.suffix === "v4" ? "merge loop v4" : "merge loop v3";
    const kernel = atLevel(mergeLevel, () => road.lowerMerge(plan, target, options));
    demandVerified(mergeLevel, kernel);
    const y = new Float32Array(Math.ceil(weight.rows / 16) * weight.columns * 16).fill(Number.NaN);
    atLevel(mergeLevel, () => interpretKernel({ kernel, x: new Float32Array(0), y, batch: 0, ...common }));
    const merged = readPanels(y, weight.rows, weight.columns);
    demandEqual(mergeLevel, "the merged weight", merged, weight.values, within32(loaded));
    if (y.some((value) => Number.isNaN(value)))
      throw new LevelFault(mergeLevel, "padding rows are not written");
  }
}

/** The interpreter takes its time, and machine code sees the others. */
const bearable = (batches: readonly number[]): readonly number[] => {
  const small = batches.filter((batch) => batch <= 33);
  return small.length === 0 ? batches : small;
};

function demandVerified(level: Level, { program }: LoweredKernel): void {
  const findings = verifyLoop(program).map(({ rule, where }) => `${rule}: ${where}`);
  if (findings.length > 0) throw new LevelFault(level, `the verifier refused: ${findings.join("; ")}`);
}

/** `count` of them at random, in their order. */
export function someOf<T>(all: readonly T[], count: number, random: Random): T[] {
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, all.length)) chosen.add(random.below(all.length));
  return all.filter((_, index) => chosen.has(index));
}
