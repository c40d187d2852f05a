/** `--target` and `--elements`: which devices beside the CPU, and which number types on them. */
import { type CudaElements, cudaElements } from "../../runtime/contract/cuda.ts";

export interface TargetOptions {
  /** `cpu`, `cuda` or both, separated by commas; kernels of the CPU are always there, because layers load on the host. */
  readonly target: string;
  /** Number types of the device, separated by commas. */
  readonly elements: string;
}

const isElements = (text: string): text is CudaElements => cudaElements.some((known) => known === text);

/** Number types to build for NVIDIA devices, none for the CPU alone; or what is wrong with the options. */
export function cudaElementsOf({ target, elements }: TargetOptions): readonly CudaElements[] | string {
  const targets = target.split(",");
  const unknown = targets.find((name) => name !== "cpu" && name !== "cuda");
  if (unknown !== undefined) return `no target \`${unknown}\`; there are cpu and cuda`;
  if (!targets.includes("cuda")) return [];
  const wanted = [...new Set(elements.split(","))];
  const wrong = wanted.find((name) => !isElements(name));
  if (wrong !== undefined) return `no number type \`${wrong}\`; there are ${cudaElements.join(", ")}`;
  return wanted.filter(isElements);
}
