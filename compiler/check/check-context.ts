/** What the checks of one transform have in common: where problems go, what is being expanded, what names mean. */

import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic, Label } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import type { Callable, ModuleScope } from "../modules/module-scope.ts";
import type { CheckedArgument } from "./checked-module.ts";
import type { DerivedDraft } from "./derived-tensors.ts";
import type { Obligation } from "./obligations.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import type { NumberType, Value } from "./value.ts";

export interface CheckContext {
  readonly diagnostics: Diagnostic[];
  readonly obligations: Obligation[];
  /** Types of the symbols that number expressions may hold; dimensions are `int`. */
  readonly symbolTypes: Map<string, NumberType>;
  readonly patterns: Map<string, PatternDraft>;
  /** Symbols that follow the clocks. */
  readonly scheduled: Set<string>;
  /** Shares that the layers of a model get together, by their symbol: arguments that nobody writes. */
  readonly allotments: Map<string, CheckedArgument & { readonly kind: "number" }>;
  /** Derived tensors by name, used or not. */
  readonly derived: Map<string, DerivedDraft>;
  /** Functions being expanded, outermost first; no span for one that is checked by itself, without a call. */
  readonly calls: { readonly declaration: Callable; readonly span: Span | null }[];
  /** Code and name of mistakes that are reported once, however often the name is used. */
  readonly reportedNames: Set<string>;
  /** True for a function of the user's that is wrong by itself: that is told at the function, and its uses are silent. */
  readonly isFaulty: (module: ModuleScope, overload: Callable) => boolean;
  /** Expressions looked at so far. */
  readonly work: { steps: number };
  /** Checks a nested expression; a field, because calls and expressions contain each other. */
  readonly check: (environment: Environment, syntax: ExpressionSyntax) => Value;
}

/** Meaning of the names inside a transform, a function or a rule. */
export interface Environment {
  readonly module: ModuleScope;
  /** The value of a local name used at `span`, or null. */
  readonly lookup: (name: string, span: Span) => Value | null;
  readonly names: () => readonly string[];
}

/** The environment with one more name. */
export const extend = (environment: Environment, name: string, value: Value): Environment => ({
  module: environment.module,
  lookup: (wanted, span) => (wanted === name ? value : environment.lookup(wanted, span)),
  names: () => [name, ...environment.names()],
});

/** Where the outermost function that is being expanded is called. */
const outermostUse = ({ calls }: CheckContext): Label[] =>
  calls
    .flatMap(({ declaration, span }) =>
      span === null ? [] : [{ span, text: `in this use of \`${declaration.name.name}\`` }],
    )
    .slice(0, 1);

/** Reports a problem; inside an expanded function the outermost call is shown as well. */
export function addProblem(context: CheckContext, diagnostic: Diagnostic): void {
  const secondary = [...diagnostic.secondary, ...outermostUse(context)];
  context.diagnostics.push({ ...diagnostic, secondary });
}

/** Reports a mistake about a name at its first use only: one mistake, one error. */
export function addProblemOnce(context: CheckContext, name: string, diagnostic: Diagnostic): void {
  const key = `${diagnostic.code} ${name}`;
  if (context.reportedNames.has(key)) return;
  context.reportedNames.add(key);
  addProblem(context, diagnostic);
}

/**
 * Reports that there cannot be so many of something, once for each of the `names` that the number is written with: a
 * constant is often a side of a tensor and the number of terms of a sum.
 */
export function addCountProblem(
  context: CheckContext,
  names: readonly string[],
  diagnostic: Diagnostic,
): void {
  if (isCountTold(context, names)) return;
  refuseConstants(context, names);
  addProblem(context, diagnostic);
}

/** Whether it was told of one of these names that there cannot be so many. */
export const isCountTold = (context: CheckContext, names: readonly string[]): boolean =>
  names.some((name) => context.reportedNames.has(`count ${name}`));

/** Notes that a condition refuses the values of constants: what cannot be so many for that reason is not told again. */
export const refuseConstants = (context: CheckContext, names: readonly string[]): void => {
  for (const name of names) context.reportedNames.add(`count ${name}`);
};

/** Whether a condition before this one refused the value of one of these constants. */
export function isRefusedAgain(context: CheckContext, names: readonly string[]): boolean {
  const keys = names.map((name) => `refused ${name}`);
  const isAgain = keys.some((key) => context.reportedNames.has(key));
  for (const key of keys) context.reportedNames.add(key);
  return isAgain;
}

/** Adds a condition that has to hold, once for each place. */
export const oblige = (
  context: CheckContext,
  obligation: Omit<Obligation, "related" | "isStated"> & Partial<Obligation>,
): void => {
  context.obligations.push({
    isStated: false,
    ...obligation,
    related: [...(obligation.related ?? []), ...outermostUse(context)],
  });
};
