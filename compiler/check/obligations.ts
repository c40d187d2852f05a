/**
 * Conditions that must hold: those the author wrote and those that a construct implies. Each ends as proven, as a
 * requirement checked at load, or as an error with the values that break it.
 */

import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic, Label } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { type DiagnosticKind, report } from "../diagnostics/define-diagnostic.ts";
import {
  blocksDoNotDivide,
  dimensionNotPositive,
  groupsDoNotDivide,
  notDivisible,
  quotientNotWhole,
  rankAboveBound,
  requirementRefuted,
  scalesDoNotDivide,
  strideDoesNotDivide,
  supportTooLarge,
  tilesDoNotDivide,
} from "../diagnostics/shape-diagnostics.ts";
import { foldNumber, substitute } from "../types/fold-number.ts";
import type { SymbolRange } from "../types/knowledge.ts";
import { prove } from "../types/prove.ts";
import type { Requirement } from "./checked-module.ts";

export type ConditionKind = DiagnosticKind<{ condition: string; values: string }>;

export interface Obligation {
  readonly kind: ConditionKind;
  readonly condition: NumberExpression;
  readonly text: string;
  readonly span: Span;
  readonly reason: string;
  /** Places that a message shows beside the symbols' own. */
  readonly related: readonly Label[];
  /** Written by the author; these are settled first, because the others may follow from them. */
  readonly isStated: boolean;
}

export interface Surroundings {
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  /** Default values of arguments, written in terms of dimensions only. */
  readonly defaults: ReadonlyMap<string, NumberExpression>;
  /** Where a symbol gets its value. */
  readonly origins: ReadonlyMap<string, Label>;
}

