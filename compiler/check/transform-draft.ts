/** A transform while it is checked: its names with what is known of each so far. */

import type { StatementSyntax, TransformSyntax, TypeSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Label } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type { QuantizedType } from "../../runtime/contract/quantized-type.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import type { TimeManifest } from "../../runtime/contract/time.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { duplicateName, recursiveFunction } from "../diagnostics/name-diagnostics.ts";
import { initialValueCycle } from "../diagnostics/training-diagnostics.ts";
import { findDeclaration, type ModuleScope } from "../modules/module-scope.ts";
import type { SymbolRange } from "../types/knowledge.ts";
import { addProblem, type CheckContext, type Environment } from "./check-context.ts";
import type { CheckedArgument, WeightExpression } from "./checked-module.ts";
import { type Obstacle, poison, type SelectionValue, usedAt, type Value } from "./value.ts";

export type TensorType = TypeSyntax & { readonly kind: "tensor-type" };
export type Statement<Kind extends StatementSyntax["kind"]> = StatementSyntax & { readonly kind: Kind };

export interface TensorDraft {
  readonly name: string;
  readonly role: "frozen" | "source" | "param";
  readonly type: TensorType;
  readonly span: Span;
  /** Null when they were wrong. */
  readonly dimensions: readonly NumberExpression[] | null;
  readonly blocks: NumberExpression | null;
  /** True for a `param` or `frozen` statement, whose value is computed; false for an argument. */
  readonly computed: boolean;
  readonly quantization: QuantizedType | null;
  readonly shared: boolean;
  support: string | null;
  recipe: Recipe | null;
}

export interface TransformDraft {
  readonly syntax: TransformSyntax;
  /** False when statements could not be read: what seems to be missing may stand in them. */
  readonly isComplete: boolean;
  readonly module: ModuleScope;
  readonly context: CheckContext;
  readonly environment: Environment;
  readonly constants: ReadonlyMap<string, number>;
  readonly arguments: CheckedArgument[];
  /** Every name with the place that declares it. */
  readonly places: Map<string, Span>;
  /** Fixed values: constants, arguments, dimensions, tensors. */
  readonly values: Map<string, (span: Span) => Value>;
  /** Values found when first used: `let`s and patterns. */
  readonly lazy: Map<string, LazyName>;
  readonly tensors: Map<string, TensorDraft>;
  /** Where symbols get their values, for messages. */
  readonly origins: Map<string, Label>;
  readonly ranges: Map<string, SymbolRange>;
  /** Defaults of number arguments, in terms of dimensions. */
  readonly defaults: Map<string, NumberExpression>;
  /** Schedules and phases, each after those that it reads. */
  readonly time: TimeManifest["numbers"][number][];
  readonly refreshes: RefreshDraft[];
  /** Refreshes that have not been checked: that waits for the weight, which may read counts of what they choose again. */
  readonly awaited: Set<Statement<"refresh">>;
}

/** A pattern that is chosen again: see `RefreshManifest`. */
export interface RefreshDraft {
  readonly pattern: string;
  readonly every: NumberExpression;
  readonly condition: NumberExpression | null;
  readonly selection: SelectionValue;
  readonly span: Span;
}

interface LazyName {
  readonly kind: "let" | "pattern";
  readonly span: Span;
  readonly find: () => Value;
  state: "new" | "running" | Value;
}

export interface DraftParts {
  readonly syntax: TransformSyntax;
  readonly module: ModuleScope;
  readonly constants: ReadonlyMap<string, number>;
}

export function startDraft(parts: DraftParts, context: CheckContext): TransformDraft {
  const values: TransformDraft["values"] = new Map();
  const lazy: TransformDraft["lazy"] = new Map();
  const lost = parts.module.incomplete.get(parts.syntax);
  const isLost = (name: string): boolean =>
    lost !== undefined && (lost.has(name) || findDeclaration(parts.module, name) === undefined);
  const environment: Environment = {
    module: parts.module,
    lookup: (name, span) =>
      values.get(name)?.(span) ?? lookupLazy(context, lazy, name, span) ?? (isLost(name) ? poison : null),
    names: () => [...values.keys(), ...lazy.keys()],
  };
  return {
    syntax: parts.syntax,
    isComplete: lost === undefined,
    module: parts.module,
    context,
    environment,
    constants: parts.constants,
    arguments: [],
    places: new Map(),
    values,
    lazy,
    tensors: new Map(),
    origins: new Map(),
    ranges: new Map(),
    defaults: new Map(),
    time: [],
    refreshes: [],
    awaited: new Set(parts.syntax.statements.filter((statement) => statement.kind === "refresh")),
  };
}

function lookupLazy(
  context: CheckContext,
  lazy: TransformDraft["lazy"],
  name: string,
  span: Span,
): Value | null {
  const found = lazy.get(name);
  if (found === undefined) return null;
  if (found.state === "running") {
    const diagnostic =
      found.kind === "let"
        ? report(recursiveFunction, span, { name })
        : report(initialValueCycle, span, { names: `\`${name}\` → \`${name}\`` });
    addProblem(context, diagnostic);
    found.state = poison;
  }
  if (found.state === "new") {
    found.state = "running";
    const value = found.find();
    // A cycle met below has already put poison here.
    if (found.state === "running") found.state = value;
  }
  const { state } = found;
  return usedAt(state, span);
}

/** Claims a name; false after a report when it is taken. */
export function declareName(draft: TransformDraft, name: string, span: Span): boolean {
  const before = draft.places.get(name);
  if (name === "") return false;
  if (before === undefined) {
    draft.places.set(name, span);
    return true;
  }
  const where = draft.syntax.name.name;
  addProblem(
    draft.context,
    report(
      duplicateName,
      span,
      { name, where },
      { secondary: [{ span: before, text: "the first is here" }] },
    ),
  );
  return false;
}

/** The value that a tensor's name stands for. */
export function tensorValue(draft: TensorDraft, span: Span): Value {
  const { name, dimensions, role, type } = draft;
  if (dimensions === null) return poison;
  // A vector is a column.
  const [rows, columns = number(1)] = dimensions;
  if (rows === undefined || columns === undefined) return poison;
  const source: Obstacle = { kind: "obstacle", reason: "source", text: name, span };
  if (type.structure === "diag") {
    const weight: WeightExpression | Obstacle =
      role === "source" ? source : { kind: "diag", name, rows, columns: rows, span };
    return {
      kind: "tensor",
      dimensions: [rows, rows],
      weight,
      recipe: { kind: "tensor", name },
      leaf: name,
      span,
    };
  }
  const weight: WeightExpression | Obstacle =
    role === "source" ? source : { kind: "leaf", name, slice: null, rows, columns, span };
  return { kind: "tensor", dimensions, weight, recipe: { kind: "tensor", name }, leaf: name, span };
}
