/**
 * The one error type of the runtime, and the table of its codes. A message says what was expected and what was
 * found; `help` alone says what to do; `facts` carries the same numbers and names as data, for `--json`.
 */

/** Code → short name and the one line that stands in the catalogue of diagnostics. */
export const runtimeErrorCodes = {
  SPX8001: ["checkpoint-not-found", "a checkpoint, or a file of it, is missing or cannot be opened"],
  SPX8002: ["checkpoint-truncated", "a safetensors file ends before the bytes that its header promises"],
  SPX8003: ["header-too-long", "a safetensors header is longer than its file or than the format allows"],
  SPX8004: ["header-not-json", "a safetensors header is not a JSON object in UTF-8"],
  SPX8005: ["header-duplicate-key", "a key stands twice in a safetensors header"],
  SPX8006: ["header-entry-malformed", "an entry of a safetensors header lacks a field or has a wrong one"],
  SPX8007: [
    "metadata-not-strings",
    "the `__metadata__` of a safetensors header holds something else than strings",
  ],
  SPX8008: ["offsets-out-of-range", "the data offsets of a tensor run backwards or beyond the data"],
  SPX8009: ["offsets-overlap", "the bytes of two tensors overlap"],
  SPX8010: ["offsets-hole", "bytes between two tensors belong to none of them"],
  SPX8011: ["tensor-size-mismatch", "the bytes of a tensor are not those of its shape and element type"],
  SPX8012: ["shape-overflow", "the number of elements of a tensor is too large to be counted exactly"],
  SPX8013: ["trailing-bytes", "a safetensors file goes on after its last tensor"],
  SPX8014: ["tensor-not-in-checkpoint", "a tensor that was asked for is not in the checkpoint"],
  SPX8015: [
    "element-type-unreadable",
    "a tensor has an element type that cannot be used as numbers or by rows",
  ],
  SPX8016: ["shard-index-malformed", "the index of a sharded checkpoint is not what it should be"],
  SPX8017: ["shard-index-disagrees", "the index of a sharded checkpoint and its files disagree"],
  SPX8018: ["rows-out-of-range", "the rows asked for are not rows of the tensor"],
  SPX8019: ["checkpoint-read-failed", "reading a checkpoint failed, or the file changed while it was read"],
  SPX8020: [
    "checkpoint-write-failed",
    "a checkpoint could not be written; what stood there before still does",
  ],
  SPX8021: ["tensor-unwritable", "a tensor handed to the writer cannot stand in a safetensors file"],
  SPX8022: ["checkpoint-ambiguous", "a folder holds several safetensors files and no index"],
  SPX8023: ["checkpoint-closed", "a checkpoint was used after it was closed"],
  SPX8101: ["manifest-not-found", "the manifest of an artefact is missing or cannot be opened"],
  SPX8102: ["manifest-malformed", "a manifest is not what the compiler writes"],
  SPX8103: [
    "artefact-hash-mismatch",
    "a file of an artefact is not the one that the manifest was written for",
  ],
  SPX8104: ["transform-not-in-artefact", "a transform or a model that was asked for is not in the artefact"],
  SPX8201: ["contract-version-mismatch", "an artefact was built for another version of the runtime contract"],
  SPX8301: ["library-not-found", "a shared library is missing"],
  SPX8302: ["library-not-loadable", "a shared library exists and cannot be loaded"],
  SPX8303: ["symbol-not-found", "a shared library lacks a function"],
  SPX8304: ["out-of-memory", "the system has no more memory for a buffer"],
  SPX8305: ["size-refused", "a buffer was asked for that no machine of this size can hold"],
  SPX8306: ["memory-misused", "native memory was used after it was freed, or outside its bounds"],
  SPX8307: ["cpu-unsupported", "no level of the kernels runs on this CPU"],
  SPX8308: ["level-unknown", "`SPX_LEVEL` names a level that the kernels do not have or the CPU cannot run"],
  SPX8309: ["kernel-failed", "a kernel reported a failure"],
  SPX8310: ["library-closed", "a function was called after its library was closed"],
  SPX8311: [
    "worker-stack-too-small",
    "other code has set up foreign functions with too small a stack for workers",
  ],
  SPX8401: ["argument-missing", "an argument without a default was not given"],
  SPX8402: ["argument-unknown", "an argument was given that the transform does not have"],
  SPX8403: ["argument-type", "an argument has a wrong type"],
  SPX8404: ["element-type-mismatch", "a tensor has another element type than the one needed"],
  SPX8405: ["shape-mismatch", "a tensor has another shape than the one needed"],
  SPX8407: ["number-out-of-range", "a number is not an integer, not finite, or out of its range"],
  SPX8408: [
    "values-not-finite",
    "a tensor holds NaN or infinity where an order or a factorization is needed",
  ],
  SPX8409: ["tensor-data-mismatch", "the data of a tensor do not have the length of its shape"],
  SPX8410: ["parameter-unknown", "a parameter was named that the transform does not have"],
  SPX8411: ["format-violated", "a matrix does not keep to the structure of the packed format it is to have"],
  SPX8413: ["matrix-singular", "a matrix that is to be inverted has no inverse"],
  SPX8501: ["rule-matches-nothing", "a rule of a model matches no tensor of the checkpoint"],
  SPX8502: ["rule-left-nothing", "earlier rules of a model take every tensor that a rule matches"],
  SPX8503: ["pool-disagrees", "layers that share one budget ask for different amounts"],
  SPX8601: ["parameters-of-another-transform", "saved parameters belong to another transform"],
  SPX8602: [
    "saved-parameters-disagree",
    "a number, the seed or the name is given and differs from that of the saved parameters",
  ],
  SPX8603: ["saved-parameters-malformed", "the metadata of saved parameters are not what a layer writes"],
  SPX8701: ["cuda-driver-missing", "no NVIDIA driver (libcuda) was found, or it cannot be loaded"],
  SPX8702: ["cuda-device-missing", "there is no CUDA device, or none with the number asked for"],
  SPX8703: ["cuda-device-unsupported", "no kernel of an artefact runs on a CUDA device of this capability"],
  SPX8704: ["cuda-driver-too-old", "the NVIDIA driver is older than what a call or a kernel needs"],
  SPX8705: ["cuda-out-of-memory", "a CUDA device, or the host memory that it can reach, has no room left"],
  SPX8706: ["cuda-call-failed", "the NVIDIA driver refused a call"],
  SPX8707: [
    "cuda-device-lost",
    "a kernel or the hardware failed, and the device cannot be used by this process again",
  ],
  SPX8708: ["device-tensor-misused", "a device tensor, stream or graph was used after it was given back"],
  SPX8709: [
    "cuda-compiler-missing",
    "kernels are there as source only, and no NVRTC was found to compile them",
  ],
  SPX8710: ["cuda-compilation-failed", "the kernels of an artefact could not be compiled for a device"],
  SPX8711: ["cuda-kernels-missing", "an artefact was built without CUDA kernels, or without those asked for"],
  SPX8712: ["device-unknown", "a layer was asked for a device that does not exist"],
} as const satisfies Record<string, readonly [name: string, summary: string]>;

