/** A transform of an artefact: takes tensors and numbers, gives a loaded layer. */
import type { TransformManifest } from "../contract/manifest.ts";
import { type CpuDevice, checkThreads } from "../device/cpu/cpu-device.ts";
import type { CudaArtefact } from "../device/cuda/cuda-kernels.ts";
import { SpxError } from "../errors.ts";
import { randomStream } from "../random/philox.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import {
  bindArguments,
  type GivenArguments,
  type GivenNumber,
  loadOptionNames,
  unknownArgument,
} from "./bind-arguments.ts";
import type { CudaPlace, DeviceLayer, LayerAt, OnDevice, Placed } from "./device-layer.ts";
import { computedBy } from "./form-product.ts";
import { initialState } from "./initial-state.ts";
import type { PooledChoices } from "./initial-values.ts";
import { createJointValues, type JointValues } from "./joint-values.ts";
import {
  createLayer,
  type DenseParameter,
  type Layer,
  type SparseParameter,
  type TimeTypes,
} from "./layer.ts";
import { tensorsRead } from "./refresh-patterns.ts";
import { restoreState } from "./restore-state.ts";
import {
  readSavedParameters,
  recordParameters,
  type SavedParameter,
  type SavedParameters,
  type SavedPattern,
} from "./saved-parameters.ts";
import { checkClocks, scheduledNumbers, transformNumbersAt, zeroClocks } from "./scheduled-numbers.ts";
import { widenTensor } from "./widen-tensor.ts";

/** What `load` takes beside the arguments of the transform. */
export interface LoadOptions {
  /** Seed of every random choice; 0 unless given. */
  readonly seed?: number;
  /** Key of the random streams and name in messages; the transform's name unless given. */
  readonly name?: string;
  /** Threads of a call; the cores of the machine, at most 8, unless given. */
  readonly threads?: number;
  /**
   * Parameters to start from: a file that a layer saved, or a record as `parameters()` gives it. Numbers, seed and
   * name are then those of the file; one that is given has to agree with it.
   */
  readonly parameters?: string | Readonly<Record<string, SavedParameter | SavedPattern | Float32Array>>;
}

/** The arguments of a transform and where its layer runs; where any object will do, nothing is said of a device. */
type Arguments<A extends object, D extends CudaPlace | undefined> = object extends A ? A : A & Placed<D>;

export interface Transform<
  A extends object = LoadOptions,
  P = Readonly<Record<string, DenseParameter | SparseParameter>>,
  T extends TimeTypes = TimeTypes,
> {
  readonly name: string;
  readonly documentation: string;
  /**
   * Loads a layer; its tensors are not copied and must not change while the layer is used. It binds dimensions, checks what the transform requires, selects patterns, computes initial values.
   * With `device` it is the layer that `to` gives.
   * @throws SpxError SPX84xx for arguments, SPX81xx to SPX83xx for the artefact, SPX80xx and SPX86xx for saved
   *   parameters, and the code of a `require` that does not hold.
   */
  load<D extends CudaPlace | undefined = undefined>(args: Arguments<A, D>): Promise<LayerAt<D, P, T>>;
  /**
   * Schedules and phases at a time, without a layer. `numbers` gives the dimensions and arguments that they read;
   * an argument that is left out has its default. @throws SpxError SPX8401, SPX8402, SPX8407.
   */
  numbersAt(clocks: T["clocks"], numbers?: Readonly<Record<string, number>>): T["numbers"];
}

/** Where a transform lives, asked for only when a layer is loaded. */
export interface TransformHome {
  readonly manifest: () => TransformManifest;
  readonly device: () => CpuDevice;
  /** The CUDA kernels; null when the artefact was built without. */
  readonly cuda: () => CudaArtefact | null;
  /** sha256 of the entry source file. */
  readonly source: () => string;
}

export function createTransform<A extends object, P, T extends TimeTypes>(
  name: string,
  home: TransformHome,
): Transform<A, P, T> {
  return {
    name,
    get documentation() {
      return home.manifest().documentation;
    },
    // The type of the result follows from the same option.
    load: (async (args: A) => {
      const given = sortArguments(home.manifest(), Object.entries(args));
      return onDevice(await loadLayer<P, T>(home, given), given.options);
    }) as Transform<A, P, T>["load"],
    numbersAt: (clocks, numbers = {}) => transformNumbersAt(home.manifest(), clocks, numbers),
  };
}

/** The layer on the device that the options name, if they name one; a layer that cannot go there is given back. */
export async function onDevice<P, T extends TimeTypes>(
  layer: Layer<P, T>,
  { device, elements }: Partial<OnDevice>,
): Promise<Layer<P, T> | DeviceLayer<P, T>> {
  if (device === undefined) return layer;
  try {
    return await layer.to(device, elements === undefined ? {} : { elements });
  } catch (thrown) {
    layer.dispose();
    throw thrown;
  }
}

/** Arguments and options, told apart. */
export interface SortedArguments extends GivenArguments {
  readonly options: LoadOptions & Partial<OnDevice>;
}

