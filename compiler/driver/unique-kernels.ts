/**
 * Gives equal kernels one symbol. Merged variants, dense bases and kernels that a constant does not touch come
 * out of lowering many times over, alike but for the names of their buffers and symbols, which do not reach the
 * machine code. Stands after lowering and before the back end, whose time is proportional to the kernels.
 */
import type { KernelManifest } from "../../runtime/contract/manifest.ts";
import type { LoopProgram } from "../loop/loop-node.ts";
import { printLoop } from "../loop/print-loop.ts";
import type { LoweredTransform } from "./lower-transform.ts";

/** The program's text with its name left out and its buffers and symbols numbered in order. */
function shapeOf(program: LoopProgram): string {
  const numbered = new Map<string, string>([[program.name, "kernel"]]);
  for (const [index, { name }] of program.buffers.entries()) numbered.set(name, `buffer${index}`);
  for (const [index, name] of program.symbols.entries()) numbered.set(name, `symbol${index}`);
  return printLoop(program).replace(/[A-Za-z_][\w.]*/g, (name) => numbered.get(name) ?? name);
}

export interface UniqueKernels {
  readonly transforms: readonly LoweredTransform[];
  /** Each kernel once. */
  readonly programs: readonly LoopProgram[];
}

export function uniqueKernels(transforms: readonly LoweredTransform[]): UniqueKernels {
  const firstOfShape = new Map<string, LoopProgram>();
  const symbols = new Map<string, string>();
  for (const program of transforms.flatMap((transform) => transform.programs)) {
    const shape = shapeOf(program);
    const first = firstOfShape.get(shape) ?? program;
    firstOfShape.set(shape, first);
    symbols.set(program.name, first.name);
  }
  const rename = (kernels: readonly KernelManifest[]): KernelManifest[] =>
    withoutIdle(
      kernels.map((kernel) => ({ ...kernel, symbol: symbols.get(kernel.symbol) ?? kernel.symbol })),
    );
  return {
    programs: [...firstOfShape.values()],
    transforms: transforms.map((transform) => ({
      ...transform,
      variantKernels: new Map(
        [...transform.variantKernels].map(([name, kernels]) => [name, rename(kernels)]),
      ),
      mergeKernels: rename(transform.mergeKernels),
      backwardKernels: rename(transform.backwardKernels),
    })),
  };
}

/** A specialised kernel that is the general one under another guard decides nothing. */
function withoutIdle(kernels: readonly KernelManifest[]): KernelManifest[] {
  const general = new Set(kernels.filter(({ guard }) => guard === null).map(({ symbol }) => symbol));
  return kernels.filter(({ guard, symbol }) => guard === null || !general.has(symbol));
}
