/**
 * The backward pass of a layer: checks x and dy, gives the kernel memory for dx and for each gradient, pulls back what
 * intermediates got, and hands the gradients out under the names of the parameters.
 */
import type { BackwardCall } from "../device/cpu/backward-call.ts";
import { checkThreads } from "../device/cpu/cpu-device.ts";
import { SpxError } from "../errors.ts";
import type { MemoryBlock } from "../formats/packed-operand.ts";
import { type Pattern, positionsOf } from "../select/pattern.ts";
import { type ParameterTarget, parameterTarget } from "../select/recipe-target.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type BatchInput, batchOf } from "./batch-input.ts";
import { formLaterWith } from "./form-product.ts";
import type { BackwardOptions, DenseParameter, LayerParts, SparseParameter } from "./layer.ts";
import type { LayerCalls } from "./layer-calls.ts";
import { storedCount } from "./parameter-values.ts";
import { perform, performLater, type Work } from "./product-work.ts";
import { pullIntermediate } from "./pull-intermediate.ts";

/** Where a gradient that was handed out lies, and of what it is one. */
interface HandedOut {
  readonly block: MemoryBlock;
  readonly parameter: string;
  readonly support: Pattern | null;
  /** Stands for the layer that handed it out, whose memory it does not hold. */
  readonly layer: symbol;
  /** The values of the parameter at that time, which layers that share it have in common. */
  readonly values: Float32Array | undefined;
}

/** Known to all layers, because a shared parameter gets gradients from several. */
const handedOut = new WeakMap<Float32Array, HandedOut>();

/** Gradients at other positions cannot be added up. */
const sameSupport = (left: Pattern | null, right: Pattern | null): boolean =>
  left === right ||
  (left !== null && right !== null && left.bits.every((word, index) => word === right.bits[index]));

/** How batches come in and dx goes out: arrays of the host, or tensors of a device. */
export interface BackwardEnds<I, V, D, W, R> {
  /** @throws SpxError SPX8404, SPX8405 for a batch of another type or shape. */
  check(x: I, columns: number, name: "x" | "dy"): { readonly values: V; readonly batch: number };
  /** Room for dx. */
  room(batch: number): D;
  give(dx: D, batch: number): R;
  where(options: BackwardOptions<unknown> | undefined): W;
}

/** The calls of a layer as the backward pass uses them. */
export interface BackwardCalls<V, D, W> extends Pick<LayerCalls, "leaves" | "during"> {
  backwardCall(): BackwardCall<V, D, W>;
}

/** The ends of the CPU. */
export const hostEnds = (
  { transform, device, threads }: Pick<LayerParts, "transform" | "device" | "threads">,
  inputs: number,
): BackwardEnds<BatchInput, Float32Array, MemoryBlock, number, Tensor<"f32">> => ({
  check: (x, columns, name) => batchOf(x, columns, transform.name, name),
  room: (batch) => device.allocate(4 * Math.max(batch * inputs, 1)),
  give: (dx, batch) => tensor("f32", [batch, inputs], new Float32Array(dx.view, 0, batch * inputs)),
  where: (options) => (options?.threads === undefined ? threads : checkThreads(options.threads)),
});

/** What a backward pass gives; dx only if it was asked for. */
export interface BackwardOutcome<P, R> {
  readonly grads: P;
  readonly dx?: R;
}

