/**
 * Two back ends on the same bytes: every kernel of a plan, run natively and by the interpreter of loop programs, over
 * the operands that the runtime packed. What differs is machine code alone.
 */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import type { TransformStages } from "../../compiler/driver/compilation.ts";
import { lowerMerge } from "../../compiler/loop/lower-merge.ts";
import { type LoweredKernel, lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import type { KernelManifest, TransformManifest } from "../../runtime/contract/manifest.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { type CpuDevice, openCpuDevice } from "../../runtime/device/cpu/cpu-device.ts";
import { prepareKernel } from "../../runtime/device/cpu/kernel-call.ts";
import { floatsOf, integersOf, type PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { bindArguments } from "../../runtime/model/bind-arguments.ts";
import { createLayerLeaves } from "../../runtime/model/formula-scope.ts";
import { initialState, type LayerState } from "../../runtime/model/initial-state.ts";
import { mergeWeight } from "../../runtime/model/merge-weight.ts";
import { createPackedOperands } from "../../runtime/model/packed-operands.ts";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { buildProgram, testMatrix } from "./built-program.ts";

const [out, inputs] = [37, 29];
const { features } = detectCpu();
const runnable = x86Targets.filter(({ needs }) => needs.every((need) => features.has(need)));
const program = await buildProgram({ file: "stdlib/dsee.spx" }, "covering");

interface Subject {
  readonly manifest: TransformManifest;
  readonly stages: TransformStages;
  readonly state: LayerState;
  readonly device: CpuDevice;
  readonly operand: (name: string) => PackedOperand;
}

function subjectOn(target: X86Target): Subject {
  const manifest = program.artefact.manifest().transforms.find(({ name }) => name === "DSEE");
  const stages = program.stages.get("DSEE");
  if (manifest === undefined || stages === undefined) throw new Error("no DSEE");
  const W = { values: testMatrix(1, out * inputs), shape: [out, inputs] };
  const numbers = new Map(Object.entries({ r: 5, nnz: 60, keep: 0.3 }));
  const bound = bindArguments(manifest, { tensors: new Map([["W", W]]), numbers });
  const state = initialState(manifest, bound, { seed: 4, layer: "DSEE" }, null);
  [...state.parameters.values()].forEach(({ values }, index) => {
    values.set(testMatrix(index + 2, values.length));
  });
  const device = openCpuDevice(
    join(program.folder, program.manifestFile),
    program.artefact.manifest(),
    target.name,
  );
  const leaves = createLayerLeaves(manifest.plan.derived, state);
  const operands = createPackedOperands(manifest.plan, state, leaves, device.allocate, () => {
    const { merge } = manifest.plan;
    if (merge.method !== "kernel") throw new Error("DSEE merges by a kernel");
    const call = nativeCall(general(merge.kernels, target), subject);
    return mergeWeight("kernel", call, { out, inputs, threads: 2 }, device.allocate);
  });
  const subject: Subject = { manifest, stages, state, device, operand: (name) => operands.get(name) };
  return subject;
}

function general(kernels: readonly KernelManifest[], target: X86Target): KernelManifest {
  const found = kernels.find(({ level, guard }) => level === target.name && guard === null);
  if (found === undefined) throw new Error(`no general kernel on ${target.name}`);
  return found;
}

function nativeCall(kernel: KernelManifest, { device, operand, state }: Subject) {
  const packed = new Map(kernel.buffers.map((buffer) => [buffer.operand, operand(buffer.operand)]));
  return prepareKernel(kernel, device.kernels, packed, state.symbols, device.allocate, device.workspaces);
}

/** The loop program that the machine code came from, run over the same packed buffers. */
function interpret(
  kernel: LoweredKernel,
  { operand, state }: Subject,
  x: Float32Array,
  y: Float32Array,
  batch: number,
): void {
  const constants = kernel.program.buffers.filter(({ space }) => space === "constant");
  const buffers = new Map<string, BufferData>([
    ["x", x],
    ["y", y],
  ]);
  kernel.buffers.forEach((frame, index) => {
    const packed = operand(frame.operand);
    const element = packed.buffers.find(({ name }) => name === frame.buffer)?.element;
    const data =
      element === "f32" ? floatsOf(packed, frame.buffer) : (integersOf(packed, frame.buffer) as BufferData);
    buffers.set(constants[index]?.name ?? "", data);
  });
  const symbols = new Map(
    kernel.symbols.map(({ name, value }) => [name, evaluateNumber(value, state.symbols)]),
  );
  interpretLoop(kernel.program, { buffers, symbols, batch });
}

describe.each(runnable)("DSEE on $name", (target) => {
  const subject = subjectOn(target);
  const { plan } = subject.stages;

  test.each(plan.variants)("$name", (variant) => {
    const lowered = lowerVariant(plan, variant, target, { name: "kernel", constants: {} });
    const kernels = subject.manifest.plan.variants.find(({ name }) => name === variant.name)?.kernels ?? [];
    const call = nativeCall(general(kernels, target), subject);
    for (const batch of [1, 3, 16, 17, 33]) {
      const x = testMatrix(batch, batch * inputs);
      const native = new Float32Array(batch * out).fill(Number.NaN);
      const reference = native.slice();
      call.run(x, native, batch, 2);
      interpret(lowered, subject, x, reference, batch);
      // The interpreter rounds a fused multiply-add through float64: the last bit may differ, nothing else.
      expect(relativeError(native, Float64Array.from(reference)), `batch ${batch}`).toBeLessThan(1e-7);
    }
  });

  test("merge", () => {
    const lowered = lowerMerge(plan, target, { name: "kernel", constants: {} });
    const merged = plan.operands.find(({ production }) => production === "merge");
    if (merged === undefined) throw new Error("no merged variant");
    const native = floatsOf(subject.operand(merged.name), "values");
    const reference = new Float32Array(native.length).fill(Number.NaN);
    interpret(lowered, subject, new Float32Array(0), reference, 1);
    expect(relativeError(native, Float64Array.from(reference))).toBeLessThan(1e-7);
  });
});
