/**
 * The sample transform of `model-sample.ts` with a plan for a device, written by hand, and its kernels in JavaScript
 * over the fake driver's memory, in double precision. Operands are row-major.
 */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  CudaArgument,
  CudaBackward,
  CudaElements,
  CudaPlan,
  CudaSequence,
  CudaVariant,
} from "../../../runtime/contract/cuda.ts";
import { abiVersion, type Manifest, type OperandManifest } from "../../../runtime/contract/manifest.ts";
import type { MatrixSource } from "../../../runtime/contract/matrix-source.ts";
import { apply, type NumberExpression, number, symbol } from "../../../runtime/contract/number-expression.ts";
import { sampleManifest, sampleTransform } from "../model-sample.ts";
import type { FakeLaunch } from "./fake-cuda.ts";

const [out, inputs, r, batch] = [symbol("out"), symbol("in"), symbol("r"), symbol("batch")];
const scale = apply("/", symbol("alpha"), r);
const leaf = (name: string): MatrixSource => ({ kind: "leaf", name, slice: null });
const base: MatrixSource = { kind: "mask", pattern: "M", of: leaf("W") };
const scaled = (of: MatrixSource): MatrixSource => ({ kind: "scale", factor: scale, of });

const operand = (
  name: string,
  rows: NumberExpression,
  columns: NumberExpression,
  source: MatrixSource,
  stage: "load" | "step",
): OperandManifest => ({
  name,
  format: { name: "row-major" },
  rows,
  columns,
  source,
  stage,
  production: "pack",
  bytes: number(0),
});

const whole = (value: NumberExpression): CudaArgument => ({ kind: "number", type: "i32", value });
const from = (name: string): CudaArgument => ({ kind: "operand", operand: name, buffer: "values" });
const workspace: CudaArgument = { kind: "workspace", offset: number(0) };
const ceil = (value: NumberExpression, by: number) => apply("ceil", apply("/", value, number(by)));

const launch = (kernel: string, list: readonly CudaArgument[], extra: object = {}) => ({
  kind: "launch" as const,
  kernel,
  grid: [ceil(out, 4), batch, number(1)] as const,
  block: [32, 1, 1] as const,
  dynamicBytes: number(0),
  cluster: 1,
  arguments: list,
  condition: null,
  ...extra,
});

const split = (elements: CudaElements): readonly CudaSequence[] => [
  {
    architecture: "sm_90a",
    guard: apply("==", r, number(4)),
    workspace: apply("*", number(4), r, batch),
    steps: [
      launch(
        `shrink_${elements}`,
        [{ kind: "input" }, from("down"), workspace, whole(batch), whole(inputs), whole(r)],
        {
          cluster: 2,
          grid: [number(2), batch, number(1)],
        },
      ),
      launch(
        `split_${elements}`,
        [
          { kind: "input" },
          { kind: "output" },
          from("base"),
          from("up"),
          from("delta"),
          workspace,
          whole(batch),
          whole(out),
          whole(inputs),
          whole(r),
        ],
        { dynamicBytes: number(64 * 1024) },
      ),
    ],
  },
  {
    architecture: "sm_80",
    guard: null,
    workspace: apply("*", number(4), r, batch),
    steps: [
      launch(`shrink_${elements}`, [
        { kind: "input" },
        from("down"),
        workspace,
        whole(batch),
        whole(inputs),
        whole(r),
      ]),
      launch(`split_${elements}`, [
        { kind: "input" },
        { kind: "output" },
        from("base"),
        from("up"),
        from("delta"),
        workspace,
        whole(batch),
        whole(out),
        whole(inputs),
        whole(r),
      ]),
    ],
  },
];

const merged = (elements: CudaElements): readonly CudaSequence[] => [
  {
    architecture: "sm_80",
    guard: null,
    workspace: number(0),
    steps: [
      launch(`merged_${elements}`, [
        { kind: "input" },
        { kind: "output" },
        from("full"),
        whole(batch),
        whole(out),
        whole(inputs),
      ]),
    ],
  },
];

const variant = (
  name: string,
  elements: CudaElements,
  sequences: readonly CudaSequence[],
  cost: NumberExpression,
): CudaVariant => ({
  name,
  form: name,
  elements,
  sequences,
  cost,
  rules: [],
  lines: [`${name} x`],
});

const perBatch = (fixed: number, each: number) => apply("+", number(fixed), apply("*", number(each), batch));

