/**
 * One variant from one way of applying the weight: steps that apply it to `x`.
 * A sum becomes one step with a term for each packed operand (a low-rank product contributes its left factor,
 * reading `t = A x`); factors that are structured get steps of their own before it, and the sum adds to their result.
 */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { isCoded } from "../../runtime/contract/operand-format.ts";
import { addNumbers, multiplyNumbers, nonEmpty } from "../algebra/algebra-graph.ts";
import { partOf } from "./activation-parts.ts";
import { applicationForm } from "./application-form.ts";
import { arrangeStages, heightOf, movingStage, type Stage, writesRanges } from "./arrange-stages.ts";
import type { AppliedSum, AppliedTerm } from "./linear-factors.ts";
import { stackPieces } from "./matrix-operand.ts";
import type { OperandTable } from "./operand-table.ts";
import type { Layout, StepTerm } from "./plan.ts";
import { scaledIndex, scaleFactors } from "./scaled-factors.ts";
import { stackablePiece } from "./stacked-inputs.ts";
import { formatOf } from "./storage.ts";
import {
  type Contribution,
  createDraft,
  type Draft,
  emitWriters,
  freshActivation,
  inside,
  type VariantDraft,
  type Writer,
  writersOf,
} from "./variant-draft.ts";

function stepTerm(draft: Draft, stage: Stage, input: string): StepTerm {
  const { factor, inputPermutation } = stage;
  const { operands, layout } = draft;
  if (factor.kind === "sum") throw new TypeError("a sum has no single operand");
  const { piece } = factor;
  if (factor.kind === "diagonal") {
    const operand = operands.operand(piece, { name: "vector" }, piece.rows, piece.columns);
    return { atom: "diag", operand: operand.name, input, inputPermutation };
  }
  if (factor.kind === "blocks") {
    const { blocks, repeated, rows, columns } = factor;
    const operand = operands.operand(piece, { name: "blockdiag16", blocks, repeated }, rows, columns);
    return { atom: "blockdiag", operand: operand.name, input, inputPermutation };
  }
  const { atom, format, note } = formatOf(piece, factor.storage, layout);
  for (const text of [note, factor.note]) if (text !== null) draft.notes.add(text);
  const stored = isCoded(format) ? piece.transposeOf : undefined;
  const packed = stored ?? piece;
  const operand = operands.operand(packed, format, packed.rows, packed.columns).name;
  const term = { atom, operand, input, inputPermutation: null };
  return stored === undefined ? term : { ...term, transposed: true };
}

/** The terms of one stage's step. */
function stageTerms(
  draft: Draft,
  stage: Stage,
  scale: NumberExpression | null,
  input: string,
): readonly StepTerm[] {
  const { factor } = stage;
  if (factor.kind !== "sum") return [stepTerm(draft, stage, input)];
  return contributions(draft, factor.sum, scale, input).flatMap(({ fused }) => fused);
}

/** Emits a step that writes a fresh activation, or finds the one that already holds the value. */
function activationOf(
  draft: Draft,
  terms: readonly StepTerm[],
  { outputPermutation }: Pick<Stage, "outputPermutation">,
  width: NumberExpression,
): string {
  const content = JSON.stringify([terms, outputPermutation]);
  const same = draft.written.get(content);
  if (same !== undefined) {
    draft.rules.add("common-factor");
    return same;
  }
  const name = freshActivation(draft, width);
  draft.written.set(content, name);
  draft.steps.push({ name, output: name, outputPermutation, accumulate: false, terms });
  return name;
}

/** Emits the step or steps of one stage; gives the activation that holds what it computes. */
function runStage(draft: Draft, stage: Stage, scale: NumberExpression | null, current: string): string {
  const input = stage.window === null ? current : partOf(draft.activations, current, stage.window);
  const { factor, embedding, outputPermutation } = stage;
  const ranged = factor.kind === "sum" && writesRanges(factor.sum) ? factor.sum : null;
  if (embedding === null && ranged === null)
    return activationOf(draft, stageTerms(draft, stage, scale, input), stage, heightOf(factor));
  const size = heightOf(factor);
  const own: readonly Writer[] =
    ranged === null
      ? [{ terms: stageTerms(draft, stage, scale, input), outputPermutation, range: null }]
      : writersOf(contributions(draft, ranged, scale, input));
  const output = freshActivation(draft, embedding?.size ?? size);
  const writers = own.map((writer) => inside(writer, embedding));
  emitWriters(draft, output, embedding?.size ?? size, writers);
  return output;
}

/** The stages of a term with its scale in one of its factors, or, where a sum takes it, beside them. */
interface ScaledStages {
  readonly scale: NumberExpression | null;
  readonly stages: readonly Stage[];
  readonly scaleOf: (stage: Stage) => NumberExpression | null;
}

/** Candidates share their terms; a term under no outer scale has the same stages in all of them. */
const knownStages = new WeakMap<OperandTable, Map<AppliedTerm, ScaledStages>>();

function scaledStages(draft: Draft, term: AppliedTerm, outerScale: NumberExpression | null): ScaledStages {
  for (const rule of term.rules) draft.rules.add(rule);
  if (outerScale !== null) return freshStages(term, outerScale);
  const known = knownStages.get(draft.operands) ?? new Map<AppliedTerm, ScaledStages>();
  knownStages.set(draft.operands, known);
  const stages = known.get(term) ?? freshStages(term, null);
  known.set(term, stages);
  return stages;
}

