// size: the manifest is one tree, read as one page.
/**
 * The manifest of an artefact: everything the runtime needs to load, run, merge and save its transforms.
 * Written by the compiler, checked by the runtime; JSON.
 */
import type { CudaLibrary, CudaPlan } from "./cuda.ts";
import type { MatrixSource, OperandSource } from "./matrix-source.ts";
import type { NumberExpression } from "./number-expression.ts";
import type { OperandFormat } from "./operand-format.ts";
import type { QuantizedType } from "./quantized-type.ts";
import type { Recipe } from "./recipe.ts";
import type { TimeManifest } from "./time.ts";

/** Raised whenever the manifest, the frame or a format changes incompatibly; kernels export it as well. */
export const abiVersion = 6;

export interface Manifest {
  readonly kind: "spx-manifest";
  readonly abi: number;
  /** Version of the compiler that wrote it. */
  readonly compiler: string;
  /** Source files with the sha256 of their text, the entry first. */
  readonly sources: readonly { readonly file: string; readonly sha256: string }[];
  readonly kernels: KernelLibrary;
  /** Kernels for NVIDIA devices; null when the build was not asked for them. */
  readonly cuda: CudaLibrary | null;
  readonly transforms: readonly TransformManifest[];
  readonly models: readonly ModelManifest[];
}

export interface KernelLibrary {
  /** File name beside the manifest. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Levels in the library, widest first, with the CPU features each needs (names of /proc/cpuinfo). */
  readonly levels: readonly {
    readonly name: string;
    readonly suffix: string;
    readonly needs: readonly string[];
    /**
     * Of a level that rounds activations to bf16 for some kernels: the level of all others. Only layers that are loaded
     * with leave to round call its kernels.
     */
    readonly base?: string;
  }[];
  /** Products of matrices that are not packed; none where no transform needs them. */
  readonly products: readonly ProductKernel[];
  /** Selections among the entries of large tensors; none where no transform selects. */
  readonly selections: readonly SelectionKernel[];
  /** Steps of optimizers; none where nothing is trained. */
  readonly updates: readonly UpdateKernel[];
}

export type ProductElement = "f32" | "f64";

/**
 * y += x R of row-major matrices with the usual signature: `x` is [batch, inner], R [inner, columns], `y` [batch, columns];
 * the frame holds the address of R, then `inner` and `columns`.
 */
export interface ProductKernel {
  readonly element: ProductElement;
  /** One of `levels`. */
  readonly level: string;
  readonly symbol: string;
}

/** What entries are compared by. */
export type SelectionOrder = "magnitude" | "value";

/** How many entries a tile of a selection reads; a multiple of every group. */
export const selectionRun = 1 << 16;

/**
 * `x` is the f32 tensor that is selected from, `batch` the number of its entries; floats stand in the frame by their bits.
 * `bracket`: frame low, high, room, counts; `mark`: threshold, cut; `groups`: n, counts. What they write stands at their
 * lowering; for `mark` and `groups` it is the bits of a pattern.
 */
export interface SelectionKernel {
  readonly pass: "bracket" | "mark" | "groups";
  readonly order: SelectionOrder;
  /** Entries of a group; 0 for the other passes. */
  readonly m: number;
  /** One of `levels`. */
  readonly level: string;
  readonly symbol: string;
}

/**
 * What stands in the frame of AdamW, each by the bits of a float, before the addresses of m and v; `x` is the gradient, `y`
 * the values. m = beta1 m + new1 scale x; v = beta2 v + new2 (scale x)²; y = decay y - step m / (√v root + epsilon).
 */
export const adamWNumbers = [
  "scale",
  "decay",
  "beta1",
  "new1",
  "beta2",
  "new2",
  "step",
  "root",
  "epsilon",
] as const;

export interface UpdateKernel {
  readonly rule: "adamw";
  /** One of `levels`. */
  readonly level: string;
  readonly symbol: string;
}

export interface TransformManifest {
  readonly name: string;
  readonly documentation: string;
  readonly arguments: readonly ArgumentManifest[];
  /** `const` arguments and the values they were built with. */
  readonly constants: Readonly<Record<string, number>>;
  /** Checked once at load, in order; the text is the one `spxc explain` prints for an open obligation. */
  readonly requirements: readonly RequirementManifest[];
  /** In an order in which each can be computed. Patterns and parameters may refer to each other: see `order`. */
  readonly patterns: readonly PatternManifest[];
  readonly parameters: readonly ParameterManifest[];
  /** Tensors of the weight that are computed once at load and never trained. */
  readonly frozen: readonly FrozenManifest[];
  /** What follows the clocks of training; null when nothing does. */
  readonly time: TimeManifest | null;
  /** Names of patterns, parameters and computed frozen tensors in dependency order. */
  readonly order: readonly string[];
  /** Rows (out) and columns (in) of the weight. */
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  /** Number of trainable values. */
  readonly trainable: NumberExpression;
  readonly plan: PlanManifest;
}

