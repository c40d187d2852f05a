/** What the atoms of a lane kernel add to: each lane is an output, each warp takes its share of the inputs. */

import type { Registers } from "../device-builder.ts";
import { add, load, type Value } from "../device-expression.ts";
import { type DeviceActivation, rowOf } from "../device-step.ts";

export interface LaneTile {
  /** Lane of the warp, warp of the block; both i32. */
  readonly lane: Value;
  readonly warp: Value;
  readonly warps: number;
  /** Output of the lane inside its panel: lane % 16. */
  readonly column: Value;
  /** Panel of the lane; lanes beyond the last panel repeat it. */
  readonly panel: Value;
  /** First output of the panel. */
  readonly firstRow: Value;
  /** Panel of the stored values, and first input, of a block-diagonal operand. */
  readonly storedPanel: Value;
  readonly firstInput: Value;
  /** Tokens that the block computes at once. */
  readonly tokens: number;
  /** The token number `offset` of the tile; beyond the batch the last one again. */
  readonly token: (offset: Value) => Value;
  readonly sums: Registers;
}

/** One number of an activation. */
export const featureOf = (activation: DeviceActivation, token: Value, feature: Value): Value =>
  load(activation.memory, add(rowOf(activation, token), feature), "f32");
