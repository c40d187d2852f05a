/** Gradients at every level that needs no machine code: as derived, as planned, and past intermediates as the runtime does. */
import { type DenseMatrix, transposeMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { intermediateManifests } from "../../compiler/emit/manifest.ts";
import { interpretBackward, interpretBackwardSteps } from "../../compiler/plan/interpret-backward.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { perform } from "../../runtime/model/product-work.ts";
import { parameterTarget } from "../../runtime/select/recipe-target.ts";
import { oracleGradients, weightGradient } from "../programs/gradient-oracle.ts";
import { demandEqual, gradientRounding, within32, within64 } from "./demand-equal.ts";
import { type BackwardBatch, evaluateGradients } from "./evaluate-gradients.ts";
import { exactBits, inputsFor, type LoadedCase, largestInput, type SweepCase } from "./loaded-case.ts";
import { leavesOf } from "./packed-case.ts";
import { createRandom } from "./random.ts";
import { atLevel, type Level, type Road } from "./road.ts";
import type { Stages } from "./stages.ts";

const tokens = 2;

const givenTo = ({ seed }: SweepCase, { weight }: LoadedCase, batch = tokens): BackwardBatch => ({
  x: Float64Array.from(inputsFor(seed, batch * weight.columns)),
  dy: Float64Array.from(inputsFor(seed + 1, batch * weight.rows)),
  batch,
});

interface Expected {
  readonly whole: DenseMatrix;
  readonly dx: Float64Array;
  readonly gradients: ReadonlyMap<string, Float64Array>;
}

/** By the chain rule on the weight as written. */
function expectedOf({ checked, built }: Stages, loaded: LoadedCase, given: BackwardBatch): Expected {
  const { weight, compilerValues: values } = loaded;
  const whole = weightGradient(given.x, given.dy, given.batch);
  return {
    whole,
    dx: applyDense(transposeMatrix(weight), given.dy),
    gradients: oracleGradients(built.root, checked.tensors, values, whole),
  };
}

function demandGradients(
  level: Level,
  loaded: LoadedCase,
  expected: Expected,
  found: { readonly dx: ArrayLike<number>; readonly gradients: ReadonlyMap<string, ArrayLike<number>> },
): void {
  demandEqual(level, "dx", found.dx, expected.dx, within64(loaded, largestInput));
  const within = within64(loaded, gradientRounding(tokens));
  for (const [name, gradient] of expected.gradients)
    demandEqual(level, `gradient of ${name}`, found.gradients.get(name) ?? [], gradient, within);
}

/** The derivation on the algebra, before it is planned. */
export function compareGradients(one: SweepCase, stages: Stages, loaded: LoadedCase): void {
  const { checked, gradients: derived } = stages;
  const given = givenTo(one, loaded);
  const found = atLevel("gradients", () => ({
    dx: applyDense(densify(derived.transposed, loaded.compilerValues), given.dy),
    gradients: evaluateGradients(derived, checked.tensors, loaded.compilerValues, given),
  }));
  demandGradients("gradients", loaded, expectedOf(stages, loaded, given), found);
}

/** dx and every gradient as planned; where functions round, derivatives along a direction as well. */
export function compareBackward(one: SweepCase, stages: Stages, loaded: LoadedCase, plan: Plan): void {
  const given = givenTo(one, loaded);
  const { x, dy, batch } = given;
  const scope = { plan, tensors: stages.checked.tensors, values: loaded.compilerValues };
  const found = atLevel("backward plan", () => interpretBackward(plan.backward, scope, x, dy, batch));
  const expected = expectedOf(stages, loaded, given);
  demandGradients("backward plan", loaded, expected, found);
  if (loaded.rounded === 0) return;
  for (const [name, gradient] of found.gradients)
    compareDerivative(one, loaded, name, gradient, expected.whole);
}

/** What the kernel of a backward plan gives for a batch, in float64. */
export function interpretedBackward(
  one: SweepCase,
  { checked: { tensors } }: Stages,
  plan: Plan,
  loaded: LoadedCase,
  batch: number,
) {
  const given = givenTo(one, loaded, batch);
  const scope = { plan, tensors, values: loaded.compilerValues };
  return { ...given, formed: interpretBackwardSteps(plan.backward, scope, given.x, given.dy, batch) };
}

/** A batch whose gradients are sums that float32 holds exactly; null for none. */
export function exactBatch({ seed }: SweepCase, { bits, rounded }: LoadedCase): number | null {
  const exact = [1, 2, 5, 17].filter(
    (batch) => rounded > 0 || bits + Math.log2(largestInput * batch) <= exactBits,
  );
  return exact.length === 0 ? null : createRandom(seed ^ 0xbac).pick(exact);
}

/** What the runtime does with gradients of intermediates, in float32, from what the plan gives in float64. */
export function comparePullBack(
  one: SweepCase,
  stages: Stages,
  plan: Plan,
  loaded: LoadedCase,
  road: Road,
): void {
  const { backward } = plan;
  const { state, compilerValues: values } = loaded;
  const batch = exactBatch(one, loaded);
  if (backward.intermediates.length === 0 || batch === null) return;
  const { x, dy, formed } = interpretedBackward(one, stages, plan, loaded, batch);
  const scope = { plan, tensors: stages.checked.tensors, values };
  const expected = interpretBackward(backward, scope, x, dy, batch).gradients;
  const stored = (name: string): Float32Array => Float32Array.from(formed.gradients.get(name) ?? []);
  const leaves = leavesOf(plan, loaded);
  const gradients = [...state.parameters].map(([name, { target }]) => ({ target, values: stored(name) }));
  for (const manifest of intermediateManifests(backward)) {
    const target = parameterTarget(manifest, state.symbols, leaves.pattern);
    const { formula, name } = manifest;
    atLevel("pull back", () =>
      perform(
        road.pullIntermediate({ formula, target, values: stored(name) }, gradients, leaves),
        leaves.form,
      ),
    );
  }
  const within = within32(loaded, gradientRounding(batch));
  for (const { target, values: found } of gradients)
    demandEqual("pull back", `gradient of ${target.name}`, found, expected.get(target.name) ?? [], within);
}

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
