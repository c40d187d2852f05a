/** What is timed on a device, as data: shapes, batches, peers, and the targets that are judged. */

export interface GpuCell {
  /** Transform of gpu-operations.spx. */
  readonly operation: string;
  readonly numbers: Readonly<Record<string, number>>;
  readonly out: number;
  readonly in: number;
  readonly batch: number;
  readonly elements: "bf16" | "f32";
  readonly pass: "forward" | "training";
  /** Names that the peer process knows; one that cannot run there is listed with the reason. */
  readonly peers: readonly string[];
  /** Judged: how often faster than that peer (1 / 1.03 means at most 3 % slower); null when only reported. */
  readonly target: { readonly peer: string; readonly ratio: number } | null;
}

const dense = ["cublaslt", "torch eager", "torch compiled"] as const;
const cell = (
  operation: string,
  [out, inputs]: readonly [number, number],
  batch: number,
  peers: readonly string[],
  target: GpuCell["target"] = null,
  more: Partial<GpuCell> = {},
): GpuCell => ({
  operation,
  numbers: {},
  out,
  in: inputs,
  batch,
  elements: "bf16",
  pass: "forward",
  peers,
  target,
  ...more,
});

const square = [4096, 4096] as const;
const against = (peer: string, ratio: number) => ({ peer, ratio });

export const gpuCells: readonly GpuCell[] = [
  ...[1, 16, 64, 4096].map((batch) => cell("Dense", square, batch, dense, against("cublaslt", 1 / 1.03))),
  ...[1, 16].map((batch) =>
    cell("Grouped", square, batch, [...dense, "cusparselt"], against("cublaslt", 1.7)),
  ),
  cell("Grouped", square, 4096, [...dense, "cusparselt", "torch 2:4"], against("cusparselt", 1)),
  cell("Grouped", [14336, 4096], 4096, [...dense, "cusparselt", "torch 2:4"], against("cublaslt", 1.4)),
  ...[1, 16].map((batch) =>
    cell("Unstructured", square, batch, [...dense, "cusparse csr"], against("cublaslt", 1.6)),
  ),
  ...[1, 64, 2048].map((batch) => cell("Blocks", square, batch, [...dense, "torch bsr"])),
  // 20 bytes for 32 entries, beside 64 of bf16, allow 3.2.
  ...[1, 16].map((batch) => cell("Int4", square, batch, dense, against("cublaslt", 2.8))),
  ...[64, 2048].map((batch) => cell("Int4", square, batch, dense)),
  ...["Int8", "Nf4"].flatMap((operation) =>
    [1, 16, 64, 2048].map((batch) => cell(operation, square, batch, dense)),
  ),
  ...[16, 64, 2048].map((batch) => cell("QuantizedLowRank", square, batch, [...dense, "peft lora"])),
  ...[1, 64, 2048].map((batch) =>
    cell("LowRank", square, batch, [...dense, "peft lora", "triton lora"], against("cublaslt", 1 / 1.03)),
  ),
  ...[16, 64].map((batch) => cell("QuantizedSparseLowRank", square, batch, [...dense, "peft lora"])),
  ...[64, 1024].map((batch) =>
    cell("Monarch", square, batch, [...dense, "triton monarch"], against("torch compiled", 3)),
  ),
  cell("SLTrain", square, 2048, ["sltrain published"], against("sltrain published", 2), { pass: "training" }),
];

/** Sizes at which numbers are checked: small, odd, one off the edges of tiles; Monarch takes squares of squares. */
export const checkedShapes: readonly (readonly [out: number, inputs: number])[] = [
  [1, 32],
  [7, 64],
  [17, 96],
  [64, 64],
  [65, 160],
  [127, 128],
  [129, 416],
  [256, 1024],
];
export const checkedSquares: readonly number[] = [16, 36, 64, 144, 1024];
export const checkedBatches: readonly number[] = [1, 2, 3, 5, 8, 9, 16, 17, 31, 33, 64, 65, 127, 129];

export const cellName = ({ operation, out, in: inputs, batch, elements, pass }: GpuCell): string =>
  `${operation} ${out}x${inputs} batch ${batch} ${elements}${pass === "training" ? " forward + backward" : ""}`;
