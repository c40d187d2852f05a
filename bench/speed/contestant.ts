/** Who takes part in a cell: spx, dense products of the same function, other ways of using the structure. */
import type { Contestant as Timeable } from "../../compiler/calibrate/interleaved-timing.ts";

export interface Contestant extends Timeable {
  /**
   * `spx`: the cell itself. `dense`: a dense fp32 product of the same function. `structured`: another's way of using the
   * structure, or of storing fewer bits. `base`: spx without what the cell adds to a base.
   */
  readonly kind: "spx" | "dense" | "structured" | "base";
  /** What the last call computed, [batch, out] row by row; null for a pass whose result is not compared. */
  output(): Promise<Float32Array | null>;
  close(): Promise<void>;
}
