/**
 * When packed memory may be given back or filled again: at once, or, while asynchronous calls read it, when the last of
 * them ends.
 */
import { SpxError } from "../errors.ts";
import type { PackedOperand } from "../formats/packed-operand.ts";

export interface OperandLifetime {
  /** Runs `call`; what is retired meanwhile stays until it has ended. */
  during(call: () => Promise<void>): Promise<void>;
  /** These operands are not used by any later call. */
  retire(operands: readonly PackedOperand[]): void;
  /** As `retire`, but its memory is kept for `again`, unless a running call may read it: then it waits like all others. */
  keep(operand: PackedOperand): void;
  /** What `keep` has kept, once: it is the caller's, to be filled anew. */
  again(): PackedOperand | null;
  /** No call may follow. */
  end(): void;
  /** @throws SpxError SPX8306 after `end`. */
  checkAlive(layer: string): void;
}

export function createOperandLifetime(): OperandLifetime {
  let running = 0;
  let ended = false;
  let waiting: PackedOperand[] = [];
  let kept: PackedOperand | null = null;
  const release = (): void => {
    if (running > 0) return;
    for (const { block } of waiting) block.free();
    waiting = [];
  };
  const again = (): PackedOperand | null => {
    const operand = kept;
    kept = null;
    return operand;
  };
  const retire = (operands: readonly PackedOperand[]): void => {
    waiting.push(...operands);
    release();
  };
  return {
    async during(call) {
      running++;
      try {
        await call();
      } finally {
        running--;
        release();
      }
    },
    retire,
    keep(operand) {
      if (running > 0) {
        retire([operand]);
        return;
      }
      again()?.block.free();
      kept = operand;
    },
    again,
    end() {
      ended = true;
      again()?.block.free();
    },
    checkAlive(layer) {
      if (!ended) return;
      throw new SpxError("SPX8306", `the layer \`${layer}\` was used after it was disposed of`, {
        facts: { layer },
        help: "load it again, or dispose of it later",
      });
    },
  };
}
