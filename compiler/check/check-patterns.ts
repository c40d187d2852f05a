/** Masks and supports: what chooses their positions, which pattern they follow, how many positions they keep. */

import type { Span } from "../../grammar/text/source-text.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { unknownSize } from "../diagnostics/shape-diagnostics.ts";
import { notInInitialValue } from "../diagnostics/training-diagnostics.ts";
import { outOfRange, wrongKind } from "../diagnostics/type-diagnostics.ts";
import {
  addCountProblem,
  addProblem,
  addProblemOnce,
  type CheckContext,
  type Environment,
  extend,
} from "./check-context.ts";
import { fitPattern, joinShapes } from "./check-masks.ts";
import { asWholeConstant, literalValue } from "./check-numbers.ts";
import { countMoves, stateCount } from "./check-refresh.ts";
import type { CheckedPattern, PatternShape } from "./checked-module.ts";
import { asSelection, isPositions } from "./combine-patterns.ts";
import { namesInExpression } from "./names-in-expression.ts";
import type { PatternDraft } from "./pattern-draft.ts";
import { patternShape } from "./pattern-kind.ts";
import type { Statement, TransformDraft } from "./transform-draft.ts";
import { describeValue, isObstacle, type Lines, type OpenShape, poison, type Value } from "./value.ts";

/** As many patterns as a sum has terms. */
const largestFamily = 256;

/**
 * The value of `mask M[i < n]: … = E`: n patterns, each with random streams of its own, i being the index of each in E;
 * of `mask M: … = E`: one.
 */
export function startPattern(draft: TransformDraft, statement: Statement<"mask">): Value {
  const { name } = statement.name;
  if (statement.count === null) return startMember(draft, statement, name, draft.environment);
  const { context, environment } = draft;
  const found = context.check(environment, statement.count);
  const count = asWholeConstant(context, found, statement.count.span, "the number of patterns");
  if (count === null) return poison;
  if (count < 1 || count > largestFamily) {
    const facts = { name: "the number of patterns", expected: `1 to ${largestFamily}`, found: String(count) };
    const problem = report(outOfRange, statement.count.span, facts);
    addCountProblem(context, namesInExpression(statement.count), problem);
    return poison;
  }
  const members = Array.from({ length: count }, (_, index) =>
    startMember(draft, statement, memberName(name, index), memberScope(draft, statement, index)),
  );
  return members.some(({ kind }) => kind === "poison") ? poison : { kind: "family", name, count };
}

/** `M[2]` */
export const memberName = (family: string, index: number): string => `${family}[${index}]`;

const memberScope = (
  { environment }: TransformDraft,
  { index }: Statement<"mask">,
  at: number,
): Environment => (index === null ? environment : extend(environment, index.name, literalValue(at)));

function startMember(
  draft: TransformDraft,
  statement: Statement<"mask">,
  name: string,
  environment: Environment,
): Value {
  const value = draft.context.check(environment, statement.value);
  return recordPattern(
    draft,
    {
      name,
      mode: statement.mode ?? "structural",
      span: statement.name.span,
      syntax: statement.pattern,
    },
    value,
    statement.value.span,
  );
}