function freshStages(term: AppliedTerm, outerScale: NumberExpression | null): ScaledStages {
  const { scale: own, factors, rows } = term;
  const scale = own === null ? outerScale : outerScale === null ? own : multiplyNumbers(own, outerScale);
  const at = scaledIndex(factors);
  const carrier = factors[at];
  // A sum hands the scale to its terms; of several sums only the carrier does, or the scale would count twice. It is an
  // object of its own, because equal factors are one.
  const scaledSum = carrier?.kind === "sum" ? { ...carrier } : null;
  const scaled = scaledSum === null ? scaleFactors(factors, scale, rows) : factors.with(at, scaledSum);
  const scaleOf = (stage: Stage): NumberExpression | null => (stage.factor === scaledSum ? scale : null);
  return { scale, stages: arrangeStages(scaled, rows), scaleOf };
}

/** Emits the steps that apply `term` to `input`; gives the activation that holds the result. */
export function applyToActivation(draft: Draft, term: AppliedTerm, input: string): string {
  const { stages, scaleOf } = scaledStages(draft, term, null);
  return stages.reduce((current, stage) => runStage(draft, stage, scaleOf(stage), current), input);
}

/** Emits the step of each stack of `sum`; gives the part of its output that belongs to each term. */
function applyStacks(
  draft: Draft,
  { stacks = [] }: AppliedSum,
  outerScale: NumberExpression | null,
  input: string,
): ReadonlyMap<AppliedTerm, string> {
  const places = new Map<AppliedTerm, string>();
  for (const stack of stacks) {
    const members = stack.map((term) => {
      const piece = stackablePiece(scaledStages(draft, term, outerScale).stages[0]);
      if (piece === null) throw new TypeError("a term that cannot be stacked");
      return { term, piece, key: JSON.stringify(piece.source) };
    });
    const pieces = new Map(members.map(({ key, piece }) => [key, piece]));
    const stacked = stackPieces(nonEmpty([...pieces.values()]));
    const { rows, columns } = stacked;
    const { name: operand } = draft.operands.operand(stacked, { name: "panel16" }, rows, columns);
    const term: StepTerm = { atom: "dense", operand, input, inputPermutation: null };
    const whole = activationOf(draft, [term], { outputPermutation: null }, rows);
    draft.rules.add("stacked-input");
    let offset: NumberExpression = number(0);
    for (const [key, { rows: width }] of pieces) {
      const place = partOf(draft.activations, whole, { offset, width });
      for (const member of members) if (member.key === key) places.set(member.term, place);
      offset = addNumbers(offset, width);
    }
  }
  return places;
}

/** What one term adds. @param place where a stack put the product of its matrix next to the input. */
function contribution(
  draft: Draft,
  term: AppliedTerm,
  outerScale: NumberExpression | null,
  input: string,
  place: string | undefined,
): Contribution {
  const { scale, stages: all, scaleOf } = scaledStages(draft, term, outerScale);
  const stages = place === undefined ? all : all.slice(1);
  const current = stages
    .slice(0, -1)
    .reduce((before, stage) => runStage(draft, stage, scaleOf(stage), before), place ?? input);
  const last = stages.at(-1) ?? movingStage(term.rows);
  const read = last.window === null ? current : partOf(draft.activations, current, last.window);
  const { factor, outputPermutation, embedding } = last;
  const form = applicationForm(term, scale, input);
  const range = embedding?.range ?? null;
  if (factor.kind === "sum" && writesRanges(factor.sum)) {
    const parts = contributions(draft, factor.sum, scaleOf(last), read);
    const own = writersOf(parts).map((writer) => inside(writer, embedding));
    return { fused: [], own, range, form };
  }
  const terms = stageTerms(draft, last, scaleOf(last), read);
  const shares = outputPermutation === null && (factor.kind === "matrix" || factor.kind === "sum");
  if (shares && all.length > 1) draft.rules.add("low-rank-fused");
  return shares
    ? { fused: terms, own: [], range, form }
    : { fused: [], own: [{ terms, outputPermutation, range }], range, form };
}

function contributions(
  draft: Draft,
  sum: AppliedSum,
  scale: NumberExpression | null,
  input: string,
): readonly Contribution[] {
  const places = applyStacks(draft, sum, scale, input);
  return sum.terms.map((term) => contribution(draft, term, scale, input, places.get(term)));
}

/** The weight applied as `sum` says. `merged`: its one operand is filled by the merge. */
export function buildVariant(
  sum: AppliedSum,
  about: { readonly name: string; readonly layout: Layout; readonly merged: boolean },
  operands: OperandTable,
  rules: readonly string[],
): VariantDraft {
  const { layout, merged } = about;
  const given = [
    { name: "x", width: sum.columns },
    { name: "y", width: sum.rows },
  ];
  const draft = createDraft("y", given, layout, operands, rules);
  const form = `y = ${writeTarget(draft, sum, "x").join(" + ")}`;
  const { activations, steps } = draft;
  const name = `${about.name}/${layout}`;
  return { name, form, layout, activations, steps, merged, rules: [...draft.rules], notes: [...draft.notes] };
}

/** Emits the steps that apply `sum` to `input` and complete the target; gives the form of each contribution. */
export function writeTarget(draft: Draft, sum: AppliedSum, input: string): readonly string[] {
  const parts = contributions(draft, sum, null, input);
  emitWriters(draft, draft.target, sum.rows, writersOf(parts));
  return parts.map(({ form }) => form);
}
