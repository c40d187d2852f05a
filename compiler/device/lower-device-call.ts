/**
 * Lowers a variant of a plan to kernels and the launches that a call puts on the stream: for each step the kernels that
 * serve its formats, one for each range of batches. Activations between steps lie in the call's workspace, row-major,
 * in the number type of the call.
 */
import type { CudaElements, CudaPointer, CudaSequence, CudaStep } from "../../runtime/contract/cuda.ts";
import { wantsDx } from "../../runtime/contract/manifest.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { DeviceBackward, DevicePlan, DevicePlanStep, DeviceVariant } from "../plan/device-plan.ts";
import type { Activation, GradientStep, Operand, Step } from "../plan/plan.ts";
import { type DeviceElement, type DeviceProgram, dynamicBytes, elementBytes } from "./device-node.ts";
import { type ActivationPlace, resolveDeviceStep, type StepScene } from "./device-step.ts";
import { ceilOver, type KernelChoice, kernelChoices } from "./kernel-choices.ts";
import { createKernelParts, type KernelParts } from "./kernel-parts.ts";
import { gradientEntries, gradientKernel } from "./kernels/gradient-kernel.ts";

export interface LoweredDeviceCall {
  readonly programs: readonly DeviceProgram[];
  readonly sequence: CudaSequence;
}

/** What x, y and the activations between are made of. */
export const activationElement: Readonly<Record<CudaElements, "f32" | "bf16" | "f16">> = {
  f32: "f32",
  tf32: "f32",
  bf16: "bf16",
  f16: "f16",
};

const batch = symbol("batch");
const ceilTo = (value: NumberExpression, unit: number): NumberExpression =>
  apply("*", apply("ceil", apply("/", value, number(unit))), number(unit));

/** Activations of a call that have no memory of their own yet get it from a workspace that grows. */
export interface WorkspaceLayout {
  place(width: NumberExpression): ActivationPlace;
  readonly bytes: () => NumberExpression;
}

/** Rows start on 16 bytes, activations on 256. */
export function createWorkspace(element: DeviceElement): WorkspaceLayout {
  const size = elementBytes[element];
  const parts: NumberExpression[] = [];
  const total = (): NumberExpression => (parts.length === 0 ? number(0) : apply("+", ...parts));
  return {
    bytes: total,
    place(width) {
      const stride = ceilTo(width, 16 / size);
      const offset = total();
      parts.push(ceilTo(apply("*", batch, stride, number(size)), 256));
      return { pointer: { kind: "workspace", offset }, element, width, stride, offset: number(0) };
    },
  };
}

/** Where each activation lies: those that are given, parts of others, and the rest in the workspace. */
export function placesOf(
  activations: readonly Activation[],
  given: ReadonlyMap<string, ActivationPlace>,
  workspace: WorkspaceLayout,
): (activation: string) => ActivationPlace {
  const places = new Map(given);
  const find = (name: string): ActivationPlace => {
    const known = places.get(name);
    if (known !== undefined) return known;
    const activation = activations.find((candidate) => candidate.name === name);
    if (activation === undefined) throw new TypeError(`no activation ${name}`);
    const { part, width } = activation;
    const whole = part === undefined ? null : find(part.of);
    const place =
      whole === null || part === undefined
        ? workspace.place(width)
        : { ...whole, width, offset: apply("+", whole.offset, part.offset) };
    places.set(name, place);
    return place;
  };
  return find;
}

/** x or y: rows one after the other. */
export const wholePlace = (
  pointer: CudaPointer,
  element: DeviceElement,
  width: NumberExpression,
): ActivationPlace => ({
  pointer,
  element,
  width,
  stride: width,
  offset: number(0),
});

const operandIn = (operands: readonly Operand[]): StepScene["operand"] => {
  return (name) => {
    const found = operands.find((operand) => operand.name === name);
    if (found === undefined) throw new TypeError(`the plan has no operand ${name}`);
    return found;
  };
};

function conditionOf(
  { from, to }: Pick<KernelChoice, "from" | "to">,
  also: NumberExpression | null,
): NumberExpression | null {
  const conditions = [
    ...(from > 1 ? [apply(">=", batch, number(from))] : []),
    ...(to === null ? [] : [apply("<=", batch, number(to))]),
    ...(also === null ? [] : [also]),
  ];
  const [first, ...rest] = conditions;
  if (first === undefined) return null;
  return rest.length === 0 ? first : apply("and", first, ...rest);
}

/** A name that C and the driver accept. */
export const kernelName = (...words: readonly string[]): string =>
  words.join("_").replaceAll(/[^A-Za-z0-9_]+/g, "_");

/** The kernels of a step and what it puts on the stream. */
interface LoweredDeviceStep {
  readonly programs: readonly DeviceProgram[];
  readonly steps: readonly CudaStep[];
}

