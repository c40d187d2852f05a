/**
 * Provider one: the C API of libLLVM-14 through the foreign function interface. Files go in and come out, so that no
 * memory changes hands; only verified modules may be compiled, because LLVM ends the process on malformed ones.
 */
import { type BackendProblem, backendProblem, thrownText } from "./backend-problem.ts";
import { baselineProcessor, type LlvmProvider, optimisationPipeline, targetTriple } from "./llvm-provider.ts";

type ForeignType = "void" | "int32" | "pointer" | "string";
type ForeignValue = bigint | number | string | BigUint64Array | null;
type ForeignResult = bigint | number | string | null | undefined;
interface ForeignFunction {
  (...values: ForeignValue[]): ForeignResult;
  readonly async: (...values: ForeignValue[]) => Promise<ForeignResult>;
}

interface Prototype {
  readonly name: string;
  readonly result: ForeignType;
  readonly parameters: readonly ForeignType[];
}

/** The part of the runtime's foreign function interface that compiling needs; the driver hands it in. */
export interface ForeignAccess {
  /** Throws where the file is missing or no library. */
  openLibrary(path: string): { declare(prototype: Prototype): ForeignFunction };
  readString(address: bigint): string;
}

/** A message or object that LLVM gives back arrives in memory passed as `pointer`. */
const prototypes = {
  initializeInfo: { name: "LLVMInitializeX86TargetInfo", result: "void", parameters: [] },
  initializeTarget: { name: "LLVMInitializeX86Target", result: "void", parameters: [] },
  initializeCode: { name: "LLVMInitializeX86TargetMC", result: "void", parameters: [] },
  initializePrinter: { name: "LLVMInitializeX86AsmPrinter", result: "void", parameters: [] },
  createContext: { name: "LLVMContextCreate", result: "pointer", parameters: [] },
  disposeContext: { name: "LLVMContextDispose", result: "void", parameters: ["pointer"] },
  disposeMessage: { name: "LLVMDisposeMessage", result: "void", parameters: ["pointer"] },
  /** (path, buffer out, message out) */
  readFile: {
    name: "LLVMCreateMemoryBufferWithContentsOfFile",
    result: "int32",
    parameters: ["string", "pointer", "pointer"],
  },
  /** (context, buffer, module out, message out); takes the buffer over. */
  parse: {
    name: "LLVMParseIRInContext",
    result: "int32",
    parameters: ["pointer", "pointer", "pointer", "pointer"],
  },
  /** (module, action, message out) */
  verify: { name: "LLVMVerifyModule", result: "int32", parameters: ["pointer", "int32", "pointer"] },
  disposeModule: { name: "LLVMDisposeModule", result: "void", parameters: ["pointer"] },
  /** (triple, target out, message out) */
  findTarget: {
    name: "LLVMGetTargetFromTriple",
    result: "int32",
    parameters: ["string", "pointer", "pointer"],
  },
  /** (target, triple, processor, features, level, relocation model, code model) */
  createMachine: {
    name: "LLVMCreateTargetMachine",
    result: "pointer",
    parameters: ["pointer", "string", "string", "string", "int32", "int32", "int32"],
  },
  disposeMachine: { name: "LLVMDisposeTargetMachine", result: "void", parameters: ["pointer"] },
  createOptions: { name: "LLVMCreatePassBuilderOptions", result: "pointer", parameters: [] },
  vectorizeLoops: {
    name: "LLVMPassBuilderOptionsSetLoopVectorization",
    result: "void",
    parameters: ["pointer", "int32"],
  },
  vectorizeBlocks: {
    name: "LLVMPassBuilderOptionsSetSLPVectorization",
    result: "void",
    parameters: ["pointer", "int32"],
  },
  disposeOptions: { name: "LLVMDisposePassBuilderOptions", result: "void", parameters: ["pointer"] },
  /** (module, pipeline, machine, options); the result is an error or null. */
  runPasses: {
    name: "LLVMRunPasses",
    result: "pointer",
    parameters: ["pointer", "string", "pointer", "pointer"],
  },
  errorMessage: { name: "LLVMGetErrorMessage", result: "string", parameters: ["pointer"] },
  /** (machine, module, path, kind of file, message out) */
  writeObject: {
    name: "LLVMTargetMachineEmitToFile",
    result: "int32",
    parameters: ["pointer", "pointer", "string", "int32", "pointer"],
  },
} as const satisfies Record<string, Prototype>;

type LlvmFunctions = Readonly<Record<keyof typeof prototypes, ForeignFunction>>;