export type ArgumentManifest =
  | {
      readonly kind: "tensor";
      readonly name: string;
      /** A dimension that is a bare symbol binds it; every other one is checked. */
      readonly dimensions: readonly NumberExpression[];
      /** False for a tensor that only selections and initial values read. */
      readonly frozen: boolean;
    }
  | {
      readonly kind: "number";
      readonly name: string;
      readonly type: "int" | "real" | "ratio" | "bool";
      /** May read dimensions and earlier arguments; null when the caller has to give it. */
      readonly defaultValue: NumberExpression | null;
      /** For a share that the layers of a model get together; the default is that of a layer alone. */
      readonly allotment?: AllotmentManifest;
    };

/**
 * A density that layers share out: each gets ε (rows + columns) / (rows · columns), at most 1, and ε is such that all
 * together keep the share which the default gives of their entries.
 */
export interface AllotmentManifest {
  readonly scope: "group" | "model";
  /** Of the matrix whose entries the share is of. */
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
}

export interface RequirementManifest {
  readonly condition: NumberExpression;
  /** The condition as written, e.g. `in % 4 == 0`. */
  readonly text: string;
  /** Diagnostic code raised when it fails. */
  readonly code: string;
  readonly location: { readonly file: string; readonly line: number; readonly column: number };
}

export interface PatternManifest {
  readonly name: string;
  readonly shape:
    | { readonly kind: "unstructured" }
    /** n of each m consecutive entries; axis `input`: along a row, `output`: along a column. */
    | { readonly kind: "nm"; readonly n: number; readonly m: number; readonly axis: "input" | "output" }
    | { readonly kind: "block"; readonly height: number; readonly width: number };
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  /** Number of positions kept. A measured one is a symbol, bound once the positions have been chosen. */
  readonly count: NumberExpression;
  /** The symbol of a measured count; null when `count` is known without the data. */
  readonly measured: string | null;
  /** Layers of a model that share one budget, see `PoolManifest`; null when each layer chooses for itself. */
  readonly pool: PoolManifest | null;
  readonly recipe: Recipe;
}

/**
 * The best entries of several layers together; the recipe is then `magnitude`, `topk` or `random`. A layer that is
 * loaded alone is its own pool.
 */
export interface PoolManifest {
  /** `group`: the layers that one rule of a model loads; `model`: all that the model loads with this transform. */
  readonly scope: "group" | "model";
  /** `keep`: round(amount * entries of the pool) stay; `count`: `amount` of them do. The same number in every layer. */
  readonly budget: "keep" | "count";
  readonly amount: NumberExpression;
}

/** A tensor that a recipe computes at load. */
export interface ComputedTensorManifest {
  readonly name: string;
  /** dense: 1 to 3 dimensions; sparse, blockdiag: [rows, columns]; diag: [n]. */
  readonly dimensions: readonly NumberExpression[];
  readonly structure: "dense" | "sparse" | "blockdiag" | "diag";
  /** The pattern of a sparse parameter; its values are stored in ascending row-major order of position. */
  readonly support: string | null;
  /**
   * `stored`: the recipe gives the stored values. `dense`: it gives the dense matrix of which a structural mask, the
   * support, leaves the stored values; other recipes read that matrix.
   */
  readonly drawn: "stored" | "dense";
  /** Block count of a block-diagonal parameter; values are stored [blocks][rows/blocks][columns/blocks]. */
  readonly blocks: NumberExpression | null;
  /** Stored values; of a parameter, the trainable ones. */
  readonly count: NumberExpression;
  readonly recipe: Recipe;
  /**
   * One value for all layers of a model that load the same transform with the same shape and numbers: its random keys
   * leave the layer's name out. Its recipe reads nothing that differs between layers.
   */
  readonly shared: boolean;
}

export type ParameterManifest = ComputedTensorManifest;

export interface FrozenManifest extends ComputedTensorManifest {
  /** The grid that the value is rounded to; only for a dense matrix. Null: single precision. */
  readonly quantization: QuantizedType | null;
}

/** A tensor that a formula gives, computed by the runtime before operands that read it are packed. */
export interface DerivedManifest {
  readonly name: string;
  readonly formula: MatrixSource;
  /** `load`: reads frozen tensors only. `step`: computed again after parameters changed. */
  readonly stage: "load" | "step";
}

