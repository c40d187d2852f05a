/**
 * The backward pass of a layer: checks x and dy, gives the kernel memory for dx and for each gradient, and hands
 * them out under the names of the parameters.
 */
import { checkThreads } from "../device/cpu/cpu-device.ts";
import { SpxError } from "../errors.ts";
import type { MemoryBlock } from "../formats/packed-operand.ts";
import { positionsOf } from "../select/pattern.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type BatchInput, batchOf } from "./batch-input.ts";
import type { BackwardOptions, BackwardResult, DenseParameter, Layer, LayerParts, SparseParameter } from "./layer.ts";
import type { LayerCalls } from "./layer-calls.ts";
import { storedCount } from "./parameter-values.ts";

export function createBackward<P>(
  { transform, state, device, threads }: Pick<LayerParts, "transform" | "state" | "device" | "threads">,
  { out, inputs }: { readonly out: number; readonly inputs: number },
  calls: LayerCalls,
): Pick<Layer<P>, "backward" | "backwardAsync"> {
  const targets = transform.parameters.flatMap(({ name }) => state.parameters.get(name)?.target ?? []);
  const supports = new Map<string, Float64Array>();
  const positionsFor = (target: (typeof targets)[number]): Float64Array | null => {
    if (target.support === null) return null;
    const known = supports.get(target.name) ?? positionsOf(target.support);
    supports.set(target.name, known);
    return known;
  };
  const floats = (count: number): MemoryBlock => device.allocate(4 * Math.max(count, 1));

  const start = (x: BatchInput, dy: BatchInput, options: BackwardOptions | undefined) => {
    const given = batchOf(x, inputs, transform.name);
    const cotangent = batchOf(dy, out, transform.name, "dy");
    const { batch } = given;
    if (cotangent.batch !== batch) throw otherBatch(transform.name, batch, cotangent.batch);
    const used = options?.threads === undefined ? threads : checkThreads(options.threads);
    const call = calls.backwardCall();
    const dx = options?.dx === false ? null : floats(batch * inputs);
    const gradients = targets.map((target) => floats(storedCount(target)));
    const buffers = { x: given.values, dy: cotangent.values, dx, gradients };
    return { call, buffers, batch, threads: used };
  };
  const finish = ({ buffers, batch }: ReturnType<typeof start>): BackwardResult<P> => {
    const grads = targets.map((target, index): [string, DenseParameter | SparseParameter] => {
      const block = buffers.gradients[index];
      const values = block === undefined ? new Float32Array() : new Float32Array(block.view, 0, storedCount(target));
      const positions = positionsFor(target);
      return [target.name, positions === null ? { values, shape: target.stored } : { values, shape: target.dimensions, positions }];
    });
    // The emitted declarations name the parameters of this very manifest; a call without dx is typed without it.
    const result = { grads: Object.fromEntries(grads) as P };
    return (buffers.dx === null ? result : { ...result, dx: dxTensor(buffers.dx, batch, inputs) }) as BackwardResult<P>;
  };
  return {
    backward(x: BatchInput, dy: BatchInput, options?: BackwardOptions): BackwardResult<P> {
      const started = start(x, dy, options);
      if (started.batch > 0) started.call.run(started.buffers, started.batch, started.threads);
      return finish(started);
    },
    async backwardAsync(x: BatchInput, dy: BatchInput, options?: BackwardOptions): Promise<BackwardResult<P>> {
      const started = start(x, dy, options);
      const { call, buffers, batch, threads: used } = started;
      if (batch > 0) await calls.during(() => call.runAsync(buffers, batch, used));
      return finish(started);
    },
  };
}

const dxTensor = (block: MemoryBlock, batch: number, inputs: number): Tensor<"f32"> =>
  tensor("f32", [batch, inputs], new Float32Array(block.view, 0, batch * inputs));

function otherBatch(transform: string, x: number, dy: number): SpxError {
  return new SpxError("SPX8405", `\`dy\` of \`${transform}\` has ${dy} rows, \`x\` has ${x}`, {
    facts: { transform, x, dy },
    help: "give the gradient of the very batch that `forward` was called with",
  });
}
