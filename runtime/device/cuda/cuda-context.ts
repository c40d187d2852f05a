/**
 * A device of the driver with its primary context: what it can do, and a driver whose calls reach it. Several contexts
 * may be open in a process; which one is current is the thread's, so each call makes its own current first.
 */
import type { ComputeCapability } from "../../contract/cuda.ts";
import { SpxError } from "../../errors.ts";
import type { CudaDriver } from "./cuda-driver.ts";
import { cudaSuccess } from "./driver-errors.ts";
import { driverConstants } from "./driver-functions.ts";

/** What is asked of a device once. */
export interface DeviceProperties {
  /** Number of the device, from 0 on. */
  readonly index: number;
  /** As the driver names it, e.g. `NVIDIA H100 80GB HBM3`. */
  readonly name: string;
  readonly capability: ComputeCapability;
  readonly multiprocessors: number;
  /** Bytes of the second-level cache. */
  readonly cacheBytes: number;
  /** Bytes of shared memory that a block can have. */
  readonly sharedBytes: number;
  /** Whether memory can be allocated in the order of a stream. */
  readonly memoryPools: boolean;
}

export interface CudaContext {
  readonly properties: DeviceProperties;
  /** As the driver, with this context current. */
  readonly driver: CudaDriver;
  /** Gives the context back; nothing of it may be in use. */
  release(): void;
}

/** Handle of the context that is current in this thread, for each driver. */
const current = new WeakMap<CudaDriver, bigint>();

/**
 * The primary context of device `index`.
 * @throws SpxError SPX8702 when there is no such device, SPX8701 to SPX8707 when the driver refuses.
 */
export function openContext(driver: CudaDriver, index: number): CudaContext {
  const device = findDevice(driver, index);
  const properties = readProperties(driver, device, index);
  const handle = new BigUint64Array(1);
  driver.callFor({ doing: `opening \`${properties.name}\`` }, "cuDevicePrimaryCtxRetain", handle, device);
  const context = handle[0] ?? 0n;
  const enter = (): void => {
    if (current.get(driver) === context) return;
    driver.call("cuCtxSetCurrent", context);
    current.set(driver, context);
  };
  const release = (): void => {
    current.delete(driver);
    driver.status("cuCtxSetCurrent", null);
    driver.status("cuDevicePrimaryCtxRelease", device);
  };
  const entered: CudaDriver = {
    ...driver,
    call(name, ...values) {
      enter();
      driver.call(name, ...values);
    },
    callFor(purpose, name, ...values) {
      enter();
      driver.callFor(purpose, name, ...values);
    },
    status(name, ...values) {
      enter();
      return driver.status(name, ...values);
    },
  };
  try {
    if (properties.memoryPools) keepPooledMemory(entered, device);
    return { properties, driver: entered, release };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

/** Names of the devices that there are; empty without a driver or a device. */
export function deviceNames(driver: CudaDriver): string[] {
  const count = new Int32Array(1);
  if (driver.status("cuDeviceGetCount", count) !== cudaSuccess) return [];
  return Array.from({ length: count[0] ?? 0 }, (_, index) => nameOf(driver, findDevice(driver, index)));
}

function findDevice(driver: CudaDriver, index: number): number {
  const count = new Int32Array(1);
  driver.call("cuDeviceGetCount", count);
  const devices = count[0] ?? 0;
  if (!Number.isInteger(index) || index < 0 || index >= devices) {
    const there = devices === 0 ? "there is none" : `there are ${devices}, counted from 0`;
    throw new SpxError("SPX8702", `there is no CUDA device ${index}: ${there}`, {
      facts: { index: String(index), devices },
      help: "check `nvidia-smi -L` and CUDA_VISIBLE_DEVICES; in a container the device has to be passed in. Without a device use the layer as loaded, on the CPU",
    });
  }
  const device = new Int32Array(1);
  driver.call("cuDeviceGet", device, index);
  return device[0] ?? 0;
}

function nameOf(driver: CudaDriver, device: number): string {
  const text = new Uint8Array(256);
  driver.call("cuDeviceGetName", text, text.length, device);
  return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
}

function readProperties(driver: CudaDriver, device: number, index: number): DeviceProperties {
  const value = new Int32Array(1);
  const attribute = (which: number): number => {
    driver.call("cuDeviceGetAttribute", value, which, device);
    return value[0] ?? 0;
  };
  const numbers = driverConstants;
  return {
    index,
    name: nameOf(driver, device),
    capability: {
      major: attribute(numbers.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
      minor: attribute(numbers.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
    },
    multiprocessors: attribute(numbers.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
    cacheBytes: attribute(numbers.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
    sharedBytes: attribute(numbers.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
    memoryPools: attribute(numbers.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) !== 0,
  };
}

/** Freed memory stays with the process for the next tensor; by default each synchronisation gives it back to the system. */
function keepPooledMemory(driver: CudaDriver, device: number): void {
  const pool = new BigUint64Array(1);
  driver.call("cuDeviceGetDefaultMemPool", pool, device);
  const threshold = new BigUint64Array([BigInt(64 << 20)]);
  const attribute = driverConstants.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
  driver.call("cuMemPoolSetAttribute", pool[0] ?? 0n, attribute, threshold);
}
