/**
 * A small transform with its manifest written by hand and its kernels in JavaScript, so that layers can be tested
 * without a compiler: W ⊙ M + (alpha / r) (B A + S), M by magnitude, S on a random support.
 */
import {
  abiVersion,
  type KernelManifest,
  type Manifest,
  type ModelRule,
  type TransformManifest,
} from "../../runtime/contract/manifest.ts";
import type { MatrixSource } from "../../runtime/contract/matrix-source.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { csrTileRows, formatBuffers } from "../../runtime/contract/operand-format.ts";
import type { CpuDevice } from "../../runtime/device/cpu/cpu-device.ts";
import { createWorkspacePool } from "../../runtime/device/workspace-pool.ts";
import type { Kernel } from "../../runtime/native/foreign-library.ts";
import { createTestMemory, type TestMemory } from "./formats-memory.ts";

const [out, inputs, r] = [symbol("out"), symbol("in"), symbol("r")];
const scale = apply("/", symbol("alpha"), r);
const leaf = (name: string): MatrixSource => ({ kind: "leaf", name, slice: null });
const base: MatrixSource = { kind: "mask", pattern: "M", of: leaf("W") };
const update: MatrixSource = { kind: "product", factors: [leaf("B"), leaf("A")] };
const dimensions = [
  { name: "out", value: out },
  { name: "in", value: inputs },
  { name: "r", value: r },
];

const onEveryLevel = (cost: NumberExpression) => ({ "x86-64-v4": cost, "x86-64-v3": cost });

function kernelsOf(symbolName: string, buffers: KernelManifest["buffers"]): KernelManifest[] {
  const general = {
    level: "x86-64-v3",
    guard: null,
    buffers,
    symbols: dimensions,
    workspace: apply("*", number(4), r, symbol("batch")),
  };
  const guard = apply("==", r, number(4));
  return [
    { ...general, symbol: `${symbolName}_wide`, level: "x86-64-v4" },
    { ...general, symbol: `${symbolName}_r4`, guard },
    { ...general, symbol: `${symbolName}_any` },
  ];
}

/** Buffers of a frame: those of one sparse operand, the two factors, those of the other. */
const sparseBuffers = formatBuffers.csr.map(({ name }) => name);
const split = [
  ...sparseBuffers.map((buffer) => ({ operand: "base", buffer })),
  { operand: "up", buffer: "values" },
  { operand: "down", buffer: "values" },
  ...sparseBuffers.map((buffer) => ({ operand: "delta", buffer })),
];

