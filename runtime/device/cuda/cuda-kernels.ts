/**
 * The kernels of an artefact on a device: the image that runs there is read, checked against its hash and loaded once;
 * where there is none the source is compiled by NVRTC first.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CudaArchitecture,
  type CudaFile,
  type CudaImage,
  type CudaLibrary,
  chooseImage,
  compileFor,
  cudaVersionSymbol,
  leastCapability,
} from "../../contract/cuda.ts";
import { SpxError } from "../../errors.ts";
import { addressOf } from "../../native/foreign-library.ts";
import { compileOnce } from "./compiled-kernels.ts";
import type { CudaContext } from "./cuda-context.ts";
import { cudaSuccess } from "./driver-errors.ts";
import { driverConstants } from "./driver-functions.ts";
import { openNvrtc } from "./nvrtc.ts";

/** Where the files of an artefact lie, and the contract that they follow. */
export interface CudaArtefact {
  readonly folder: string;
  readonly library: CudaLibrary;
  readonly abi: number;
}

export interface CudaKernels {
  /** Launches written for it, and for sm_80, run from the loaded code. */
  readonly architecture: CudaArchitecture;
  /** What was loaded, for `plan`: `cubin sm_90a`, `ptx sm_80`, `compiled for sm_90a`. */
  readonly origin: string;
  /** The driver's handle of a kernel. @throws SpxError SPX8102 when the image has none of that name. */
  kernel(name: string): bigint;
  /** Raises what a block of the kernel may have of dynamic shared memory. @throws SpxError SPX8703 when the device has less. */
  allowShared(name: string, bytes: number): void;
  unload(): void;
}

/**
 * @throws SpxError SPX8703 when nothing runs on the device, SPX8103 and SPX8301 for the files, SPX8709 and SPX8710 when
 *   the source cannot be compiled, SPX8201 when the image follows another contract.
 */
export async function loadKernels(context: CudaContext, artefact: CudaArtefact): Promise<CudaKernels> {
  const { code, architecture, origin } = await runnableCode(context, artefact);
  const module = loadModule(context, code, origin);
  try {
    checkVersion(context, module, artefact.abi);
    return kernelsOf(context, module, architecture, origin);
  } catch (thrown) {
    context.driver.status("cuModuleUnload", module);
    throw thrown;
  }
}

interface RunnableCode {
  readonly code: Uint8Array;
  readonly architecture: CudaArchitecture;
  readonly origin: string;
}

async function runnableCode(
  { properties }: CudaContext,
  { folder, library }: CudaArtefact,
): Promise<RunnableCode> {
  const { name, capability } = properties;
  const { major, minor } = capability;
  if (major < leastCapability.major) throw unsupported(name, `${major}.${minor}`, library.images);
  const image = chooseImage(library.images, capability);
  if (image !== null) {
    const content = readChecked(folder, image);
    const origin = `${image.kind} ${image.architecture}`;
    // The driver reads PTX up to a zero byte.
    const code = image.kind === "ptx" ? Buffer.concat([content, Buffer.of(0)]) : content;
    return { code, architecture: image.architecture, origin };
  }
  const { option, architecture } = compileFor(capability);
  const text = readChecked(folder, library.source).toString("utf8");
  const options = [`--gpu-architecture=${option}`, ...library.options];
  const code = await compileOnce(openNvrtc(), { text, file: library.source.file, options });
  return { code, architecture, origin: `compiled for ${option}` };
}

function unsupported(device: string, capability: string, images: readonly CudaImage[]): SpxError {
  const { major, minor } = leastCapability;
  const there = images.map(({ kind, architecture }) => `${kind} ${architecture}`);
  return new SpxError(
    "SPX8703",
    `${device} has compute capability ${capability}, the kernels need ${major}.${minor} or newer`,
    {
      facts: { device, found: capability, expected: `${major}.${minor}`, images: there },
      help: "use a device of the Ampere generation or newer, or the layer as loaded, on the CPU",
    },
  );
}

