/**
 * Lowers what a call with adapters puts on the stream behind a forward call: two launches for all adapters of a batch,
 * A x of every token in the order of the table, then y += scale B (A x). No plan is behind it: every layer can have it.
 */
import {
  adapterRank,
  adapterTiles,
  type CudaElements,
  type CudaPointer,
} from "../../runtime/contract/cuda.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import type { DevicePlan } from "../plan/device-plan.ts";
import { ceilOver } from "./kernel-choices.ts";
import { createKernelParts } from "./kernel-parts.ts";
import {
  adapterOutputs,
  adapterRanks,
  addAdapters,
  type ThinProduct,
  thinAdapters,
} from "./kernels/adapter-kernels.ts";
import { activationElement, kernelName, type LoweredDeviceCall, launchOf } from "./lower-device-call.ts";

export function lowerDeviceAdapters(
  { rows, columns }: Pick<DevicePlan, "rows" | "columns">,
  elements: CudaElements,
  name: string,
): LoweredDeviceCall {
  const thin: CudaPointer = { kind: "workspace", offset: number(0) };
  const product: ThinProduct = { rows, columns, thin, element: activationElement[elements] };
  const title = (suffix: string, line: string) => ({
    name: kernelName(name, elements, suffix),
    purpose: [line],
    elements,
  });
  const [down, up] = [createKernelParts(), createKernelParts()];
  const first = thinAdapters(down, product, title("thin", "t = A · x, each token by its adapter"));
  const second = addAdapters(up, product, title("add", "y += scale B · t, each token by its adapter"));
  const grid = (width: NumberExpression, unit: number) => apply("*", adapterTiles, ceilOver(width, unit));
  return {
    programs: [first, second],
    sequence: {
      architecture: "sm_80",
      guard: null,
      workspace: apply("*", symbol("batch"), symbol(adapterRank), number(4)),
      steps: [
        launchOf(first, down, grid(symbol(adapterRank), adapterRanks), null),
        launchOf(second, up, grid(rows, adapterOutputs), null),
      ],
    },
  };
}
