/**
 * One transform with chosen values of its const arguments → its checked form. Requires that the module's names are
 * loaded. Shapes come first, then patterns, values and the weight, because each reads only what stands before it;
 * conditions are settled last, when all of them are known.
 */

import type { ExpressionSyntax, StatementSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { wrongKind } from "../diagnostics/type-diagnostics.ts";
import type { Declaration, ModuleScope } from "../modules/module-scope.ts";
import { checkArguments, constantsOf } from "./check-arguments.ts";
import { addProblem, type CheckContext, isRefusedAgain, refuseConstants } from "./check-context.ts";
import { constantsIn } from "./check-dimensions.ts";
import { checkExpression } from "./check-expression.ts";
import { giveValue, initialise } from "./check-initial-values.ts";
import { declareTensor, finishTensor, joinSupport, type TensorStatement } from "./check-params.ts";
import { spreadShapes, startPattern } from "./check-patterns.ts";
import { checkPins } from "./check-pins.ts";
import { checkRefresh, finishRefreshes } from "./check-refresh.ts";
import { declarePhase, declareSchedule, introduceClocks, readsClock } from "./check-time.ts";
import { checkWeight, namesInWeight, warnOfUnused } from "./check-weight.ts";
import type { CheckedPattern, CheckedTensor, CheckedTransform, WeightExpression } from "./checked-module.ts";
import { finishDerived, nameDerived } from "./derived-tensors.ts";
import { timeOf, warnOfReadOnce } from "./finish-time.ts";
import { namesInExpression } from "./names-in-expression.ts";
import { kindOfCondition, settleObligations } from "./obligations.ts";
import { orderInitialValues } from "./order-initial-values.ts";
import { storeStructurally } from "./structural-storage.ts";
import { declareName, type Statement, startDraft, type TransformDraft } from "./transform-draft.ts";
import { describeValue, isCondition } from "./value.ts";

export type TransformDeclaration = Declaration & { readonly kind: "transform" };

export interface TransformResult {
  /** Null when there was an error. */
  readonly transform: CheckedTransform | null;
  readonly diagnostics: readonly Diagnostic[];
}

export const newContext = (
  isFaulty: CheckContext["isFaulty"],
  work: CheckContext["work"] = { steps: 0 },
): CheckContext => ({
  diagnostics: [],
  obligations: [],
  symbolTypes: new Map(),
  patterns: new Map(),
  scheduled: new Set(),
  allotments: new Map(),
  derived: new Map(),
  calls: [],
  reportedNames: new Set(),
  isFaulty,
  work,
  check: function check(environment, syntax) {
    return checkExpression(this, environment, syntax);
  },
});

export function checkTransform(
  declaration: TransformDeclaration,
  name: string,
  given: ReadonlyMap<string, number>,
  isFaulty: CheckContext["isFaulty"],
): TransformResult {
  const context = newContext(isFaulty);
  const { syntax, module } = declaration;
  const nowhere = { module, lookup: () => null, names: () => [] };
  const constants = constantsOf(context, nowhere, syntax.parameters, given);
  if (constants === null) return { transform: null, diagnostics: context.diagnostics };
  const draft = startDraft({ syntax, module, constants }, context);
  const transform = elaborate(draft, module, name);
  const failed = context.diagnostics.some(({ severity }) => severity === "error");
  return { transform: failed ? null : transform, diagnostics: context.diagnostics };
}

function elaborate(draft: TransformDraft, module: ModuleScope, name: string): CheckedTransform | null {
  const { syntax, context } = draft;
  checkArguments(draft);
  for (const { condition } of statementsOf(draft, "require")) noteRefused(draft, condition);
  declareStatements(draft);
  introduceClocks(draft);
  // Also those that nothing reads: a mistake in them is a mistake.
  for (const lazyName of draft.lazy.keys()) draft.environment.lookup(lazyName, syntax.name.span);
  for (const statement of tensorStatements(draft)) joinSupport(draft, statement);
  for (const statement of statementsOf(draft, "require")) checkRequire(draft, module, statement.condition);
  giveValues(draft);
  const weight = checkWeight(draft);
  for (const statement of statementsOf(draft, "refresh")) checkRefresh(draft, statement, weight);
  const pins = checkPins(draft, statementsOf(draft, "pin"));
  const { patterns, tensors: written } = finish(draft);
  const tensors = weight === null ? written : withDerived(draft, weight, written, patterns);
  const refreshes = finishRefreshes(draft, patterns, tensors);
  warnOfReadOnce(draft, patterns, tensors);
  declareAllotments(draft);
  const settled = settleObligations(context.obligations, {
    ranges: draft.ranges,
    defaults: draft.defaults,
    origins: draft.origins,
  });
  context.diagnostics.push(...settled.diagnostics);
  const ordered = orderInitialValues(tensors, patterns);
  if ("cycle" in ordered) addProblem(context, ordered.cycle);
  if (
    !draft.isComplete ||
    weight === null ||
    "cycle" in ordered ||
    context.diagnostics.some(({ severity }) => severity === "error")
  )
    return null;
  warnOfUnused(draft, weight, tensors, patterns);
  return {
    name,
    documentation: syntax.trivia.documentation.map((line) => line.trim()).join("\n"),
    span: syntax.name.span,
    arguments: draft.arguments,
    constants: Object.fromEntries(draft.constants),
    // What reads a clock itself is checked wherever the schedule gets its value.
    requirements: settled.requirements.filter(({ condition }) => !readsClock(condition)),
    proven: settled.proven,
    tensors,
    patterns,
    time: timeOf(draft, refreshes),
    order: ordered.order,
    weight,
    ...(pins.length > 0 ? { pins } : {}),
  };
}

/** What the weight derives is known before it is decided how params are stored: a formula reads them whole. */
function withDerived(
  draft: TransformDraft,
  weight: WeightExpression,
  written: readonly CheckedTensor[],
  patterns: readonly CheckedPattern[],
): readonly CheckedTensor[] {
  const all = finishDerived(draft.context, namesInWeight(weight), written);
  return storeStructurally(weight, all, patterns);
}

/** Last among the arguments: their defaults read the others. */
function declareAllotments({ context, arguments: declared, ranges, origins }: TransformDraft): void {
  for (const [name, argument] of context.allotments) {
    declared.push(argument);
    ranges.set(name, { low: 0, high: 1, whole: false });
    origins.set(name, { span: argument.span, text: `\`${name}\` is the layer's share` });
  }
}

const statementsOf = <Kind extends StatementSyntax["kind"]>(
  draft: TransformDraft,
  kind: Kind,
): Statement<Kind>[] =>
  draft.syntax.statements.filter((statement): statement is Statement<Kind> => statement.kind === kind);

const tensorStatements = (draft: TransformDraft): TensorStatement[] =>
  draft.syntax.statements.filter(
    (statement): statement is TensorStatement => statement.kind === "param" || statement.kind === "frozen",
  );

function declareStatements(draft: TransformDraft): void {
  const { context, environment } = draft;
  for (const statement of draft.syntax.statements) {
    if (
      statement.kind !== "let" &&
      statement.kind !== "mask" &&
      statement.kind !== "schedule" &&
      statement.kind !== "phase"
    )
      continue;
    const { name, span } = statement.name;
    if (!declareName(draft, name, span)) continue;
    if (statement.kind === "schedule" || statement.kind === "phase") {
      const find = () =>
        statement.kind === "schedule" ? declareSchedule(draft, statement) : declarePhase(draft, statement);
      draft.lazy.set(name, { kind: "let", span, state: "new", find });
      continue;
    }
    if (statement.kind === "mask") {
      draft.lazy.set(name, {
        kind: "pattern",
        span,
        state: "new",
        find: () => startPattern(draft, statement),
      });
    } else {
      draft.lazy.set(name, {
        kind: "let",
        span,
        state: "new",
        find: () => nameDerived(context, name, context.check(environment, statement.value)),
      });
    }
  }
  for (const statement of tensorStatements(draft)) declareTensor(draft, statement);
}

/** Looks ahead for conditions that constants break: they are told instead of what the same constants break later. */
function noteRefused(draft: TransformDraft, condition: ExpressionSyntax): void {
  if (condition.kind === "binary" && condition.operator === "and") {
    noteRefused(draft, condition.left);
    noteRefused(draft, condition.right);
    return;
  }
  const names = namesInExpression(condition);
  if (names.length === 0 || !names.every((name) => draft.constants.has(name))) return;
  const silent = { ...draft.context, diagnostics: [], obligations: [], reportedNames: new Set<string>() };
  const value = silent.check(draft.environment, condition);
  if (isCondition(value) && isFalse(value.expression)) refuseConstants(draft.context, names);
}

const isFalse = (expression: NumberExpression): boolean =>
  expression.kind === "number" && expression.value === 0;

function checkRequire(draft: TransformDraft, module: ModuleScope, condition: ExpressionSyntax): void {
  if (condition.kind === "binary" && condition.operator === "and") {
    checkRequire(draft, module, condition.left);
    checkRequire(draft, module, condition.right);
    return;
  }
  const { context } = draft;
  const { span } = condition;
  const value = context.check(draft.environment, condition);
  if (!isCondition(value)) {
    if (value.kind !== "poison")
      addProblem(context, report(wrongKind, span, { expected: "a condition", found: describeValue(value) }));
    return;
  }
  if (isFalse(value.expression) && isRefusedAgain(context, namesInExpression(condition))) return;
  context.obligations.push({
    kind: kindOfCondition(condition),
    condition: value.expression,
    text: module.source.text.slice(span.start, span.end).replace(/\s+/g, " "),
    span,
    reason: `\`${draft.syntax.name.name}\` requires it`,
    related: constantsIn(draft, condition),
    isStated: true,
  });
}

function giveValues(draft: TransformDraft): void {
  for (const { name, value } of tensorStatements(draft)) {
    const isDeclared = draft.tensors.get(name.name)?.span === name.span;
    if (value !== null && isDeclared)
      giveValue(draft, name, draft.context.check(draft.environment, value), value.span);
  }
  for (const statement of statementsOf(draft, "init")) initialise(draft, statement);
}

function finish(draft: TransformDraft): { patterns: CheckedPattern[]; tensors: CheckedTensor[] } {
  spreadShapes(draft.context);
  const patterns = [...draft.context.patterns.values()].flatMap((pattern) => pattern.finish() ?? []);
  const byName = new Map(patterns.map((pattern) => [pattern.name, pattern]));
  const tensors = [...draft.tensors.values()].flatMap((tensor) => finishTensor(draft, tensor, byName) ?? []);
  return { patterns, tensors };
}