/** `layer` stands for the layer in gradients that it hands out, on whatever device they were formed. */
export function createBackward<P, I, V, D, W, R>(
  { transform, state, device }: Pick<LayerParts, "transform" | "state" | "device">,
  layer: symbol,
  { out, inputs }: { readonly out: number; readonly inputs: number },
  calls: BackwardCalls<V, D, W>,
  ends: BackwardEnds<I, V, D, W, R>,
): {
  backward(x: I, dy: I, options?: BackwardOptions<P>): BackwardOutcome<P, R>;
  backwardAsync(x: I, dy: I, options?: BackwardOptions<P>): Promise<BackwardOutcome<P, R>>;
} {
  /** As they are now: the support of a parameter may be chosen again between two calls. */
  const targetsNow = (): ParameterTarget[] =>
    transform.parameters.flatMap(({ name }) => state.parameters.get(name)?.target ?? []);
  const supports = new WeakMap<Pattern, Float64Array>();
  const positionsFor = ({ support }: ParameterTarget): Float64Array | null => {
    if (support === null) return null;
    const known = supports.get(support) ?? positionsOf(support);
    supports.set(support, known);
    return known;
  };
  const gradientBlocks = (targets: readonly ParameterTarget[], into: P | undefined): MemoryBlock[] => {
    if (into === undefined) return targets.map((target) => floats(storedCount(target)));
    const given = into as Readonly<Record<string, DenseParameter | undefined>>;
    return targets.map((target) => {
      const values = given[target.name]?.values;
      const known = values?.length === storedCount(target) ? handedOut.get(values) : undefined;
      if (known === undefined || !mayAdd(known, target)) throw notHandedOut(transform.name, target.name);
      return known.block;
    });
  };
  const valuesOf = (parameter: string) => state.parameters.get(parameter)?.values;
  /** To gradients of the same parameter at the same positions, of this layer or of one that shares the parameter. */
  const mayAdd = (known: HandedOut, target: ParameterTarget): boolean =>
    known.parameter === target.name &&
    sameSupport(known.support, target.support) &&
    (known.layer === layer || known.values === valuesOf(target.name));
  const intermediatesNow = () =>
    transform.plan.backward.intermediates.map((manifest) => ({
      formula: manifest.formula,
      target: parameterTarget(manifest, state.symbols, calls.leaves.pattern),
    }));
  const floats = (count: number): MemoryBlock => device.allocate(4 * Math.max(count, 1));

  const start = (x: I, dy: I, options: BackwardOptions<P> | undefined) => {
    const given = ends.check(x, inputs, "x");
    const cotangent = ends.check(dy, out, "dy");
    const { batch } = given;
    if (cotangent.batch !== batch) throw otherBatch(transform.name, batch, cotangent.batch);
    const where = ends.where(options);
    const call = calls.backwardCall();
    const dx = options?.dx === false ? null : ends.room(batch);
    const into = options?.into;
    const targets = targetsNow();
    const gradients = gradientBlocks(targets, into);
    const intermediates = intermediatesNow();
    const between = intermediates.map(({ target }) => floats(storedCount(target)));
    const buffers = {
      x: given.values,
      dy: cotangent.values,
      dx,
      gradients: [...gradients, ...between],
      adds: into !== undefined,
    };
    return { call, buffers, targets, intermediates, between, into, batch, where };
  };
  /** Takes the gradients of intermediates on to the parameters, whose gradients lie beside them. */
  const pullAll = function* ({
    buffers,
    targets,
    intermediates,
    between,
  }: ReturnType<typeof start>): Work<void> {
    const gradients = targets.map((target, index) => ({
      target,
      values: valuesIn(buffers.gradients[index], target),
    }));
    for (const [index, { formula, target }] of intermediates.entries()) {
      const block = between[index];
      if (block === undefined) continue;
      yield* pullIntermediate({ formula, target, values: valuesIn(block, target) }, gradients, calls.leaves);
      block.free();
    }
  };
  const finish = ({ buffers, targets, into, batch }: ReturnType<typeof start>): BackwardOutcome<P, R> => {
    const handOut = (block: MemoryBlock, target: ParameterTarget): DenseParameter | SparseParameter => {
      const values = new Float32Array(block.view, 0, storedCount(target));
      const { name: parameter, support } = target;
      handedOut.set(values, { block, parameter, support, layer, values: valuesOf(parameter) });
      const positions = positionsFor(target);
      return positions === null
        ? { values, shape: target.stored }
        : { values, shape: target.dimensions, positions };
    };
    const fresh = (): [string, DenseParameter | SparseParameter][] =>
      targets.flatMap((target, index) => {
        const block = buffers.gradients[index];
        return block === undefined ? [] : [[target.name, handOut(block, target)]];
      });
    // The emitted declarations name the parameters of this very manifest.
    const result = { grads: into ?? (Object.fromEntries(fresh()) as P) };
    return buffers.dx === null ? result : { ...result, dx: ends.give(buffers.dx, batch) };
  };
  return {
    backward(x, dy, options) {
      const started = start(x, dy, options);
      if (started.batch > 0) {
        started.call.run(started.buffers, started.batch, started.where);
        perform(pullAll(started), calls.leaves.form);
      }
      return finish(started);
    },
    async backwardAsync(x, dy, options) {
      const started = start(x, dy, options);
      const { call, buffers, batch, where } = started;
      if (batch > 0) {
        await calls.during(async () => {
          await call.runAsync(buffers, batch, where);
          await performLater(pullAll(started), formLaterWith(device.products));
        });
      }
      return finish(started);
    },
  };
}

const valuesIn = (block: MemoryBlock | undefined, target: ParameterTarget): Float32Array =>
  block === undefined ? new Float32Array() : new Float32Array(block.view, 0, storedCount(target));

function notHandedOut(transform: string, parameter: string): SpxError {
  return new SpxError("SPX8407", `\`into\` has no gradient of \`${parameter}\` that this layer handed out`, {
    facts: { transform, parameter },
    help: "give the `grads` of an earlier `backward`, with their own arrays; of a shared parameter those of any layer that shares it",
  });
}

function otherBatch(transform: string, x: number, dy: number): SpxError {
  return new SpxError("SPX8405", `\`dy\` of \`${transform}\` has ${dy} rows, \`x\` has ${x}`, {
    facts: { transform, x, dy },
    help: "give the gradient of the very batch that `forward` was called with",
  });
}
