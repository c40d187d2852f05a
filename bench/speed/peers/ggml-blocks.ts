/** Weights in ggml's blocks of 32: an fp16 scale before the codes; and bf16. */
import { fromFloat32 } from "../../../runtime/index.ts";
import type { Problem } from "../problem.ts";

export type GgmlType = "f32" | "bf16" | "int8" | "int4" | "nf4";

interface TypeFacts {
  /** `enum ggml_type`. */
  readonly id: number;
  readonly name: string;
  /** Whether ggml lays the blocks of several rows side by side, as it does for the types that it has x86 kernels for. */
  readonly repacked: boolean;
}

export const ggmlTypes: Readonly<Record<GgmlType, TypeFacts>> = {
  f32: { id: 0, name: "llama.cpp F32", repacked: false },
  bf16: { id: 30, name: "llama.cpp BF16", repacked: false },
  int8: { id: 8, name: "llama.cpp Q8_0", repacked: false },
  int4: { id: 2, name: "llama.cpp Q4_0", repacked: true },
  // 16 levels of its own: the same bytes and look-ups, another function.
  nf4: { id: 20, name: "llama.cpp IQ4_NL", repacked: true },
};

const blockLength = 32;

/** @throws Error when rows are not whole blocks, or the problem has no codes of that type. */
export function encodeBlocks({ weight, quantized, inputs }: Problem, type: GgmlType): Uint8Array {
  if (type === "f32") return bytesOf(weight);
  if (type === "bf16") return bytesOf(fromFloat32("bf16", [weight.length], weight).data);
  if (quantized === null || inputs % blockLength !== 0) throw new Error(`no ${type} blocks of these rows`);
  const { codes, scales, block } = quantized;
  const bytes = type === "int8" ? 2 + blockLength : 2 + blockLength / 2;
  const encoded = new Uint8Array((codes.length / blockLength) * bytes);
  const halves = fromFloat32("f16", [scales.length], scales).data;
  for (let start = 0; start < codes.length; start += blockLength) {
    const at = (start / blockLength) * bytes;
    const scale = halves[Math.floor(start / block)] ?? 0;
    encoded[at] = scale & 255;
    encoded[at + 1] = scale >> 8;
    for (let lane = 0; lane < bytes - 2; lane += 1) {
      const first = codes[start + lane] ?? 0;
      const second = codes[start + lane + blockLength / 2] ?? 0;
      const offset = type === "int4" ? 8 : 0;
      encoded[at + 2 + lane] = type === "int8" ? first : (first + offset) | ((second + offset) << 4);
    }
  }
  return encoded;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
