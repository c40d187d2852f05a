// What `--target` and `--elements` ask for.
import { expect, it } from "vitest";
import { cudaElementsOf } from "../../compiler/cli/cuda-target.ts";

it.each([
  ["cpu", "f32,bf16", []],
  ["cuda", "f32,bf16", ["f32", "bf16"]],
  ["cuda,cpu", "f16", ["f16"]],
  ["cpu,cuda", "bf16,bf16,tf32", ["bf16", "tf32"]],
  ["gpu", "f32", "no target `gpu`; there are cpu and cuda"],
  ["cuda", "fp16", "no number type `fp16`; there are f32, tf32, bf16, f16"],
])("--target %s --elements %s", (target, elements, expected) => {
  expect(cudaElementsOf({ target, elements })).toEqual(expected);
});
