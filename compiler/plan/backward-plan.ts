/**
 * Gradients of the algebra → the backward plan: dx by the transposed weight, and for every occurrence of a parameter
 * the activations on both sides of it and one gradient step. Sides and dx share the activations that they agree on.
 * Stands beside the forward variants and uses their stages, formats and operands.
 */

import { type MatrixSource, partsOfSource } from "../../runtime/contract/matrix-source.ts";
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import { printSource } from "../../runtime/contract/print-source.ts";
import { multiplyNumbers } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import type { GradientPair, Gradients, LeafGradient, Side } from "../algebra/derive-gradient.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { isTrainable } from "../algebra/structure.ts";
import { sourceOf, tensorsOf } from "../algebra/term-source.ts";
import type { CheckedTensor, Derivation } from "../check/checked-module.ts";
import { sameDimension } from "../types/dimension.ts";
import { memoryOf } from "./activation-parts.ts";
import { applyToActivation, writeTarget } from "./build-variant.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";
import { identityPiece, type MatrixPiece } from "./matrix-operand.ts";
import type { OperandTable } from "./operand-table.ts";
import { over } from "./packed-size.ts";
import type {
  Activation,
  BackwardPlan,
  BackwardStep,
  GradientInput,
  GradientShape,
  GradientStep,
  Intermediate,
  Layout,
} from "./plan.ts";
import { createDraft, type Draft } from "./variant-draft.ts";

export interface BackwardDraft extends Omit<BackwardPlan, "cost" | "search"> {
  readonly notes: readonly string[];
}

/** How the transposed weight gives dx, and how each side of a gradient is computed from x or dy. */
export interface BackwardWays {
  /** Null where dx is left out. */
  readonly dx: AppliedSum | null;
  /** Which pair of each gradient is multiplied out. */
  readonly pairs: readonly number[];
  readonly sides: ReadonlyMap<Term, AppliedTerm>;
}

const isOne = (expression: NumberExpression): boolean => sameDimension(expression, number(1));

/** What a side reads; the permutation that acts last is read through. */
function gradientInput(
  draft: Draft,
  { input, term, permutation, offset, stride }: Side,
  sides: BackwardWays["sides"],
): GradientInput {
  const place = { offset, stride };
  const own = permutation === null ? null : { size: permutation.rows, stride: permutation.stride };
  if (term === null) return { activation: input, permutation: own, ...place };
  const way = sides.get(term);
  if (way === undefined) throw new TypeError("a side without a way");
  const [last, ...before] = way.factors;
  if (own !== null || last?.kind !== "permutation")
    return { activation: applyToActivation(draft, way, input), permutation: own, ...place };
  if (before.length === 0) return { activation: input, permutation: last.permutation, ...place };
  const unmoved = knownUnmoved.get(way) ?? { ...way, factors: before };
  knownUnmoved.set(way, unmoved);
  return { activation: applyToActivation(draft, unmoved, input), permutation: last.permutation, ...place };
}

/** Ways without the permutation that acts last; one object each, so that their stages are arranged once. */
const knownUnmoved = new WeakMap<AppliedTerm, AppliedTerm>();

/** The map of ones on the positions that a gradient has, times its elementwise factor. */
function positionsOperand(
  gradient: LeafGradient,
  pattern: {
    readonly name: string;
    readonly rows: NumberExpression;
    readonly columns: NumberExpression;
    readonly count: NumberExpression;
    readonly transposed: boolean;
  },
  operands: OperandTable,
): string {
  const { name, rows, columns, count, transposed } = pattern;
  const ones: MatrixSource = { kind: "pattern", name, rows, columns };
  const placed: MatrixSource = transposed ? { kind: "transpose", of: ones } : ones;
  const { leaf, weight } = gradient;
  const piece: MatrixPiece = {
    source: weight === null ? placed : { kind: "hadamard", factors: [placed, sourceOf(weight)] },
    rows: leaf.rows,
    columns: leaf.columns,
    structure: { kind: "sparse", count },
    work: number(0),
    trainable: weight !== null && isTrainable(weight),
    text: `positions of ${name}${transposed ? ".T" : ""}`,
    tensors: [leaf.tensor.name],
  };
  return operands.operand(piece, { name: "positions" }, leaf.rows, leaf.columns).name;
}

function shapeOf(gradient: LeafGradient, operands: OperandTable): GradientShape {
  const { leaf, pattern, weight } = gradient;
  const { tensor, rows, columns } = leaf;
  if (leaf.kind === "diag") return { kind: "diagonal", size: rows };
  if (tensor.structure === "sparse") {
    const support = { name: tensor.support ?? "", rows, columns, count: tensor.count, transposed: false };
    return {
      kind: "positions",
      operand: positionsOperand(gradient, support, operands),
      entries: tensor.count,
      columns: null,
    };
  }
  if (tensor.structure === "blockdiag") {
    const blocks = tensor.blocks ?? number(1);
    return {
      kind: "matrix",
      blocks,
      rows: over(rows, blocks),
      columns: over(columns, blocks),
      weights: null,
    };
  }
  if (pattern !== null) {
    const { pattern: mask, transposed } = pattern;
    const place = { name: mask.name, rows: mask.rows, columns: mask.columns, count: mask.count, transposed };
    return {
      kind: "positions",
      operand: positionsOperand(gradient, place, operands),
      entries: mask.count,
      columns,
    };
  }
  return { kind: "matrix", blocks: number(1), rows, columns, weights: weightsOperand(weight, operands) };
}

function weightsOperand(weight: Term | null, operands: OperandTable): string | null {
  if (weight === null) return null;
  const { rows, columns } = weight;
  const piece: MatrixPiece = {
    source: sourceOf(weight),
    rows,
    columns,
    structure: { kind: "dense" },
    work: number(0),
    trainable: isTrainable(weight),
    text: printTerm(weight),
    tensors: tensorsOf(weight),
  };
  return operands.operand(piece, { name: "row-major" }, rows, columns).name;
}