export const launchOf = (
  program: DeviceProgram,
  parts: KernelParts,
  grid: NumberExpression,
  condition: NumberExpression | null,
): CudaStep => ({
  kind: "launch",
  kernel: program.name,
  grid: [grid, number(1), number(1)],
  block: [program.threads, 1, 1],
  dynamicBytes: number(dynamicBytes(program)),
  cluster: 1,
  arguments: parts.arguments(),
  condition,
});

/** The steps of a call one after the other, over the workspace that they share. */
const callOf = (lowered: readonly LoweredDeviceStep[], workspace: WorkspaceLayout): LoweredDeviceCall => ({
  programs: lowered.flatMap(({ programs }) => programs),
  sequence: {
    architecture: "sm_80",
    guard: null,
    workspace: workspace.bytes(),
    steps: lowered.flatMap(({ steps }) => steps),
  },
});

/** What one step launches; `condition` holds for all of it. */
export function lowerDeviceStep(
  planned: DevicePlanStep,
  scene: StepScene,
  about: { readonly name: string; readonly line: string; readonly elements: CudaElements },
  condition: NumberExpression | null = null,
): LoweredDeviceStep {
  const { name, line, elements } = about;
  const { step } = planned;
  if (step.terms.length === 0) {
    const { pointer, stride, element } = scene.place(step.output);
    const bytes = ceilTo(apply("*", batch, stride, number(elementBytes[element])), 4);
    return { programs: [], steps: [{ kind: "clear", target: pointer, bytes, condition }] };
  }
  const programs: DeviceProgram[] = [];
  const steps = kernelChoices(planned, scene).map((choice): CudaStep => {
    const parts = createKernelParts();
    const { suffix, from, to, grid } = choice;
    const range =
      to === null ? `from ${from} tokens on` : from === to ? "one token" : `${from} to ${to} tokens`;
    const program = choice.make(parts, resolveDeviceStep(parts, step, scene), {
      name: kernelName(name, step.name, elements, suffix),
      purpose: [line, range],
      elements,
    });
    programs.push(program);
    return launchOf(program, parts, grid, conditionOf(choice, condition));
  });
  return { programs, steps };
}

/** One line for a step: what it computes. */
export const stepLine = ({ output, accumulate, terms }: Step): string =>
  `${output} ${accumulate ? "+=" : "="} ${terms.length === 0 ? "0" : terms.map(({ operand, input }) => `${operand} · ${input}`).join(" + ")}`;

/** The forward call of a variant for one number type. */
export function lowerDeviceVariant(
  plan: Pick<DevicePlan, "rows" | "columns" | "operands">,
  variant: Pick<DeviceVariant, "activations" | "steps" | "elements">,
  name: string,
): LoweredDeviceCall {
  const { elements } = variant;
  const element = activationElement[elements];
  const workspace = createWorkspace(element);
  const given = new Map([
    ["x", wholePlace({ kind: "input" }, element, plan.columns)],
    ["y", wholePlace({ kind: "output" }, element, plan.rows)],
  ]);
  const scene = { operand: operandIn(plan.operands), place: placesOf(variant.activations, given, workspace) };
  const lowered = variant.steps.map((planned, index) =>
    lowerDeviceStep(planned, scene, { name: `${name}_${index + 1}`, line: stepLine(planned.step), elements }),
  );
  return callOf(lowered, workspace);
}

/** The backward call: x and dy are read, dx and the gradients written; what only dx needs waits for being asked. */
export function lowerDeviceBackward(
  plan: Pick<DevicePlan, "rows" | "columns" | "operands">,
  backward: DeviceBackward,
  name: string,
): LoweredDeviceCall {
  const { elements, activations } = backward;
  const element = activationElement[elements];
  const workspace = createWorkspace(element);
  const given = new Map([
    ["x", wholePlace({ kind: "input" }, element, plan.columns)],
    ["dy", wholePlace({ kind: "cotangent" }, element, plan.rows)],
    ["dx", wholePlace({ kind: "result" }, element, plan.columns)],
  ]);
  const scene = { operand: operandIn(plan.operands), place: placesOf(activations, given, workspace) };
  const lowered = backward.steps.map((step, index) => {
    const stem = `${name}_${index + 1}`;
    if (step.kind === "gradient") return lowerGradient(step, scene, stem, elements);
    const about = { name: stem, line: stepLine(step.planned.step), elements };
    return lowerDeviceStep(step.planned, scene, about, step.dxOnly ? symbol(wantsDx) : null);
  });
  return callOf(lowered, workspace);
}

function lowerGradient(
  step: GradientStep,
  scene: StepScene,
  stem: string,
  elements: CudaElements,
): LoweredDeviceStep {
  const parts = createKernelParts();
  const program = gradientKernel(parts, step, scene, {
    name: kernelName(stem, "gradient", elements),
    purpose: [gradientLine(step)],
    elements,
  });
  const grid = ceilOver(gradientEntries(step), program.threads);
  return { programs: [program], steps: [launchOf(program, parts, grid, null)] };
}

/** One line for a gradient step. */
export const gradientLine = ({ parameter, left, right }: GradientStep): string =>
  `d${parameter} += ${left.activation} · ${right.activation}.T`;
