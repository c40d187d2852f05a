/**
 * The sample transform of `model-sample.ts` with a plan for a device, written by hand; `sample-kernels.ts` has its
 * kernels. Operands are row-major.
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

/** t = A x, then y = W x + B t + S x: the way of older devices, and of newer ones where r is 4. */
const split = (elements: CudaElements): readonly CudaSequence[] => {
  const sizes = [whole(batch), whole(out), whole(inputs), whole(r)];
  const shrink = [{ kind: "input" } as const, from("down"), workspace, whole(batch), whole(inputs), whole(r)];
  const operands = [from("base"), from("up"), from("delta"), workspace];
  const expand = [{ kind: "input" } as const, { kind: "output" } as const, ...operands, ...sizes];
  const sequence = (first: object, second: object) => ({
    workspace: apply("*", number(4), r, batch),
    steps: [launch(`shrink_${elements}`, shrink, first), launch(`split_${elements}`, expand, second)],
  });
  return [
    {
      architecture: "sm_90a",
      guard: apply("==", r, number(4)),
      ...sequence({ cluster: 2, grid: [number(2), batch, number(1)] }, { dynamicBytes: number(64 * 1024) }),
    },
    { architecture: "sm_80", guard: null, ...sequence({}, {}) },
  ];
};

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
  adapters: [],
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
