/**
 * What must hold of the CUDA part of a manifest beyond its shape. The compiler asks before it writes, the runtime
 * before it launches: a launch that breaks a rule would not fail but write where it must not.
 */
import {
  type CudaArgument,
  type CudaPlan,
  type CudaPointer,
  type CudaSequence,
  type CudaStep,
  cudaElements,
} from "./cuda.ts";
import { type NumberExpression, symbolsOf } from "./number-expression.ts";
import { formatBuffers } from "./operand-format.ts";

/** What the names of a plan mean. */
export interface CudaScope {
  /** Parameters and intermediates that have gradients. */
  readonly gradients: ReadonlySet<string>;
}

type Call = "forward" | "adapters" | "backward";

/** Pointers that only some kinds of call have. */
const callsOf: Readonly<Partial<Record<CudaPointer["kind"], readonly Call[]>>> = {
  operand: ["forward", "backward"],
  output: ["forward", "adapters"],
  adapters: ["adapters"],
  cotangent: ["backward"],
  result: ["backward"],
  gradient: ["backward"],
};

const mostThreads = 1024;
/** The largest shared memory of a block that any device has which the kernels are built for. */
export const mostSharedMemory = 227 * 1024;

/** Every broken rule in words; empty when the plan can be launched. */
export function cudaPlanProblems(plan: CudaPlan, scope: CudaScope): readonly string[] {
  const names = plan.operands.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  const calls = [
    ...plan.variants.map((variant) => ({
      call: "forward" as const,
      where: `variant ${variant.name}`,
      ...variant,
    })),
    ...plan.backward.map((backward) => ({
      call: "backward" as const,
      where: `backward ${backward.elements}`,
      ...backward,
    })),
    ...plan.adapters.map((adapters) => ({
      call: "adapters" as const,
      where: `adapters ${adapters.elements}`,
      ...adapters,
    })),
  ];
  return [
    ...twice.map((name) => `operand ${name} stands twice`),
    ...calls.flatMap(({ call, where, elements, sequences }) => [
      ...(cudaElements.includes(elements) ? [] : [`${where}: \`${elements}\` is no number type`]),
      ...(sequences.some(({ architecture }) => architecture === "sm_80")
        ? []
        : [`${where}: no sequence for sm_80`]),
      ...sequences.flatMap((sequence, index) =>
        sequenceProblems(sequence, call, plan, scope).map((text) => `${where}, sequence ${index}: ${text}`),
      ),
    ]),
  ];
}

function sequenceProblems(
  sequence: CudaSequence,
  call: Call,
  plan: CudaPlan,
  scope: CudaScope,
): readonly string[] {
  const guarded = sequence.guard === null ? [] : symbolsOf(sequence.guard);
  return [
    ...(guarded.includes("batch") ? ["its guard reads the batch"] : []),
    ...(sequence.steps.length === 0 ? ["it has no steps"] : []),
    ...sequence.steps.flatMap((step) => stepProblems(step, call, plan, scope)),
  ];
}

function stepProblems(step: CudaStep, call: Call, plan: CudaPlan, scope: CudaScope): readonly string[] {
  if (step.kind === "clear")
    return argumentProblems(step.target, call, plan, scope).map((text) => `clear: ${text}`);
  const threads = step.block.reduce((product, size) => product * size, 1);
  const problems = [
    ...(step.block.every((size) => Number.isInteger(size) && size > 0) && threads <= mostThreads
      ? []
      : [`a block of ${step.block.join(" x ")} threads`]),
    ...(Number.isInteger(step.cluster) && step.cluster >= 1 && step.cluster <= 8
      ? []
      : [`a cluster of ${step.cluster}`]),
    ...knownBytes(step.dynamicBytes),
    ...step.arguments.flatMap((argument) => argumentProblems(argument, call, plan, scope)),
  ];
  return problems.map((text) => `${step.kernel}: ${text}`);
}

const knownBytes = (bytes: NumberExpression): readonly string[] =>
  bytes.kind === "number" &&
  !(Number.isInteger(bytes.value) && bytes.value >= 0 && bytes.value <= mostSharedMemory)
    ? [`${bytes.value} bytes of shared memory`]
    : [];

function argumentProblems(
  argument: CudaArgument,
  call: Call,
  plan: CudaPlan,
  scope: CudaScope,
): readonly string[] {
  if (argument.kind === "number") return [];
  const only = callsOf[argument.kind];
  if (only !== undefined && !only.includes(call)) return [`\`${argument.kind}\` in a call of ${call}`];
  if (argument.kind === "gradient")
    return scope.gradients.has(argument.of) ? [] : [`\`${argument.of}\` has no gradient`];
  if (argument.kind !== "operand") return [];
  const operand = plan.operands.find(({ name }) => name === argument.operand);
  if (operand === undefined) return [`there is no operand \`${argument.operand}\``];
  const buffers = formatBuffers[operand.format.name] ?? [];
  return buffers.some(({ name }) => name === argument.buffer)
    ? []
    : [`a ${operand.format.name} has no buffer \`${argument.buffer}\``];
}
