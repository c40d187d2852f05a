/** A step of a plan with its operands and activations resolved to memories of one kernel. */

import type { CudaPointer } from "../../runtime/contract/cuda.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { formatBuffers, type OperandFormat } from "../../runtime/contract/operand-format.ts";
import { type StrideMap, strideMap } from "../loop/stride-map.ts";
import type { Operand, Step } from "../plan/plan.ts";
import { add, convert, div, mul, rem, type Value } from "./device-expression.ts";
import type { DeviceElement } from "./device-node.ts";
import type { KernelParts } from "./kernel-parts.ts";

/** Where an activation lies: row-major, `stride` elements from one token to the next. */
export interface ActivationPlace {
  readonly pointer: CudaPointer;
  readonly element: DeviceElement;
  readonly width: NumberExpression;
  readonly stride: NumberExpression;
  readonly offset: NumberExpression;
}

export interface DeviceActivation {
  readonly memory: string;
  readonly element: DeviceElement;
  readonly width: Value;
  readonly stride: Value;
  readonly offset: Value;
}

export function activationIn(
  parts: KernelParts,
  place: ActivationPlace,
  hint: string,
  access: "read" | "write" | "update",
): DeviceActivation {
  return {
    memory: parts.buffer(place.pointer, hint, place.element, access),
    element: place.element,
    width: parts.dimension(place.width),
    stride: parts.dimension(place.stride),
    offset: parts.dimension(place.offset),
  };
}

/** Index of the first feature of a token. */
export const rowOf = ({ stride, offset }: DeviceActivation, token: Value): Value =>
  add(mul(convert(token, "i64"), stride), offset);

export const placeOf = (places: StrideMap<Value> | null, index: Value): Value =>
  places === null ? index : add(mul(rem(index, places.period), places.jump), div(index, places.period));

/** A packed operand with the activation that it is applied to. */
export interface DeviceTerm {
  readonly format: OperandFormat;
  readonly rows: Value;
  readonly columns: Value;
  /** Number of blocks of a block-diagonal operand, else 1. */
  readonly blocks: Value;
  /** Inputs with one scale of a quantized operand, else 1. */
  readonly run: Value;
  /** The memory of a buffer of the format, read as its own elements or as `element`. */
  readonly buffer: (name: string, element?: DeviceElement) => string;
  readonly input: DeviceActivation;
  readonly inputPlaces: StrideMap<Value> | null;
}

export interface DeviceStep {
  readonly output: DeviceActivation;
  readonly outputPlaces: StrideMap<Value> | null;
  readonly accumulate: boolean;
  readonly terms: readonly DeviceTerm[];
}

/** What a step needs to know of its surroundings. */
export interface StepScene {
  readonly operand: (name: string) => Operand;
  readonly place: (activation: string) => ActivationPlace;
}

export function resolveDeviceStep(parts: KernelParts, step: Step, scene: StepScene): DeviceStep {
  const output = activationIn(parts, scene.place(step.output), "y", step.accumulate ? "update" : "write");
  const terms = step.terms.map((term): DeviceTerm => {
    const { name, format, rows, columns } = scene.operand(term.operand);
    return {
      format,
      rows: parts.dimension(rows),
      columns: parts.dimension(columns),
      blocks: parts.dimension(format.name === "blockdiag16" ? format.blocks : number(1)),
      run: parts.dimension("block" in format ? format.block : number(1)),
      buffer(wanted, element) {
        const found = formatBuffers[format.name].find((buffer) => buffer.name === wanted);
        if (found === undefined) throw new TypeError(`a ${format.name} has no buffer ${wanted}`);
        const pointer = { kind: "operand", operand: name, buffer: wanted } as const;
        return parts.buffer(pointer, `${name}_${wanted}`, element ?? found.element, "read");
      },
      input: activationIn(parts, scene.place(term.input), "x", "read"),
      inputPlaces: strideMap(parts.dimension, term.inputPermutation, "input"),
    };
  });
  return {
    output,
    outputPlaces: strideMap(parts.dimension, step.outputPermutation, "output"),
    accumulate: step.accumulate,
    terms,
  };
}