export type RuntimeErrorCode = keyof typeof runtimeErrorCodes;

/**
 * Code of a condition of the program itself. The compiler checks it where the sizes are known, `load` where they are
 * not; both say it under the same code, which has its explanation in the catalogue.
 */
export type ConditionCode = `SPX${2 | 3 | 4 | 5}${number}`;

export const isConditionCode = (code: unknown): code is ConditionCode =>
  typeof code === "string" && /^SPX[2-5]\d{3}$/.test(code);

export type SpxErrorCode = RuntimeErrorCode | ConditionCode;

/** What an error is about, as data: expected and found values, file, byte offset, tensor name. */
export type ErrorFacts = Readonly<
  Record<string, string | number | bigint | boolean | readonly (string | number)[] | null>
>;

export interface ErrorParts {
  readonly facts?: ErrorFacts;
  /** What the user can do, in one or a few lines. */
  readonly help: string;
  /** The error of the system underneath. */
  readonly cause?: unknown;
}

/** A user's mistake or a refusal of the system, met at run time. Its `message` is the rendered text. */
export class SpxError extends Error {
  readonly code: SpxErrorCode;
  /** The message alone, without code and help. */
  readonly summary: string;
  readonly facts: ErrorFacts;
  readonly help: string;

  constructor(code: SpxErrorCode, summary: string, parts: ErrorParts) {
    super(
      renderError(code, summary, parts.help),
      parts.cause === undefined ? undefined : { cause: parts.cause },
    );
    this.name = "SpxError";
    this.code = code;
    this.summary = summary;
    this.facts = parts.facts ?? {};
    this.help = parts.help;
  }

  /** JSON-safe form for machines. */
  toJSON(): { code: SpxErrorCode; message: string; facts: Record<string, unknown>; help: string } {
    const facts = Object.entries(this.facts).map(([name, value]) => [
      name,
      typeof value === "bigint" ? value.toString() : value,
    ]);
    return { code: this.code, message: this.summary, facts: Object.fromEntries(facts), help: this.help };
  }
}

function renderError(code: SpxErrorCode, summary: string, help: string): string {
  return `error[${code}]: ${summary}\n  = help: ${help.split("\n").join("\n          ")}`;
}

/** What an unknown thrown value says, for messages that quote the system. */
export function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The `code` of a system error (`ENOENT`, `ENOSPC` …), or null. */
export function systemCode(cause: unknown): string | null {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : null;
}