function readChecked(folder: string, { file, sha256, bytes }: CudaFile): Buffer {
  const path = join(folder, file);
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (cause) {
    throw new SpxError("SPX8301", `the CUDA kernels \`${path}\` cannot be read`, {
      facts: { file: path },
      help: "keep the files of an artefact in one folder, or build it again",
      cause,
    });
  }
  const found = createHash("sha256").update(content).digest("hex");
  if (found === sha256) return content;
  throw new SpxError(
    "SPX8103",
    `the CUDA kernels \`${path}\` are not the ones that the manifest was written for`,
    {
      facts: { file: path, expected: sha256, found, bytes, foundBytes: content.length },
      help: "build the artefact again; its files belong together",
    },
  );
}

const logBytes = 8192;

function loadModule({ driver, properties }: CudaContext, code: Uint8Array, origin: string): bigint {
  const module = new BigUint64Array(1);
  const log = new Uint8Array(logBytes);
  const { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES } = driverConstants;
  const options = Int32Array.of(CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  const values = BigUint64Array.of(addressOf(log), BigInt(logBytes));
  const status = driver.status("cuModuleLoadDataEx", module, code, options.length, options, values);
  if (status === cudaSuccess) return module[0] ?? 0n;
  const end = log.indexOf(0);
  const said = new TextDecoder().decode(log.subarray(0, Math.max(end, 0)));
  const doing = `loading the kernels (${origin}) on ${properties.name}`;
  throw driver.failure("cuModuleLoadDataEx", status, { doing, facts: { log: said, origin } });
}

/** @throws SpxError SPX8201 */
function checkVersion({ driver }: CudaContext, module: bigint, abi: number): void {
  const address = new BigUint64Array(1);
  const bytes = new BigUint64Array(1);
  driver.callFor(
    { doing: "reading the contract version" },
    "cuModuleGetGlobal",
    address,
    bytes,
    module,
    cudaVersionSymbol,
  );
  const version = new Int32Array(1);
  driver.call("cuMemcpyDtoHAsync", version, address[0] ?? 0n, version.byteLength, null);
  driver.call("cuStreamSynchronize", null);
  if (version[0] === abi) return;
  throw new SpxError(
    "SPX8201",
    `the CUDA kernels follow contract version ${version[0]}, this runtime ${abi}`,
    {
      facts: { found: version[0] ?? 0, expected: abi },
      help: "build the artefact again with the spxc of this package",
    },
  );
}

/** What a block may have of dynamic shared memory without being asked for. */
const sharedAtFirst = 48 * 1024;

function kernelsOf(
  { driver, properties }: CudaContext,
  module: bigint,
  architecture: CudaArchitecture,
  origin: string,
): CudaKernels {
  const handles = new Map<string, bigint>();
  const allowed = new Map<string, number>();
  const kernel = (name: string): bigint => {
    const known = handles.get(name);
    if (known !== undefined) return known;
    const found = new BigUint64Array(1);
    driver.callFor(
      { doing: `looking for the kernel \`${name}\``, facts: { kernel: name } },
      "cuModuleGetFunction",
      found,
      module,
      name,
    );
    const handle = found[0] ?? 0n;
    handles.set(name, handle);
    return handle;
  };
  return {
    architecture,
    origin,
    kernel,
    allowShared(name, bytes) {
      if (bytes <= (allowed.get(name) ?? sharedAtFirst)) return;
      const fixed = new Int32Array(1);
      driver.call(
        "cuFuncGetAttribute",
        fixed,
        driverConstants.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES,
        kernel(name),
      );
      const needed = bytes + (fixed[0] ?? 0);
      if (needed > properties.sharedBytes) throw tooMuchShared(name, needed, properties);
      const attribute = driverConstants.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
      driver.call("cuFuncSetAttribute", kernel(name), attribute, bytes);
      allowed.set(name, bytes);
    },
    unload: () => void driver.status("cuModuleUnload", module),
  };
}

function tooMuchShared(
  kernel: string,
  needed: number,
  { name, sharedBytes }: CudaContext["properties"],
): SpxError {
  return new SpxError(
    "SPX8703",
    `a block of \`${kernel}\` needs ${needed} bytes of shared memory, ${name} has ${sharedBytes}`,
    {
      facts: { kernel, expected: needed, found: sharedBytes },
      help: "use a device with more shared memory, or build the artefact for this device",
    },
  );
}
