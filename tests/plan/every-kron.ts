/**
 * Every way to apply a Kronecker product axis by axis, written from the definition. (A ⊗ B) x acts on the rows and the
 * columns of x as an array: neighbouring factors may be multiplied out, a product on one axis may be cut into runs, and
 * what acts on one axis may come before, between or after what acts on the others. What brute-force.ts applies.
 */
import { columnsOf, type Formula, formings, type Stored } from "./every-forming.ts";

/** The places of `size` numbers, read as a matrix of `stride` rows and transposed. */
export interface Rotation {
  readonly size: number;
  readonly stride: number;
}

/** One matrix on every line of an axis. */
export interface OnAxis {
  /** A dense block, whatever its zeros. */
  readonly block: Stored;
  /** Lines of the axis. */
  readonly lines: number;
  readonly rows: number;
  /** What brings the axis to the end before, and the axes into their order after the last of them. */
  readonly before: Rotation | null;
  readonly after: Rotation | null;
}

/** Cuts of a list into runs of neighbours. */
function cuts<T>(list: readonly T[]): readonly (readonly (readonly T[])[])[] {
  if (list.length === 0) return [[]];
  return list.flatMap((_, index) =>
    cuts(list.slice(index + 1)).map((rest) => [list.slice(0, index + 1), ...rest]),
  );
}

const everyChoice = <T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  lists.reduce<readonly (readonly T[])[]>(
    (found, list) => found.flatMap((before) => list.map((one) => [...before, one])),
    [[]],
  );

const blockOf = (formula: Formula): readonly Stored[] =>
  formings(formula).map((formed) => ({ ...formed, storage: "dense" }));

/** What may stand on one axis: matrices in the order in which they act. */
function onAxis(run: readonly Formula[]): readonly (readonly Stored[])[] {
  const [only] = run;
  if (run.length > 1 || only === undefined) return blockOf({ kind: "kron", parts: run }).map((one) => [one]);
  if (only.kind !== "product") return blockOf(only).map((one) => [one]);
  return cuts(only.parts).flatMap((runs) =>
    everyChoice(
      runs.map((parts) => blockOf(parts.length === 1 ? (parts[0] as Formula) : { kind: "product", parts })),
    ).map((matrices) => matrices.toReversed()),
  );
}

/** Every order that takes from the front of each list; gives the list that is taken from, each time. */
function orders(lengths: readonly number[]): readonly (readonly number[])[] {
  if (lengths.every((length) => length === 0)) return [[]];
  return lengths.flatMap((length, axis) =>
    length === 0 ? [] : orders(lengths.with(axis, length - 1)).map((rest) => [axis, ...rest]),
  );
}

const product = (numbers: readonly number[]): number => numbers.reduce((all, one) => all * one, 1);

/** The axes lie in memory as they are numbered, but for a rotation after which `end` is last. */
export function rotation(sizes: readonly number[], end: number, wanted: number): Rotation | null {
  const lying = sizes.map((_, index) => (end + 1 + index) % sizes.length);
  const moved = lying.slice(0, lying.indexOf(wanted) + 1);
  const [size, stride] = [product(sizes), product(moved.map((axis) => sizes[axis] ?? 1))];
  return stride === 1 || stride === size ? null : { size, stride };
}

/** In order: the first acts first. */
function inOrder(
  columns: readonly number[],
  axes: readonly (readonly Stored[])[],
  order: readonly number[],
): readonly OnAxis[] {
  const sizes = [...columns];
  const taken = axes.map(() => 0);
  let end = sizes.length - 1;
  return order.map((axis, index) => {
    const block = axes[axis]?.[taken[axis] ?? 0] as Stored;
    taken[axis] = (taken[axis] ?? 0) + 1;
    const before = rotation(sizes, end, axis);
    sizes[axis] = block.rows;
    end = axis;
    const rows = product(sizes);
    const isLast = index === order.length - 1;
    const after = isLast ? rotation(sizes, end, sizes.length - 1) : null;
    return { block, lines: rows / block.rows, rows, before, after };
  });
}

/** Every way to apply A ⊗ B ⊗ …, but for those that form all of it; the last of each acts first. */
export const kronWays = (factors: readonly Formula[]): readonly (readonly OnAxis[])[] =>
  cuts(factors)
    .filter((runs) => runs.length > 1)
    .flatMap((runs) => {
      const columns = runs.map((run) => product(run.map(columnsOf)));
      return everyChoice(runs.map(onAxis)).flatMap((axes) =>
        orders(axes.map((list) => list.length)).map((order) => inOrder(columns, axes, order).toReversed()),
      );
    });
