/**
 * One variant from one set of choices: the weight, applied to `x`, as steps.
 * A sum becomes one step with a term for each packed operand (a low-rank product contributes its left factor,
 * reading `t = A x`); factors that are structured get steps of their own before it, and the sum adds to their result.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { multiplyNumbers, nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { isTrainable } from "../algebra/structure.ts";
import { memoryOf, partOf } from "./activation-parts.ts";
import { applicationForm } from "./application-form.ts";
import { arrangeStages, heightOf, permutingStage, type Stage } from "./arrange-stages.ts";
import { type Choices, expandFactors } from "./linear-factors.ts";
import { addPieces, chooseFormat, enclose, type MatrixPiece, pieceOf, scalePiece } from "./matrix-operand.ts";
import type { OperandTable } from "./operand-table.ts";
import type { Layout, StepTerm } from "./plan.ts";
import { scaledIndex, scaleFactors, splitScale } from "./scaled-factors.ts";
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

const termsOf = (term: Term): readonly Term[] => (term.kind === "sum" ? term.terms : [term]);

/** True when the term can share a step: its last stage is one packed matrix and nothing is permuted behind it. */
function isFusable(term: Term, choices: Choices): boolean {
  const { operand } = splitScale(term);
  const last = arrangeStages(expandFactors(operand, choices), operand.rows).at(-1);
  if (last === undefined || last.outputPermutation !== null || last.embedding !== null) return false;
  if (last.factor.kind === "sum")
    return (
      last.factor.term.kind === "sum" && last.factor.term.terms.every((part) => isFusable(part, choices))
    );
  return last.factor.kind === "matrix";
}

function stepTerm(draft: Draft, stage: Stage, input: string): StepTerm {
  const { factor, inputPermutation } = stage;
  const { operands, choices } = draft;
  if (factor.kind === "sum") throw new TypeError("a sum has no single operand");
  const { piece } = factor;
  if (factor.kind === "diagonal") {
    const operand = operands.operand(piece, { name: "vector" }, piece.rows, piece.columns);
    return { atom: "diag", operand: operand.name, input, inputPermutation };
  }
  if (factor.kind === "blocks") {
    const { blocks, repeated } = factor;
    const [rows, columns] = repeated
      ? [multiplyNumbers(piece.rows, blocks), multiplyNumbers(piece.columns, blocks)]
      : [piece.rows, piece.columns];
    const operand = operands.operand(piece, { name: "blockdiag16", blocks, repeated }, rows, columns);
    return { atom: "blockdiag", operand: operand.name, input, inputPermutation };
  }
  const { atom, format, note } = chooseFormat(piece.structure, choices.layout, choices.masks);
  for (const text of [note, factor.note]) if (text !== null) draft.notes.add(text);
  const operand = operands.operand(piece, format, piece.rows, piece.columns);
  return { atom, operand: operand.name, input, inputPermutation: null };
}

/** The terms of one stage's step. A sum that cannot share one step is multiplied out. */
function stageTerms(
  draft: Draft,
  stage: Stage,
  scale: NumberExpression | null,
  input: string,
): readonly StepTerm[] {
  const { factor } = stage;
  if (factor.kind !== "sum") return [stepTerm(draft, stage, input)];
  const parts = termsOf(factor.term);
  if (parts.every((part) => isFusable(part, draft.choices))) {
    return contributions(draft, parts, scale, input).flatMap(({ fused }) => fused);
  }
  draft.notes.add(`${printTerm(factor.term)} stands between other factors and is formed as a dense matrix`);
  const piece = scalePiece(pieceOf(factor.term), scale);
  return [stepTerm(draft, { ...stage, factor: { kind: "matrix", piece, note: null } }, input)];
}

/** A sum of which a part writes to a range: its terms cannot share one step. */
const writesRanges = (factor: Stage["factor"], choices: Choices): boolean =>
  factor.kind === "sum" &&
  termsOf(factor.term).some((part) => {
    const { operand } = splitScale(part);
    return arrangeStages(expandFactors(operand, choices), operand.rows).at(-1)?.embedding !== null;
  });