/** A gradient without what its sides read: the same for every way of computing those. */
export interface PreparedGradient {
  readonly step: Omit<GradientStep, "left" | "right" | "copies" | "scale">;
  readonly pairs: readonly (Pick<GradientStep, "copies" | "scale"> & Pick<GradientPair, "left" | "right">)[];
}

export function prepareGradients(gradients: Gradients, operands: OperandTable): readonly PreparedGradient[] {
  return gradients.leaves.map((gradient, index) => {
    const { leaf, pairs } = gradient;
    const slice = leaf.kind === "leaf" ? (leaf.slice ?? 0) : 0;
    const unit = number(1);
    return {
      step: {
        kind: "gradient",
        name: `gradient${index + 1}`,
        parameter: leaf.tensor.name,
        start: slice === 0 ? number(0) : multiplyNumbers(number(slice), leaf.rows, leaf.columns),
        shape: shapeOf(gradient, operands),
      },
      pairs: pairs.map(({ left, right, copies, scale }) => ({
        left,
        right,
        copies,
        scale: isOne(scale)
          ? null
          : operands.operand(identityPiece(unit, scale), { name: "vector" }, unit, unit).name,
      })),
    };
  });
}

/** Which steps some gradient follows from. */
function stepsForGradients(
  steps: readonly BackwardStep[],
  activations: readonly Activation[],
): ReadonlySet<BackwardStep> {
  const needed = new Set<string>();
  const found = new Set<BackwardStep>();
  for (const step of steps.toReversed()) {
    if (step.kind === "gradient") {
      for (const side of [step.left, step.right]) needed.add(side.activation);
      continue;
    }
    if (!needed.has(memoryOf(activations, step.step.output))) continue;
    found.add(step);
    for (const { input } of step.step.terms) needed.add(memoryOf(activations, input));
  }
  return found;
}

/** Leaves of gradients that are no parameters, each once. */
function intermediatesOf({ leaves, intermediates }: Gradients): readonly Intermediate[] {
  const tensors = new Set(leaves.map(({ leaf }) => leaf.tensor));
  return [...tensors].flatMap((tensor) => {
    const { name, count, derivation } = tensor;
    if (derivation === undefined) return [];
    const term = intermediates.get(tensor);
    const text = term === undefined ? printSource(derivation.formula) : printTerm(term);
    return [{ name, count, tensor, formula: derivation.formula, parameters: parametersOf(derivation), text }];
  });
}

/** Parameters that a gradient reaches through a formula. */
function parametersOf({ formula, reads }: Derivation): readonly string[] {
  const names = namesReached(formula);
  return [
    ...new Set(
      reads.flatMap(({ name, role, derivation }) => {
        if (!names.has(name)) return [];
        if (derivation !== undefined) return parametersOf(derivation);
        return role === "param" ? [name] : [];
      }),
    ),
  ];
}

/** Leaves of a formula that are not detached. */
function namesReached(formula: MatrixSource): ReadonlySet<string> {
  if (formula.kind === "leaf") return new Set([formula.name]);
  if (formula.kind === "detach") return new Set();
  return new Set(partsOfSource(formula).flatMap((part) => [...namesReached(part)]));
}

/** A dense gradient of a part of the weight that has none in the language: mathematics forces it, and it is said. */
function denseNote({ tensor, text, count, parameters }: Intermediate, gradients: Gradients): string[] {
  if (tensor.structure !== "dense" || !gradients.intermediates.has(tensor)) return [];
  const bytes = printNumber(multiplyNumbers(number(4), count));
  return [
    `the gradient of ${text} is formed as a dense matrix of ${bytes} bytes on its way to ${parameters.join(", ")}`,
  ];
}

export function draftBackward(
  gradients: Gradients,
  prepared: readonly PreparedGradient[],
  tensors: readonly CheckedTensor[],
  ways: BackwardWays,
  operands: OperandTable,
  layout: Layout = "lane-token",
): BackwardDraft {
  const { transposed } = gradients;
  const given: readonly Activation[] = [
    { name: "x", width: transposed.rows },
    { name: "dy", width: transposed.columns },
    { name: "dx", width: transposed.rows },
  ];
  const draft = createDraft("dx", given, layout, operands, []);
  const steps: BackwardStep[] = [];
  const takeSteps = (): void => {
    const known = steps.filter(({ kind }) => kind === "apply").length;
    for (const step of draft.steps.slice(known)) steps.push({ kind: "apply", step, dxOnly: true });
  };
  for (const [index, { step, pairs }] of prepared.entries()) {
    const pair = pairs[ways.pairs[index] ?? 0];
    if (pair === undefined) throw new RangeError("a pair that does not exist");
    const left = gradientInput(draft, pair.left, ways.sides);
    const right = gradientInput(draft, pair.right, ways.sides);
    takeSteps();
    steps.push({ ...step, ...pair, left, right });
  }
  if (ways.dx !== null) writeTarget(draft, ways.dx, "dy");
  takeSteps();
  const needed = stepsForGradients(steps, draft.activations);
  const intermediates = intermediatesOf(gradients);
  return {
    activations: draft.activations,
    steps: steps.map((step) => (step.kind === "apply" ? { ...step, dxOnly: !needed.has(step) } : step)),
    parameters: tensors.filter(({ role }) => role === "param").map(({ name, count }) => ({ name, count })),
    intermediates,
    rules: [...draft.rules],
    notes: [...draft.notes, ...intermediates.flatMap((one) => denseNote(one, gradients))],
  };
}
