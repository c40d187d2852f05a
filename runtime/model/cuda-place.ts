/** From what a caller names to a device with the kernels of an artefact loaded on it. */
import type { CudaElements } from "../contract/cuda.ts";
import { type CudaDevice, type DeviceState, deviceState } from "../device/cuda/cuda-device.ts";
import type { CudaArtefact, CudaKernels } from "../device/cuda/cuda-kernels.ts";
import { SpxError } from "../errors.ts";
import type { CudaPlace } from "./device-layer.ts";

export interface ReadyDevice {
  readonly device: DeviceState;
  readonly kernels: CudaKernels;
  readonly elements: CudaElements;
}

/**
 * @throws SpxError SPX8711 when the artefact has no CUDA kernels or none of the number type, SPX8712 for a name that is
 *   no device, SPX8701 to SPX8710 for driver, device and kernels.
 */
export async function readyDevice(
  place: CudaPlace,
  wanted: CudaElements | undefined,
  artefact: CudaArtefact | null,
): Promise<ReadyDevice> {
  if (artefact === null) {
    throw new SpxError("SPX8711", "the artefact was built without CUDA kernels", {
      help: "build it with `spxc build --target cuda`, or use the layer as loaded, on the CPU",
    });
  }
  const { elements: built } = artefact.library;
  const elements = wanted ?? (built.includes("f32") ? "f32" : built[0]);
  if (elements === undefined || !built.includes(elements)) {
    throw new SpxError("SPX8711", `the artefact has no CUDA kernels for ${elements ?? "any number type"}`, {
      facts: { found: built, expected: elements ?? null },
      help: `give one of ${built.join(", ")} as \`elements\`, or build with \`--elements\` for it`,
    });
  }
  const device = deviceAt(place);
  return { device, elements, kernels: await device.kernels(artefact) };
}

/** @throws SpxError SPX8712, SPX8701, SPX8702, SPX8704. */
function deviceAt(place: CudaPlace): DeviceState {
  if (isDevice(place)) {
    // Devices are made by the runtime only; the public type leaves out what callers have no use for.
    const device = place as DeviceState;
    device.checkOpen();
    return device;
  }
  const [, index] = /^cuda(?::(\d+))?$/.exec(String(place)) ?? [];
  if (index === undefined && place !== "cuda") {
    throw new SpxError("SPX8712", `there is no device \`${String(place)}\``, {
      facts: { found: String(place) },
      help: 'give "cuda", "cuda:1" with the number of the device, or what `openCudaDevice` gave',
    });
  }
  return deviceState({ index: Number(index ?? 0) });
}

const isDevice = (place: unknown): place is CudaDevice =>
  typeof place === "object" && place !== null && "kind" in place && place.kind === "cuda";
