/**
 * The functions of the CUDA driver that spx calls, with the symbol each has in libcuda.so.1 and the C types of its
 * parameters. All give a CUresult. Stands as data because three readers need it: the driver that declares them, the
 * errors that name them, and the test that compares it with NVIDIA's own header.
 *
 * Handles (CUcontext, CUstream …) are `pointer`, device addresses (CUdeviceptr) `uint64`, enumerations `int32`.
 */
import type { ForeignType, Pointer } from "../../native/foreign-library.ts";

interface DriverFunction {
  readonly symbol: string;
  readonly parameters: readonly ForeignType[];
}

export const driverFunctions = {
  cuInit: { symbol: "cuInit", parameters: ["uint32"] },
  cuDriverGetVersion: { symbol: "cuDriverGetVersion", parameters: ["pointer"] },
  cuGetErrorName: { symbol: "cuGetErrorName", parameters: ["int32", "pointer"] },
  cuGetErrorString: { symbol: "cuGetErrorString", parameters: ["int32", "pointer"] },

  cuDeviceGetCount: { symbol: "cuDeviceGetCount", parameters: ["pointer"] },
  cuDeviceGet: { symbol: "cuDeviceGet", parameters: ["pointer", "int32"] },
  cuDeviceGetName: { symbol: "cuDeviceGetName", parameters: ["pointer", "int32", "int32"] },
  cuDeviceGetAttribute: { symbol: "cuDeviceGetAttribute", parameters: ["pointer", "int32", "int32"] },
  cuDeviceGetDefaultMemPool: { symbol: "cuDeviceGetDefaultMemPool", parameters: ["pointer", "int32"] },
  cuMemPoolSetAttribute: { symbol: "cuMemPoolSetAttribute", parameters: ["pointer", "int32", "pointer"] },

  cuDevicePrimaryCtxRetain: { symbol: "cuDevicePrimaryCtxRetain", parameters: ["pointer", "int32"] },
  cuDevicePrimaryCtxRelease: { symbol: "cuDevicePrimaryCtxRelease_v2", parameters: ["int32"] },
  cuCtxSetCurrent: { symbol: "cuCtxSetCurrent", parameters: ["pointer"] },

  cuModuleLoadDataEx: {
    symbol: "cuModuleLoadDataEx",
    parameters: ["pointer", "pointer", "uint32", "pointer", "pointer"],
  },
  cuModuleUnload: { symbol: "cuModuleUnload", parameters: ["pointer"] },
  cuModuleGetFunction: { symbol: "cuModuleGetFunction", parameters: ["pointer", "pointer", "string"] },
  cuModuleGetGlobal: {
    symbol: "cuModuleGetGlobal_v2",
    parameters: ["pointer", "pointer", "pointer", "string"],
  },
  cuFuncGetAttribute: { symbol: "cuFuncGetAttribute", parameters: ["pointer", "int32", "pointer"] },
  cuFuncSetAttribute: { symbol: "cuFuncSetAttribute", parameters: ["pointer", "int32", "int32"] },

  cuStreamCreate: { symbol: "cuStreamCreate", parameters: ["pointer", "uint32"] },
  cuStreamDestroy: { symbol: "cuStreamDestroy_v2", parameters: ["pointer"] },
  cuStreamSynchronize: { symbol: "cuStreamSynchronize", parameters: ["pointer"] },
  cuStreamWaitEvent: { symbol: "cuStreamWaitEvent", parameters: ["pointer", "pointer", "uint32"] },
  cuStreamBeginCapture: { symbol: "cuStreamBeginCapture_v2", parameters: ["pointer", "int32"] },
  cuStreamEndCapture: { symbol: "cuStreamEndCapture", parameters: ["pointer", "pointer"] },

  cuEventCreate: { symbol: "cuEventCreate", parameters: ["pointer", "uint32"] },
  cuEventDestroy: { symbol: "cuEventDestroy_v2", parameters: ["pointer"] },
  cuEventRecord: { symbol: "cuEventRecord", parameters: ["pointer", "pointer"] },
  cuEventQuery: { symbol: "cuEventQuery", parameters: ["pointer"] },
  cuEventElapsedTime: { symbol: "cuEventElapsedTime", parameters: ["pointer", "pointer", "pointer"] },

  cuMemAlloc: { symbol: "cuMemAlloc_v2", parameters: ["pointer", "size"] },
  cuMemFree: { symbol: "cuMemFree_v2", parameters: ["uint64"] },
  cuMemAllocAsync: { symbol: "cuMemAllocAsync", parameters: ["pointer", "size", "pointer"] },
  cuMemFreeAsync: { symbol: "cuMemFreeAsync", parameters: ["uint64", "pointer"] },
  cuMemHostAlloc: { symbol: "cuMemHostAlloc", parameters: ["pointer", "size", "uint32"] },
  cuMemFreeHost: { symbol: "cuMemFreeHost", parameters: ["pointer"] },
  cuMemGetInfo: { symbol: "cuMemGetInfo_v2", parameters: ["pointer", "pointer"] },
  cuMemcpyHtoDAsync: { symbol: "cuMemcpyHtoDAsync_v2", parameters: ["uint64", "pointer", "size", "pointer"] },
  cuMemcpyDtoHAsync: { symbol: "cuMemcpyDtoHAsync_v2", parameters: ["pointer", "uint64", "size", "pointer"] },
  cuMemcpyDtoDAsync: { symbol: "cuMemcpyDtoDAsync_v2", parameters: ["uint64", "uint64", "size", "pointer"] },
  cuMemsetD32Async: { symbol: "cuMemsetD32Async", parameters: ["uint64", "uint32", "size", "pointer"] },

  cuLaunchKernel: {
    symbol: "cuLaunchKernel",
    parameters: [
      "pointer",
      "uint32",
      "uint32",
      "uint32",
      "uint32",
      "uint32",
      "uint32",
      "uint32",
      "pointer",
      "pointer",
      "pointer",
    ],
  },
  cuLaunchKernelEx: { symbol: "cuLaunchKernelEx", parameters: ["pointer", "pointer", "pointer", "pointer"] },

  cuGraphInstantiate: { symbol: "cuGraphInstantiateWithFlags", parameters: ["pointer", "pointer", "uint64"] },
  cuGraphExecUpdate: { symbol: "cuGraphExecUpdate_v2", parameters: ["pointer", "pointer", "pointer"] },
  cuGraphLaunch: { symbol: "cuGraphLaunch", parameters: ["pointer", "pointer"] },
  cuGraphExecDestroy: { symbol: "cuGraphExecDestroy", parameters: ["pointer"] },
  cuGraphDestroy: { symbol: "cuGraphDestroy", parameters: ["pointer"] },
} as const satisfies Readonly<Record<string, DriverFunction>>;

export type DriverFunctionName = keyof typeof driverFunctions;

type ValueOf<T extends ForeignType> = T extends "pointer"
  ? Pointer
  : T extends "string"
    ? string
    : T extends "uint64" | "int64"
      ? bigint
      : number;

type ValuesOf<T extends readonly ForeignType[]> = { readonly [I in keyof T]: ValueOf<T[I]> };

/** What a function of the driver is called with. */
export type DriverArguments<F extends DriverFunctionName> = ValuesOf<
  (typeof driverFunctions)[F]["parameters"]
>;

/** Numbers of cuda.h that are passed or asked for. */
export const driverConstants = {
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 16,
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: 38,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: 97,
  CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: 115,
  CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: 4,
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: 1,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: 8,
  CU_STREAM_NON_BLOCKING: 1,
  CU_STREAM_CAPTURE_MODE_RELAXED: 2,
  CU_EVENT_DEFAULT: 0,
  CU_EVENT_DISABLE_TIMING: 2,
  CU_JIT_ERROR_LOG_BUFFER: 5,
  CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES: 6,
  CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION: 4,
} as const;