interface LlvmApi extends LlvmFunctions {
  /** Runs a call that ends with `message out` and returns nonzero on failure; LLVM's message then, else null. */
  readonly complaint: (call: (message: BigUint64Array) => unknown) => string | null;
  /** What such a call said, given what it returned. */
  readonly messageOf: (status: unknown, message: BigUint64Array) => string | null;
}

/** Values of LLVM's C enumerations. */
const returnStatusAction = 2;
const aggressiveLevel = 3;
const positionIndependent = 2;
const defaultCodeModel = 0;
const objectFileKind = 1;

/**
 * The library stays open until the process ends: LLVM keeps state that does not survive unloading.
 * Where it cannot be opened, or lacks a function, the problem says why.
 */
export function openLlvmLibrary(
  foreign: ForeignAccess,
  path: string,
): { readonly provider: LlvmProvider } | { readonly problem: BackendProblem } {
  try {
    const api = declareApi(foreign, path);
    for (const start of [api.initializeInfo, api.initializeTarget, api.initializeCode, api.initializePrinter])
      start();
    return { provider: libraryProvider(api, path) };
  } catch (thrown) {
    return { problem: backendProblem("llvmMissing", `${path}: ${thrownText(thrown)}`) };
  }
}

function declareApi(foreign: ForeignAccess, path: string): LlvmApi {
  const library = foreign.openLibrary(path);
  const functions = Object.fromEntries(
    Object.entries(prototypes).map(([role, prototype]) => [role, library.declare(prototype)]),
  ) as LlvmFunctions;
  const messageOf: LlvmApi["messageOf"] = (status, message) => {
    const failed = status !== 0;
    const address = message[0] ?? 0n;
    if (address === 0n) return failed ? "LLVM gave no reason" : null;
    const text = foreign.readString(address);
    functions.disposeMessage(address);
    return failed ? text : null;
  };
  const complaint: LlvmApi["complaint"] = (call) => {
    const message = new BigUint64Array(1);
    return messageOf(call(message), message);
  };
  return { ...functions, complaint, messageOf };
}

function libraryProvider(api: LlvmApi, path: string): LlvmProvider {
  return {
    name: "libLLVM",
    paths: [path],
    check: (file) => withModule(api, file, () => Promise.resolve(null)),
    compile: (bitcode, object) => withModule(api, bitcode, (module) => compileModule(api, module, object)),
  };
}

/** Parses and verifies a file, hands the module on, and releases it. */
async function withModule(
  api: LlvmApi,
  file: string,
  use: (module: bigint) => Promise<string | null>,
): Promise<string | null> {
  const context = addressResult(api.createContext());
  try {
    const buffer = new BigUint64Array(1);
    const unread = api.complaint((message) => api.readFile(file, buffer, message));
    if (unread !== null) return unread;
    const parsed = new BigUint64Array(1);
    const unparsed = api.complaint((message) => api.parse(context, buffer[0] ?? 0n, parsed, message));
    if (unparsed !== null) return unparsed;
    const module = parsed[0] ?? 0n;
    try {
      return (
        api.complaint((message) => api.verify(module, returnStatusAction, message)) ?? (await use(module))
      );
    } finally {
      api.disposeModule(module);
    }
  } finally {
    api.disposeContext(context);
  }
}

/** The two long calls run on worker threads; a context belongs to one module, so that modules do not meet. */
async function compileModule(api: LlvmApi, module: bigint, objectFile: string): Promise<string | null> {
  const target = new BigUint64Array(1);
  const unknown = api.complaint((message) => api.findTarget(targetTriple, target, message));
  if (unknown !== null) return unknown;
  const machine = addressResult(
    api.createMachine(
      target[0] ?? 0n,
      targetTriple,
      baselineProcessor,
      "",
      aggressiveLevel,
      positionIndependent,
      defaultCodeModel,
    ),
  );
  const options = addressResult(api.createOptions());
  try {
    api.vectorizeLoops(options, 0);
    api.vectorizeBlocks(options, 0);
    const error = addressResult(await api.runPasses.async(module, optimisationPipeline, machine, options));
    if (error !== 0n) return String(api.errorMessage(error));
    const message = new BigUint64Array(1);
    const failed = await api.writeObject.async(machine, module, objectFile, objectFileKind, message);
    return api.messageOf(failed, message);
  } finally {
    api.disposeOptions(options);
    api.disposeMachine(machine);
  }
}

/** An address that came back as a result; 0 for null. */
function addressResult(result: ForeignResult): bigint {
  return typeof result === "bigint" ? result : 0n;
}
