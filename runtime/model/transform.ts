/** A transform of an artefact: takes tensors and numbers, gives a loaded layer. */
import type { TransformManifest } from "../contract/manifest.ts";
import { type CpuDevice, checkThreads } from "../device/cpu/cpu-device.ts";
import { SpxError } from "../errors.ts";
import { randomStream } from "../random/philox.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { bindArguments, type GivenArguments, type GivenNumber, loadOptionNames } from "./bind-arguments.ts";
import { initialState } from "./initial-state.ts";
import type { PooledChoices } from "./initial-values.ts";
import { createJointValues, type JointValues } from "./joint-values.ts";
import { createLayer, type DenseParameter, type Layer, type SparseParameter } from "./layer.ts";
import { restoreState } from "./restore-state.ts";
import {
  readSavedParameters,
  recordParameters,
  type SavedParameter,
  type SavedParameters,
  type SavedPattern,
} from "./saved-parameters.ts";

/** A tensor of real numbers; f16 and bf16 are widened to f32. */
export type FloatMatrix =
  | Tensor<"f32">
  | Tensor<"f16">
  | Tensor<"bf16">
  | { readonly data: Float32Array; readonly shape: readonly number[] };

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

export interface Transform<
  A extends object = LoadOptions,
  P = Readonly<Record<string, DenseParameter | SparseParameter>>,
> {
  readonly name: string;
  readonly documentation: string;
  /**
   * Loads a layer; its tensors are not copied and must not change while the layer is used. It binds dimensions, checks what the transform requires, selects patterns, computes initial values.
   * @throws SpxError SPX84xx for arguments, SPX81xx to SPX83xx for the artefact, SPX80xx and SPX86xx for saved
   *   parameters, and the code of a `require` that does not hold.
   */
  load(args: A): Promise<Layer<P>>;
}

/** Where a transform lives, asked for only when a layer is loaded. */
export interface TransformHome {
  readonly manifest: () => TransformManifest;
  readonly device: () => CpuDevice;
  /** sha256 of the entry source file. */
  readonly source: () => string;
}

export function createTransform<A extends object, P>(name: string, home: TransformHome): Transform<A, P> {
  return {
    name,
    get documentation() {
      return home.manifest().documentation;
    },
    load: async (args) => loadLayer<P>(home, sortArguments(home.manifest(), Object.entries(args))),
  };
}

/** Arguments and options, told apart. */
export interface SortedArguments extends GivenArguments {
  readonly options: LoadOptions;
}

/** Loads a layer of the transform at `home`; `joint` holds what it has in common with others of its model, `cuts` what they chose together. */
export async function loadLayer<P>(
  home: TransformHome,
  given: SortedArguments,
  joint: JointValues = createJointValues(),
  cuts: PooledChoices["cuts"] = new Map(),
): Promise<Layer<P>> {
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
  const complete = initialState(transform, bound, { seed, layer: layerName }, restored, joint, cuts);
  // What only selections and initial values read is not needed any more, and may be large.
  const state = { ...complete, tensors: frozenTensors(transform, complete.tensors) };
  const device = home.device();
  const identity = {
    transform: transform.name,
    source: home.source(),
    arguments: Object.fromEntries(bound.numbers),
    seed,
    name: layerName,
  };
  const threads = options.threads === undefined ? device.threads : checkThreads(options.threads);
  return createLayer<P>({ transform, identity, state, device, threads });
}

function frozenTensors(
  transform: TransformManifest,
  tensors: ReadonlyMap<string, DenseTensor>,
): ReadonlyMap<string, DenseTensor> {
  const frozen = transform.arguments.filter((argument) => argument.kind === "tensor" && argument.frozen);
  return new Map([...tensors].filter(([name]) => frozen.some((argument) => argument.name === name)));
}

async function savedParameters(
  { parameters }: LoadOptions,
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

/** @throws SpxError SPX8403 for a value that is neither tensor nor number, SPX8404 and SPX8409 for its data. */
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
    else tensors.set(name, widen(transform, name, value));
  }
  // The names are those of LoadOptions; the types are the caller's, checked where they are used.
  return { tensors, numbers, options: options as LoadOptions };
}

/** The values of a float tensor in f32. */
export function widen(transform: TransformManifest, name: string, value: unknown): DenseTensor {
  if (
    typeof value !== "object" ||
    value === null ||
    !("data" in value) ||
    !("shape" in value) ||
    !Array.isArray(value.shape)
  ) {
    throw new SpxError("SPX8403", `\`${name}\` of \`${transform.name}\` is neither a number nor a tensor`, {
      facts: { transform: transform.name, argument: name, found: typeof value },
      help: "give a number, a tensor, or { data, shape }",
    });
  }
  const shape: readonly number[] = value.shape;
  const elementType = "elementType" in value ? value.elementType : "f32";
  if (elementType !== "f32" && elementType !== "f16" && elementType !== "bf16") {
    throw new SpxError(
      "SPX8404",
      `\`${name}\` of \`${transform.name}\` is ${String(elementType)}, expected f32, f16 or bf16`,
      {
        facts: { transform: transform.name, argument: name, found: String(elementType) },
        help: "convert it to a float type first",
      },
    );
  }
  const { data } = value;
  const fits = elementType === "f32" ? data instanceof Float32Array : data instanceof Uint16Array;
  if (!fits || (data as Float32Array | Uint16Array).length !== elementCount(shape)) {
    throw new SpxError(
      "SPX8409",
      `the data of \`${name}\` are not the ${elementCount(shape)} values of [${shape.join(", ")}]`,
      {
        facts: { transform: transform.name, argument: name, shape },
        help: "give a Float32Array with one value for each entry of the shape",
      },
    );
  }
  return { shape, values: toFloat32({ elementType, shape, data } as Tensor) };
}
