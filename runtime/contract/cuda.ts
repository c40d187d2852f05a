/**
 * What an artefact says about its CUDA kernels: the files that hold them, and for each transform the ordered launches
 * of every call. Stands in the contract because the compiler writes it and the runtime launches from it alone: grids,
 * shared memory, arguments and workspaces are number expressions over dimensions, arguments and `batch`.
 */
import type { OperandManifest } from "./manifest.ts";
import { apply, type NumberExpression, number, symbol } from "./number-expression.ts";

/**
 * Number types of a call on a device, chosen by the caller among those that were built. x, y, dy and dx have this
 * type (`tf32`: f32), packed weights what their formats say; sums and gradients of parameters are f32 in all of them.
 * `f32` multiplies exactly as the CPU does. `tf32` rounds the factors of products to 10 bits, so it is never taken
 * unless it is named.
 */
export type CudaElements = "f32" | "tf32" | "bf16" | "f16";

export const cudaElements: readonly CudaElements[] = ["f32", "tf32", "bf16", "f16"];

/** Bytes of an element of x and y. */
export const cudaElementBytes: Readonly<Record<CudaElements, number>> = { f32: 4, tf32: 4, bf16: 2, f16: 2 };

/** `sm_80`: whatever a device from compute capability 8.0 on runs. `sm_90a`: Hopper's own instructions, 9.0 alone. */
export type CudaArchitecture = "sm_80" | "sm_90a";

