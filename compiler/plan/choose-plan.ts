/**
 * Algebra → plan: the driver of this folder. Requires a normalised graph; ensures what `verifyPlan` states.
 * Stands after normalising, so that equal weights get equal plans, and before loops, which know one variant each.
 */

import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { stackedParts } from "../../runtime/contract/matrix-source.ts";
import {
  evaluateNumber,
  type NumberExpression,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { childrenOf } from "../algebra/algebra-graph.ts";
import type { AlgebraGraph, Term } from "../algebra/algebra-node.ts";
import type { Gradients } from "../algebra/derive-gradient.ts";
import { tensorObjectsOf } from "../algebra/term-source.ts";
import type { CheckedTransform } from "../check/checked-module.ts";
import { defaultRates } from "../targets/cpu-rates.ts";
import { identityOf, type RateTable } from "../targets/rate-table.ts";
import { type CandidateClaims, candidatePlans, noClaims } from "./candidate-plans.ts";
import { backwardOperands, chooseBackward } from "./choose-backward.ts";
import { callCost, machinesOf, type PricedMachine, tiledMachine, widestMachine } from "./cost-model.ts";
import { derivedTensors, eachStep } from "./derived-tensors.ts";
import { keepVariants, type PricedCandidate, type VariantChoice } from "./keep-variants.ts";
import { mergeCost } from "./merge-cost.ts";
import { planMerge } from "./merge-plan.ts";
import { movingNames } from "./moving-sources.ts";
import { createOperandTable, type OperandTable } from "./operand-table.ts";
import { plus } from "./packed-size.ts";
import { excluded, pinNotes } from "./pinned-candidates.ts";
import { costOn, type LevelCosts, type MergePlan, type Plan, type Variant } from "./plan.ts";
import { pinsImpossible, weightIsZero } from "./plan-problems.ts";
import { createGridEvaluator, gridOf, valuesAt } from "./price-grid.ts";
import { quantizationNotes } from "./quantization-notes.ts";
import { multipliesPairs, roundingMachines } from "./rounding-levels.ts";
import { storeInStrips } from "./store-in-strips.ts";
import { timeNotes } from "./time-notes.ts";
import type { VariantDraft } from "./variant-draft.ts";

export interface PlanResult {
  /** Null when there is an error among the diagnostics. */
  readonly plan: Plan | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Errors: SPX6001 the weight is zero, SPX6302 no way to apply it meets all pins. */
export function choosePlan(
  graph: AlgebraGraph,
  transform: CheckedTransform,
  gradients: Gradients,
  choice: VariantChoice = "winning",
  rates: RateTable = defaultRates,
  claims: CandidateClaims = noClaims,
  factors: Factors = "f32",
): PlanResult {
  if (graph.root.kind === "zero") return { plan: null, diagnostics: [weightIsZero(transform)] };
  const plan = planOf(graph, transform, gradients, { choice, rates, claims, factors });
  return plan === null ? { plan, diagnostics: [pinsImpossible(transform)] } : { plan, diagnostics: [] };
}

/** What weights held in `bf16` may be multiplied by: activations as they are, or rounded to `bf16`. */
export type Factors = "f32" | "bf16";

interface PlanDemands {
  readonly factors: Factors;
  readonly choice: VariantChoice;
  readonly rates: RateTable;
  readonly claims: CandidateClaims;
}

function planOf(
  graph: AlgebraGraph,
  transform: CheckedTransform,
  gradients: Gradients,
  { choice, rates, claims, factors }: PlanDemands,
): Plan | null {
  const widest = widestMachine(rates);
  const moving = movingNames(transform);
  const operands = createOperandTable(moving);
  const enumerated = candidatePlans(graph.root, operands, graph.rules ?? [], claims);
  const { admitted, total, notes } = enumerated;
  const drafts = enumerated.drafts.map((draft) => storeInStrips(draft, operands));
  if (admitted.size === 0) return null;
  const rounds = factors === "bf16" && drafts.some((draft) => multipliesPairs(draft, operands));
  const machines = [...machinesOf(rates), ...(rounds ? roundingMachines(rates) : [])];
  const reference = mergeSource(drafts, operands, transform, widest);
  const merge = planMerge(reference, operands);
  const merging = new Map(
    machines.map((machine) => [machine, mergeCost(merge, reference, operands, machine)]),
  );
  const free = priceCandidates(drafts, operands, merging, transform);
  // Without a pinned tile the same prices, made once.
  const tiled =
    claims.tile === null ? free : priceCandidates(drafts, operands, merging, transform, claims.tile);
  const pinned = tiled.filter(({ variant }) => admitted.has(variant.name));
  // The merge may go through a variant that the pins exclude: it gets kernels, at a price that keeps calls away.
  const through = merge.method === "identity" && !admitted.has(merge.variant) ? merge.variant : null;
  const candidates = [...pinned, ...free.filter(({ variant }) => variant.name === through).map(excluded)];
  const required = merge.method === "identity" ? [merge.variant] : [];
  const { kept, rejected } = keepVariants(candidates, new Set(required), choice, operands);
  const used = operandsOf(kept);
  // What only a merged variant reads is the weight itself; the kernels that merge make it faster than packing could.
  const merged = operandsOf(kept.filter((variant) => variant.merged));
  for (const name of mergeOperands(merge)) used.add(name);
  const { backward, notes: backwardNotes } = chooseBackward(gradients, transform, operands, widest);
  for (const name of backwardOperands(backward)) used.add(name);
  const read = operands.all().filter(({ name }) => used.has(name));
  return {
    transform: graph.transform,
    rows: graph.root.rows,
    columns: graph.root.columns,
    derived: derivedTensors(
      [
        ...read.flatMap(({ source }) => stackedParts(source)),
        ...backward.intermediates.map(({ formula }) => formula),
      ],
      [...transform.tensors, ...[graph.root, ...termsOfGradients(gradients)].flatMap(tensorObjectsOf)],
    ).map((tensor) => (moving.has(tensor.name) ? eachStep(tensor) : tensor)),
    operands: read.map((operand) =>
      merged.has(operand.name) ? { ...operand, production: "merge" } : operand,
    ),
    variants: kept,
    ...(claims.tile === null ? {} : { tile: claims.tile }),
    ...(rounds ? { factors: "bf16" } : {}),
    merge,
    backward,
    rates: identityOf(rates),
    search: { priced: drafts.length, total, points: candidates[0]?.prices.length ?? 0, rejected },
    notes: [
      ...pinNotes(free, pinned, transform),
      ...new Set([
        ...notes,
        ...notesOf(drafts, kept),
        ...(factors === "bf16" ? [rounds ? roundingNote : noRoundingNote] : []),
        ...backwardNotes,
        ...quantizationNotes(
          graph.tensors,
          operands.all().filter(({ name }) => used.has(name)),
        ),
        ...timeNotes(
          transform,
          operands.all().filter(({ name }) => used.has(name)),
        ),
      ]),
    ],
    specializations: specializationsOf(graph.root, transform),
  };
}

/** Transposed and beside other factors, terms may be rewritten to tensors that the weight itself does not have. */
const termsOfGradients = ({ transposed, leaves }: Gradients): readonly Term[] => [
  transposed,
  ...leaves.flatMap(({ pairs, weight }) =>
    [weight, ...pairs.flatMap(({ left, right }) => [left.term, right.term])].filter((term) => term !== null),
  ),
];

const roundingNote =
  'products of bf16 are allowed: a layer loaded with `elements: "bf16"` rounds what weights held in bf16 multiply, where the CPU has avx512_bf16';
const noRoundingNote = "products of bf16 are allowed and of no use: no weight is held in bf16";

/** Of candidates that get no kernels nobody needs to know which formats they would have refused. */
function notesOf(drafts: readonly VariantDraft[], kept: readonly Variant[]): readonly string[] {
  const names = new Set(kept.map(({ name }) => name));
  return drafts.filter(({ name }) => names.has(name)).flatMap(({ notes }) => notes);
}

const operandsOf = (variants: readonly Pick<Variant, "steps">[]): Set<string> =>
  new Set(variants.flatMap(({ steps }) => steps.flatMap(({ terms }) => terms.map(({ operand }) => operand))));

/** The size at which ways to merge are compared: a layer of a middling model. */
const usualSize = 1024;

/** The lane = output variant that the dense weight is formed from: the one that forms it fastest at a usual size. */
function mergeSource(
  drafts: readonly VariantDraft[],
  operands: OperandTable,
  transform: CheckedTransform,
  machine: PricedMachine,
): VariantDraft {
  const usual = createGridEvaluator([valuesAt(transform, usualSize, null)]);
  const priced = drafts
    .filter(({ layout, merged }) => layout === "lane-output" && !merged)
    .map((draft) => {
      const cost = mergeCost(planMerge(draft, operands), draft, operands, machine);
      const [price = Number.NaN] = usual.valuesOf(cost);
      return { draft, price };
    });
  const [first, ...rest] = priced;
  if (first === undefined) throw new TypeError("no separate variant with a lane an output");
  return rest.reduce((best, other) => (other.price < best.price ? other : best), first).draft;
}

const mergeOperands = (merge: MergePlan): readonly string[] =>
  merge.method === "identity"
    ? []
    : merge.terms.flatMap((term) => (term.kind === "operand" ? [term.operand] : [term.left, term.right]));

/** Each draft with its costs, and its prices on the grid of the transform, level after level. */
function priceCandidates(
  drafts: readonly VariantDraft[],
  operands: OperandTable,
  merging: ReadonlyMap<PricedMachine, NumberExpression>,
  transform: CheckedTransform,
  tile: number | null = null,
): readonly PricedCandidate[] {
  const grid = createGridEvaluator(gridOf(transform));
  const [widest] = merging.keys();
  if (widest === undefined) throw new TypeError("no levels");
  return drafts.map((draft) => {
    const { notes: _, ...variant } = draft;
    const costs = Object.fromEntries(
      [...merging].map(([machine, merged]) => {
        const call = callCost(draft, operands, tiledMachine(machine, tile));
        return [machine.target.name, draft.merged ? plus(call, merged) : call];
      }),
    ) as LevelCosts;
    // Levels are points of the grid, too: what wins on one of them stays.
    const prices = Object.values(costs).map(grid.valuesOf);
    return {
      variant: { ...variant, cost: costOn(costs, widest.target), costs },
      prices: Float64Array.from(prices.flatMap((values) => [...values])),
    };
  });
}

/** Inner dimensions of products that an integer argument with a known default names, e.g. r of B: [out, r]. */
function specializationsOf(root: Term, transform: CheckedTransform): Plan["specializations"] {
  const inner = new Set<string>();
  const visit = (term: Term): void => {
    if (term.kind === "chain") {
      for (const { columns } of term.factors.slice(0, -1))
        if (columns.kind === "symbol") inner.add(columns.name);
    }
    childrenOf(term).forEach(visit);
  };
  visit(root);
  return transform.arguments.flatMap((argument) => {
    if (
      argument.kind !== "number" ||
      argument.type !== "int" ||
      argument.defaultValue === null ||
      !inner.has(argument.name)
    )
      return [];
    const value =
      symbolsOf(argument.defaultValue).length === 0
        ? evaluateNumber(argument.defaultValue, new Map())
        : Number.NaN;
    return Number.isInteger(value) && value > 0 ? [{ symbol: argument.name, value }] : [];
  });
}
