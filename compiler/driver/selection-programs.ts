/**
 * The selection kernels of an artefact: the passes that the choices of its transforms are made of. Beside the plans, because
 * what is chosen decides what is packed, and only where something is chosen.
 */
import type { SelectionKernel, SelectionOrder } from "../../runtime/contract/manifest.ts";
import { callsIn, type IntrinsicName } from "../../runtime/contract/recipe.ts";
import type { CheckedPattern } from "../check/checked-module.ts";
import type { LoopProgram } from "../loop/loop-node.ts";
import { lowerBracket, lowerGroups, lowerMark } from "../loop/lower-selection.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import type { TransformStages } from "./compilation.ts";

export interface SelectionPrograms {
  readonly programs: readonly LoopProgram[];
  readonly selections: readonly SelectionKernel[];
}

/** By what an intrinsic ranks the entries of a whole matrix. */
const ranks: Readonly<Partial<Record<IntrinsicName, SelectionOrder>>> = {
  magnitude: "magnitude",
  sparse_part: "magnitude",
  topk: "value",
};

/** Groups that a vector of entries holds whole, along rows; others are ranked by loops. */
const groupOf = ({ shape, recipe }: CheckedPattern): readonly number[] =>
  shape.kind === "nm" && shape.axis === "input" && 16 % shape.m === 0
    ? callsIn(recipe).flatMap(({ intrinsic }) => (intrinsic === "magnitude" ? [shape.m] : []))
    : [];

const isRanked = ({ shape }: CheckedPattern): boolean => shape.kind === "unstructured";

export function selectionPrograms(
  transforms: readonly TransformStages[],
  targets: readonly X86Target[],
): SelectionPrograms {
  const patterns = transforms.flatMap(({ checked }) => checked.patterns);
  const recipes = transforms.flatMap(({ checked }) => [
    ...checked.tensors.flatMap(({ recipe }) => recipe ?? []),
    ...(checked.time?.refreshes ?? []).map(({ recipe }) => recipe),
  ]);
  const calls = [...patterns.filter(isRanked).map(({ recipe }) => recipe), ...recipes].flatMap(callsIn);
  const orders = new Set(
    calls.flatMap(({ intrinsic, pool }) => (pool === undefined ? (ranks[intrinsic] ?? []) : [])),
  );
  const groups = new Set(patterns.flatMap(groupOf));
  const made = targets.flatMap((target) => [
    ...[...orders].flatMap((order) => [
      kernel({ pass: "bracket", order, m: 0 }, target, (name) => lowerBracket(order, target, name)),
      kernel({ pass: "mark", order, m: 0 }, target, (name) => lowerMark(order, target, name)),
    ]),
    ...[...groups].map((m) =>
      kernel({ pass: "groups", order: "magnitude", m }, target, (name) => lowerGroups(m, target, name)),
    ),
  ]);
  return {
    programs: made.map(({ program }) => program),
    selections: made.map(({ selection }) => selection),
  };
}

function kernel(
  about: Pick<SelectionKernel, "pass" | "order" | "m">,
  target: X86Target,
  lower: (name: string) => LoopProgram,
): { readonly program: LoopProgram; readonly selection: SelectionKernel } {
  const what = about.m === 0 ? about.order : about.m;
  const symbol = `spx_${about.pass}_${what}_${target.suffix}`;
  return { program: lower(symbol), selection: { ...about, level: target.name, symbol } };
}