export const sampleTransform: TransformManifest = {
  name: "Sample",
  documentation: "A sample.",
  arguments: [
    { kind: "tensor", name: "W", dimensions: [out, inputs], frozen: true },
    { kind: "number", name: "r", type: "int", defaultValue: number(4) },
    { kind: "number", name: "nnz", type: "int", defaultValue: apply("*", number(2), r) },
    { kind: "number", name: "alpha", type: "real", defaultValue: number(8) },
    { kind: "number", name: "keep", type: "ratio", defaultValue: number(0.5) },
  ],
  constants: {},
  requirements: [
    {
      condition: apply("<=", r, apply("min", out, inputs)),
      text: "r <= min(out, in)",
      code: "SPX4201",
      location: { file: "sample.spx", line: 4, column: 3 },
    },
  ],
  patterns: [
    {
      name: "M",
      shape: { kind: "unstructured" },
      rows: out,
      columns: inputs,
      count: apply("round", apply("*", symbol("keep"), out, inputs)),
      measured: null,
      pool: null,
      recipe: {
        kind: "call",
        intrinsic: "magnitude",
        operands: { weight: { kind: "tensor", name: "W" }, keep: { kind: "number", value: symbol("keep") } },
      },
    },
    {
      name: "Omega",
      shape: { kind: "unstructured" },
      rows: out,
      columns: inputs,
      count: symbol("nnz"),
      measured: null,
      pool: null,
      recipe: {
        kind: "call",
        intrinsic: "random_support",
        operands: { count: { kind: "number", value: symbol("nnz") } },
      },
    },
  ],
  parameters: [
    {
      name: "B",
      dimensions: [out, r],
      structure: "dense",
      support: null,
      drawn: "stored",
      blocks: null,
      count: apply("*", out, r),
      recipe: { kind: "number", value: number(0) },
      shared: false,
    },
    {
      name: "A",
      dimensions: [r, inputs],
      structure: "dense",
      support: null,
      drawn: "stored",
      blocks: null,
      count: apply("*", r, inputs),
      recipe: {
        kind: "call",
        intrinsic: "normal",
        operands: { mean: { kind: "number", value: number(0) }, std: { kind: "number", value: number(0.5) } },
      },
      shared: false,
    },
    {
      name: "S",
      dimensions: [out, inputs],
      structure: "sparse",
      support: "Omega",
      drawn: "stored",
      blocks: null,
      count: symbol("nnz"),
      recipe: { kind: "tensor", name: "W" },
      shared: false,
    },
  ],
  frozen: [],
  time: null,
  order: ["M", "Omega", "B", "A", "S"],
  rows: out,
  columns: inputs,
  trainable: apply("+", apply("*", r, apply("+", out, inputs)), symbol("nnz")),
  plan: {
    derived: [],
    operands: [
      {
        name: "base",
        format: { name: "csr" },
        rows: out,
        columns: inputs,
        source: base,
        stage: "load",
        production: "pack",
        bytes: number(0),
      },
      {
        name: "up",
        format: { name: "panel16" },
        rows: out,
        columns: r,
        source: { kind: "scale", factor: scale, of: leaf("B") },
        stage: "step",
        production: "pack",
        bytes: number(0),
      },
      {
        name: "down",
        format: { name: "panel16" },
        rows: r,
        columns: inputs,
        source: leaf("A"),
        stage: "step",
        production: "pack",
        bytes: number(0),
      },
      {
        name: "delta",
        format: { name: "csr" },
        rows: out,
        columns: inputs,
        source: { kind: "scale", factor: scale, of: leaf("S") },
        stage: "step",
        production: "pack",
        bytes: number(0),
      },
      {
        name: "full",
        format: { name: "panel16" },
        rows: out,
        columns: inputs,
        source: {
          kind: "sum",
          terms: [base, { kind: "scale", factor: scale, of: { kind: "sum", terms: [update, leaf("S")] } }],
        },
        stage: "step",
        production: "merge",
        bytes: number(0),
      },
    ],
    variants: [
      {
        name: "split",
        form: "(M .* W) x + U (V x) + S x",
        layout: "lane-output",
        kernels: kernelsOf("sample_split", split),
        costs: onEveryLevel(apply("+", number(100), apply("*", number(10), symbol("batch")))),
        merged: false,
        rules: ["apply-separately"],
        steps: ["base", "factors", "delta"],
      },
      {
        name: "merged",
        form: "W' x",
        layout: "lane-token",
        kernels: kernelsOf("sample_merged", [{ operand: "full", buffer: "values" }]),
        costs: onEveryLevel(apply("+", number(270), apply("*", number(5), symbol("batch")))),
        merged: true,
        rules: ["merge-at-step"],
        steps: ["full"],
      },
    ],
    rates: { name: "none", id: "00000000", threads: 1 },
    merge: { method: "kernel", kernels: kernelsOf("sample_merge", split) },
    backward: { kernels: [], intermediates: [], cost: number(0), steps: [] },
    cuda: null,
  },
};

/** A manifest around `transforms`, with one model of the given rules. */
export function sampleManifest(
  transforms: readonly TransformManifest[] = [sampleTransform],
  rules: readonly ModelRule[] = [],
): Manifest {
  return {
    kind: "spx-manifest",
    abi: abiVersion,
    compiler: "0.1.0",
    sources: [{ file: "sample.spx", sha256: "c0ffee" }],
    kernels: {
      file: "sample.so",
      sha256: "00",
      bytes: 0,
      levels: [
        { name: "x86-64-v4", suffix: "_wide", needs: ["avx512f"] },
        { name: "x86-64-v3", suffix: "", needs: ["avx2", "fma"] },
      ],
      products: [],
      selections: [],
      updates: [],
    },
    cuda: null,
    transforms,
    models: [{ name: "Encoder", documentation: "", rules }],
  };
}

export interface SampleDevice extends CpuDevice {
  /** Symbols called, with the batch. */
  readonly called: string[];
  readonly memory: TestMemory;
  /** Asynchronous calls wait for this before they compute. */
  gate: Promise<void>;
}

