/**
 * Every way of applying a weight that is worth pricing: layouts x mask storage x order of Kronecker factors x
 * frozen products formed at load, and the whole weight as one dense matrix. Weights are small expressions, so this is
 * an exact enumeration; candidates that come out as the same steps on the same operands are one.
 */

import { childrenOf } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { isTrainable, zeroStructure } from "../algebra/structure.ts";
import { sameDimension } from "../types/dimension.ts";
import { denseVariant, separateVariant } from "./build-variant.ts";
import { type Choices, productPoints } from "./linear-factors.ts";
import type { MaskStorage } from "./matrix-operand.ts";
import type { OperandTable } from "./operand-table.ts";
import type { Layout } from "./plan.ts";
import type { VariantDraft } from "./variant-draft.ts";

/** More points than this are tried all or none: 2^4 products times the other choices is enough to price. */
const mostProductPoints = 4;
const layouts: readonly Layout[] = ["lane-output", "lane-token"];

export interface CandidateSet {
  /** The first is a separate, lane = output one. */
  readonly drafts: readonly VariantDraft[];
  readonly rejected: readonly { readonly form: string; readonly reason: string }[];
  readonly notes: readonly string[];
}

const contains = (term: Term, test: (term: Term) => boolean): boolean =>
  test(term) || childrenOf(term).some((child) => contains(child, test));

function subsets(points: readonly string[]): readonly (readonly string[])[] {
  if (points.length > mostProductPoints) return [[], points];
  const all: (readonly string[])[] = [[]];
  for (const point of points) all.push(...all.map((set) => [...set, point]));
  return all;
}

/** Both orders cost the same multiplies for square factors of one size; then only the one without scattered stores is kept. */
function kronOrders(root: Term): readonly Choices["kron"][] {
  const isOpen = (term: Term): boolean => {
    if (term.kind !== "kron") return false;
    const sizes = term.factors.flatMap(({ rows, columns }) => [rows, columns]);
    return !sizes.every((size) => sizes[0] === undefined || sameDimension(size, sizes[0]));
  };
  return contains(root, isOpen) ? ["first-factor-first", "last-factor-first"] : ["first-factor-first"];
}

interface Named extends Omit<Choices, "layout"> {
  readonly name: string;
}

function namedChoices(root: Term): readonly Named[] {
  const structures = (kind: string): boolean => contains(root, (term) => zeroStructure(term).kind === kind);
  const isGrouped = structures("nm") || structures("block");
  const storages: readonly { masks: MaskStorage; name: string }[] = isGrouped
    ? [
        { masks: "packed", name: "separate" },
        { masks: "dense", name: "unpacked" },
      ]
    : structures("masked")
      ? [
          { masks: "dense", name: "separate" },
          { masks: "packed", name: "sparse" },
        ]
      : [{ masks: "dense", name: "separate" }];
  const products = subsets(productPoints(root));
  return storages.flatMap(({ masks, name }) =>
    products.flatMap((points, index) =>
      kronOrders(root).map((kron) => ({
        masks,
        kron,
        products: new Set(points),
        name: [
          name,
          ...(points.length > 0 ? [`multiplied${products.length > 2 ? index : ""}`] : []),
          ...(kron === "last-factor-first" ? ["reversed"] : []),
        ].join("-"),
      })),
    ),
  );
}

/** Steps with operand names replaced by nothing but themselves: operands are shared, so equal names mean equal bytes. */
const contentKey = (draft: VariantDraft): string =>
  JSON.stringify([draft.layout, draft.activations, draft.steps]);

/** */
export function candidatePlans(root: Term, operands: OperandTable, rules: readonly string[]): CandidateSet {
  const notes: string[] = [];
  const points = productPoints(root);
  if (points.length > mostProductPoints) {
    notes.push(
      `${points.length} places where frozen factors could be multiplied at load: only all and none were priced`,
    );
  }
  const found = new Map<string, VariantDraft>();
  const rejected: { form: string; reason: string }[] = [];
  const add = (draft: VariantDraft): void => {
    const key = contentKey(draft);
    const same = found.get(key);
    if (same === undefined) found.set(key, draft);
    else if (same.name !== draft.name && same.form !== draft.form)
      rejected.push({ form: `${draft.name}: ${draft.form}`, reason: `the same steps as ${same.name}` });
  };
  for (const layout of layouts) {
    for (const { name, ...choices } of namedChoices(root))
      add(separateVariant(root, name, { ...choices, layout }, operands, rules));
  }
  const [first] = found.values();
  const isMerged =
    first?.steps.length === 1 &&
    first.steps[0]?.terms.every(({ atom }) => atom === "dense") &&
    first.steps[0].terms.length === 1;
  if (!isMerged) {
    const anyTrained = isTrainable(root);
    for (const layout of layouts)
      add(denseVariant(root, anyTrained ? "merged" : "dense", layout, operands, rules));
  }
  return { drafts: [...found.values()], rejected, notes };
}
