/** Turns saved parameters into the state that a layer starts from. */
import type { PatternManifest, TransformManifest } from "../contract/manifest.ts";
import type { SymbolLookup } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import { type Pattern, positionsOf } from "../select/pattern.ts";
import { type PatternTarget, patternTarget } from "../select/recipe-target.ts";
import type { RestoredState } from "./initial-state.ts";
import { restoredPattern, type SavedParameters } from "./saved-parameters.ts";

/**
 * Values are copied, so that the caller's record stays his own.
 * A pattern throws, once it is asked for, SpxError SPX8405 when counts or positions do not fit the transform or each
 * other, SPX8407 for positions that are none.
 */
export function restoreState(transform: TransformManifest, saved: SavedParameters): RestoredState {
  const values = new Map<string, Float32Array>();
  const brought = new Map<string, SavedPositions[]>();
  const bring = (pattern: string, owner: string, positions: ArrayLike<number>): void => {
    brought.set(pattern, [...(brought.get(pattern) ?? []), { owner, positions }]);
  };
  for (const { name, support } of transform.parameters) {
    const given = saved.parameters.get(name);
    if (given === undefined) continue;
    values.set(name, given.values.slice());
    if (support !== null && given.positions !== undefined) bring(support, name, given.positions);
  }
  for (const [name, positions] of saved.patterns) bring(name, name, positions);
  const patterns = transform.patterns.flatMap((manifest) => {
    const positions = brought.get(manifest.name);
    return positions === undefined ? [] : [[manifest.name, restoring(manifest, positions)] as const];
  });
  return { values, patterns: new Map(patterns) };
}

interface SavedPositions {
  /** What a message calls them by. */
  readonly owner: string;
  readonly positions: ArrayLike<number>;
}

/** Made when it is first read: its size may wait for a measured count. */
function restoring(
  manifest: PatternManifest,
  given: readonly SavedPositions[],
): (symbols: SymbolLookup) => Pattern {
  let made: Pattern | null = null;
  return (symbols) => {
    made ??= restore(patternTarget(manifest, symbols), given);
    return made;
  };
}

function restore(target: PatternTarget, given: readonly SavedPositions[]): Pattern {
  const [first, ...others] = given.map(({ owner, positions }) =>
    restoredPattern(owner, positions, target.rows, target.columns),
  );
  if (first === undefined) throw mismatch(target, "no positions were saved");
  checkFits(first, target);
  if (others.some((other) => !samePositions(first, other)))
    throw mismatch(target, "the positions of its parameters differ");
  return first;
}

function checkFits(pattern: Pattern, target: PatternTarget): void {
  const { shape, rows, columns, count } = target;
  if (count !== null && pattern.count !== count)
    throw mismatch(target, `${pattern.count} positions were saved, it keeps ${count}`);
  if (shape.kind === "unstructured") return;
  const size = shape.kind === "nm" ? shape.m : shape.height * shape.width;
  const full = shape.kind === "nm" ? shape.n : size;
  const groupOf = (row: number, column: number): number => {
    if (shape.kind === "block")
      return Math.floor(row / shape.height) * (columns / shape.width) + Math.floor(column / shape.width);
    return shape.axis === "input"
      ? row * (columns / shape.m) + Math.floor(column / shape.m)
      : Math.floor(row / shape.m) * columns + column;
  };
  const held = new Uint32Array(Math.ceil((rows * columns) / size));
  for (const position of positionsOf(pattern)) {
    const group = groupOf(Math.floor(position / columns), position % columns);
    held[group] = (held[group] ?? 0) + 1;
  }
  const partial = held.findIndex((entries) => entries !== full && (shape.kind === "nm" || entries !== 0));
  if (partial >= 0)
    throw mismatch(target, `group ${partial} holds ${held[partial]} positions, expected ${full}`);
}

function samePositions(left: Pattern, right: Pattern): boolean {
  return left.count === right.count && left.bits.every((word, index) => word === right.bits[index]);
}

function mismatch({ name }: PatternTarget, reason: string): SpxError {
  return new SpxError("SPX8405", `saved positions do not fit the pattern \`${name}\`: ${reason}`, {
    facts: { pattern: name, reason },
    help: "load with the arguments that the parameters were saved with",
  });
}
