/** A loaded layer beside its oracle, and the comparison of its forward and backward passes and its merge with it. */
import { expect } from "vitest";
import { oracleForward, oracleValues, relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { type DenseMatrix, transposeMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import type { Artefact, DenseParameter, Layer, SparseParameter } from "../../runtime/index.ts";
import { type BuiltProgram, givenTensors, randomizeParameters, testMatrix } from "./built-program.ts";
import { oracleGradients, weightGradient } from "./gradient-oracle.ts";

const batches = [0, 1, 2, 5, 16, 17, 33, 150];
const errorBound = 1e-5;

export interface LoadedCase {
  readonly layer: Layer;
  readonly stages: TransformStages;
  readonly values: WeightValues;
  readonly weight: DenseMatrix;
}

/** The layer with random parameters; every argument tensor is [out, inputs], or a stack of such matrices. */
export async function loadCase(
  program: BuiltProgram,
  transform: string,
  out: number,
  inputs: number,
  numbers: Readonly<Record<string, number>>,
  artefact: Artefact = program.artefact,
): Promise<LoadedCase> {
  const stages = program.stages.get(transform);
  if (stages === undefined) throw new Error(`no ${transform}`);
  const given = givenTensors(stages, out, inputs);
  const layer = (await artefact.transform(transform).load({ ...given, ...numbers, seed: 1 })) as Layer;
  randomizeParameters(layer, 11);
  const values = oracleValues(stages, layer, given);
  return { layer, stages, values, weight: densify(stages.built.root, values) };
}

/** The merged weight, and y of each batch, written into an array that held no numbers. */
export function checkForward(
  { layer, weight }: Pick<LoadedCase, "layer" | "weight">,
  sizes: readonly number[],
  about = `${layer.out}x${layer.in}`,
): void {
  expect(relativeError(layer.merge().data, weight.values), `${about} merged`).toBeLessThan(errorBound);
  for (const batch of sizes) {
    const x = testMatrix(batch, batch * layer.in);
    const y = new Float32Array(batch * layer.out).fill(Number.NaN);
    layer.forward(x, { y });
    expect(relativeError(y, oracleForward(weight, x, batch)), `${about}, batch ${batch}`).toBeLessThan(
      errorBound,
    );
  }
}

type Gradients = Readonly<Record<string, DenseParameter | SparseParameter>>;

/** dx and all gradients of `loaded`, called at once and later, against the oracle. */
export async function checkBackward({ layer, stages, values, weight }: LoadedCase): Promise<void> {
  for (const batch of batches) {
    const x = testMatrix(batch + 7, batch * layer.in);
    const dy = testMatrix(batch + 8, batch * layer.out);
    const dx = applyDense(transposeMatrix(weight), Float64Array.from(dy));
    const zeros = { rows: layer.out, columns: layer.in, values: new Float64Array(layer.out * layer.in) };
    const whole = batch === 0 ? zeros : weightGradient(x, dy, batch);
    const expected = oracleGradients(stages.built.root, stages.checked.tensors, values, whole);
    const check = (what: string, found: { dx: Float32Array | null; grads: Gradients }): void => {
      if (found.dx !== null)
        expect(relativeError(found.dx, dx), `${what}, batch ${batch}: dx`).toBeLessThan(errorBound);
      expect(Object.keys(found.grads)).toEqual([...expected.keys()]);
      const parameters = layer.parameters() as Gradients;
      for (const [name, gradient] of expected) {
        const given = found.grads[name];
        expect({ ...given, values: given?.values.length }).toEqual({
          ...parameters[name],
          values: gradient.length,
        });
        expect(
          relativeError(given?.values ?? new Float32Array(), gradient),
          `${what}, batch ${batch}: ${name}`,
        ).toBeLessThan(errorBound);
      }
    };
    for (const threads of [1, 2]) {
      const { dx: data, grads } = layer.backward(x, dy, { threads });
      expect(data.shape).toEqual([batch, layer.in]);
      check(`${threads} threads`, { dx: data.data, grads });
    }
    const [later, without] = await Promise.all([
      layer.backwardAsync(x, dy),
      layer.backwardAsync(x, dy, { dx: false }),
    ]);
    check("later", { dx: later.dx.data, grads: later.grads });
    expect("dx" in without).toBe(false);
    check("later without dx", { dx: null, grads: without.grads });
    const again = layer.backward(x, dy, { into: without.grads, dx: false });
    expect(again.grads).toBe(without.grads);
    for (const [name, gradient] of expected)
      expect(
        relativeError(
          (again.grads as Gradients)[name]?.values ?? new Float32Array(),
          gradient.map((value) => 2 * value),
        ),
        `added: ${name}`,
      ).toBeLessThan(errorBound);
  }
}
