/** One variant of a built transform, as the only one that the runtime can choose. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest, PlanManifest, VariantManifest } from "../../runtime/contract/manifest.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { type Artefact, openArtefact } from "../../runtime/index.ts";

/** The same price on every level. */
const everywhere = (costs: VariantManifest["costs"], value: number): VariantManifest["costs"] =>
  Object.fromEntries(Object.keys(costs).map((level) => [level, number(value)]));

/**
 * The kernel that forms the dense weight, called as a variant: y takes the weight in `panel16`, so that a batch has to
 * have room for it; x is not read. What follows from parameters is packed once: the merge is timed without packing.
 */
export const mergeVariant = "merge";

/** Keeps `name`, and what the merge goes through at a price that nobody pays. @throws ReferenceError for a merge without a kernel. */
export function onlyVariant(plan: PlanManifest, name: string): PlanManifest {
  const [first] = plan.variants;
  if (name === mergeVariant) {
    if (plan.merge.method !== "kernel" || first === undefined) throw new ReferenceError(name);
    const { kernels } = plan.merge;
    const costs = everywhere(first.costs, 1);
    return { ...plan, variants: [{ ...first, name, kernels, merged: false, costs }] };
  }
  const needed = plan.merge.method === "identity" ? plan.merge.variant : null;
  const variants = plan.variants
    .filter((variant) => variant.name === name || variant.name === needed)
    .map((variant) => ({ ...variant, costs: everywhere(variant.costs, variant.name === name ? 1 : 2) }));
  return { ...plan, variants };
}

/**
 * Opens a copy of the manifest in `folder`, where the kernels are, in which `transform` has one variant; `level` as in
 * `openArtefact`.
 */
export function openForced(
  folder: string,
  manifest: Manifest,
  transform: string,
  variant: string,
  level: string | null = null,
): Artefact {
  const transforms = manifest.transforms
    .filter(({ name }) => name === transform)
    .map((found) => ({ ...found, plan: onlyVariant(found.plan, variant) }));
  const path = join(folder, `${transform}-${variant}.json`.replaceAll("/", "-"));
  writeFileSync(path, JSON.stringify({ ...manifest, transforms }));
  return openArtefact(path, null, level === null ? {} : { level });
}
