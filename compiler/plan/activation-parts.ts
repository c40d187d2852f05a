/** Activations that are parts of others, as concatenated matrices read and write them. */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import { addNumbers } from "../algebra/algebra-graph.ts";
import { sameDimension } from "../types/dimension.ts";
import type { Activation, Step } from "./plan.ts";

/** `width` features from `offset` on. */
export interface Range {
  readonly offset: NumberExpression;
  readonly width: NumberExpression;
}

/** The activation whose memory `name` lies in: itself, unless it is a part. */
export const memoryOf = (activations: readonly Activation[], name: string): string =>
  activations.find((activation) => activation.name === name)?.part?.of ?? name;

/** Features `range` of `activation`, a new part if there is none yet. */
export function partOf(activations: Activation[], activation: string, range: Range): string {
  const outer = activations.find(({ name }) => name === activation)?.part;
  const of = outer?.of ?? activation;
  const offset = outer === undefined ? range.offset : addNumbers(outer.offset, range.offset);
  const name = `${of}[${printNumber(offset)} .. ${printNumber(addNumbers(offset, range.width))}]`;
  if (!activations.some((known) => known.name === name))
    activations.push({ name, width: range.width, part: { of, offset } });
  return name;
}

/** Indices of ranges that follow each other from 0 to `size`, each feature in one of them; null when none are found. */
export function tilingOf(ranges: readonly Range[], size: NumberExpression): readonly number[] | null {
  const found: number[] = [];
  let at: NumberExpression = { kind: "number", value: 0 };
  while (!sameDimension(at, size)) {
    const next = ranges.findIndex(({ offset }, index) => !found.includes(index) && sameDimension(offset, at));
    const range = ranges[next];
    if (range === undefined) return null;
    found.push(next);
    at = addNumbers(at, range.width);
  }
  return found;
}

/** A step adds where earlier steps wrote: that very part, or all of its activation. */
export const addsToWritten = (
  activations: readonly Activation[],
  step: Step,
  before: readonly Pick<Step, "output">[],
): boolean => {
  if (!step.accumulate) return true;
  const memory = memoryOf(activations, step.output);
  const written = new Set(before.map(({ output }) => output));
  if (written.has(step.output) || written.has(memory)) return true;
  const ranges = activations.flatMap(({ name, width, part }) =>
    part?.of === memory && written.has(name) ? [{ offset: part.offset, width }] : [],
  );
  const size = activations.find(({ name }) => name === memory)?.width;
  return size !== undefined && tilingOf(ranges, size) !== null;
};

/** A step that does not add writes where nothing was written: to the whole, or to a part of its own. */
export function overwritesNothing(
  activations: readonly Activation[],
  step: Step,
  before: readonly Pick<Step, "output">[],
): boolean {
  if (step.accumulate) return true;
  const memory = memoryOf(activations, step.output);
  const earlier = before
    .map(({ output }) => output)
    .filter((output) => memoryOf(activations, output) === memory);
  return memory === step.output
    ? earlier.length === 0
    : !earlier.includes(step.output) && !earlier.includes(memory);
}
