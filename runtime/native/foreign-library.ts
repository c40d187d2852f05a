/**
 * Shared libraries and the functions in them: the only file that knows the foreign-function package. It is
 * loaded on first use, so that importing the runtime costs nothing where no native code runs.
 *
 * Pointers are handed over as they are: a typed array passed as `pointer` gives the callee the address of its
 * first element, without a copy, also when it is a subarray.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type { LibraryHandle } from "koffi";
import {
  libraryClosed,
  libraryNotFound,
  libraryNotLoadable,
  symbolNotFound,
  workerStackTooSmall,
} from "./library-errors.ts";

/** C types of parameters and results. `string`: zero-terminated UTF-8; `size`: size_t; `pointer`: void *. */
export type ForeignType = keyof typeof foreignTypes;

const foreignTypes = {
  void: "void",
  int32: "int32_t",
  uint32: "uint32_t",
  int64: "int64_t",
  uint64: "uint64_t",
  size: "size_t",
  float32: "float",
  float64: "double",
  pointer: "void *",
  string: "const char *",
} as const;

/** What can be passed as `pointer`: an address, memory of JavaScript, or a block of native memory. */
export type Pointer = bigint | ArrayBufferView | ArrayBuffer | { readonly address: bigint } | null;
export type ForeignValue = Pointer | number | string;
/** `pointer` and large 64-bit results are bigint, other numbers number, `string` text, `void` undefined. */
export type ForeignResult = number | bigint | string | null | undefined;

export interface ForeignSignature {
  readonly name: string;
  readonly result: ForeignType;
  readonly parameters: readonly ForeignType[];
}

export interface ForeignFunction {
  (...values: ForeignValue[]): ForeignResult;
  /** The same call on a worker thread; the values are kept alive until it has ended. */
  readonly async: (...values: ForeignValue[]) => Promise<ForeignResult>;
}

/**
 * `int32 k(void *frame, void *workspace, const float *x, float *y, int64 batch, int32 threads)`, the signature
 * of every compiled kernel. Gives the kernel's status. Buffers whose addresses stand inside the frame have to
 * be kept reachable by the caller; in an asynchronous call nobody may write to `x`, or touch `y` and
 * `workspace`, before the promise settles.
 */
export interface Kernel {
  readonly symbol: string;
  run(frame: Pointer, workspace: Pointer, x: Pointer, y: Pointer, batch: number, threads: number): number;
  runAsync(
    frame: Pointer,
    workspace: Pointer,
    x: Pointer,
    y: Pointer,
    batch: number,
    threads: number,
  ): Promise<number>;
}

export interface ForeignLibrary {
  /** As given to `openLibrary`; null for the process itself. */
  readonly path: string | null;
  has(symbol: string): boolean;
  /** @throws SpxError SPX8303 when the library has no such function. */
  declare(signature: ForeignSignature): ForeignFunction;
  /** @throws SpxError SPX8303 when the library has no such kernel. */
  declareKernel(symbol: string): Kernel;
  /**
   * Unloads the library; its functions throw SPX8310 from then on. Needed only to load another file under the
   * same path, which the system's loader would otherwise take for the one already loaded. No asynchronous
   * call may be running.
   */
  close(): void;
}

type Koffi = typeof import("koffi");
type KoffiFunction = ReturnType<LibraryHandle["func"]>;

let loaded: Koffi | null = null;

function foreignFunctions(): Koffi {
  if (loaded === null) {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    enlargeStacks(koffi);
    loaded = koffi;
  }
  return loaded;
}

/**
 * Callees run on stacks of these sizes. The package's 128 KiB for asynchronous calls is less than a kernel with
 * local tiles or a library like LLVM may use, and overrunning it kills the process.
 */
const stackSizes = { sync_stack_size: 8 << 20, async_stack_size: 8 << 20 };

function enlargeStacks(koffi: Koffi): void {
  if (workerStack(koffi) >= stackSizes.async_stack_size) return;
  try {
    koffi.config({ ...koffi.config(), ...stackSizes });
  } catch {
    // Other code of the process has loaded libraries before, which settles the sizes. Synchronous calls do with
    // the 2 MiB that they have then; asynchronous ones are refused, each with a message, by `callOnWorker`.
  }
}

function workerStack(koffi: Koffi): number {
  return koffi.config().async_stack_size ?? 0;
}

/**
 * Loads a shared library. A path with `/` is that file; a bare name is searched for as the system does;
 * null is the process itself with the C library.
 * @throws SpxError SPX8301 when there is no such file, SPX8302 when the system cannot load it.
 */
