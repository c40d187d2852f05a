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
import { applicationForm } from "./application-form.ts";
import { arrangeStages, type Choices, expandFactors, type Stage } from "./linear-factors.ts";
import { addPieces, chooseFormat, enclose, type MatrixPiece, pieceOf, scalePiece } from "./matrix-operand.ts";
import type { OperandTable } from "./operand-table.ts";
import type { Activation, Layout, Step, StepTerm, Variant } from "./plan.ts";
import { scaledIndex, scaleFactors, splitScale } from "./scaled-factors.ts";

/** A variant before its cost is known. */
export interface VariantDraft extends Omit<Variant, "cost" | "costs"> {
  readonly notes: readonly string[];
}

/** What a term of a sum adds: terms for the common step, or a step of its own. */
interface Contribution {
  readonly fused: readonly StepTerm[];
  readonly own: readonly Pick<Step, "terms" | "outputPermutation">[];
  /** The application as an expression, e.g. `B (A x)`. */
  readonly form: string;
}

/** Steps and activations as they are found. */
export interface Draft {
  /** The activation that the steps complete. */
  readonly target: string;
  readonly choices: Choices;
  readonly operands: OperandTable;
  readonly activations: Activation[];
  readonly steps: Step[];
  readonly rules: Set<string>;
  readonly notes: Set<string>;
}

const termsOf = (term: Term): readonly Term[] => (term.kind === "sum" ? term.terms : [term]);

const heightOf = (factor: Stage["factor"]): NumberExpression => {
  if (factor.kind === "sum") return factor.term.rows;
  return factor.kind === "blocks" && factor.repeated
    ? multiplyNumbers(factor.piece.rows, factor.blocks)
    : factor.piece.rows;
};

/** True when the term can share a step: its last stage is one packed matrix and nothing is permuted behind it. */
function isFusable(term: Term, choices: Choices): boolean {
  const { operand } = splitScale(term);
  const last = arrangeStages(expandFactors(operand, choices), operand.rows).at(-1);
  if (last === undefined || last.outputPermutation !== null) return false;
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

/** Emits a step that writes a fresh activation, or finds the one that already holds the value. */
function activationOf(draft: Draft, terms: readonly StepTerm[], stage: Stage): string {
  const same = draft.steps.find(
    (step) =>
      JSON.stringify([step.terms, step.outputPermutation]) ===
        JSON.stringify([terms, stage.outputPermutation]) && step.output !== draft.target,
  );
  if (same !== undefined) {
    draft.rules.add("common-factor");
    return same.output;
  }
  const name = `t${draft.steps.filter(({ output }) => output !== draft.target).length + 1}`;
  draft.activations.push({ name, width: heightOf(stage.factor) });
  draft.steps.push({
    name,
    output: name,
    outputPermutation: stage.outputPermutation,
    accumulate: false,
    terms,
  });
  return name;
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
  let current = input;
  for (const stage of stages)
    current = activationOf(draft, stageTerms(draft, stage, scaleOf(stage), current), stage);
  return current;
}

function contribution(
  draft: Draft,
  term: Term,
  outerScale: NumberExpression | null,
  input: string,
): Contribution {
  const { operand, scale, stages, scaleOf } = scaledStages(draft, term, outerScale);
  let current = input;
  for (const stage of stages.slice(0, -1))
    current = activationOf(draft, stageTerms(draft, stage, scaleOf(stage), current), stage);
  const [last] = stages.slice(-1);
  if (last === undefined) throw new TypeError("a term without stages");
  const terms = stageTerms(draft, last, scaleOf(last), current);
  const form = applicationForm(operand, scale, draft.choices, input);
  const shares =
    last.outputPermutation === null && (last.factor.kind === "matrix" || last.factor.kind === "sum");
  if (shares && stages.length > 1) draft.rules.add("low-rank-fused");
  return shares
    ? { fused: terms, own: [], form }
    : { fused: [], own: [{ terms, outputPermutation: last.outputPermutation }], form };
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
    return terms.map((term) => contribution(draft, term, scale, input));
  draft.rules.add("frozen-sum-at-load");
  const piece = scalePiece(addPieces(nonEmpty(frozen.map(pieceOf))), scale);
  const stage: Stage = {
    factor: { kind: "matrix", piece, note: null },
    inputPermutation: null,
    outputPermutation: null,
  };
  const first: Contribution = {
    fused: [stepTerm(draft, stage, input)],
    own: [],
    form: `${enclose(piece.text)} ${input}`,
  };
  return [first, ...terms.filter(isTrainable).map((term) => contribution(draft, term, scale, input))];
}

function emptyDraft(root: Term, choices: Choices, operands: OperandTable, rules: readonly string[]): Draft {
  const activations = [
    { name: "x", width: root.columns },
    { name: "y", width: root.rows },
  ];
  return createDraft("y", activations, choices, operands, rules);
}

/** @param given the activations that exist from the start. */
export function createDraft(
  target: string,
  given: readonly Activation[],
  choices: Choices,
  operands: OperandTable,
  rules: readonly string[],
): Draft {
  return {
    target,
    choices,
    operands,
    activations: [...given],
    steps: [],
    rules: new Set(rules),
    notes: new Set(),
  };
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

/** The weight applied term by term. @throws Unplannable when a term has no packed form. */
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
  const { target } = draft;
  const parts = contributions(draft, termsOf(root), null, input);
  const writers = [
    ...parts.flatMap(({ own }) => own),
    ...[parts.flatMap(({ fused }) => fused)]
      .filter((terms) => terms.length > 0)
      .map((terms) => ({ terms, outputPermutation: null })),
  ];
  writers.forEach(({ terms, outputPermutation }, index) => {
    const stepName = writers.length === 1 ? target : `${target}${index + 1}`;
    draft.steps.push({ name: stepName, output: target, outputPermutation, accumulate: index > 0, terms });
  });
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