export interface PlanManifest {
  /** Each after those that its formula reads. */
  readonly derived: readonly DerivedManifest[];
  readonly operands: readonly OperandManifest[];
  /** At least one. At load the runtime evaluates the level's `costs` and keeps the lower envelope over the batch. */
  readonly variants: readonly VariantManifest[];
  /** What the costs were priced with: a table of rates, the hash of its numbers, and the threads that share a call. */
  readonly rates: { readonly name: string; readonly id: string; readonly threads: number };
  readonly merge: MergeManifest;
  readonly backward: BackwardManifest;
  /** Null exactly when the manifest's `cuda` is. */
  readonly cuda: CudaPlan | null;
}

export interface OperandManifest {
  readonly name: string;
  readonly format: OperandFormat;
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly source: OperandSource;
  /** `load`: packed once. `step`: packed again after parameters changed. */
  readonly stage: "load" | "step";
  /** `pack`: evaluated and packed. `merge`: the panel16 of the whole weight, filled by the plan's merge. */
  readonly production: "pack" | "merge";
  /** Bytes of the packed operand (an estimate where the count of nonzeros is random). */
  readonly bytes: NumberExpression;
}

/** A 64-bit integer in a kernel's frame: a dimension or anything computed from dimensions and arguments. */
export interface FrameSymbol {
  readonly name: string;
  readonly value: NumberExpression;
}

/** One exported function of the kernel library, for one level, general or specialised. */
export interface KernelManifest {
  /** Exported symbol, level suffix included. */
  readonly symbol: string;
  /** `KernelLibrary.levels[].name`. */
  readonly level: string;
  /** Null, or what must hold of dimensions and arguments: a specialised kernel's own constants. */
  readonly guard: NumberExpression | null;
  /** Frame: addresses of these buffers in this order, then the values of these symbols as int64. */
  readonly buffers: readonly { readonly operand: string; readonly buffer: string }[];
  readonly symbols: readonly FrameSymbol[];
  /** Bytes of workspace a call needs; reads `batch`. */
  readonly workspace: NumberExpression;
}

export interface VariantManifest {
  readonly name: string;
  /** The form chosen, as an expression, e.g. `(M .* W) x + U (V x) + S x`. */
  readonly form: string;
  readonly layout: "lane-output" | "lane-token";
  /** The first of the level in use whose guard holds (or is null) is called. */
  readonly kernels: readonly KernelManifest[];
  /** Level → predicted nanoseconds of a call; reads dimensions, arguments and `batch`. */
  readonly costs: Readonly<Record<string, NumberExpression>>;
  /** True when the weight is merged into one dense operand once per step; its cost includes that share. */
  readonly merged: boolean;
  /** Names of the rules that produced the variant. */
  readonly rules: readonly string[];
  /** One line per step for `explain`. */
  readonly steps: readonly string[];
}

/** The name that a backward kernel's symbols read for whether `dx` is asked for: 1 or 0, given anew for each call. */
export const wantsDx = "wants dx";

/**
 * How gradients are computed: by a kernel whose `x` is x and whose `y` is dy, both only read. After the symbols its frame holds the
 * addresses of what it writes: dx (overwritten, if asked for), then the gradient of each parameter, in the order of
 * `parameters` and the format in which its values are stored, then that of each intermediate. It adds to gradients,
 * so they start as zeros. What an intermediate got is pulled back to parameters afterwards.
 */
export interface BackwardManifest {
  readonly kernels: readonly KernelManifest[];
  readonly intermediates: readonly IntermediateManifest[];
  /** Predicted nanoseconds of a call with dx; reads dimensions, arguments and `batch`. */
  readonly cost: NumberExpression;
  readonly steps: readonly string[];
}

/** A part of the weight whose gradient kernels form in its own format, and the formula that takes it on to parameters. */
export interface IntermediateManifest extends Omit<ParameterManifest, "recipe" | "drawn" | "shared"> {
  readonly formula: MatrixSource;
}

/** How the dense weight is produced. */
export type MergeManifest =
  /** A kernel with the usual signature whose `y` is a panel16 buffer of the weight; `x` is not read. */
  | {
      readonly method: "kernel";
      readonly kernels: readonly KernelManifest[];
    }
  /** The named variant applied to the rows of the identity gives the transposed weight. */
  | { readonly method: "identity"; readonly variant: string };

export interface ModelManifest {
  readonly name: string;
  readonly documentation: string;
  /** First match wins. */
  readonly rules: readonly ModelRule[];
}

export interface ModelRule {
  readonly kind: "use" | "freeze";
  readonly glob: string;
  /** Regular expressions over names with `.` written as `/`, as picomatch makes them. */
  readonly pattern: string;
  readonly exceptions: readonly { readonly glob: string; readonly pattern: string }[];
  /** Manifest name of the transform (a const instance has its own); null for freeze. */
  readonly transform: string | null;
  readonly arguments: Readonly<Record<string, NumberExpression>>;
  readonly location: { readonly file: string; readonly line: number; readonly column: number };
}
