/**
 * When packed memory may be given back: at once, or, while asynchronous calls read it, when the last of them ends.
 */
import { SpxError } from "../errors.ts";
import type { PackedOperand } from "../formats/packed-operand.ts";

export interface OperandLifetime {
  /** Runs `call`; what is retired meanwhile stays until it has ended. */
  during(call: () => Promise<void>): Promise<void>;
  /** These operands are not used by any later call. */
  retire(operands: readonly PackedOperand[]): void;
  /** No call may follow. */
  end(): void;
  /** @throws SpxError SPX8306 after `end`. */
  checkAlive(layer: string): void;
}

export function createOperandLifetime(): OperandLifetime {
  let running = 0;
  let ended = false;
  let waiting: PackedOperand[] = [];
  const release = (): void => {
    if (running > 0) return;
    for (const { block } of waiting) block.free();
    waiting = [];
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
    retire(operands) {
      waiting.push(...operands);
      release();
    },
    end() {
      ended = true;
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
