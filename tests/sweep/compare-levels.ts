/** One case through every level that needs no machine code, each compared with the oracle to the last bit. */
import type { DenseMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { interpretMerge, interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import type { PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { compareBackward, compareGradients, comparePullBack } from "./compare-gradients.ts";
import { compareLoops, type LoopChoices } from "./compare-loops.ts";
import { demandEqual, within64 } from "./demand-equal.ts";
import { inputsFor, type LoadedCase, largestInput, type SweepCase } from "./loaded-case.ts";
import { packOperands } from "./packed-case.ts";
import { demandPinned } from "./pinned-plan.ts";
import { applyMatrix } from "./program-oracle.ts";
import { atLevel, LevelFault, type Road } from "./road.ts";
import { demandLawfulPlan, type Stages } from "./stages.ts";

/** The operands of the plan, packed. @throws LevelFault. */
export function compareLevels(
  one: SweepCase,
  stages: Stages,
  loaded: LoadedCase,
  road: Road,
  choices: LoopChoices,
): ReadonlyMap<string, PackedOperand> {
  compareAlgebra(stages, loaded);
  compareGradients(one, stages, loaded);
  const { plan, refusal } = stages;
  if (plan === null) {
    if (refusal === "SPX6001" && loaded.weight.values.some((value) => value !== 0))
      throw new LevelFault("plan", "the weight is said to be zero and is not");
    const { pins } = one.program;
    const isPinned = pins.length > 0 && (refusal === "SPX6301" || refusal === "SPX6302");
    if (refusal !== "SPX6001" && !isPinned) throw new LevelFault("plan", `refused with ${refusal}`);
    return new Map();
  }
  demandLawfulPlan(plan);
  demandPinned(plan, one.program.pins, one.program.weight);
  comparePlan(one, stages, loaded, plan);
  compareBackward(one, stages, loaded, plan);
  comparePullBack(one, stages, plan, loaded, road);
  const packed = packOperands(plan, stages, loaded, road);
  if (choices.loopVariants > 0) compareLoops(one, stages, plan, { loaded, packed }, road, choices);
  return packed;
}

function compareAlgebra({ built, normal, forward }: Stages, loaded: LoadedCase): void {
  const { weight, compilerValues } = loaded;
  for (const [level, graph] of [
    ["build", built],
    ["normalise", normal],
    ["forward value", forward],
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