/** A device whose kernels read the frame and the packed bytes as native ones do, in double precision. */
export function sampleDevice(): SampleDevice {
  const memory = createTestMemory();
  const called: string[] = [];
  const device: SampleDevice = {
    level: "x86-64-v3",
    rounding: null,
    memory,
    called,
    gate: Promise.resolve(),
    threads: 2,
    allocate: memory.allocate,
    workspaces: createWorkspacePool(memory.allocate),
    kernels: { kernel: (name) => sampleKernel(name, device) },
    products: { has: () => false, multiply: () => null, multiplyLater: () => null, addTo: () => {} },
    updates: {
      adamW: () => {
        throw new Error("no such kernel");
      },
    },
    selections: { bracket: () => null, mark: () => null, groups: () => null },
  };
  return device;
}

function sampleKernel(name: string, device: SampleDevice): Kernel {
  const run = (frame: unknown, workspace: unknown, x: unknown, y: unknown, batch: number): number => {
    const { memory } = device;
    const slots = (index: number): bigint => {
      const { view, offset } = memory.find(frame as bigint);
      return new BigInt64Array(view, offset, index + 1)[index] ?? 0n;
    };
    const floats = (index: number) => {
      const { view, offset } = memory.find(slots(index));
      return new Float32Array(view, offset);
    };
    const at = (values: ArrayLike<number>, index: number): number => values[index] ?? Number.NaN;
    memory.find(workspace as bigint);
    device.called.push(`${name}:${batch}`);
    const buffers = name.startsWith("sample_merged") ? 1 : split.length;
    const [rows, columns, rank] = [0, 1, 2].map((index) => Number(slots(buffers + index)));
    if (rows === undefined || columns === undefined || rank === undefined) return 1;
    const panel = (values: Float32Array, width: number, row: number, column: number): number =>
      at(values, ((row >> 4) * width + column) * 16 + (row & 15));
    const weight = new Float64Array(rows * columns);
    const up = sparseBuffers.length;
    /** Adds a `csr` operand, tile by tile, whose buffers begin at `first`. */
    const addSparse = (into: Float64Array, first: number, height: number, breadth: number): void => {
      const buffer = (index: number) => memory.find(slots(first + index));
      const [width, order, starts, places] = [buffer(0), buffer(1), buffer(2), buffer(3)];
      const tileWidth = at(new Int32Array(width.view, width.offset), 0);
      const rowOf = new Uint8Array(order.view, order.offset);
      const partStarts = new Int32Array(starts.view, starts.offset);
      const columnOf = new Uint16Array(places.view, places.offset);
      let part = 0;
      for (let top = 0; top < height; top += csrTileRows) {
        for (let left = 0; left < breadth; left += tileWidth) {
          for (const end = part + Math.min(csrTileRows, height - top); part < end; part++) {
            for (let entry = at(partStarts, part); entry < at(partStarts, part + 1); entry++) {
              const place = (top + at(rowOf, part)) * breadth + left + at(columnOf, entry);
              into[place] = at(into, place) + at(floats(first + 4), entry);
            }
          }
        }
      }
    };
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        if (buffers === 1) {
          weight[row * columns + column] = panel(floats(0), columns, row, column);
          continue;
        }
        let sum = 0;
        for (let k = 0; k < rank; k++)
          sum += panel(floats(up), rank, row, k) * panel(floats(up + 1), columns, k, column);
        weight[row * columns + column] = sum;
      }
    }
    for (const first of buffers === 1 ? [] : [0, up + 2]) addSparse(weight, first, rows, columns);
    const target = y as Float32Array;
    if (/^sample_merge_/.test(name)) {
      weight.forEach((value, place) => {
        const row = Math.floor(place / columns);
        target[((row >> 4) * columns + (place % columns)) * 16 + (row & 15)] = value;
      });
      return 0;
    }
    for (let sample = 0; sample < batch; sample++) {
      for (let row = 0; row < rows; row++) {
        let sum = 0;
        for (let column = 0; column < columns; column++) {
          sum += at(weight, row * columns + column) * at(x as Float32Array, sample * columns + column);
        }
        target[sample * rows + row] = sum;
      }
    }
    return 0;
  };
  return {
    symbol: name,
    run,
    runAsync: async (frame, workspace, x, y, batch) => {
      await device.gate;
      return run(frame, workspace, x, y, batch);
    },
  };
}