/** Loads a layer of the transform at `home`; `joint` holds what it has in common with others of its model, `cuts` what they chose together. */
export async function loadLayer<P, T extends TimeTypes = TimeTypes>(
  home: TransformHome,
  given: SortedArguments,
  joint: JointValues = createJointValues(),
  cuts: PooledChoices["cuts"] = new Map(),
): Promise<Layer<P, T>> {
  const transform = home.manifest();
  const { options } = given;
  const saved = await savedParameters(options, transform);
  const numbers = new Map(given.numbers);
  for (const [name, value] of Object.entries(saved?.identity?.arguments ?? {}))
    keepSaved(numbers, name, value);
  const seed = sameAsSaved("seed", options.seed, saved?.identity?.seed) ?? 0;
  const layerName = sameAsSaved("name", options.name, saved?.identity?.name) ?? transform.name;
  const bound = bindArguments(transform, { tensors: given.tensors, numbers });
  // A seed that is none is refused even where nothing random is drawn.
  randomStream(seed, layerName);
  const restored = saved === null ? null : restoreState(transform, saved);
  const context = { seed, layer: layerName, ...computedBy(home.device) };
  const complete = initialState(transform, bound, context, restored, joint, cuts);
  // What only selections and initial values read is not needed any more, and may be large.
  const state = { ...complete, tensors: tensorsKept(transform, complete.tensors) };
  // Initial values are those of clock 0; the numbers are those of the time at which the layer was saved.
  const clocks = checkClocks(transform, saved?.identity?.clocks ?? zeroClocks);
  for (const [number, value] of scheduledNumbers(transform, state.symbols, clocks))
    state.symbols.set(number, value);
  const device = home.device();
  const identity = {
    transform: transform.name,
    source: home.source(),
    arguments: Object.fromEntries(bound.numbers),
    seed,
    name: layerName,
    clocks,
  };
  const threads = options.threads === undefined ? device.threads : checkThreads(options.threads);
  const rounds = hostRounds(options);
  return createLayer<P, T>({ transform, identity, state, device, threads, rounds, cuda: home.cuda() });
}

/**
 * Whether a layer of the host may round activations to bf16; one that goes to a device computes as it is on the host.
 * @throws SpxError SPX8407 for a number type that the CPU has no products of.
 */
function hostRounds({ device, elements = "f32" }: Partial<OnDevice>): boolean {
  if (device !== undefined) return false;
  if (elements === "f32" || elements === "bf16") return elements === "bf16";
  throw new SpxError("SPX8407", `\`elements\` is ${elements}, expected f32 or bf16 on the CPU`, {
    facts: { found: elements, expected: ["f32", "bf16"] },
    help: "leave it out, or name a `device` too",
  });
}

/** Those of the weight, and those that a later selection reads. */
function tensorsKept(
  { arguments: declared, time }: TransformManifest,
  tensors: ReadonlyMap<string, DenseTensor>,
): ReadonlyMap<string, DenseTensor> {
  const frozen = declared.flatMap((argument) =>
    argument.kind === "tensor" && argument.frozen ? [argument.name] : [],
  );
  const later = (time?.refreshes ?? []).flatMap(({ recipe }) => tensorsRead(recipe));
  return new Map([...tensors].filter(([name]) => frozen.includes(name) || later.includes(name)));
}

async function savedParameters(
  { parameters }: Pick<LoadOptions, "parameters">,
  transform: TransformManifest,
): Promise<SavedParameters | null> {
  if (parameters === undefined) return null;
  return typeof parameters === "string"
    ? await readSavedParameters(parameters, transform)
    : recordParameters(parameters, transform);
}

/** A number of the file fills in what was not given, or what a rule computes from sizes. */
function keepSaved(numbers: Map<string, GivenNumber>, name: string, value: number): void {
  const given = numbers.get(name);
  if (typeof given === "object") return;
  numbers.set(name, sameAsSaved(name, given === undefined ? undefined : Number(given), value) ?? value);
}

/** What is saved, unless it is given; given, it has to agree. @throws SpxError SPX8602. */
function sameAsSaved<T extends string | number>(
  name: string,
  given: T | undefined,
  saved: T | undefined,
): T | undefined {
  if (given === undefined || saved === undefined || given === saved) return given ?? saved;
  throw new SpxError("SPX8602", `\`${name}\` is ${given} as given and ${saved} in the saved parameters`, {
    facts: { argument: name, found: given, expected: saved },
    help: `leave \`${name}\` out to use the saved value`,
  });
}

const isTensorLike = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "data" in value && "shape" in value;

/** @throws SpxError SPX8402 for an unknown name, SPX8403 for a value that is neither tensor nor number, SPX8404 and SPX8409 for its data. */
function sortArguments(
  transform: TransformManifest,
  args: readonly (readonly [string, unknown])[],
): SortedArguments {
  const tensors = new Map<string, DenseTensor>();
  const numbers = new Map<string, GivenNumber>();
  const options: Record<string, unknown> = {};
  const own = new Set(transform.arguments.map(({ name }) => name));
  for (const [name, value] of args) {
    if (value === undefined) continue;
    if (!own.has(name) && loadOptionNames.some((option) => option === name)) options[name] = value;
    else if (typeof value === "number" || typeof value === "boolean") numbers.set(name, value);
    else if (own.has(name) || isTensorLike(value)) tensors.set(name, widenTensor(transform, name, value));
    else throw unknownArgument(transform, name);
  }
  // The names are those of LoadOptions; the types are the caller's, checked where they are used.
  return { tensors, numbers, options: options as SortedArguments["options"] };
}
