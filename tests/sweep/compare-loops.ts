/** Kernels as loops, interpreted on packed bytes for each level of the CPU, against the oracle. */
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import type { LoweredKernel } from "../../compiler/loop/lower-variant.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { wantsDx } from "../../runtime/contract/manifest.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { floatsOf, integersOf, type PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { readPanels } from "../../runtime/formats/panel16.ts";
import { exactBatch, interpretedBackward } from "./compare-gradients.ts";
import { demandEqual, gradientRounding, within32 } from "./demand-equal.ts";
import { inputsFor, type LoadedCase, largestInput, type SweepCase } from "./loaded-case.ts";
import { applyMatrix } from "./program-oracle.ts";
import { createRandom, someOf } from "./random.ts";
import { atLevel, type Level, LevelFault, type Road } from "./road.ts";
import type { Stages } from "./stages.ts";
import {
  type Coverage,
  chooseVariants,
  markRun,
  newStructures,
  structuresOf,
  wholePlanStructures,
} from "./structure-coverage.ts";

export interface LoopChoices {
  /** Variants that are interpreted as loops, of each level; the rest is left to other cases. 0: no loops at all. */
  readonly loopVariants: number;
  readonly loopBatches: number;
  /** Whether loops run for every level of the CPU, or for one of them, which changes from case to case. */
  readonly everyTarget: boolean;
  /** What has been run before, so that variants with something new go first. */
  readonly coverage: Coverage;
}

interface LoopCall {
  readonly kernel: LoweredKernel;
  readonly packed: ReadonlyMap<string, PackedOperand>;
  readonly loaded: LoadedCase;
  /** Inputs and outputs by the names of the program. */
  readonly given: ReadonlyMap<string, Float32Array>;
  readonly batch: number;
  readonly seed: number;
}

/** Runs a kernel on packed bytes, its tiles in a random order. */
function interpretKernel({ kernel, packed, loaded, given, batch, seed }: LoopCall): void {
  const { program } = kernel;
  const constants = program.buffers.filter(({ space }) => space === "constant");
  const buffers = new Map<string, BufferData>(given);
  kernel.buffers.forEach(({ operand, buffer }, index) => {
    const bytes = packed.get(operand);
    if (bytes === undefined) throw new ReferenceError(`no operand ${operand}`);
    const element = bytes.buffers.find(({ name }) => name === buffer)?.element;
    const data = element === "f32" ? floatsOf(bytes, buffer) : (integersOf(bytes, buffer) as BufferData);
    buffers.set(constants[index]?.name ?? "", data);
  });
  const random = createRandom(seed);
  const numbers = new Map([...loaded.state.symbols, [wantsDx, 1] as const]);
  interpretLoop(program, {
    buffers,
    symbols: new Map(kernel.symbols.map(({ name, value }) => [name, evaluateNumber(value, numbers)])),
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

/** Variants, the merge and the backward pass as loops. @throws LevelFault at a level of loops. */
export function compareLoops(
  one: SweepCase,
  stages: Stages,
  plan: Plan,
  { loaded, packed }: Pick<LoopCall, "loaded" | "packed">,
  road: Road,
  { loopVariants, loopBatches, everyTarget, coverage }: LoopChoices,
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
        atLevel(level, () =>
          interpretKernel({
            kernel,
            given: new Map([
              ["x", x],
              ["y", y],
            ]),
            batch,
            ...common,
          }),
        );
        const what = `${variant.name}, batch ${batch}`;
        demandEqual(level, what, y, applyMatrix(weight, x, batch), within32(loaded, largestInput));
      }
    }
    const whole = wholePlanStructures(plan, covered);
    const isNew = newStructures(coverage, whole) > 0;
    if (target === targets.at(-1)) markRun(coverage, whole);
    if (isNew || random.chance(0.2)) compareBackwardLoop(one, stages, plan, target, road, common);
    if (plan.merge.method === "identity") continue;
    const mergeLevel: Level = target.suffix === "v4" ? "merge loop v4" : "merge loop v3";
    const kernel = atLevel(mergeLevel, () => road.lowerMerge(plan, target, options));
    demandVerified(mergeLevel, kernel);
    const y = new Float32Array(Math.ceil(weight.rows / 16) * weight.columns * 16).fill(Number.NaN);
    const given = new Map([
      ["x", new Float32Array(0)],
      ["y", y],
    ]);
    atLevel(mergeLevel, () => interpretKernel({ kernel, given, batch: 0, ...common }));
    const merged = readPanels(y, weight.rows, weight.columns);
    demandEqual(mergeLevel, "the merged weight", merged, weight.values, within32(loaded));
    if (y.some((value) => Number.isNaN(value)))
      throw new LevelFault(mergeLevel, "padding rows are not written");
  }
}

/** dx and what the kernel adds to gradients, those of intermediates among them, against the plan in float64. */
function compareBackwardLoop(
  one: SweepCase,
  stages: Stages,
  plan: Plan,
  target: X86Target,
  road: Road,
  common: Pick<LoopCall, "packed" | "loaded" | "seed">,
): void {
  const { loaded } = common;
  const batch = exactBatch(one, loaded);
  if (batch === null) return;
  const level: Level = target.suffix === "v4" ? "backward loop v4" : "backward loop v3";
  const { x, dy, formed } = interpretedBackward(one, stages, plan, loaded, batch);
  const kernel = atLevel(level, () =>
    road.lowerBackward(plan, plan.backward, target, { name: "kernel", constants: {} }),
  );
  demandVerified(level, kernel);
  const { buffers } = kernel.program;
  const [dx, ...results] = buffers.filter(({ space }) => space === "result");
  const cotangent = buffers.find(({ space }) => space === "cotangent");
  if (dx === undefined || cotangent === undefined) throw new LevelFault(level, "no dx or no dy");
  const expected = [...plan.backward.parameters, ...plan.backward.intermediates].map(
    ({ name }) => [name, formed.gradients.get(name) ?? new Float64Array()] as const,
  );
  const found = expected.map(([, values]) => new Float32Array(values.length).fill(before));
  const given = new Map([
    ["x", Float32Array.from(x)],
    [cotangent.name, Float32Array.from(dy)],
    [dx.name, new Float32Array(formed.dx.length).fill(Number.NaN)],
    ...found.map((values, index) => [results[index]?.name ?? "", values] as const),
  ]);
  atLevel(level, () => interpretKernel({ kernel, given, batch, ...common }));
  demandEqual(
    level,
    `dx, batch ${batch}`,
    given.get(dx.name) ?? [],
    formed.dx,
    within32(loaded, largestInput),
  );
  const within = within32(loaded, gradientRounding(batch));
  for (const [index, [name, values]] of expected.entries()) {
    const sums = values.map((value) => value + before);
    demandEqual(
      level,
      `what gradients of ${name} add up to, batch ${batch}`,
      found[index] ?? [],
      sums,
      within,
    );
  }
}

/** What gradients hold before the call. */
const before = 1;

/** The interpreter takes its time, and machine code sees the others. */
const bearable = (batches: readonly number[]): readonly number[] => {
  const small = batches.filter((batch) => batch <= 33);
  return small.length === 0 ? batches : small;
};

function demandVerified(level: Level, { program }: LoweredKernel): void {
  const findings = verifyLoop(program).map(({ rule, where }) => `${rule}: ${where}`);
  if (findings.length > 0) throw new LevelFault(level, `the verifier refused: ${findings.join("; ")}`);
}