export interface CudaFile {
  /** File name beside the manifest. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Machine code for one architecture, or PTX that the driver translates for any newer one. */
export interface CudaImage extends CudaFile {
  readonly kind: "cubin" | "ptx";
  readonly architecture: CudaArchitecture;
}

export interface CudaLibrary {
  /** CUDA C++ of every kernel, complete in itself: it includes no header, so that NVRTC compiles it without a toolkit. */
  readonly source: CudaFile;
  /** Empty when the build had no nvcc: NVRTC then compiles the source at the first load. */
  readonly images: readonly CudaImage[];
  /** Version of the nvcc that made the images; null when there are none. */
  readonly compiler: string | null;
  /** Options of NVRTC beside `--gpu-architecture`. */
  readonly options: readonly string[];
  /** Number types that have kernels. */
  readonly elements: readonly CudaElements[];
}

/** Name of the `extern "C" __device__ const int` of every image that holds its contract version. */
export const cudaVersionSymbol = "spx_abi_version";

export interface ComputeCapability {
  readonly major: number;
  readonly minor: number;
}

/** Below this no image and no PTX of the compiler runs. */
export const leastCapability: ComputeCapability = { major: 8, minor: 0 };

/** Whether a device runs an image: machine code within its major version, `sm_90a` on 9.0 alone, PTX from 8.0 on. */
export function runsImage(
  { major, minor }: ComputeCapability,
  image: Pick<CudaImage, "kind" | "architecture">,
): boolean {
  if (image.architecture === "sm_90a") return major === 9 && minor === 0 && image.kind === "cubin";
  return image.kind === "cubin" ? major === 8 : major >= 8;
}

/** The image to load: machine code before PTX, `sm_90a` before `sm_80`; null when none runs. */
export function chooseImage(images: readonly CudaImage[], capability: ComputeCapability): CudaImage | null {
  const rank = ({ kind, architecture }: CudaImage): number =>
    (kind === "cubin" ? 2 : 0) + (architecture === "sm_90a" ? 1 : 0);
  const running = images.filter((image) => runsImage(capability, image));
  return running.reduce<CudaImage | null>(
    (best, image) => (best === null || rank(image) > rank(best) ? image : best),
    null,
  );
}

/** `--gpu-architecture` for NVRTC, and the architecture whose launches the result then runs. */
export function compileFor({ major, minor }: ComputeCapability): {
  readonly option: string;
  readonly architecture: CudaArchitecture;
} {
  if (major === 9 && minor === 0) return { option: "sm_90a", architecture: "sm_90a" };
  return { option: `sm_${major}${minor}`, architecture: "sm_80" };
}

/** Whether launches written for `needs` run from code compiled for `compiled`. */
export const runsArchitecture = (compiled: CudaArchitecture, needs: CudaArchitecture): boolean =>
  needs === "sm_80" || compiled === "sm_90a";

/**
 * Where an argument of a kernel or a cleared range lies. Addresses are multiples of 16 bytes; those of operands and
 * workspaces of 256.
 */
export type CudaPointer =
  /** A buffer of a packed operand, as `formatBuffers` names it. */
  | { readonly kind: "operand"; readonly operand: string; readonly buffer: string }
  /** x: [batch, columns of the weight], row-major, of the call's number type. */
  | { readonly kind: "input" }
  /** y: [batch, rows of the weight]; in a forward call, and in what adapters put behind it. */
  | { readonly kind: "output" }
  /** dy: [batch, rows]; only in a backward call. */
  | { readonly kind: "cotangent" }
  /** dx: [batch, columns]; null address when it was not asked for; only in a backward call. */
  | { readonly kind: "result" }
  /** f32 gradient of the values of a parameter or intermediate, in the format in which they are stored. */
  | { readonly kind: "gradient"; readonly of: string }
  /** What a call with adapters brings: see `CudaAdapters`; only in such a call. */
  | { readonly kind: "adapters"; readonly of: AdapterBuffer }
  /** Byte `offset` of the call's workspace. */
  | { readonly kind: "workspace"; readonly offset: NumberExpression };

export type CudaArgument =
  | CudaPointer
  /** Passed by value, 4 or 8 bytes; integers are whole numbers in range. */
  | { readonly kind: "number"; readonly type: "i32" | "i64" | "f32"; readonly value: NumberExpression };

/** One thing put on the stream; each begins after the one before has ended. */
export type CudaStep =
  | {
      readonly kind: "launch";
      /** Exported name of the kernel. */
      readonly kernel: string;
      /** Blocks by axis; a launch with a 0 among them is left out, as for batch 0. */
      readonly grid: readonly [NumberExpression, NumberExpression, NumberExpression];
      /** Threads of a block by axis. */
      readonly block: readonly [number, number, number];
      /** Dynamic shared memory of a block; from 48 KiB on the kernel's limit has to be raised before. */
      readonly dynamicBytes: NumberExpression;
      /** Blocks of a cluster along x; 1 for a plain launch. */
      readonly cluster: number;
      readonly arguments: readonly CudaArgument[];
      /** Left out when it evaluates to 0; reads `wants dx`, too. Null: always launched. */
      readonly condition: NumberExpression | null;
    }
  /** Zeros, as many bytes, a multiple of 4. */
  | {
      readonly kind: "clear";
      readonly target: CudaPointer;
      readonly bytes: NumberExpression;
      readonly condition: NumberExpression | null;
    };

/** What a call puts on the stream, for one architecture and the sizes that its guard admits. */
export interface CudaSequence {
  readonly architecture: CudaArchitecture;
  /** Null, or what must hold of dimensions and arguments; never of the batch. */
  readonly guard: NumberExpression | null;
  /** Bytes of workspace; reads `batch`. Its contents are whatever a call before left. */
  readonly workspace: NumberExpression;
  readonly steps: readonly CudaStep[];
}

export interface CudaVariant {
  readonly name: string;
  /** As `VariantManifest.form`. */
  readonly form: string;
  readonly elements: CudaElements;
  /** The first that the loaded image runs and whose guard holds is used. */
  readonly sequences: readonly CudaSequence[];
  /** Predicted nanoseconds of a call on the device; reads dimensions, arguments and `batch`. */
  readonly cost: NumberExpression;
  readonly rules: readonly string[];
  /** One line per step for `explain`. */
  readonly lines: readonly string[];
}

/** dx and gradients; frames and meanings as in `BackwardManifest`. Gradients are added to, so they start as zeros. */
export interface CudaBackward {
  readonly elements: CudaElements;
  readonly sequences: readonly CudaSequence[];
  readonly cost: NumberExpression;
  readonly lines: readonly string[];
}

/** Tokens of one adapter that are multiplied together. */
export const adapterTileTokens = 8;
/** Names under which expressions read how many adapters there are, and the largest rank among them. */
export const adapterCount = "adapter count";
export const adapterRank = "adapter rank";
/** Tiles of tokens that a batch has at most: each adapter may leave one that is not full. */
export const adapterTiles: NumberExpression = apply(
  "+",
  apply("floor", apply("/", symbol("batch"), number(adapterTileTokens))),
  symbol(adapterCount),
);

/**
 * `down`: the factors A of all adapters one below the other, [sum of ranks, columns]; `up`: scale B.T of all, [sum of ranks,
 * rows]; both of the call's element type. `table`: i32 of each call, for each of `adapterTiles` the first row of the
 * tile's factors, their rank, its first slot and its tokens (0: there is no tile), then the token of each slot.
 */
export type AdapterBuffer = "down" | "up" | "table";

/** y += scale B A x, for each token by the adapter that the table names. Put on the stream behind the forward call that wrote y. */
export interface CudaAdapters {
  readonly elements: CudaElements;
  readonly sequences: readonly CudaSequence[];
}

/** How the weight of one transform is applied on a device. */
export interface CudaPlan {
  /** Packed on the host like those of the CPU plan, with names of their own, and copied to the device. */
  readonly operands: readonly OperandManifest[];
  /** Of every number type that was built. Of one type the lower envelope of the costs over the batch is used. */
  readonly variants: readonly CudaVariant[];
  /** At most one for each number type; the gradients of types without one are formed by the CPU. */
  readonly backward: readonly CudaBackward[];
  /** One for each number type of the variants. */
  readonly adapters: readonly CudaAdapters[];
  /** What runs otherwise than the author may think, in words. */
  readonly notes: readonly string[];
  /** The table that costs were made with. */
  readonly rates: { readonly name: string; readonly id: string };
}