/** Records a pattern; the value must be a selection, or a pattern whose positions it takes over. */
export function recordPattern(
  draft: TransformDraft,
  parts: Pick<PatternDraft, "name" | "mode" | "span" | "syntax">,
  value: Value,
  span: Span,
): Value {
  const { context } = draft;
  const selection = isPositions(value) ? asSelection(context, value, span) : poison;
  if (!isPositions(value) && value.kind !== "poison") {
    const facts = { expected: "a selection such as `magnitude(W, 0.5)`", found: describeValue(value) };
    addProblem(context, report(wrongKind, span, facts));
  }
  const shape: OpenShape = selection.kind === "selection" ? selection.shape : [null, null];
  const pattern: PatternDraft = {
    ...parts,
    selection,
    shape,
    kind: once(() => kindOf(draft, pattern)),
    finish: once(() => finishPattern(draft, pattern)),
  };
  context.patterns.set(parts.name, pattern);
  return selection.kind === "poison" ? poison : { kind: "pattern", name: parts.name };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * Gives patterns that are combined the size of the combination, and the other way round, until nothing changes; those
 * of a family have one size. Requires that every use of the patterns has been checked.
 */
export function spreadShapes(context: CheckContext): void {
  const drafts = [...context.patterns.values()];
  // Every round but the last gives a side to some pattern.
  for (let round = 0; round <= 2 * drafts.length; round += 1) {
    let changed = false;
    for (const draft of drafts) {
      if (draft.selection.kind === "poison") continue;
      const { patterns } = draft.selection;
      for (const other of drafts) {
        if (!patterns.includes(other.name) && !isSibling(draft, other)) continue;
        const joined = joinShapes(draft.shape, other.shape);
        for (const one of [draft, other]) {
          changed ||= joined.some((side, axis) => side !== null && one.shape[axis] === null);
          one.shape = joinShapes(one.shape, joined);
        }
      }
    }
    if (!changed) return;
  }
}

/** True for two members of a family: one statement wrote both. */
const isSibling = (one: PatternDraft, other: PatternDraft): boolean =>
  one !== other && one.syntax !== null && one.syntax === other.syntax;

/** The kind of a pattern as its statement writes it; null after a report. */
function kindOf(draft: TransformDraft, { syntax, shape, selection }: PatternDraft): PatternShape | null {
  const [rows, columns] = shape;
  if (syntax === null) return { kind: "unstructured" };
  if (selection.kind === "poison" || rows === null || columns === null) return null;
  return patternShape(draft, syntax, [rows, columns], selection.span);
}

/** Null after a report. */
function finishPattern(draft: TransformDraft, pattern: PatternDraft): CheckedPattern | null {
  const { selection, name, mode, span } = pattern;
  const { context } = draft;
  if (selection.kind === "poison") return null;
  const [rows, columns] = closeLines(pattern.shape, selection.lines);
  if (rows === null || columns === null) {
    const help = ["use it on a matrix, or choose it from one"];
    addProblemOnce(context, name, report(unknownSize, span, { name: `the pattern \`${name}\`` }, { help }));
    return null;
  }
  pattern.shape = [rows, columns];
  const parts = selection.patterns.every((part) =>
    fitPattern(context, part, [rows, columns], context.patterns.get(part)?.span ?? span, selection.span),
  );
  const shape = pattern.kind();
  if (!parts || shape === null) return null;
  const choice = selection.choose({ name, shape, rows, columns, isPart: false });
  if (choice === null) return null;
  const { recipe, count, measured, pool } = choice;
  if (isObstacle(recipe)) {
    if (recipe.reason !== "broken")
      addProblem(context, report(notInInitialValue, recipe.span, { operation: recipe.text }));
    return null;
  }
  const base = { name, mode, shape, rows, columns, pool, span };
  const moves = countMoves(draft, pattern, base, count);
  if (!measured && !moves) return { ...base, recipe, count, measured: null };
  const measuredSymbol = `count(${name})`;
  context.symbolTypes.set(measuredSymbol, "int");
  draft.ranges.set(measuredSymbol, { low: 0, high: Infinity, whole: true });
  draft.origins.set(measuredSymbol, { span, text: `\`${measuredSymbol}\` is known once it has been chosen` });
  return {
    ...{ ...base, recipe: moves ? stateCount(recipe, count) : recipe, count: symbol(measuredSymbol) },
    measured: { symbol: measuredSymbol, estimate: count },
  };
}

/** Whole rows or columns that nothing gives a length are as good as entries of one line. */
const closeLines = ([rows, columns]: OpenShape, lines: Lines | null): OpenShape =>
  lines === null
    ? [rows, columns]
    : lines.axis === "row"
      ? [rows, columns ?? number(1)]
      : [rows ?? number(1), columns];
