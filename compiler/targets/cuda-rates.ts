/**
 * What operations cost on NVIDIA devices, as data. Nothing here was measured by this project yet: bandwidth and copy
 * rates are figures reported for the devices, the others are derived from published peaks and counted instructions, so
 * that plans compare forms of one weight; absolute times are estimates.
 */
import { hashOf } from "./rate-table.ts";

/** `lanes`: f32 sums, a lane an output. `tensor`: products of matrix units. */
export type CudaKernelKind = "lanes" | "tensor";

/** Multiplies a nanosecond of the whole device, all multiprocessors busy. */
export interface CudaMultiplyRates {
  /** Lane kernels on lines of panels, codes and diagonals. */
  readonly lines: number;
  /** Lane kernels that pick their inputs: n:m and unstructured entries. */
  readonly picked: number;
  /** Matrix units, 16-bit factors, and 32-bit ones rounded to tf32. */
  readonly tensor: number;
  readonly tensorTf32: number;
  /** 16-bit factors with 2 of every 4 inputs, counting what is kept: reported gains are 1.2 to 1.7, not 2. */
  readonly tensorPicked: number;
  /** Levels of codes: beside two products a lane multiplies four sums by scales, some half of the issue slots of both. */
  readonly tensorCoded: number;
}

export interface CudaRates {
  readonly name: string;
  /** From the end of one kernel to the beginning of the next one on the stream. */
  readonly launchNanoseconds: number;
  /** Bytes a nanosecond from device memory, and from the second-level cache. */
  readonly memoryBytes: number;
  readonly cacheBytes: number;
  readonly multiplies: CudaMultiplyRates;
  /** Places of bitmaps a nanosecond, entries or not, of which a lane finds its own: some 8 instructions for 32. */
  readonly bitmapPlaces: number;
  /** Codes a nanosecond that lanes turn into levels: some 70 instructions of a warp for the 512 of a tile. */
  readonly codePlaces: number;
  /** An elementary operation of the host that computes an operand from its tensors after a step of training. */
  readonly formingNanoseconds: number;
  /** Bytes a nanosecond from the host to the device, for operands that follow parameters. */
  readonly uploadBytes: number;
  /** Entries of a gradient a nanosecond and token. */
  readonly gradients: number;
}

/** H100 SXM: 3.0 TB/s of copies as reported; 67 TFLOP/s f32 and 989 TFLOP/s bf16 published, of which `mma.sync` reaches some 60 %. */
const h100: CudaRates = {
  name: "H100",
  launchNanoseconds: 2500,
  memoryBytes: 3000,
  cacheBytes: 5500,
  multiplies: {
    lines: 15_000,
    picked: 3_000,
    tensor: 300_000,
    tensorTf32: 150_000,
    tensorPicked: 225_000,
    tensorCoded: 200_000,
  },
  bitmapPlaces: 3_500,
  codePlaces: 6_500,
  formingNanoseconds: 4,
  uploadBytes: 20,
  gradients: 4_000,
};

/** A100 SXM 80 GB: 1.75 TB/s of copies; 19.5 TFLOP/s f32 and 312 TFLOP/s bf16 published. */
const a100: CudaRates = {
  name: "A100",
  launchNanoseconds: 3000,
  memoryBytes: 1750,
  cacheBytes: 4000,
  multiplies: {
    lines: 6_000,
    picked: 1_500,
    tensor: 130_000,
    tensorTf32: 65_000,
    tensorPicked: 98_000,
    tensorCoded: 87_000,
  },
  bitmapPlaces: 2_400,
  codePlaces: 4_400,
  formingNanoseconds: 4,
  uploadBytes: 10,
  gradients: 2_000,
};

/** The first is what builds price for. */
export const cudaDevices: readonly CudaRates[] = [h100, a100];

export const defaultCudaRates: CudaRates = h100;

export const cudaRatesIdentity = (rates: CudaRates): { readonly name: string; readonly id: string } => ({
  name: rates.name,
  id: hashOf(rates),
});
