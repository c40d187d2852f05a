/**
 * A CUDA device as users and layers see it: its tensors, streams and chains, the kernels loaded on it, the memory that
 * calls work in. One for each number of a device; opening it again gives the same one.
 */
import type { Tensor } from "../../tensor/tensor.ts";
import { createWorkspacePool, type WorkspacePool } from "../workspace-pool.ts";
import { type CudaChain, createChain } from "./cuda-chain.ts";
import { type CudaContext, deviceNames, openContext } from "./cuda-context.ts";
import { openCudaDriver } from "./cuda-driver.ts";
import { type CudaArtefact, type CudaKernels, loadKernels } from "./cuda-kernels.ts";
import { type CudaStream, createEventPool, createStream, type StreamState } from "./cuda-stream.ts";
import { createHeap, type DeviceMemory } from "./device-memory.ts";
import {
  createTensorMaker,
  type DeviceElementType,
  type DeviceTensor,
  type TensorMaker,
} from "./device-tensor.ts";
import { usedAfterDispose, versionText } from "./driver-errors.ts";
import { createHostCopies, type HostCopies } from "./host-copies.ts";

export interface CudaDevice {
  readonly kind: "cuda";
  /** Number of the device, from 0 on. */
  readonly index: number;
  /** As the driver names it, e.g. `NVIDIA H100 80GB HBM3`. */
  readonly name: string;
  /** Compute capability, e.g. `9.0`. */
  readonly capability: string;
  /** Newest CUDA that the driver supports, e.g. `13.0`. */
  readonly driverVersion: string;
  /** Bytes of the device that are free and that there are. */
  memory(): { readonly free: number; readonly total: number };
  /** Bytes that tensors and layers of this process hold. */
  readonly bytesInUse: number;
  /** A tensor whose values are whatever lay there before. @throws SpxError SPX8705 when the device has no room. */
  empty<E extends DeviceElementType>(elementType: E, shape: readonly number[]): DeviceTensor<E>;
  /** A copy of a host tensor, without blocking the event loop. @throws SpxError SPX8705. */
  upload<E extends DeviceElementType>(values: Tensor<E>, stream?: CudaStream): Promise<DeviceTensor<E>>;
  /** As `upload`, blocking. */
  uploadSync<E extends DeviceElementType>(values: Tensor<E>, stream?: CudaStream): DeviceTensor<E>;
  /** A queue of its own. What uses the same tensors on several streams is ordered by itself. */
  stream(): CudaStream;
  /**
   * Work on one tensor, such as several layers one after the other, that is recorded for each shape and started by one
   * call from then on. `work` must do nothing but call layers on its stream and dispose what it does not return.
   */
  chain<A extends DeviceElementType, B extends DeviceElementType>(
    work: (x: DeviceTensor<A>, stream: CudaStream) => DeviceTensor<B>,
  ): CudaChain<A, B>;
  /** Resolves when the device has done what was put on its own stream. */
  finished(): Promise<void>;
  /** Gives everything of the device back that this process holds; layers and tensors on it cannot be used afterwards. */
  close(): void;
  [Symbol.dispose](): void;
}

/** A device as layers see it. */
export interface DeviceState extends CudaDevice {
  readonly context: CudaContext;
  readonly main: StreamState;
  readonly heap: ReturnType<typeof createHeap>;
  readonly copies: HostCopies;
  readonly tensors: TensorMaker;
  readonly workspaces: WorkspacePool<DeviceMemory>;
  /** The kernels of an artefact, loaded once; the promise of one that failed is forgotten. */
  kernels(artefact: CudaArtefact): Promise<CudaKernels>;
  /** Counts how often memory that recorded work reads was replaced. */
  readonly replaced: { count: number };
  /** @throws SpxError SPX8708 after `close`. */
  checkOpen(): void;
}

export interface CudaOptions {
  /** Number of the device; 0 unless given. */
  readonly index?: number;
  /** Path of libcuda.so.1; SPX_CUDA_DRIVER or the system's unless given. */
  readonly driver?: string;
}

const opened = new Map<string, DeviceState>();

/**
 * The device with number `index`, opened when it is first asked for.
 * @throws SpxError SPX8701 without a driver, SPX8702 without such a device, SPX8704 when the driver is too old.
 */
export function openCudaDevice(options: CudaOptions = {}): CudaDevice {
  return deviceState(options);
}

