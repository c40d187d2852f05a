/**
 * The product kernels of an artefact: what its transforms compute outside their plans, derived tensors, their gradients and
 * decompositions of weights, multiplies matrices that nobody packs. Stands beside lowering, and only where there is such work.
 */
import type { ProductElement, ProductKernel } from "../../runtime/contract/manifest.ts";
import { type MatrixSource, partsOfSource, stackedParts } from "../../runtime/contract/matrix-source.ts";
import { callsIn, type IntrinsicName } from "../../runtime/contract/recipe.ts";
import type { LoopProgram } from "../loop/loop-node.ts";
import { lowerProduct } from "../loop/lower-product.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import type { TransformStages } from "./compilation.ts";

export interface ProductPrograms {
  readonly programs: readonly LoopProgram[];
  readonly products: readonly ProductKernel[];
}

const decompositions: ReadonlySet<IntrinsicName> = new Set([
  "svd_factors",
  "trailing_svd",
  "context_svd",
  "trailing_context_svd",
  "weighted_svd",
  "quantized_split",
  "weighted_quantized_split",
  "normalized_spectrum",
]);

/** Those that multiply in single precision. */
const splits: ReadonlySet<IntrinsicName> = new Set(["sparse_part"]);

const multiplies = (source: MatrixSource): boolean =>
  source.kind === "product" || partsOfSource(source).some(multiplies);

/** Whether an initial value, a pattern or a refresh calls one of the intrinsics. */
const computes = (
  { checked: { tensors, patterns, time } }: TransformStages,
  intrinsics: ReadonlySet<IntrinsicName>,
): boolean =>
  [...tensors, ...patterns, ...(time?.refreshes ?? [])].some(
    ({ recipe }) => recipe !== null && callsIn(recipe).some(({ intrinsic }) => intrinsics.has(intrinsic)),
  );

const needs: Readonly<Record<ProductElement, (stages: TransformStages) => boolean>> = {
  f32: (stages) => computes(stages, splits) || multipliesInFormulas(stages.plan),
  f64: (stages) => computes(stages, decompositions),
};

const multipliesInFormulas = (plan: TransformStages["plan"]): boolean =>
  plan.backward.intermediates.length > 0 ||
  [
    ...plan.derived.flatMap(({ derivation }) => derivation?.formula ?? []),
    ...plan.operands.flatMap(({ production, source }) => (production === "pack" ? stackedParts(source) : [])),
  ].some(multiplies);

export function productPrograms(
  transforms: readonly TransformStages[],
  targets: readonly X86Target[],
): ProductPrograms {
  const elements = (["f32", "f64"] as const).filter((element) => transforms.some(needs[element]));
  const kernels = elements.flatMap((element) =>
    targets.map((target) => {
      const symbol = `spx_product_${element}_${target.suffix}`;
      const program = lowerProduct(element, target, symbol);
      return { program, product: { element, level: target.name, symbol } };
    }),
  );
  return {
    programs: kernels.map(({ program }) => program),
    products: kernels.map(({ product }) => product),
  };
}