export interface Settled {
  readonly requirements: readonly Requirement[];
  readonly proven: readonly Requirement[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Form of a stated condition → the code it fails with. The first row that fits counts. */
const statedKinds: readonly {
  readonly fits: (condition: ExpressionSyntax) => boolean;
  readonly kind: ConditionKind;
}[] = [
  {
    fits: (condition) =>
      condition.kind === "binary" &&
      condition.operator === "==" &&
      [condition.left, condition.right].some(isRemainder),
    kind: notDivisible,
  },
  {
    fits: (condition) => {
      if (condition.kind !== "binary") return false;
      const bound = ["<=", "<"].includes(condition.operator)
        ? condition.right
        : [">=", ">"].includes(condition.operator)
          ? condition.left
          : null;
      return bound?.kind === "call" && bound.callee.name === "min";
    },
    kind: rankAboveBound,
  },
];

const isRemainder = (syntax: ExpressionSyntax): boolean =>
  syntax.kind === "binary" && syntax.operator === "%";

/** Read from the syntax: folding may leave neither `%` nor `min` in the condition. */
export const kindOfCondition = (condition: ExpressionSyntax): ConditionKind =>
  statedKinds.find(({ fits }) => fits(condition))?.kind ?? requirementRefuted;

const fold = (condition: NumberExpression): string => {
  if (condition.kind !== "apply") return printNumber(condition);
  const connective = ["and", "or", "not"].includes(condition.operator);
  const operands = condition.operands.map((operand) => (connective ? operand : foldSide(operand)));
  return printNumber(apply(condition.operator, ...operands));
};

/** `10 % 4` stays as it is, so that the message shows the division. */
const foldSide = (side: NumberExpression): NumberExpression =>
  side.kind === "apply" && side.operator === "%"
    ? apply("%", ...side.operands.map(foldNumber))
    : foldNumber(side);

/** Requires that the defaults of all arguments are known; ensures each obligation appears once. */
export function settleObligations(obligations: readonly Obligation[], surroundings: Surroundings): Settled {
  const requirements: Requirement[] = [];
  const proven: Requirement[] = [];
  const diagnostics: Diagnostic[] = [];
  const settled: Obligation[] = [];
  const refuted: NumberExpression[] = [];
  const seen = new Set<string>();
  const ordered = [
    ...obligations.filter(({ isStated }) => isStated),
    ...obligations.filter(({ isStated }) => !isStated),
  ];
  for (const obligation of ordered) {
    const key = printNumber(obligation.condition);
    if (seen.has(key)) continue;
    seen.add(key);
    const facts = settled.map((earlier) => earlier.condition);
    const refutation = refute(obligation, surroundings, settled);
    if (refutation !== null) {
      // What follows from a condition that is told to be broken is broken by the same mistake.
      if (!refuted.some((told) => followsFrom(obligation.condition, told, surroundings))) {
        diagnostics.push(refutation);
        refuted.push(obligation.condition);
      }
      continue;
    }
    const { condition, text, kind, span, reason } = obligation;
    const requirement: Requirement = { condition, text, code: kind.code, span, reason };
    if (prove(condition, { ranges: surroundings.ranges, facts }) === "proven") proven.push(requirement);
    else requirements.push(requirement);
    settled.push(obligation);
  }
  return { requirements, proven, diagnostics };
}

/** True when one condition says of its symbols at least what the other says of the same. */
function followsFrom(condition: NumberExpression, told: NumberExpression, { ranges }: Surroundings): boolean {
  const names = symbolsOf(told);
  return (
    symbolsOf(condition).every((name) => names.includes(name)) &&
    prove(told, { ranges, facts: [] }) !== "refuted" &&
    prove(condition, { ranges, facts: [told] }) === "proven"
  );
}

/** Earlier conditions without which this one might hold: none of them can be left out. */
function opponents(
  condition: NumberExpression,
  ranges: Surroundings["ranges"],
  settled: readonly Obligation[],
): readonly Obligation[] {
  // Those that nobody wrote are left out first, so that the author reads of his own.
  const order = [
    ...settled.filter(({ isStated }) => !isStated),
    ...settled.filter(({ isStated }) => isStated),
  ];
  return order.reduce<readonly Obligation[]>((kept, candidate) => {
    const others = kept.filter((one) => one !== candidate);
    const facts = others.map((one) => one.condition);
    return prove(condition, { ranges, facts }) === "refuted" ? others : kept;
  }, settled);
}

const placeOf = ({ isStated, span }: Obligation): readonly Label[] =>
  isStated ? [{ span, text: "required here" }] : [];

const wordsOf = ({ isStated, text, reason }: Obligation): readonly string[] =>
  isStated ? [] : [`\`${text}\`: ${reason}`];

function refute(
  obligation: Obligation,
  { ranges, defaults, origins }: Surroundings,
  settled: readonly Obligation[],
): Diagnostic | null {
  const { condition, kind, span, text, reason, related, isStated } = obligation;
  const withDefaults = substitute(condition, defaults);
  const facts = settled.map((earlier) => earlier.condition);
  const never = prove(condition, { ranges, facts }) === "refuted";
  if (!never && prove(withDefaults, { ranges, facts: [] }) !== "refuted") return null;
  // A condition of numbers alone is folded to 0, which says less than its text.
  const folded = fold(never ? condition : withDefaults);
  const shown = folded === "0" ? text : folded;
  const labels = symbolsOf(condition).flatMap((name) => {
    const origin = origins.get(name);
    return origin === undefined ? [] : [origin];
  });
  const against = never ? opponents(condition, ranges, settled) : [];
  return report(
    kind,
    span,
    { condition: text, values: shown === text ? "" : `: \`${shown}\` is false` },
    {
      secondary: [...labels, ...against.flatMap(placeOf), ...related].filter(
        (label) => label.span.start !== span.start || label.span.file !== span.file,
      ),
      because: [...(isStated ? [] : [reason]), ...against.flatMap(wordsOf)],
      ...(never
        ? {}
        : { help: [`with the default values \`${shown}\` would have to hold: choose another default`] }),
    },
  );
}

/** `dividend % divisor == 0` */
export const divides = (divisor: NumberExpression, dividend: NumberExpression): NumberExpression =>
  apply("==", apply("%", dividend, divisor), number(0));

const conditionKinds: readonly ConditionKind[] = [
  notDivisible,
  groupsDoNotDivide,
  blocksDoNotDivide,
  scalesDoNotDivide,
  strideDoesNotDivide,
  tilesDoNotDivide,
  quotientNotWhole,
  rankAboveBound,
  supportTooLarge,
  dimensionNotPositive,
  requirementRefuted,
];

/** The kind that a requirement's code belongs to. */
export const kindByCode = (code: string): ConditionKind =>
  conditionKinds.find((kind) => kind.code === code) ?? requirementRefuted;