/** Emits a step that writes a fresh activation, or finds the one that already holds the value. */
function activationOf(draft: Draft, terms: readonly StepTerm[], stage: Stage): string {
  const same = draft.steps.find(
    (step) =>
      JSON.stringify([step.terms, step.outputPermutation]) ===
        JSON.stringify([terms, stage.outputPermutation]) &&
      memoryOf(draft.activations, step.output) === step.output &&
      step.output !== draft.target,
  );
  if (same !== undefined) {
    draft.rules.add("common-factor");
    return same.output;
  }
  const name = freshActivation(draft, heightOf(stage.factor));
  draft.steps.push({
    name,
    output: name,
    outputPermutation: stage.outputPermutation,
    accumulate: false,
    terms,
  });
  return name;
}

/** Emits the step or steps of one stage; gives the activation that holds what it computes. */
function runStage(draft: Draft, stage: Stage, scale: NumberExpression | null, current: string): string {
  const input = stage.window === null ? current : partOf(draft.activations, current, stage.window);
  const { factor, embedding, outputPermutation } = stage;
  const inRanges = writesRanges(factor, draft.choices);
  if (embedding === null && !inRanges)
    return activationOf(draft, stageTerms(draft, stage, scale, input), stage);
  const size = heightOf(factor);
  const whole: Writer[] = inRanges
    ? []
    : [{ terms: stageTerms(draft, stage, scale, input), outputPermutation, range: null }];
  const parts =
    inRanges && factor.kind === "sum" ? contributions(draft, termsOf(factor.term), scale, input) : [];
  const output = freshActivation(draft, embedding?.size ?? size);
  const writers = [...whole, ...writersOf(parts)].map((writer) => inside(writer, embedding));
  emitWriters(draft, output, embedding?.size ?? size, writers);
  if (!inRanges || outputPermutation === null) return output;
  const mover = permutingStage(embedding?.size ?? size, outputPermutation);
  return activationOf(draft, [stepTerm(draft, mover, output)], mover);
}

/** The stages of a term with its scale in one of its factors, or, where a sum takes it, beside them. */
function scaledStages(draft: Draft, term: Term, outerScale: NumberExpression | null) {
  const { factor, operand } = splitScale(term);
  const scale =
    factor === null ? outerScale : outerScale === null ? factor : multiplyNumbers(factor, outerScale);
  const expanded = expandFactors(operand, draft.choices);
  const carrier = expanded[scaledIndex(expanded)];
  // A sum hands the scale to its terms; of several sums only the carrier does, or the scale would count twice.
  const scaledSum = carrier?.kind === "sum" ? carrier : null;
  const factors = scaledSum === null ? scaleFactors(expanded, scale, operand.rows) : expanded;
  const scaleOf = (stage: Stage): NumberExpression | null => (stage.factor === scaledSum ? scale : null);
  if (scale !== null) draft.rules.add("scale-into-operand");
  if (operand.kind === "kron") draft.rules.add(`kron-${draft.choices.kron}`);
  const stages = arrangeStages(factors, operand.rows);
  return { operand, scale, stages, scaleOf };
}

/** Emits the steps that apply `term` to `input`; gives the activation that holds the result. */
export function applyToActivation(draft: Draft, term: Term, input: string): string {
  const { stages, scaleOf } = scaledStages(draft, term, null);
  return stages.reduce((current, stage) => runStage(draft, stage, scaleOf(stage), current), input);
}

/** What one term adds; several entries where its last stage is a sum that writes to ranges. */
function contribution(
  draft: Draft,
  term: Term,
  outerScale: NumberExpression | null,
  input: string,
): readonly Contribution[] {
  const { operand, scale, stages, scaleOf } = scaledStages(draft, term, outerScale);
  const current = stages
    .slice(0, -1)
    .reduce((before, stage) => runStage(draft, stage, scaleOf(stage), before), input);
  const [last] = stages.slice(-1);
  if (last === undefined) throw new TypeError("a term without stages");
  const read = last.window === null ? current : partOf(draft.activations, current, last.window);
  const { factor, outputPermutation, embedding } = last;
  const form = applicationForm(operand, scale, draft.choices, input);
  const range = embedding?.range ?? null;
  if (factor.kind === "sum" && outputPermutation === null && writesRanges(factor, draft.choices)) {
    const parts = contributions(draft, termsOf(factor.term), scaleOf(last), read);
    const own = writersOf(parts).map((writer) => inside(writer, embedding));
    return [{ fused: [], own, range, form }];
  }
  const terms = stageTerms(draft, last, scaleOf(last), read);
  const shares = outputPermutation === null && (factor.kind === "matrix" || factor.kind === "sum");
  if (shares && stages.length > 1) draft.rules.add("low-rank-fused");
  return [
    shares
      ? { fused: terms, own: [], range, form }
      : { fused: [], own: [{ terms, outputPermutation, range }], range, form },
  ];
}

