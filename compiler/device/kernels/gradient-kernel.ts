/**
 * Gradients by entry: a thread sums over the tokens what the two sides of one stored value give. Only entries that exist
 * are computed, so that a sparse parameter costs its own entries; neighbours read neighbouring numbers of the right side.
 */
import { apply, type NumberExpression } from "../../../runtime/contract/number-expression.ts";
import { strideMap } from "../../loop/stride-map.ts";
import type { GradientInput, GradientStep } from "../../plan/plan.ts";
import { loop, name, registers, set, store, when } from "../device-builder.ts";
import {
  add,
  binary,
  blockNumber,
  compare,
  div,
  fma,
  int,
  load,
  mul,
  rem,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceProgram } from "../device-node.ts";
import { activationIn, placeOf, rowOf, type StepScene } from "../device-step.ts";
import { batchOf, type KernelParts, type KernelTitle, kernelProgram } from "../kernel-parts.ts";

const threads = 128;

/** Values that a step adds to. */
export function gradientEntries({ shape }: GradientStep): NumberExpression {
  if (shape.kind === "matrix") return apply("*", shape.blocks, shape.rows, shape.columns);
  return shape.kind === "positions" ? shape.entries : shape.size;
}

/** Which features an entry multiplies, where it is stored and its weight; null for 1. */
interface EntryPlace {
  readonly row: Value;
  readonly column: Value;
  readonly place: Value;
  readonly weight: Value | null;
}

function entryPlace(parts: KernelParts, { shape }: GradientStep, entry: Value): EntryPlace {
  const { code } = parts;
  if (shape.kind === "diagonal") return { row: entry, column: entry, place: entry, weight: null };
  if (shape.kind === "positions") {
    const buffer = (of: string, element: "i32" | "f32"): string =>
      parts.buffer(
        { kind: "operand", operand: shape.operand, buffer: of },
        `${shape.operand}_${of}`,
        element,
        "read",
      );
    const row = name(code, "row", load(buffer("rows", "i32"), entry, "i32"));
    const column = name(code, "column", load(buffer("columns", "i32"), entry, "i32"));
    const place = shape.columns === null ? entry : add(mul(row, parts.dimension(shape.columns)), column);
    return { row, column, place, weight: load(buffer("weights", "f32"), entry, "f32") };
  }
  const [rows, columns] = [parts.dimension(shape.rows), parts.dimension(shape.columns)];
  const line = name(code, "line", div(entry, columns));
  const inBlock = name(code, "in_block", rem(entry, columns));
  const column = name(code, "column", add(mul(div(line, rows), columns), inBlock));
  const pointer = { kind: "operand", operand: shape.weights ?? "", buffer: "values" } as const;
  const weight =
    shape.weights === null ? null : load(parts.buffer(pointer, "weights", "f32", "read"), entry, "f32");
  return { row: line, column, place: entry, weight };
}

/** Reads a feature of one side: of a token, a copy and an index. */
function sideOf(parts: KernelParts, side: GradientInput, scene: StepScene, hint: string) {
  const activation = activationIn(parts, scene.place(side.activation), hint, "read");
  const places = strideMap(parts.dimension, side.permutation, "input");
  const [offset, stride] = [parts.dimension(side.offset), parts.dimension(side.stride)];
  return (token: Value, copy: Value, index: Value): Value => {
    const feature = placeOf(places, add(mul(copy, stride), offset, index));
    return load(activation.memory, add(rowOf(activation, token), feature), "f32");
  };
}

/** The program of a gradient step: entries by `threads` blocks. */
export function gradientKernel(
  parts: KernelParts,
  step: GradientStep,
  scene: StepScene,
  about: KernelTitle,
): DeviceProgram {
  const { code } = parts;
  const gradient = parts.buffer({ kind: "gradient", of: step.parameter }, "gradient", "f32", "update");
  const left = sideOf(parts, step.left, scene, "left");
  const right = sideOf(parts, step.right, scene, "right");
  const copies = parts.dimension(step.copies);
  const start = parts.dimension(step.start);
  const scale =
    step.scale === null
      ? null
      : parts.buffer({ kind: "operand", operand: step.scale, buffer: "values" }, "scale", "f32", "read");
  const entries = parts.dimension(gradientEntries(step));
  const batch = batchOf(parts);
  const entry = name(code, "entry", add(mul(blockNumber, int(threads)), thread));
  when(code, compare("lt", entry, entries), (body) => {
    const { row, column, place, weight } = entryPlace({ ...parts, code: body }, step, entry);
    const sum = registers(body, "sum", zero);
    loop(body, "token", { to: batch }, (inner, token) =>
      loop(inner, "copy", { to: copies }, (deep, copy) =>
        set(deep, sum, fma(left(token, copy, row), right(token, copy, column), sum.read())),
      ),
    );
    const weighted = weight === null ? sum.read() : binary("mul", weight, sum.read());
    const scaled = scale === null ? weighted : binary("mul", load(scale, int(0), "f32"), weighted);
    const at = name(body, "at", add(start, place));
    store(body, gradient, at, binary("add", load(gradient, at, "f32"), scaled));
  });
  return kernelProgram(parts, about, { threads, blocksPerProcessor: 1 });
}
