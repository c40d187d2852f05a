/**
 * AdamW over the parameters of a layer (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
 * algorithm 2, with the decay times the learning rate, as in common use). Its state lies in each parameter's own format,
 * two numbers for each value that is stored, and follows the positions of a support that is chosen again.
 */
import type { AdamWNumbers, UpdateKernels } from "../device/cpu/update-kernels.ts";
import { SpxError } from "../errors.ts";
import type { LayerState } from "./initial-state.ts";
import type { PatternChange } from "./refresh-patterns.ts";

export interface AdamWOptions {
  /** 0.001 unless given. */
  readonly learningRate?: number;
  /** Decay of the mean of gradients, 0.9, and of that of their squares, 0.999, unless given. */
  readonly beta1?: number;
  readonly beta2?: number;
  /** 1e-8 unless given. */
  readonly epsilon?: number;
  /** Share of the learning rate by which values decay, 0.01 unless given. */
  readonly weightDecay?: number;
  /** Names of the parameters that are trained; all unless given. Of a parameter that layers share, one of them trains it. */
  readonly parameters?: readonly string[];
}

export interface AdamWStep {
  /** Instead of the optimizer's own, for this step. */
  readonly learningRate?: number;
  /** What gradients are multiplied by: to undo a scale of the loss, or to clip. 1 unless given. */
  readonly scale?: number;
  readonly threads?: number;
}

export interface AdamW<P> {
  /** Steps taken. */
  readonly steps: number;
  /**
   * Changes the parameters in place by the gradients that `backward` gave; the next call of the layer sees it.
   * @throws SpxError SPX8405 for gradients of other positions or sizes, SPX8407 for numbers.
   */
  step(grads: P, options?: AdamWStep): void;
  /** The running means by parameter, in the order of its values; live. */
  state(): Readonly<Record<string, { readonly m: Float32Array; readonly v: Float32Array }>>;
}

/** An optimizer as its layer sees it. */
export interface LayerOptimizer<P> extends AdamW<P> {
  /** Positions have moved: values keep their means, new ones begin with zeros. */
  follow(changes: readonly PatternChange[]): void;
}

interface Scene {
  readonly transform: string;
  readonly state: LayerState;
  readonly kernels: UpdateKernels;
  readonly threads: (given: number | undefined) => number;
  readonly updated: () => void;
}

interface Means {
  readonly m: Float32Array;
  readonly v: Float32Array;
}

const defaults = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 } as const;
const belowOne: ReadonlySet<string> = new Set(["beta1", "beta2"]);

/** @throws SpxError SPX8402 for a name that is no parameter, SPX8407 for numbers. */
export function createAdamW<P>(scene: Scene, options: AdamWOptions): LayerOptimizer<P> {
  const { transform, state, kernels } = scene;
  const numbers = { ...defaults, ...options };
  for (const name of ["learningRate", "beta1", "beta2", "epsilon", "weightDecay"] as const)
    checkNumber(name, numbers[name]);
  const names = options.parameters ?? [...state.parameters.keys()];
  const means = new Map(names.map((name) => [name, freshMeans(valuesOf(name).length)]));
  let steps = 0;
  return {
    get steps() {
      return steps;
    },
    step(grads, { learningRate = numbers.learningRate, scale = 1, threads } = {}) {
      checkNumber("learningRate", learningRate);
      checkNumber("scale", scale);
      const used = scene.threads(threads);
      const arrays = [...means].map(([name, own]) => ({ ...own, ...arraysOf(name, grads) }));
      const now = numbersAt(steps + 1, { ...numbers, learningRate, scale });
      for (const each of arrays) kernels.adamW(each, now, used);
      steps += 1;
      scene.updated();
    },
    state: () => Object.fromEntries(means),
    follow(changes) {
      for (const { name, from } of changes.flatMap(({ parameters }) => parameters)) {
        const before = means.get(name);
        if (before === undefined) continue;
        const moved = (values: Float32Array) =>
          Float32Array.from(from, (origin) => (origin < 0 ? 0 : (values[origin] ?? 0)));
        means.set(name, { m: moved(before.m), v: moved(before.v) });
      }
    },
  };

  function valuesOf(name: string): Float32Array {
    const parameter = state.parameters.get(name);
    if (parameter !== undefined) return parameter.values;
    throw new SpxError("SPX8402", `\`${transform}\` has no parameter \`${name}\``, {
      facts: { transform, argument: name },
      help: `its parameters are ${[...state.parameters.keys()].join(", ")}`,
    });
  }

  function arraysOf(name: string, grads: P) {
    const values = valuesOf(name);
    const given = (grads as Readonly<Record<string, { readonly values: Float32Array } | undefined>>)[name];
    const gradient = given?.values;
    if (gradient === undefined || gradient.length !== values.length)
      throw new SpxError(
        "SPX8405",
        `the gradient of \`${name}\` has ${gradient?.length ?? "no"} values, the parameter ${values.length}`,
        {
          facts: { transform, parameter: name, expected: values.length, found: gradient?.length ?? 0 },
          help: "give the `grads` of a `backward` of this layer as it is now",
        },
      );
    return { values, gradient };
  }
}

const freshMeans = (length: number): Means => ({ m: new Float32Array(length), v: new Float32Array(length) });

/** Both means begin at zero; what that takes from them is given back (Kingma and Ba, "Adam", 2015). */
function numbersAt(
  step: number,
  given: Required<Omit<AdamWOptions, "parameters">> & { readonly scale: number },
): AdamWNumbers {
  const { learningRate, beta1, beta2, epsilon, weightDecay, scale } = given;
  return {
    scale,
    decay: 1 - learningRate * weightDecay,
    beta1,
    new1: 1 - beta1,
    beta2,
    new2: 1 - beta2,
    step: learningRate / (1 - beta1 ** step),
    root: 1 / Math.sqrt(1 - beta2 ** step),
    epsilon,
  };
}

function checkNumber(name: keyof typeof defaults | "scale", value: number): void {
  const isFine =
    Number.isFinite(value) && (name === "scale" || value >= 0) && !(belowOne.has(name) && value >= 1);
  if (isFine) return;
  const expected = belowOne.has(name) ? "a number from 0 to below 1" : "a finite number";
  throw new SpxError(
    "SPX8407",
    `\`${name}\` is ${value}, expected ${expected}${name === "scale" ? "" : ", not negative"}`,
    {
      facts: { argument: name, found: String(value) },
      help: "leave it out to use the usual value",
    },
  );
}
