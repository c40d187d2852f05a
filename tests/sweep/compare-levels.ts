/** One case through every level that needs no machine code, each compared with the oracle to the last bit. */
import type { DenseMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import type { LoweredKernel } from "../../compiler/loop/lower-variant.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import { evaluateSource as evaluateDense } from "../../compiler/plan/evaluate-source.ts";
import { interpretMerge, interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { unpackOperand } from "../../runtime/formats/pack-operand.ts";
import { floatsOf, integersOf, type MemoryBlock, type PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { readPanels } from "../../runtime/formats/panel16.ts";
import { evaluateSource } from "../../runtime/model/evaluate-source.ts";
import { parameterMatrix, tensorMatrix } from "../../runtime/model/parameter-values.ts";
import { inputsFor, type LoadedCase, type SweepCase } from "./loaded-case.ts";
import { applyMatrix } from "./program-oracle.ts";
import { createRandom } from "./random.ts";
import { atLevel, type Level, LevelFault, type Road } from "./road.ts";
import { demandLawfulPlan, type Stages } from "./stages.ts";

/** @throws LevelFault at the first entry that is not equal. */
export function demandEqual(level: Level, what: string, found: ArrayLike<number>, expected: ArrayLike<number>): void {
  if (found.length !== expected.length)
    throw new LevelFault(level, `${what}: ${found.length} values, expected ${expected.length}`);
  for (let index = 0; index < expected.length; index++) {
    if (found[index] !== expected[index])
      throw new LevelFault(level, `${what}: entry ${index} of ${expected.length} is ${found[index]}, expected ${expected[index]}`);
  }
}

export interface LevelChoices {
  /** Variants that are interpreted as loops, of each level; the rest is left to other cases. */
  readonly loopVariants: number;
  readonly loopBatches: number;
}

/** @throws LevelFault. Requires a plan. */
export function compareLevels(one: SweepCase, stages: Stages, loaded: LoadedCase, road: Road, choices: LevelChoices): void {
  compareAlgebra(stages, loaded);
  const { plan, refusal } = stages;
  if (plan === null) {
    if (refusal === "SPX6001" && loaded.weight.values.some((value) => value !== 0))
      throw new LevelFault("plan", "the weight is said to be zero and is not");
    if (refusal !== "SPX6001" && refusal !== "SPX6201") throw new LevelFault("plan", `refused with ${refusal}`);
    return;
  }
  demandLawfulPlan(plan);
  comparePlan(one, stages, loaded, plan);
  const packed = packOperands(plan, loaded, road);
  compareLoops(one, plan, loaded, packed, road, choices);
}

function compareAlgebra({ built, normal }: Stages, { weight, compilerValues }: LoadedCase): void {
  for (const [level, graph] of [["build", built], ["normalise", normal]] as const) {
    const found = atLevel(level, () => densify(graph.root, compilerValues));
    demandEqual(level, "shape", [found.rows, found.columns], [weight.rows, weight.columns]);
    demandEqual(level, "the weight", found.values, weight.values);
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
    demandEqual("plan", `${variant.name}: ${variant.form}`, y, expected);
  }
  const merged: DenseMatrix = atLevel("merge plan", () => interpretMerge(plan, checked.tensors, compilerValues));
  demandEqual("merge plan", `merge by ${plan.merge.method}`, merged.values, weight.values);
}

const allocate = (bytes: number): MemoryBlock => ({
  address: 0n,
  view: new ArrayBuffer(bytes),
  free: () => undefined,
});

/** Every operand, packed by the runtime, against its source in float64. */
function packOperands(plan: Plan, loaded: LoadedCase, road: Road): ReadonlyMap<string, PackedOperand> {
  const { state, compilerValues } = loaded;
  const { symbols } = state;
  const leaves = {
    symbols,
    leaf(name: string, slice: number | null) {
      const parameter = state.parameters.get(name);
      if (parameter !== undefined) return parameterMatrix(parameter, slice);
      const tensor = state.tensors.get(name);
      if (tensor === undefined) throw new ReferenceError(`no tensor ${name}`);
      return tensorMatrix(tensor, slice);
    },
    pattern(name: string) {
      const pattern = state.patterns.get(name);
      if (pattern === undefined) throw new ReferenceError(`no pattern ${name}`);
      return pattern;
    },
  };
  const tensors = [...loaded.checkedTensors];
  return new Map(
    plan.operands.map((operand) => {
      const { name, format, source } = operand;
      const packed = atLevel("pack", () => road.packOperand(format, evaluateSource(source, leaves), symbols, allocate));
      const found = atLevel("pack", () => unpackOperand(format, packed, symbols));
      const expected = evaluateDense(source, tensors, compilerValues);
      const whole = format.name === "blockdiag16" && format.repeated ? repeated(expected, found.length) : expected.values;
      demandEqual("pack", `${name} as ${format.name}`, found, whole);
      return [name, packed];
    }),
  );
}