/** Names of the CUDA devices that there are. @throws SpxError SPX8701, SPX8704. */
export const cudaDevices = (options: Pick<CudaOptions, "driver"> = {}): string[] =>
  deviceNames(openCudaDriver(options.driver ?? undefined));

/** As `openCudaDevice`, for layers. */
export function deviceState({ index = 0, driver: path }: CudaOptions): DeviceState {
  const driver = openCudaDriver(path);
  const key = `${driver.path} ${index}`;
  const known = opened.get(key);
  if (known !== undefined) return known;
  const device = startDevice(openContext(driver, index), () => void opened.delete(key));
  opened.set(key, device);
  return device;
}

function startDevice(context: CudaContext, forget: () => void): DeviceState {
  const { driver, properties } = context;
  const events = createEventPool(driver);
  let main: StreamState;
  try {
    main = createStream(driver, events, null);
  } catch (thrown) {
    context.release();
    throw thrown;
  }
  const heap = createHeap(context, main);
  const copies = createHostCopies(driver, events);
  const tensors = createTensorMaker(properties.name, heap, copies, main);
  const workspaces = createWorkspacePool((bytes) => heap.allocate(bytes));
  const streams = new Set<CudaStream>();
  const chains = new Set<{ dispose(): void }>();
  const loaded = new Map<string, Promise<CudaKernels>>();
  const modules: CudaKernels[] = [];
  const { major, minor } = properties.capability;
  let closed = false;
  heap.reserves.add(() => workspaces.trim());
  const checkOpen = (): void => {
    if (closed) throw usedAfterDispose(`device ${properties.index} (${properties.name})`);
  };
  const createOwn = (): StreamState => {
    checkOpen();
    const stream = createStream(driver, events, main);
    streams.add(stream);
    return stream;
  };
  const load = async (artefact: CudaArtefact): Promise<CudaKernels> => {
    const kernels = await loadKernels(context, artefact);
    modules.push(kernels);
    return kernels;
  };
  const close = (): void => {
    if (closed) return;
    closed = true;
    forget();
    driver.status("cuStreamSynchronize", main.handle);
    const parts = [...chains, ...streams].map((part) => part.dispose);
    const steps = [
      ...parts,
      workspaces.trim,
      heap.freeAll,
      copies.trim,
      ...modules.map(({ unload }) => unload),
    ];
    for (const step of [...steps, main.dispose, events.dispose]) attempt(step);
    context.release();
  };
  const device: DeviceState = {
    kind: "cuda",
    index: properties.index,
    name: properties.name,
    capability: `${major}.${minor}`,
    driverVersion: versionText(driver.version),
    context,
    main,
    heap,
    copies,
    tensors,
    workspaces,
    replaced: { count: 0 },
    checkOpen,
    memory() {
      checkOpen();
      const free = new BigUint64Array(1);
      const total = new BigUint64Array(1);
      driver.call("cuMemGetInfo", free, total);
      return { free: Number(free[0]), total: Number(total[0]) };
    },
    get bytesInUse() {
      return heap.bytesInUse;
    },
    empty(elementType, shape) {
      checkOpen();
      return tensors.empty(elementType, shape);
    },
    async upload(values, stream = main) {
      const made = device.empty(values.elementType, values.shape);
      await filled(made, () => made.write(values, stream));
      return made;
    },
    uploadSync(values, stream = main) {
      const made = device.empty(values.elementType, values.shape);
      try {
        made.writeSync(values, stream);
        return made;
      } catch (thrown) {
        made.dispose();
        throw thrown;
      }
    },
    stream: createOwn,
    chain(work) {
      const chain = createChain(device, createOwn(), work);
      chains.add(chain);
      return chain;
    },
    kernels(artefact) {
      checkOpen();
      const key = `${artefact.folder} ${artefact.library.source.sha256}`;
      const known = loaded.get(key) ?? load(artefact);
      loaded.set(key, known);
      known.catch(() => loaded.delete(key));
      return known;
    },
    finished: () => main.finished(),
    close,
    [Symbol.dispose]: close,
  };
  return device;
}

/** What fails while a device is closed holds nothing up: the driver takes back what a process has when it ends. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // Said above.
  }
}

/** Disposes a tensor that could not be filled. */
async function filled(made: DeviceTensor, fill: () => Promise<void>): Promise<void> {
  try {
    await fill();
  } catch (thrown) {
    made.dispose();
    throw thrown;
  }
}