/** Frozen terms join a frozen dense one: the sum is formed once at load and costs nothing more to apply. */
function contributions(
  draft: Draft,
  terms: readonly Term[],
  scale: NumberExpression | null,
  input: string,
): readonly Contribution[] {
  const { choices } = draft;
  const isDense = (term: Term): boolean => {
    const [only, ...rest] = expandFactors(splitScale(term).operand, choices);
    if (only === undefined || rest.length > 0 || only.kind !== "matrix") return false;
    return chooseFormat(only.piece.structure, choices.layout, choices.masks).atom === "dense";
  };
  const frozen = terms.filter((term) => !isTrainable(term));
  if (frozen.length < 2 || !frozen.some(isDense))
    return terms.flatMap((term) => contribution(draft, term, scale, input));
  draft.rules.add("frozen-sum-at-load");
  const piece = scalePiece(addPieces(nonEmpty(frozen.map(pieceOf))), scale);
  const stage: Stage = {
    factor: { kind: "matrix", piece, note: null },
    window: null,
    inputPermutation: null,
    outputPermutation: null,
    embedding: null,
  };
  const first: Contribution = {
    fused: [stepTerm(draft, stage, input)],
    own: [],
    range: null,
    form: `${enclose(piece.text)} ${input}`,
  };
  return [first, ...terms.filter(isTrainable).flatMap((term) => contribution(draft, term, scale, input))];
}

function emptyDraft(root: Term, choices: Choices, operands: OperandTable, rules: readonly string[]): Draft {
  const activations = [
    { name: "x", width: root.columns },
    { name: "y", width: root.rows },
  ];
  return createDraft("y", activations, choices, operands, rules);
}

const finish = (draft: Draft, name: string, form: string, merged: boolean): VariantDraft => ({
  name: `${name}/${draft.choices.layout}`,
  form,
  layout: draft.choices.layout,
  activations: draft.activations,
  steps: draft.steps,
  merged,
  rules: [...draft.rules],
  notes: [...draft.notes],
});

/** The weight applied term by term. */
export function separateVariant(
  root: Term,
  name: string,
  choices: Choices,
  operands: OperandTable,
  rules: readonly string[],
): VariantDraft {
  const draft = emptyDraft(root, choices, operands, rules);
  return finish(draft, name, `y = ${writeTarget(draft, root, "x").join(" + ")}`, false);
}

/** Emits the steps that apply `root` to `input` and complete the target; gives the form of each contribution. */
export function writeTarget(draft: Draft, root: Term, input: string): readonly string[] {
  const parts = contributions(draft, termsOf(root), null, input);
  emitWriters(draft, draft.target, root.rows, writersOf(parts));
  return parts.map(({ form }) => form);
}

/** The whole weight as one dense operand, formed at load when it is frozen, else after every step. */
export function denseVariant(
  root: Term,
  name: string,
  layout: Layout,
  operands: OperandTable,
  rules: readonly string[],
): VariantDraft {
  const trainable = isTrainable(root);
  const choices: Choices = { layout, masks: "dense", kron: "first-factor-first", products: new Set() };
  const draft = emptyDraft(root, choices, operands, [
    ...rules,
    trainable ? "merge-at-step" : "dense-at-load",
  ]);
  const piece: MatrixPiece = { ...pieceOf(root), structure: { kind: "dense" } };
  const operand = operands.operand(piece, { name: "panel16" }, piece.rows, piece.columns);
  const terms: StepTerm[] = [{ atom: "dense", operand: operand.name, input: "x", inputPermutation: null }];
  draft.steps.push({ name: "y", output: "y", outputPermutation: null, accumulate: false, terms });
  return finish(draft, name, `y = ${enclose(piece.text)} x`, trainable);
}
