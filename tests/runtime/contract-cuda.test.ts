// The CUDA part of the contract: which image a device loads, and what a plan must hold to be launched.
import { describe, expect, it } from "vitest";
import { cudaPlanProblems } from "../../runtime/contract/check-cuda.ts";
import {
  type ComputeCapability,
  type CudaArgument,
  type CudaImage,
  type CudaPlan,
  type CudaSequence,
  chooseImage,
  compileFor,
  runsArchitecture,
} from "../../runtime/contract/cuda.ts";
import { apply, number, symbol } from "../../runtime/contract/number-expression.ts";

const image = (kind: CudaImage["kind"], architecture: CudaImage["architecture"]): CudaImage => ({
  kind,
  architecture,
  file: `${architecture}.${kind}`,
  sha256: "",
  bytes: 0,
});
const images = [image("ptx", "sm_80"), image("cubin", "sm_80"), image("cubin", "sm_90a")];
const capability = (major: number, minor: number): ComputeCapability => ({ major, minor });

describe("the image for a device", () => {
  it.each([
    [7, 5, null],
    [8, 0, "sm_80.cubin"],
    [8, 9, "sm_80.cubin"],
    [9, 0, "sm_90a.cubin"],
    [10, 0, "sm_80.ptx"],
    [12, 1, "sm_80.ptx"],
  ])("of capability %i.%i is %s", (major, minor, file) => {
    expect(chooseImage(images, capability(major, minor))?.file ?? null).toBe(file);
    expect(chooseImage([...images].reverse(), capability(major, minor))?.file ?? null).toBe(file);
  });

  it("falls to PTX where Hopper's code is missing, and to nothing without images", () => {
    expect(chooseImage(images.slice(0, 2), capability(9, 0))?.file).toBe("sm_80.ptx");
    expect(chooseImage([], capability(8, 0))).toBeNull();
  });

  it("is compiled for the device itself where there is none", () => {
    expect(compileFor(capability(9, 0))).toEqual({ option: "sm_90a", architecture: "sm_90a" });
    expect(compileFor(capability(8, 6))).toEqual({ option: "sm_86", architecture: "sm_80" });
    expect(runsArchitecture("sm_80", "sm_90a")).toBe(false);
    expect(runsArchitecture("sm_90a", "sm_80")).toBe(true);
  });
});

describe("a plan", () => {
  const launch = (changes: object = {}, argumentsOf: readonly CudaArgument[] = [{ kind: "input" }]) => ({
    kind: "launch" as const,
    kernel: "k",
    grid: [symbol("batch"), number(1), number(1)] as const,
    block: [128, 1, 1] as const,
    dynamicBytes: number(0),
    cluster: 1,
    arguments: argumentsOf,
    condition: null,
    ...changes,
  });
  const planWith = (
    steps: CudaSequence["steps"],
    changes: Partial<CudaSequence> = {},
    call: "variants" | "backward" | "adapters" = "variants",
  ): CudaPlan => {
    const sequences = [
      { architecture: "sm_80" as const, guard: null, workspace: number(0), steps, ...changes },
    ];
    const made = { elements: "f32" as const, sequences, cost: number(1), lines: [] };
    return {
      operands: [
        {
          name: "W_panels",
          format: { name: "panel16" },
          rows: symbol("out"),
          columns: symbol("in"),
          source: { kind: "leaf", name: "W", slice: null },
          stage: "load",
          production: "pack",
          bytes: number(0),
        },
      ],
      variants: call === "variants" ? [{ name: "only", form: "y = W x", rules: [], ...made }] : [],
      backward: call === "backward" ? [made] : [],
      adapters: call === "adapters" ? [made] : [],
      notes: [],
      rates: { name: "none", id: "00000000" },
    };
  };
  const scope = { gradients: new Set(["B"]) };
  const problems = (plan: CudaPlan) => cudaPlanProblems(plan, scope);

  it("that keeps the rules has no problems", () => {
    const all: CudaArgument[] = [
      { kind: "operand", operand: "W_panels", buffer: "values" },
      { kind: "input" },
      { kind: "workspace", offset: number(256) },
      { kind: "number", type: "i32", value: symbol("in") },
    ];
    expect(problems(planWith([launch({}, [...all, { kind: "output" }])]))).toEqual([]);
    const clear = {
      kind: "clear" as const,
      target: { kind: "gradient" as const, of: "B" },
      bytes: number(4),
      condition: null,
    };
    expect(problems(planWith([clear, launch({}, [...all, { kind: "cotangent" }])], {}, "backward"))).toEqual(
      [],
    );
  });

  it.each<[string, CudaPlan]>([
    ["no operand `V`", planWith([launch({}, [{ kind: "operand", operand: "V", buffer: "values" }])])],
    [
      "no buffer `codes`",
      planWith([launch({}, [{ kind: "operand", operand: "W_panels", buffer: "codes" }])]),
    ],
    ["`cotangent` in a call of forward", planWith([launch({}, [{ kind: "cotangent" }])])],
    ["`output` in a call of backward", planWith([launch({}, [{ kind: "output" }])], {}, "backward")],
    ["`A` has no gradient", planWith([launch({}, [{ kind: "gradient", of: "A" }])], {}, "backward")],
    ["`adapters` in a call of forward", planWith([launch({}, [{ kind: "adapters", of: "down" }])])],
    [
      "`operand` in a call of adapters",
      planWith([launch({}, [{ kind: "operand", operand: "W_panels", buffer: "values" }])], {}, "adapters"),
    ],
    ["a block of 2048 x 1 x 1 threads", planWith([launch({ block: [2048, 1, 1] })])],
    ["a block of 0 x 1 x 1 threads", planWith([launch({ block: [0, 1, 1] })])],
    ["a cluster of 16", planWith([launch({ cluster: 16 })])],
    ["300000 bytes of shared memory", planWith([launch({ dynamicBytes: number(300000) })])],
    ["its guard reads the batch", planWith([launch()], { guard: apply("<", symbol("batch"), number(9)) })],
    ["no sequence for sm_80", planWith([launch()], { architecture: "sm_90a" })],
    ["it has no steps", planWith([])],
  ])("is refused: %s", (text, plan) => {
    expect(problems(plan).join("\n")).toContain(text);
  });

  it("names an operand once", () => {
    const plan = planWith([launch()]);
    expect(problems({ ...plan, operands: [...plan.operands, ...plan.operands] })).toEqual([
      "operand W_panels stands twice",
    ]);
  });
});
