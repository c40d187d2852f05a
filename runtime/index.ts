/** Public entry `spx/runtime`: opens artefacts, loads layers, reads and writes checkpoints. */
export { type Checkpoint, openCheckpoint, type TensorDescription } from "./checkpoint/read-safetensors.ts";
export { namedTensor, type TensorToWrite, writeSafetensors } from "./checkpoint/write-safetensors.ts";
export {
  type ConditionCode,
  type RuntimeErrorCode,
  runtimeErrorCodes,
  SpxError,
  type SpxErrorCode,
} from "./errors.ts";
export type { BatchInput } from "./model/batch-input.ts";
export type {
  BackwardOptions,
  BackwardResult,
  DenseParameter,
  ForwardOptions,
  Layer,
  LayerPattern,
  ParameterGradients,
  PlanInterval,
  SparseParameter,
} from "./model/layer.ts";
export type { LoadedTensor, Model, ModelLoadOptions, TensorMatch } from "./model/load-model.ts";
export { type Artefact, type ArtefactOptions, openArtefact } from "./model/open-artefact.ts";
export type { SavedParameter } from "./model/saved-parameters.ts";
export type { FloatMatrix, LoadOptions, Transform } from "./model/transform.ts";
export { fromFloat32, toFloat32 } from "./tensor/convert.ts";
export type { ElementType, TensorData } from "./tensor/element-type.ts";
export { type Tensor, tensor, zeros } from "./tensor/tensor.ts";
