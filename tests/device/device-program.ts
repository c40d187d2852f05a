/**
 * A transform on the device level without any machine code: planned and lowered by the compiler, loaded and packed by
 * the runtime, run by the device interpreter, and compared with the dense weight that its formula gives in float64.
 */
import { densify } from "../../compiler/algebra/evaluate-algebra.ts";
import type { WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import { activationElement } from "../../compiler/device/lower-device-call.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { planFile } from "../../compiler/driver/compile.ts";
import { type LoweredDevices, lowerDevicePlans } from "../../compiler/driver/lower-device.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import { buildManifest } from "../../compiler/emit/manifest.ts";
import { interpretBackwardSteps } from "../../compiler/plan/interpret-backward.ts";
import type { CudaElements, CudaPlan, CudaVariant } from "../../runtime/contract/cuda.ts";
import type { TransformManifest } from "../../runtime/contract/manifest.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { bindArguments } from "../../runtime/model/bind-arguments.ts";
import { createLayerLeaves } from "../../runtime/model/formula-scope.ts";
import { frozenTensor } from "../../runtime/model/frozen-values.ts";
import { initialState, type LayerState } from "../../runtime/model/initial-state.ts";
import { createPackedOperands } from "../../runtime/model/packed-operands.ts";
import { positionsOf } from "../../runtime/select/pattern.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { decode, encode, packedBytes } from "./device-case.ts";
import { poisoned, runSequence } from "./run-device.ts";

export interface DeviceProgramCase {
  readonly stages: TransformStages;
  readonly manifest: TransformManifest;
  readonly cuda: CudaPlan;
  readonly devices: LoweredDevices;
}

/** All transforms of a file, planned for a device. */
export function planForDevice(
  file: string,
  elements: readonly CudaElements[],
): ReadonlyMap<string, DeviceProgramCase> {
  const { module, transforms, diagnostics } = planFile(
    file,
    nodeHost(),
    undefined,
    undefined,
    undefined,
    elements,
  );
  if (module === null) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const devices = lowerDevicePlans(transforms);
  const manifest = buildManifest({
    module,
    transforms: transforms.map(({ checked, plan }, index) => ({
      checked,
      plan,
      variantKernels: new Map(),
      mergeKernels: [],
      backwardKernels: [],
      backwardSteps: [],
      cuda: devices.plans[index]?.plan ?? null,
      cudaDerived: devices.plans[index]?.derived ?? [],
    })),
    kernels: { file: "", sha256: "", bytes: 0, levels: [], products: [], selections: [], updates: [] },
    cuda: null,
    compiler: "test",
    hashes: new Map(),
  });
  return new Map(
    manifest.transforms.flatMap((transform, index) => {
      const stages = transforms[index];
      const { cuda } = transform.plan;
      return stages === undefined || cuda === null
        ? []
        : [[transform.name, { stages, manifest: transform, cuda, devices }] as const];
    }),
  );
}

/** A loaded layer with values of its own for all parameters. */
export function loadForDevice(
  { manifest }: DeviceProgramCase,
  sizes: { readonly out: number; readonly inputs: number },
  numbers: Readonly<Record<string, number>>,
  value: (index: number) => number,
): LayerState {
  const { out, inputs } = sizes;
  const tensors = new Map(
    manifest.arguments.flatMap((argument) => {
      if (argument.kind !== "tensor") return [];
      const known = new Map([["out", out], ["in", inputs], ["n", out], ...Object.entries(numbers)] as const);
      const shape = argument.dimensions.map((dimension) => evaluateNumber(dimension, known));
      const count = shape.reduce((product, size) => product * size, 1);
      return [
        [argument.name, { shape, values: Float32Array.from({ length: count }, (_, at) => value(at + 7)) }],
      ];
    }),
  );
  const bound = bindArguments(manifest, { tensors, numbers: new Map(Object.entries(numbers)) });
  const state = initialState(manifest, bound, { seed: 3, layer: manifest.name }, null);
  for (const { values } of state.parameters.values())
    values.forEach((_, at) => {
      values[at] = value(3 * at + 1);
    });
  return state;
}

/** The values of a layer as the oracle reads them. */
function valuesOf(state: LayerState): WeightValues {
  const dense = (values: ArrayLike<number>) => ({ values: Float64Array.from(values), positions: null });
  return {
    numbers: state.symbols,
    tensors: new Map([
      ...[...state.tensors].map(([name, { values }]) => [name, dense(values)] as const),
      ...[...state.frozen].map(([name, frozen]) => [name, dense(frozenTensor(frozen).values)] as const),
      ...[...state.parameters].map(([name, { values, target }]) => {
        const positions = target.support === null ? null : [...positionsOf(target.support)];
        return [name, { values: Float64Array.from(values), positions }] as const;
      }),
    ]),
    patterns: new Map(
      [...state.patterns].map(([name, pattern]) => {
        const kept = new Set(positionsOf(pattern));
        return [name, (row: number, column: number) => kept.has(row * pattern.columns + column)];
      }),
    ),
  };
}

export interface DeviceRun {
  readonly y: Float32Array;
  readonly expected: Float64Array;
  readonly launched: readonly string[];
}

/** x Wᵀ by a variant of the device plan, and in float64. x is rounded to the number type of the call before both. */
export function runOnDevice(
  program: DeviceProgramCase,
  variant: CudaVariant,
  state: LayerState,
  batch: number,
  value: (index: number) => number,
): DeviceRun {
  const { elements } = variant;
  const weight = densify(program.stages.normal.root, valuesOf(state));
  const { rows, columns } = weight;
  const given = Float32Array.from({ length: batch * columns }, (_, at) => value(5 * at + 2));
  const input = encode(given, elements).slice();
  const x = decode(input, elements);
  const output = poisoned(batch * rows * (activationElement[elements] === "f32" ? 4 : 2));
  const leaves = createLayerLeaves(program.manifest.plan.derived, state);
  const plan = { ...program.manifest.plan, operands: program.cuda.operands };
  const operands = createPackedOperands(plan, state, leaves, createTestMemory().allocate, () => {
    throw new Error("nothing is merged on a device");
  });
  const [sequence] = variant.sequences;
  if (sequence === undefined) throw new Error("a variant without launches");
  const symbols = new Map([...state.symbols, ["batch", batch] as const]);
  const launched = runSequence({ programs: program.devices.programs, sequence }, symbols, (pointer) => {
    if (pointer.kind === "input") return { data: input, initialised: true };
    if (pointer.kind === "output") return { data: output, initialised: false };
    if (pointer.kind !== "operand") throw new TypeError(`a forward call has no ${pointer.kind}`);
    const packed = new Map([[pointer.operand, operands.get(pointer.operand)]]);
    return { data: packedBytes(packed, pointer.operand, pointer.buffer), initialised: true };
  });
  const expected = Float64Array.from({ length: batch * rows }, (_, at) => {
    const [token, row] = [Math.floor(at / rows), at % rows];
    let sum = 0;
    for (let k = 0; k < columns; k++)
      sum += (x[token * columns + k] ?? 0) * (weight.values[row * columns + k] ?? 0);
    return sum;
  });
  return { y: decode(output, elements), expected, launched };
}

/** The largest difference over the largest number that is expected; NaN when any output is. */
export function largestError({ y, expected }: DeviceRun): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return expected.reduce((most, value, at) => {
    return Math.max(most, Math.abs((y[at] ?? Number.NaN) - value) / largest);
  }, 0);
}

