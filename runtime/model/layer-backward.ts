/**
 * The backward pass of a layer: checks x and dy, gives the kernel memory for dx and for each gradient, pulls back what
 * intermediates got, and hands the gradients out under the names of the parameters.
 */
import { checkThreads } from "../device/cpu/cpu-device.ts";
import { SpxError } from "../errors.ts";
import type { MemoryBlock } from "../formats/packed-operand.ts";
import { type Pattern, positionsOf } from "../select/pattern.ts";
import { type ParameterTarget, parameterTarget } from "../select/recipe-target.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import { type BatchInput, batchOf } from "./batch-input.ts";
import { formLaterWith } from "./form-product.ts";
import type {
  BackwardOptions,
  BackwardResult,
  DenseParameter,
  Layer,
  LayerParts,
  SparseParameter,
} from "./layer.ts";
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

export function createBackward<P>(
  { transform, state, device, threads }: Pick<LayerParts, "transform" | "state" | "device" | "threads">,
  { out, inputs }: { readonly out: number; readonly inputs: number },
  calls: LayerCalls,
): Pick<Layer<P>, "backward" | "backwardAsync"> {
  const layer = Symbol(transform.name);
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

  const start = (x: BatchInput, dy: BatchInput, options: BackwardOptions<P> | undefined) => {
    const given = batchOf(x, inputs, transform.name);
    const cotangent = batchOf(dy, out, transform.name, "dy");
    const { batch } = given;
    if (cotangent.batch !== batch) throw otherBatch(transform.name, batch, cotangent.batch);
    const used = options?.threads === undefined ? threads : checkThreads(options.threads);
    const call = calls.backwardCall();
    const dx = options?.dx === false ? null : floats(batch * inputs);
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
    };
    return { call, buffers, targets, intermediates, between, into, batch, threads: used };
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
  const finish = ({ buffers, targets, into, batch }: ReturnType<typeof start>): BackwardResult<P> => {
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
    // The emitted declarations name the parameters of this very manifest; a call without dx is typed without it.
    const result = { grads: into ?? (Object.fromEntries(fresh()) as P) };
    return (
      buffers.dx === null ? result : { ...result, dx: dxTensor(buffers.dx, batch, inputs) }
    ) as BackwardResult<P>;
  };
  return {
    backward(x: BatchInput, dy: BatchInput, options?: BackwardOptions<P>): BackwardResult<P> {
      const started = start(x, dy, options);
      if (started.batch > 0) {
        started.call.run(started.buffers, started.batch, started.threads);
        perform(pullAll(started), calls.leaves.form);
      }
      return finish(started);
    },
    async backwardAsync(
      x: BatchInput,
      dy: BatchInput,
      options?: BackwardOptions<P>,
    ): Promise<BackwardResult<P>> {
      const started = start(x, dy, options);
      const { call, buffers, batch, threads: used } = started;
      if (batch > 0) {
        await calls.during(async () => {
          await call.runAsync(buffers, batch, used);
          await performLater(pullAll(started), formLaterWith(device.products));
        });
      }
      return finish(started);
    },
  };
}

const valuesIn = (block: MemoryBlock | undefined, target: ParameterTarget): Float32Array =>
  block === undefined ? new Float32Array() : new Float32Array(block.view, 0, storedCount(target));

const dxTensor = (block: MemoryBlock, batch: number, inputs: number): Tensor<"f32"> =>
  tensor("f32", [batch, inputs], new Float32Array(block.view, 0, batch * inputs));

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
