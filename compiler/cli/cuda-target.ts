/** `--target` and `--elements`: which devices beside the CPU, and which number types on them and on it. */
import { type CudaElements, cudaElements } from "../../runtime/contract/cuda.ts";
import type { Factors } from "../plan/choose-plan.ts";

export interface TargetOptions {
  /** `cpu`, `cuda` or both, separated by commas; kernels of the CPU are always there, because layers load on the host. */
  readonly target: string;
  /** Number types, separated by commas; `defaultElements` on a device and f32 on the CPU unless given. */
  readonly elements?: string;
}

const isElements = (text: string): text is CudaElements => cudaElements.some((known) => known === text);

const defaultElements = "f32,bf16";

/** What weights held in `bf16` may be multiplied by on the CPU: rounded activations only where that is said. */
export const factorsOf = ({ elements }: Pick<TargetOptions, "elements">): Factors =>
  elements?.split(",").includes("bf16") === true ? "bf16" : "f32";

/** Number types to build for NVIDIA devices, none for the CPU alone; or what is wrong with the options. */
export function cudaElementsOf({ target, elements }: TargetOptions): readonly CudaElements[] | string {
  const targets = target.split(",");
  const unknown = targets.find((name) => name !== "cpu" && name !== "cuda");
  if (unknown !== undefined) return `no target \`${unknown}\`; there are cpu and cuda`;
  const wanted = [...new Set((elements ?? defaultElements).split(","))];
  const wrong = wanted.find((name) => !isElements(name));
  if (wrong !== undefined) return `no number type \`${wrong}\`; there are ${cudaElements.join(", ")}`;
  return targets.includes("cuda") ? wanted.filter(isElements) : [];
}
