/** Public entry `spx/runtime`: opens artefacts, loads layers, reads and writes checkpoints. */
export { type Checkpoint, openCheckpoint, type TensorDescription } from "./checkpoint/read-safetensors.ts";
export { namedTensor, type TensorToWrite, writeSafetensors } from "./checkpoint/write-safetensors.ts";
export type { CudaElements } from "./contract/cuda.ts";
export type { ClockName, Clocks } from "./contract/time.ts";
export type { CudaChain } from "./device/cuda/cuda-chain.ts";
export {
  type CudaDevice,
  type CudaOptions,
  cudaDevices,
  openCudaDevice,
} from "./device/cuda/cuda-device.ts";
export type { CudaStream } from "./device/cuda/cuda-stream.ts";
export type { DeviceElementType, DeviceTensor } from "./device/cuda/device-tensor.ts";
export {
  type ConditionCode,
  type RuntimeErrorCode,
  runtimeErrorCodes,
  SpxError,
  type SpxErrorCode,
} from "./errors.ts";
export type { AdamW, AdamWOptions, AdamWStep } from "./model/adamw.ts";
export type { AdapterFactor, LowRankAdapter } from "./model/adapter-factors.ts";
export type { Adapters } from "./model/adapters.ts";
export type { BatchInput } from "./model/batch-input.ts";
export type {
  CudaPlace,
  DeviceAdapters,
  DeviceBackwardOptions,
  DeviceBackwardResult,
  DeviceForwardOptions,
  DeviceLayer,
  DeviceOptions,
  DevicePlanInterval,
  LayerAt,
  OnDevice,
  Placed,
} from "./model/device-layer.ts";
export type {
  AtOptions,
  BackwardOptions,
  BackwardResult,
  DenseParameter,
  ForwardOptions,
  Layer,
  LayerPattern,
  ParameterGradients,
  PlanInterval,
  SparseParameter,
  TimeTypes,
} from "./model/layer.ts";
export type { LayerChange } from "./model/layer-time.ts";
export type { LoadedTensor, Model, ModelLoadOptions, TensorMatch } from "./model/load-model.ts";
export { type Artefact, type ArtefactOptions, openArtefact } from "./model/open-artefact.ts";
export type { MovedParameter, PatternChange } from "./model/refresh-patterns.ts";
export type { SavedParameter } from "./model/saved-parameters.ts";
export type { LoadOptions, Transform } from "./model/transform.ts";
export type { FloatMatrix } from "./model/widen-tensor.ts";
export { fromFloat32, toFloat32 } from "./tensor/convert.ts";
export type { ElementType, TensorData } from "./tensor/element-type.ts";
export { type Tensor, tensor, zeros } from "./tensor/tensor.ts";
