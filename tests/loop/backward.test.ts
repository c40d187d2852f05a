/**
 * Backward kernels on the reference back end: every access in bounds, tiles apart, dx from NaN, gradients added to what
 * is there; the numbers those of the chain rule on dense matrices.
 */
import { describe, expect, it } from "vitest";
import { relativeError } from "../../bench/quickstart/layer-oracle.ts";
import { transposeMatrix } from "../../compiler/algebra/dense-matrix.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { patternOf, tensorMatrix, type WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import { pullDense } from "../../compiler/algebra/pull-dense.ts";
import { type BufferData, interpretLoop } from "../../compiler/backend/reference/interpret-loop.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { lowerBackward } from "../../compiler/loop/lower-backward.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { addEntries, writeOut } from "../../compiler/plan/stored-entries.ts";
import { type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { wantsDx } from "../../runtime/contract/manifest.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { packOperand } from "../../runtime/formats/pack-operand.ts";
import type { PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { evaluateParts, type SourceLeaves } from "../../runtime/model/evaluate-source.ts";
import { patternOfPositions } from "../../runtime/select/pattern.ts";
import { samples } from "../algebra/sample-transforms.ts";
import { smallIntegers, valuesFor } from "../algebra/sample-values.ts";
import { builtRoot, planOf } from "../plan/sample-plans.ts";
import { oracleGradients, weightGradient } from "../programs/gradient-oracle.ts";
import { createTestMemory } from "../runtime/formats-memory.ts";
import { packedBuffer } from "./run-reference.ts";

/** The sample's numbers as the runtime reads them: dense matrices, and patterns as bits. */
function leavesOf(transform: CheckedTransform, values: WeightValues): SourceLeaves {
  return {
    symbols: values.numbers,
    leaf(name, slice) {
      const tensor = transform.tensors.find((candidate) => candidate.name === name);
      if (tensor === undefined) throw new ReferenceError(name);
      const stored = values.tensors.get(name)?.values ?? new Float64Array();
      if (tensor.structure === "diag" || tensor.dimensions.length === 1)
        return { kind: "diag", values: Float32Array.from(stored) };
      const matrix = tensorMatrix(tensor, slice, values);
      return {
        kind: "dense",
        rows: matrix.rows,
        columns: matrix.columns,
        values: Float32Array.from(matrix.values),
      };
    },
    pattern(name) {
      const pattern = transform.patterns.find((candidate) => candidate.name === name);
      if (pattern === undefined) throw new ReferenceError(name);
      const [rows, columns] = [pattern.rows, pattern.columns].map((size) =>
        evaluateNumber(size, values.numbers),
      );
      const keeps = patternOf(name, values);
      const all = Array.from({ length: (rows ?? 0) * (columns ?? 0) }, (_, position) => position);
      const kept = all.filter((position) =>
        keeps(Math.floor(position / (columns ?? 1)), position % (columns ?? 1)),
      );
      return patternOfPositions(rows ?? 0, columns ?? 0, kept);
    },
  };
}

interface Run {
  readonly transform: CheckedTransform;
  readonly plan: Plan;
  readonly values: WeightValues;
  readonly target: X86Target;
  readonly batch: number;
  readonly wanted: boolean;
}

/** What the gradients hold before the call. */
const before = 3;

function checkRun({ transform, plan, values, target, batch, wanted }: Run): void {
  const { backward } = plan;
  const {
    program,
    buffers: frame,
    symbols,
  } = lowerBackward(plan, backward, target, { name: "backward", constants: {} });
  expect(verifyLoop(program)).toEqual([]);
  const root = builtRoot(transform);
  const weight = densify(root, values);
  const random = smallIntegers(batch);
  const x = Float64Array.from({ length: batch * weight.columns }, random);
  const dy = Float64Array.from({ length: batch * weight.rows }, random);

  const memory = createTestMemory();
  const leaves = leavesOf(transform, values);
  const packed = new Map<string, PackedOperand>();
  const buffers = new Map<string, BufferData>();
  const constants = program.buffers.filter(({ space }) => space === "constant");
  frame.forEach(({ operand: name, buffer }, index) => {
    const operand = plan.operands.find((candidate) => candidate.name === name);
    const slot = constants[index]?.name;
    if (operand === undefined || slot === undefined) throw new ReferenceError(name);
    const known =
      packed.get(name) ??
      packOperand(operand.format, evaluateParts(operand.source, leaves), values.numbers, memory.allocate);
    packed.set(name, known);
    buffers.set(slot, packedBuffer(known, buffer));
  });
  const expected = oracleGradients(root, transform.tensors, values, weightGradient(x, dy, batch));
  const [dx, ...gradients] = program.buffers.filter(({ space }) => space === "result");
  const cotangent = program.buffers.find(({ space }) => space === "cotangent");
  if (dx === undefined || cotangent === undefined) throw new Error("dx and dy");
  buffers.set("x", Float32Array.from(x)).set(cotangent.name, Float32Array.from(dy));
  const dxValues = new Float32Array(wanted ? x.length : 0).fill(Number.NaN);
  buffers.set(dx.name, dxValues);
  const written = backward.parameters.map(({ name }, index) => {
    const values32 = new Float32Array(expected.get(name)?.length ?? 0).fill(before);
    buffers.set(gradients[index]?.name ?? "", values32);
    return [name, values32] as const;
  });
  const between = backward.intermediates.map((intermediate, index) => {
    const values32 = new Float32Array(evaluateNumber(intermediate.count, values.numbers));
    buffers.set(gradients[backward.parameters.length + index]?.name ?? "", values32);
    return { ...intermediate, values32 };
  });
  const numbers = new Map<string, number>([...values.numbers, [wantsDx, Number(wanted)] as const]);
  interpretLoop(program, {
    buffers,
    symbols: new Map(symbols.map(({ name, value }) => [name, evaluateNumber(value, numbers)])),
    batch,
    tileOrder: (count) => Array.from({ length: count }, (_, tile) => count - 1 - tile),
  });
  for (const { tensor, formula, values32 } of between) {
    const given = writeOut(tensor, Float64Array.from(values32), values);
    pullDense(formula, given, tensor.derivation?.reads ?? [], values, (read, slice, gradient) => {
      const [, stored] = written.find(([name]) => name === read.name) ?? [];
      const sums = Float64Array.from(stored ?? []);
      addEntries(read, slice, gradient, sums, values);
      stored?.set(sums);
    });
  }
  if (wanted) expect(relativeError(dxValues, applyDense(transposeMatrix(weight), dy))).toBeLessThan(1e-6);
  for (const [name, values32] of written) {
    const all = expected.get(name)?.map((value) => value + before) ?? new Float64Array();
    expect(relativeError(values32, all), name).toBeLessThan(1e-6);
  }
}

describe.each(samples.map(({ transform, sizes }) => ({ name: transform.name, transform, sizes })))(
  "$name",
  ({ transform, sizes }) => {
    const plan = planOf(transform);
    it.each(x86Targets.map((target) => ({ level: target.name, target })))("on $level", ({ target }) => {
      for (const size of sizes) {
        const values = valuesFor(transform, size, 7);
        for (const batch of [1, 17]) {
          for (const wanted of [true, false]) checkRun({ transform, plan, values, target, batch, wanted });
        }
      }
      const [first] = sizes;
      if (first === undefined) throw new Error("a size");
      // More panels of tokens than pass at once.
      checkRun({ transform, plan, values: valuesFor(transform, first, 8), target, batch: 270, wanted: true });
    });
  },
);
