/**
 * The NVIDIA driver of this machine: finds and opens libcuda, declares the functions of `driver-functions.ts` when they
 * are first called, and turns every result that is no success into an error. Opened once for each path.
 */
import type { ErrorFacts, SpxError } from "../../errors.ts";
import { firstLibrary } from "../../native/first-library.ts";
import {
  type ForeignFunction,
  type ForeignLibrary,
  type ForeignValue,
  readString,
} from "../../native/foreign-library.ts";
import {
  cudaSuccess,
  type DriverResult,
  driverFailure,
  driverMissing,
  driverTooOld,
  functionMissing,
  versionText,
} from "./driver-errors.ts";
import { type DriverArguments, type DriverFunctionName, driverFunctions } from "./driver-functions.ts";

/** What a call is for, for the message of its error. */
export interface CallPurpose {
  /** A participle phrase: `loading the kernels`. */
  readonly doing: string;
  readonly facts?: ErrorFacts;
}

export interface CudaDriver {
  readonly path: string;
  /** Newest CUDA that the driver supports, as 1000 major + 10 minor. */
  readonly version: number;
  /** @throws SpxError SPX8701 to SPX8707, SPX8710 when the call fails, SPX8704 when the driver lacks it. */
  call<F extends DriverFunctionName>(name: F, ...values: DriverArguments<F>): void;
  /** As `call`, with what it is for. */
  callFor<F extends DriverFunctionName>(purpose: CallPurpose, name: F, ...values: DriverArguments<F>): void;
  /** The result as it is, where a failure is an answer or has to be swallowed. */
  status<F extends DriverFunctionName>(name: F, ...values: DriverArguments<F>): number;
  failure(name: DriverFunctionName, status: number, purpose?: CallPurpose): SpxError;
}

/** Where distributions, containers and WSL put the driver; a bare name is searched for as the system does. */
const driverPlaces = [
  "libcuda.so.1",
  "/usr/lib/wsl/lib/libcuda.so.1",
  "/usr/local/nvidia/lib64/libcuda.so.1",
];

/** CUDA 12.0: the graph functions have their present form since then. */
const leastVersion = 12000;

const opened = new Map<string, CudaDriver>();

/**
 * The driver at `path`, or at the path in SPX_CUDA_DRIVER, or where drivers are.
 * @throws SpxError SPX8701 when there is none or it does not start, SPX8704 when it is too old.
 */
export function openCudaDriver(path: string | null = process.env.SPX_CUDA_DRIVER || null): CudaDriver {
  const places = path === null ? driverPlaces : [path];
  const key = places.join(":");
  const driver = opened.get(key) ?? startDriver(firstLibrary(places, driverMissing));
  opened.set(key, driver);
  return driver;
}

function startDriver(library: ForeignLibrary): CudaDriver {
  const path = library.path ?? "";
  const declared = new Map<DriverFunctionName, ForeignFunction>();
  let version = 0;
  const functionNamed = (name: DriverFunctionName): ForeignFunction => {
    const known = declared.get(name);
    if (known !== undefined) return known;
    const { symbol, parameters } = driverFunctions[name];
    if (!library.has(symbol)) {
      throw functionMissing(symbol, version === 0 ? path : `${path}, CUDA ${versionText(version)}`);
    }
    const declaration = library.declare({ name: symbol, result: "int32", parameters });
    declared.set(name, declaration);
    return declaration;
  };
  const status = (name: DriverFunctionName, values: readonly ForeignValue[]): number =>
    Number(functionNamed(name)(...values));
  const textOf = (name: "cuGetErrorName" | "cuGetErrorString", of: number): string => {
    const found = new BigUint64Array(1);
    const known = status(name, [of, found]) === cudaSuccess && found[0] !== 0n;
    return known ? readString(found[0] ?? 0n) : "a result that the driver does not know";
  };
  const resultOf = (name: DriverFunctionName, found: number): DriverResult => ({
    call: name,
    status: found,
    name: textOf("cuGetErrorName", found),
    description: textOf("cuGetErrorString", found),
  });
  const failure = (name: DriverFunctionName, found: number, purpose?: CallPurpose): SpxError =>
    driverFailure(resultOf(name, found), purpose?.doing ?? null, purpose?.facts);
  const check = (name: DriverFunctionName, found: number, purpose?: CallPurpose): void => {
    if (found !== cudaSuccess) throw failure(name, found, purpose);
  };

  check("cuInit", status("cuInit", [0]), { doing: "starting the NVIDIA driver" });
  const supported = new Int32Array(1);
  check("cuDriverGetVersion", status("cuDriverGetVersion", [supported]));
  version = supported[0] ?? 0;
  if (version < leastVersion) throw driverTooOld(version);
  return {
    path,
    version,
    call: (name, ...values) => check(name, status(name, values as readonly ForeignValue[])),
    callFor: (purpose, name, ...values) =>
      check(name, status(name, values as readonly ForeignValue[]), purpose),
    status: (name, ...values) => status(name, values as readonly ForeignValue[]),
    failure,
  };
}