export interface DeviceBackwardRun {
  readonly dx: DeviceRun;
  readonly gradients: ReadonlyMap<string, { readonly found: Float32Array; readonly expected: Float64Array }>;
  readonly launched: readonly string[];
}

/** dx (unless it is not asked for) and gradients, added to 1, beside those of the CPU plan's interpreter in float64. */
export function runBackwardOnDevice(
  program: DeviceProgramCase,
  elements: CudaElements,
  state: LayerState,
  batch: number,
  wantsDx: boolean,
  value: (index: number) => number,
): DeviceBackwardRun {
  const backward = program.cuda.backward.find((one) => one.elements === elements);
  const [sequence] = backward?.sequences ?? [];
  if (sequence === undefined) throw new Error(`no backward in ${elements}`);
  const { plan, checked } = program.stages;
  const symbols = new Map([
    ...state.symbols,
    ["batch", batch] as const,
    ["wants dx", Number(wantsDx)] as const,
  ]);
  const [rows, columns] = [evaluateNumber(plan.rows, symbols), evaluateNumber(plan.columns, symbols)];
  const given = (count: number, by: number) =>
    encode(
      Float32Array.from({ length: count }, (_, at) => value(by * at + by)),
      elements,
    ).slice();
  const [input, cotangent] = [given(batch * columns, 5), given(batch * rows, 3)];
  const result = poisoned(wantsDx ? input.byteLength : 0);
  const [x, dy] = [decode(input, elements), decode(cotangent, elements)];
  const scope = { plan, tensors: checked.tensors, values: valuesOf(state) };
  const oracle = interpretBackwardSteps(
    plan.backward,
    scope,
    Float64Array.from(x),
    Float64Array.from(dy),
    batch,
  );
  const gradients = new Map(
    [...oracle.gradients].map(
      ([name, expected]) => [name, new Float32Array(expected.length).fill(1)] as const,
    ),
  );
  const leaves = createLayerLeaves(program.manifest.plan.derived, state);
  const manifestPlan = { ...program.manifest.plan, operands: program.cuda.operands };
  const operands = createPackedOperands(manifestPlan, state, leaves, createTestMemory().allocate, () => {
    throw new Error("nothing is merged on a device");
  });
  const launched = runSequence({ programs: program.devices.programs, sequence }, symbols, (pointer) => {
    switch (pointer.kind) {
      case "input":
        return { data: input, initialised: true };
      case "cotangent":
        return { data: cotangent, initialised: true };
      case "result":
        return { data: result, initialised: false };
      case "gradient": {
        const values = gradients.get(pointer.of);
        if (values === undefined) throw new TypeError(`no gradient of ${pointer.of}`);
        return { data: new Uint8Array(values.buffer), initialised: true };
      }
      case "operand": {
        const packed = new Map([[pointer.operand, operands.get(pointer.operand)]]);
        return { data: packedBytes(packed, pointer.operand, pointer.buffer), initialised: true };
      }
      default:
        throw new TypeError(`a backward call has no ${pointer.kind}`);
    }
  });
  return {
    dx: { y: decode(result, elements), expected: wantsDx ? oracle.dx : new Float64Array(), launched },
    gradients: new Map(
      [...oracle.gradients].map(([name, expected]) => {
        const found = (gradients.get(name) ?? new Float32Array()).map((sum) => sum - 1);
        return [name, { found, expected }] as const;
      }),
    ),
    launched,
  };
}
