/**
 * Schedules and phases: numbers with a name that follow the clocks of training. A use of the name is a symbol, so that
 * everything behind the checker sees an ordinary number; the expression over the clocks stays in the declaration.
 */
import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import {
  type NumberExpression,
  number,
  symbol,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { clockNames, isClock, type PhaseInterval, type TimeManifest } from "../../runtime/contract/time.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  clockNameTaken,
  clockUnread,
  phaseConstant,
  scheduleOutOfRange,
} from "../diagnostics/time-diagnostics.ts";
import { toPolynomial } from "../types/dimension.ts";
import { intersectIntervals } from "../types/interval.ts";
import { intervalOf, type SymbolRange } from "../types/knowledge.ts";
import { prove } from "../types/prove.ts";
import { addProblem, type Environment } from "./check-context.ts";
import { asTyped, numberValue } from "./check-numbers.ts";
import { findCounterexample } from "./schedule-samples.ts";
import type { Statement, TransformDraft } from "./transform-draft.ts";
import { type NumberType, poison, type Value } from "./value.ts";

const clockRanges: Readonly<Record<(typeof clockNames)[number], SymbolRange>> = {
  step: { low: 0, high: Infinity, whole: true },
  epoch: { low: 0, high: Infinity, whole: false },
  tokens: { low: 0, high: Infinity, whole: true },
  progress: { low: 0, high: 1, whole: false },
};

export const readsClock = (expression: NumberExpression): boolean => symbolsOf(expression).some(isClock);

/** The first name in `expression` that follows the clocks, or null. */
export const scheduledIn = (
  { scheduled }: Pick<TransformDraft["context"], "scheduled">,
  expression: NumberExpression,
): string | null => symbolsOf(expression).find((name) => scheduled.has(name)) ?? null;

/** The names of a transform and the clocks. */
export const withClocks = ({ environment }: TransformDraft): Environment => ({
  module: environment.module,
  lookup: (name, span) =>
    isClock(name)
      ? numberValue(symbol(name), clockRanges[name].whole ? "int" : "real")
      : environment.lookup(name, span),
  names: () => [...clockNames, ...environment.names()],
});

/** Requires that the names of the transform are declared; ensures that the clocks mean nothing else in it. */
export function introduceClocks(draft: TransformDraft): void {
  const { context, syntax } = draft;
  const follows = syntax.statements.some(({ kind }) => ["schedule", "phase", "refresh"].includes(kind));
  if (!follows) return;
  for (const name of clockNames) {
    context.symbolTypes.set(name, clockRanges[name].whole ? "int" : "real");
    draft.ranges.set(name, clockRanges[name]);
    const place = draft.places.get(name);
    if (place !== undefined) addProblem(context, report(clockNameTaken, place, { name }));
  }
}

/** Registers the number under its name and gives the value that a use of the name has. */
function follow(
  draft: TransformDraft,
  entry: TimeManifest["numbers"][number],
  type: NumberType,
  span: Span,
): Value {
  const { context, ranges, origins, time } = draft;
  const { name, value } = entry;
  const known = { ranges, nonNegative: [], wholeQuotients: [], residues: [] };
  const found = intervalOf(toPolynomial(value), known);
  const own = type === "ratio" || type === "bool" ? { low: 0, high: 1 } : { low: -Infinity, high: Infinity };
  ranges.set(name, { ...intersectIntervals(found, own), whole: type === "int" || type === "bool" });
  origins.set(name, { span, text: `\`${name}\` follows the clocks` });
  context.symbolTypes.set(name, type === "bool" ? "int" : type);
  context.scheduled.add(name);
  time.push(entry);
  if (!symbolsOf(value).some((read) => isClock(read) || context.scheduled.has(read)))
    addProblem(context, report(clockUnread, span, { name }));
  return entry.kind === "phase"
    ? { kind: "number", type: "int", expression: symbol(name), isCondition: true }
    : { kind: "number", type, expression: symbol(name) };
}

/** `schedule NAME: type = expression` */
export function declareSchedule(
  draft: TransformDraft,
  { name, type, value: syntax }: Statement<"schedule">,
): Value {
  const { context } = draft;
  const found = context.check(withClocks(draft), syntax);
  const value = asTyped(context, found, type.name, syntax.span, name.name);
  if (value === null) return poison;
  const broken = findCounterexample(draft, value, type.name);
  if (broken !== null) {
    addProblem(context, report(scheduleOutOfRange, syntax.span, { name: name.name, ...broken }));
    return poison;
  }
  return follow(draft, { kind: "schedule", name: name.name, type: type.name, value }, type.name, name.span);
}

/** `phase NAME = condition` */
export function declarePhase(draft: TransformDraft, { name, value: syntax }: Statement<"phase">): Value {
  const value = checkCondition(draft, syntax, name.name);
  if (value === null) return poison;
  const always = decided(draft, value);
  if (always !== null) {
    const holds = always ? "always" : "never";
    addProblem(draft.context, report(phaseConstant, syntax.span, { name: name.name, holds }));
  }
  const intervals = intervalsOf(value);
  return follow(draft, { kind: "phase", name: name.name, value, intervals }, "bool", name.span);
}

/** A condition over the clocks; null after a report. */
export const checkCondition = (
  draft: TransformDraft,
  syntax: ExpressionSyntax,
  name: string,
): NumberExpression | null =>
  asTyped(draft.context, draft.context.check(withClocks(draft), syntax), "bool", syntax.span, name);

const conjuncts = (condition: NumberExpression): readonly NumberExpression[] =>
  condition.kind === "apply" && condition.operator === "and"
    ? condition.operands.flatMap(conjuncts)
    : [condition];

/** True when a condition always holds, false when it never does; one part may contradict another. */
function decided({ ranges }: TransformDraft, condition: NumberExpression): boolean | null {
  if (prove(condition, { ranges, facts: [] }) === "proven") return true;
  const parts = conjuncts(condition);
  const never = parts.some((part) => {
    const facts = parts.filter((other) => other !== part);
    return prove(part, { ranges, facts }) === "refuted";
  });
  return never ? false : null;
}

const mirrored: Readonly<Record<string, string>> = { "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

/** `step >= a and step < b` as intervals; null for a condition of another form. */
function intervalsOf(condition: NumberExpression): PhaseInterval[] | null {
  const found: PhaseInterval[] = [];
  for (const part of conjuncts(condition)) {
    if (part.kind !== "apply") return null;
    const [left = number(0), right = number(0)] = part.operands;
    const isLeft = left.kind === "symbol" && isClock(left.name);
    const [clock, bound] = isLeft ? [left, right] : [right, left];
    const operator = isLeft ? part.operator : mirrored[part.operator];
    if (clock.kind !== "symbol" || !isClock(clock.name) || readsClock(bound)) return null;
    const base = { clock: clock.name, from: null, afterStart: false, to: null, withEnd: false };
    if (operator === "<" || operator === "<=") found.push({ ...base, to: bound, withEnd: operator === "<=" });
    else if (operator === ">" || operator === ">=")
      found.push({ ...base, from: bound, afterStart: operator === ">" });
    else return null;
  }
  return found;
}
