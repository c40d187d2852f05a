/** Which kernels run a step of a device plan: one for each range of batches, with the blocks that it takes. */
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { DevicePlanStep } from "../plan/device-plan.ts";
import type { Step } from "../plan/plan.ts";
import type { DeviceProgram } from "./device-node.ts";
import type { DeviceStep, StepScene } from "./device-step.ts";
import type { KernelParts, KernelTitle } from "./kernel-parts.ts";
import { type LaneShape, laneKernel, laneShapes } from "./kernels/lane-kernel.ts";
import { streamKernel, streamShapes } from "./kernels/stream-kernel.ts";
import { tileFrom, tileKernel, tileTokens } from "./kernels/tile-kernel.ts";
import { tileSide } from "./kernels/tile-stages.ts";
import { isBitmap } from "./kernels/tile-weights.ts";

const batch = symbol("batch");
export const ceilOver = (value: NumberExpression, unit: number): NumberExpression =>
  apply("ceil", apply("/", value, number(unit)));

/** Blocks of a lane kernel: pairs of panels times tiles of tokens. */
function laneGrid(step: Step, scene: StepScene, shape: LaneShape): NumberExpression {
  const diagonal = step.terms
    .map(({ operand }) => scene.operand(operand))
    .find(({ format }) => format.name === "blockdiag16");
  const panels =
    diagonal?.format.name === "blockdiag16"
      ? apply("*", diagonal.format.blocks, ceilOver(apply("/", diagonal.rows, diagonal.format.blocks), 16))
      : ceilOver(scene.place(step.output).width, 16);
  return apply("*", ceilOver(panels, 2), ceilOver(batch, shape.tokens));
}

/** A kernel of a step with the batches that it serves and the blocks that it takes. */
export interface KernelChoice {
  readonly suffix: string;
  readonly from: number;
  readonly to: number | null;
  readonly grid: NumberExpression;
  readonly make: (parts: KernelParts, step: DeviceStep, about: KernelTitle) => DeviceProgram;
}

export function kernelChoices({ kernel, step }: DevicePlanStep, scene: StepScene): readonly KernelChoice[] {
  if (kernel === "lanes")
    return laneShapes.map((shape) => ({
      suffix: `t${shape.tokens}`,
      from: shape.from,
      to: shape.to,
      grid: laneGrid(step, scene, shape),
      make: (parts, resolved, about) => laneKernel(parts, resolved, shape, about),
    }));
  const { width } = scene.place(step.output);
  // Entries behind bitmaps are found anew for every tile of tokens: there is no kernel that does it for many.
  const few = step.terms.some(({ operand }) => isBitmap(scene.operand(operand)));
  const streams = streamShapes.map(
    (shape, index): KernelChoice => ({
      suffix: `stream${shape.tokens}`,
      from: shape.from,
      to: few && index === streamShapes.length - 1 ? null : shape.to,
      grid: apply("*", ceilOver(width, 16 * shape.rowTiles), ceilOver(batch, shape.tokens)),
      make: (parts, resolved, about) => streamKernel(parts, resolved, shape, about),
    }),
  );
  const formats = step.terms.map(({ operand }) => scene.operand(operand));
  const tiles: KernelChoice = {
    suffix: "tiles",
    from: tileFrom,
    to: null,
    grid: apply("*", ceilOver(width, tileSide), ceilOver(batch, tileTokens(formats))),
    make: tileKernel,
  };
  return few ? streams : [...streams, tiles];
}
