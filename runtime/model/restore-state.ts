/** Turns saved parameters into the state that a layer starts from, for the dimensions at hand. */
import type { TransformManifest } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";
import { type Pattern, positionsOf } from "../select/pattern.ts";
import { type PatternTarget, patternTarget } from "../select/recipe-target.ts";
import type { BoundArguments } from "./bind-arguments.ts";
import type { RestoredState } from "./initial-state.ts";
import { restoredPattern, type SavedParameters } from "./saved-parameters.ts";

/**
 * Values are copied, so that the caller's record stays his own.
 * @throws SpxError SPX8405 when counts or positions do not fit the transform or each other, SPX8407 for positions
 *   that are none.
 */
export function restoreState(
  transform: TransformManifest,
  bound: BoundArguments,
  saved: SavedParameters,
): RestoredState {
  const values = new Map<string, Float32Array>();
  const patterns = new Map<string, Pattern>();
  for (const parameter of transform.parameters) {
    const given = saved.parameters.get(parameter.name);
    if (given === undefined) continue;
    values.set(parameter.name, given.values.slice());
    const manifest = transform.patterns.find(({ name }) => name === parameter.support);
    if (manifest === undefined || given.positions === undefined) continue;
    const target = patternTarget(manifest, bound.symbols);
    const pattern = restoredPattern(parameter, given.positions, target.rows, target.columns);
    checkFits(pattern, target);
    const known = patterns.get(manifest.name);
    if (known !== undefined && !samePositions(known, pattern))
      throw mismatch(target, "the positions of its parameters differ");
    patterns.set(manifest.name, pattern);
  }
  return { values, patterns };
}

function checkFits(pattern: Pattern, target: PatternTarget): void {
  const { shape, rows, columns, count } = target;
  if (pattern.count !== count)
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
