/**
 * Predicted nanoseconds of a call on a device: for each step a launch, and the larger of what its bytes and what its
 * multiplies take. A weight that is read again for further tokens comes from the second-level cache.
 */
import { type CudaElements, cudaElementBytes } from "../../runtime/contract/cuda.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { callsPerStep } from "../targets/cpu-rates.ts";
import type { CudaRates } from "../targets/cuda-rates.ts";
import { applyFolded } from "../types/fold-number.ts";
import { gradientValues } from "./choose-backward.ts";
import type { DeviceBackward, DevicePlanStep, DeviceVariant } from "./device-plan.ts";
import type { OperandLookup } from "./operand-table.ts";
import { ceilOver, over, plus, times } from "./packed-size.ts";
import type { Operand } from "./plan.ts";

const batch = symbol("batch");
const max = (a: NumberExpression, b: NumberExpression): NumberExpression => applyFolded("max", a, b);

/** Times that a lane kernel reads its weight: for 8 tokens at once up to 16 tokens, for 32 beyond. */
const laneWalks = plus(
  times(apply("<=", batch, number(16)), ceilOver(batch, 8)),
  times(apply(">", batch, number(16)), ceilOver(batch, 32)),
);
/** Times that a tensor kernel reads it: once for 16 tokens, then for tiles of 128. */
const tensorWalks = max(number(1), ceilOver(batch, 128));

/** The same of a tensor kernel that finds entries by bitmaps or decodes, which has 64 tokens at once. */
const narrowWalks = plus(
  apply("<=", batch, number(16)),
  times(apply(">", batch, number(16)), ceilOver(batch, 64)),
);

/** Times that a step reads its weight. */
function walksOf({ kernel }: DevicePlanStep, read: readonly Operand[]): NumberExpression {
  if (kernel === "lanes") return laneWalks;
  return read.some(({ format }) => narrow.has(format.name)) ? narrowWalks : tensorWalks;
}

const narrow = new Set(["bitmap-tiles", "code-tiles"]);

/** Formats whose lanes pick the inputs that they multiply. */
const picking = new Set(["nm-lanes", "window-ell"]);

function multiplyRate(
  { kernel }: DevicePlanStep,
  { format }: Operand,
  elements: CudaElements,
  { multiplies }: CudaRates,
): number {
  if (kernel === "tensor") {
    if (format.name === "nm-tiles") return multiplies.tensorPicked;
    if (format.name === "code-tiles") return multiplies.tensorCoded;
    return elements === "tf32" ? multiplies.tensorTf32 : multiplies.tensor;
  }
  return picking.has(format.name) ? multiplies.picked : multiplies.lines;
}

const widthOf = ({ activations }: Pick<DeviceVariant, "activations">, name: string): NumberExpression =>
  activations.find((activation) => activation.name === name)?.width ?? number(0);

/** Nanoseconds of one step; reads `batch`. */
export function deviceStepCost(
  planned: DevicePlanStep,
  variant: Pick<DeviceVariant, "activations" | "elements">,
  operands: OperandLookup,
  rates: CudaRates,
): NumberExpression {
  const { step } = planned;
  const { elements } = variant;
  const read = step.terms.map(({ operand }) => operands.find(operand));
  const bytes = plus(...read.map((operand) => operand.bytes));
  const features = plus(
    widthOf(variant, step.output),
    ...step.terms.map(({ input }) => widthOf(variant, input)),
  );
  const moved = times(batch, features, number(cudaElementBytes[elements]));
  const walks = walksOf(planned, read);
  const again = times(plus(walks, number(-1)), bytes);
  const memory = over(plus(bytes, moved), number(rates.memoryBytes));
  const cache = over(again, number(rates.cacheBytes));
  const multiplies = read.map((operand) =>
    times(operand.multiplies, batch, number(1 / multiplyRate(planned, operand, elements, rates))),
  );
  const found = read.flatMap(({ format, rows, columns }) => {
    const places = times(rows, columns, walks);
    if (format.name === "bitmap-tiles") return [times(places, number(1 / rates.bitmapPlaces))];
    return format.name === "code-tiles" ? [times(places, number(1 / rates.codePlaces))] : [];
  });
  return plus(number(rates.launchNanoseconds), max(plus(memory, cache), plus(...multiplies, ...found)));
}

/** Share of one call in computing operands whose tensors changed, and in bringing them to the device. */
function formingCost(
  { steps }: Pick<DeviceVariant, "steps">,
  operands: OperandLookup,
  rates: CudaRates,
): NumberExpression {
  const names = new Set(steps.flatMap(({ step }) => step.terms.map(({ operand }) => operand)));
  const moving = [...names].map((name) => operands.find(name)).filter(({ stage }) => stage === "step");
  const each = moving.map(({ work, bytes }) =>
    plus(times(work, number(rates.formingNanoseconds)), over(bytes, number(rates.uploadBytes))),
  );
  return times(number(1 / callsPerStep), plus(...each));
}

/** Nanoseconds of a call; reads `batch`. */
export function deviceCost(
  variant: Pick<DeviceVariant, "activations" | "elements" | "steps">,
  operands: OperandLookup,
  rates: CudaRates,
): NumberExpression {
  const steps = variant.steps.map((step) => deviceStepCost(step, variant, operands, rates));
  return plus(...steps, formingCost(variant, operands, rates));
}

type PricedBackward = Pick<DeviceBackward, "activations" | "elements" | "steps">;

/** Nanoseconds of each step of a backward call, in order; reads `batch`. */
export const deviceBackwardStepCosts = (
  backward: PricedBackward,
  operands: OperandLookup,
  rates: CudaRates,
): readonly NumberExpression[] =>
  backward.steps.map((step) =>
    step.kind === "apply"
      ? deviceStepCost(step.planned, backward, operands, rates)
      : plus(
          number(rates.launchNanoseconds),
          times(gradientValues(step), step.copies, batch, number(1 / rates.gradients)),
        ),
  );

/** Nanoseconds of a backward call with dx; reads `batch`. */
export function deviceBackwardCost(
  backward: PricedBackward,
  operands: OperandLookup,
  rates: CudaRates,
): NumberExpression {
  const applied = backward.steps.flatMap((step) => (step.kind === "apply" ? [step.planned] : []));
  return plus(
    ...deviceBackwardStepCosts(backward, operands, rates),
    formingCost({ steps: applied }, operands, rates),
  );
}