const gradient = (of: string): CudaArgument => ({ kind: "gradient", of });
const backward: CudaBackward = {
  elements: "f32",
  cost: perBatch(1000, 100),
  lines: [],
  sequences: [
    {
      architecture: "sm_80",
      guard: null,
      workspace: apply("*", number(4), out, inputs),
      steps: [
        {
          kind: "clear",
          target: { kind: "workspace", offset: number(0) },
          bytes: apply("*", number(4), out, inputs),
          condition: null,
        },
        launch("outer_f32", [
          { kind: "input" },
          { kind: "cotangent" },
          workspace,
          whole(batch),
          whole(out),
          whole(inputs),
        ]),
        launch("collect_f32", [
          workspace,
          from("B"),
          from("A"),
          from("positions_dense"),
          gradient("B"),
          gradient("A"),
          gradient("S"),
          whole(out),
          whole(inputs),
          whole(r),
          { kind: "number", type: "f32", value: scale },
        ]),
        launch(
          "dx_f32",
          [{ kind: "cotangent" }, { kind: "result" }, from("full"), whole(batch), whole(out), whole(inputs)],
          { condition: symbol("wants dx") },
        ),
      ],
    },
  ],
};

export const samplePlan: CudaPlan = {
  operands: [
    operand("base", out, inputs, base, "load"),
    operand("up", out, r, scaled(leaf("B")), "step"),
    operand("down", r, inputs, leaf("A"), "step"),
    operand("delta", out, inputs, scaled(leaf("S")), "step"),
    operand(
      "full",
      out,
      inputs,
      {
        kind: "sum",
        terms: [
          base,
          scaled({ kind: "sum", terms: [{ kind: "product", factors: [leaf("B"), leaf("A")] }, leaf("S")] }),
        ],
      },
      "step",
    ),
    operand("B", out, r, leaf("B"), "step"),
    operand("A", r, inputs, leaf("A"), "step"),
    operand(
      "positions_dense",
      out,
      inputs,
      { kind: "mask", pattern: "Omega", of: { kind: "leaf", name: "W", slice: null } },
      "load",
    ),
  ],
  variants: (["f32", "bf16"] as const).flatMap((elements) => [
    variant("split", elements, split(elements), perBatch(100, 10)),
    variant("merged", elements, merged(elements), perBatch(145, 5)),
  ]),
  backward: [backward],
  notes: [],
  rates: { name: "none", id: "00000000" },
};

const kernelNames = ["shrink", "split", "merged", "outer", "collect", "dx"]
  .flatMap((name) => [`${name}_f32`, `${name}_bf16`])
  .join("\n");

/** The text of the fake images, as `fake-driver.c` reads them. */
export const fakeImage = (kind: string, architecture: string, abi = abiVersion): string =>
  `spx-fake-image ${kind} ${architecture} abi=${abi}\n${kernelNames}\nEND\n`;

/** Writes the device's part of an artefact into `folder`; without images only the source. */
export function writeSampleArtefact(
  folder: string,
  images: readonly (readonly ["cubin" | "ptx", "sm_80" | "sm_90a"])[],
  source = `// kernels\n${kernelNames}\n`,
): Manifest {
  const write = (file: string, text: string) => {
    writeFileSync(join(folder, file), text);
    return { file, sha256: createHash("sha256").update(text).digest("hex"), bytes: text.length };
  };
  const manifest = sampleManifest([
    { ...sampleTransform, plan: { ...sampleTransform.plan, cuda: samplePlan } },
  ]);
  return {
    ...manifest,
    cuda: {
      source: write("sample.cu", source),
      images: images.map(([kind, architecture]) => ({
        kind,
        architecture,
        ...write(`sample.${architecture}.${kind}`, fakeImage(kind, architecture)),
      })),
      compiler: images.length === 0 ? null : "13.0",
      options: ["--std=c++17"],
      elements: ["f32", "bf16"],
    },
  };
}

/** float32 of bfloat16 bits, and back by rounding to nearest even. */
const widen = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0] ?? 0;
const narrow = (value: number): number => {
  const word = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
};

interface Vector {
  get(index: number): number;
  set(index: number, value: number): void;
}

function vector(launched: FakeLaunch, argument: number, count: number): Vector {
  if (!launched.kernel.endsWith("_bf16")) {
    const values = launched.floats(argument, count);
    return {
      get: (index) => values[index] ?? Number.NaN,
      set(index, value) {
        values[index] = value;
      },
    };
  }
  const bytes = launched.bytes(argument, 2 * count);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  return {
    get: (index) => widen(bits[index] ?? 0),
    set(index, value) {
      bits[index] = narrow(value);
    },
  };
}