export function openLibrary(path: string | null): ForeignLibrary {
  if (path?.includes("/") && !existsSync(path)) throw libraryNotFound(path);
  const koffi = foreignFunctions();
  let handle: LibraryHandle;
  try {
    handle = koffi.load(path);
  } catch (cause) {
    throw libraryNotLoadable(path ?? "the process itself", cause);
  }
  let open = true;
  const lookUp = (signature: ForeignSignature): KoffiFunction => {
    if (!open) throw libraryClosed(path, signature.name);
    try {
      const parameters = signature.parameters.map((type) => foreignTypes[type]);
      return handle.func(signature.name, foreignTypes[signature.result], parameters);
    } catch (cause) {
      throw symbolNotFound(path, signature.name, cause);
    }
  };
  const guard = (name: string): void => {
    if (!open) throw libraryClosed(path, name);
  };
  return {
    path,
    has: (symbol) => {
      guard(symbol);
      try {
        handle.symbol(symbol);
        return true;
      } catch {
        return false;
      }
    },
    declare: (signature) => foreignFunction(lookUp(signature), () => guard(signature.name)),
    declareKernel: (symbol) =>
      kernel(lookUp({ name: symbol, ...kernelSignature }), symbol, () => guard(symbol)),
    close: () => {
      if (open) handle.unload();
      open = false;
    },
  };
}

const kernelSignature = {
  result: "int32",
  parameters: ["pointer", "pointer", "pointer", "pointer", "int64", "int32"],
} as const satisfies Omit<ForeignSignature, "name">;

/** An ArrayBuffer over native memory, without a copy. It must not be used after the memory is gone. */
export function viewMemory(address: bigint, bytes: number): ArrayBuffer {
  return foreignFunctions().view(address, bytes);
}

/** The address of the first byte of a typed array's memory; it stays put as long as the array is reachable. */
export function addressOf(memory: ArrayBufferView | ArrayBuffer): bigint {
  return foreignFunctions().address(memory);
}

/** The zero-terminated UTF-8 text at `address`. */
export function readString(address: bigint): string {
  return foreignFunctions().decode.string(address);
}

/** `errno` as the last foreign call of this thread left it. */
export function lastSystemError(): number {
  return foreignFunctions().errno();
}

const toForeign = (value: ForeignValue): unknown =>
  typeof value === "object" && value !== null && "address" in value ? value.address : value;

function foreignFunction(native: KoffiFunction, guard: () => void): ForeignFunction {
  const call = (...values: ForeignValue[]): ForeignResult => {
    guard();
    return native(...values.map(toForeign)) as ForeignResult;
  };
  const async = (...values: ForeignValue[]): Promise<ForeignResult> => {
    guard();
    return callOnWorker(native, values) as Promise<ForeignResult>;
  };
  return Object.assign(call, { async });
}

function kernel(native: KoffiFunction, symbol: string, guard: () => void): Kernel {
  return {
    symbol,
    run: (frame, workspace, x, y, batch, threads) => {
      guard();
      return native(
        toForeign(frame),
        toForeign(workspace),
        toForeign(x),
        toForeign(y),
        batch,
        threads,
      ) as number;
    },
    runAsync: (frame, workspace, x, y, batch, threads) => {
      guard();
      return callOnWorker(native, [frame, workspace, x, y, batch, threads]) as Promise<number>;
    },
  };
}

/**
 * Each running or waiting call of the package holds a stack of its own, and beyond 256 it refuses more. So no
 * more are handed to it than Node has worker threads for by default, and the others wait here.
 */
const mostRunningCalls = 4;
let runningCalls = 0;
const waitingCalls: (() => void)[] = [];

function callOnWorker(native: KoffiFunction, values: ForeignValue[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stack = workerStack(foreignFunctions());
    if (stack < stackSizes.async_stack_size) throw workerStackTooSmall(stackSizes.async_stack_size, stack);
    const start = (): void => {
      runningCalls += 1;
      try {
        native.async(...values.map(toForeign), (error: unknown, result: unknown) => {
          callEnded();
          // Emptied only here: until now the callback has kept the memory behind the pointers reachable.
          values.length = 0;
          if (error === null || error === undefined) resolve(result);
          else reject(error);
        });
      } catch (cause) {
        callEnded();
        reject(cause);
      }
    };
    if (runningCalls < mostRunningCalls) start();
    else waitingCalls.push(start);
  });
}

function callEnded(): void {
  runningCalls -= 1;
  waitingCalls.shift()?.();
}