/** A kernel as the whole grid runs it. */
export function runSampleKernel(launched: FakeLaunch): void {
  const { kernel } = launched;
  const at = (values: Float32Array, index: number): number => values[index] ?? Number.NaN;
  const dot = (count: number, term: (k: number) => number): number => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += term(k);
    return sum;
  };
  if (kernel.startsWith("shrink")) {
    const [rows, columns, rank] = [launched.int32(3), launched.int32(4), launched.int32(5)] as const;
    const [x, a, t] = [
      vector(launched, 0, rows * columns),
      launched.floats(1, rank * columns),
      launched.floats(2, rows * rank),
    ] as const;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < rank; j++)
        t[i * rank + j] = dot(columns, (k) => x.get(i * columns + k) * at(a, j * columns + k));
  } else if (kernel.startsWith("split")) {
    const [rows, outs, columns, rank] = [6, 7, 8, 9].map((index) => launched.int32(index)) as [
      number,
      number,
      number,
      number,
    ];
    const [x, y] = [vector(launched, 0, rows * columns), vector(launched, 1, rows * outs)] as const;
    const [w, up, delta] = [
      launched.floats(2, outs * columns),
      launched.floats(3, outs * rank),
      launched.floats(4, outs * columns),
    ] as const;
    const t = launched.floats(5, rows * rank);
    for (let i = 0; i < rows; i++)
      for (let o = 0; o < outs; o++)
        y.set(
          i * outs + o,
          dot(
            columns,
            (k) => x.get(i * columns + k) * (at(w, o * columns + k) + at(delta, o * columns + k)),
          ) + dot(rank, (k) => at(t, i * rank + k) * at(up, o * rank + k)),
        );
  } else if (kernel.startsWith("merged")) {
    const [rows, outs, columns] = [3, 4, 5].map((index) => launched.int32(index)) as [number, number, number];
    const [x, y, w] = [
      vector(launched, 0, rows * columns),
      vector(launched, 1, rows * outs),
      launched.floats(2, outs * columns),
    ] as const;
    for (let i = 0; i < rows; i++)
      for (let o = 0; o < outs; o++)
        y.set(
          i * outs + o,
          dot(columns, (k) => x.get(i * columns + k) * at(w, o * columns + k)),
        );
  } else if (kernel === "outer_f32") {
    const [rows, outs, columns] = [3, 4, 5].map((index) => launched.int32(index)) as [number, number, number];
    const [x, dy, g] = [
      launched.floats(0, rows * columns),
      launched.floats(1, rows * outs),
      launched.floats(2, outs * columns),
    ] as const;
    for (let o = 0; o < outs; o++)
      for (let k = 0; k < columns; k++)
        g[o * columns + k] =
          at(g, o * columns + k) + dot(rows, (i) => at(dy, i * outs + o) * at(x, i * columns + k));
  } else if (kernel === "collect_f32") {
    const [outs, columns, rank, factor] = [
      launched.int32(7),
      launched.int32(8),
      launched.int32(9),
      launched.float32(10),
    ] as const;
    const [g, b, a, where] = [
      launched.floats(0, outs * columns),
      launched.floats(1, outs * rank),
      launched.floats(2, rank * columns),
      launched.floats(3, outs * columns),
    ] as const;
    const [db, da] = [launched.floats(4, outs * rank), launched.floats(5, rank * columns)] as const;
    for (let o = 0; o < outs; o++)
      for (let j = 0; j < rank; j++)
        db[o * rank + j] =
          at(db, o * rank + j) +
          factor * dot(columns, (k) => at(g, o * columns + k) * at(a, j * columns + k));
    for (let j = 0; j < rank; j++)
      for (let k = 0; k < columns; k++)
        da[j * columns + k] =
          at(da, j * columns + k) + factor * dot(outs, (o) => at(g, o * columns + k) * at(b, o * rank + j));
    const places = [...where.keys()].filter((place) => where[place] !== 0);
    const ds = launched.floats(6, places.length);
    for (const [entry, place] of places.entries()) ds[entry] = at(ds, entry) + factor * at(g, place);
  } else if (kernel === "dx_f32") {
    const [rows, outs, columns] = [3, 4, 5].map((index) => launched.int32(index)) as [number, number, number];
    const [dy, dx, w] = [
      launched.floats(0, rows * outs),
      launched.floats(1, rows * columns),
      launched.floats(2, outs * columns),
    ] as const;
    for (let i = 0; i < rows; i++)
      for (let k = 0; k < columns; k++)
        dx[i * columns + k] = dot(outs, (o) => at(dy, i * outs + o) * at(w, o * columns + k));
  } else throw new RangeError(`no kernel ${kernel}`);
}
