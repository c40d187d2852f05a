/**
 * Every way to apply a Kronecker product: its factors on the axes of an array one after the other, in every order, or
 * formed as one matrix.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { divideNumbers, multiplyNumbers, nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { sameDimension, toPolynomial } from "../types/dimension.ts";
import {
  blocksFactor,
  combinations,
  formedWays,
  part,
  permutation,
  runsOf,
  stageOf,
  type Way,
} from "./formed-ways.ts";
import type { LinearFactor } from "./linear-factors.ts";
import { kronPieces, type MatrixPiece, multiplyPieces, pieceOf } from "./matrix-operand.ts";

type Kron = Extract<Term, { kind: "kron" }>;

/** One of the factors that act on an axis, or several formed as one. */
interface AxisFactor {
  readonly columns: NumberExpression;
  /** In the order in which they act; none for the identity. */
  readonly acting: readonly MatrixPiece[];
  readonly rules: readonly string[];
  readonly traits: readonly string[];
}

const pieceOfRun = (run: readonly Term[]): MatrixPiece => {
  const [first, ...rest] = nonEmpty(run.map(pieceOf));
  return rest.length === 0 ? first : multiplyPieces([first, ...rest]);
};

/** I ⊗ (X Y) = (I ⊗ X) (I ⊗ Y): the part that acts first is first. */
function axisFactors(run: readonly Term[]): readonly AxisFactor[] {
  const [only] = run;
  if (run.length > 1 || only === undefined) {
    const piece = kronPieces(nonEmpty(run.map(pieceOf)));
    const rules = [`kron-at-${stageOf(piece)}`];
    return [{ columns: piece.columns, acting: [piece], rules, traits: ["materialised"] }];
  }
  const { columns } = only;
  if (only.kind === "identity") return [{ columns, acting: [], rules: [], traits: [] }];
  return runsOf(actingParts(only)).map((runs) => {
    const acting = runs.map(pieceOfRun).toReversed();
    const formed = acting.filter((_, index) => (runs.at(-1 - index)?.length ?? 1) > 1);
    return {
      columns,
      acting,
      rules: formed.map((piece) => `product-at-${stageOf(piece)}`),
      traits: formed.map(() => "multiplied"),
    };
  });
}

/** Most ways of one product: more than any budget of a sum, so that what is left out is never reached. */
const mostWaysOfKron = 2048;

/**
 * Every order in which the parts of all axes can act, those of one axis in their own: the axis of each part. (A B) ⊗ C is
 * (A ⊗ I) (I ⊗ C) (B ⊗ I), too, which is least where B makes an axis short. First factors first, then last factors first.
 */
function ordersOf(counts: readonly number[], most: number): readonly (readonly number[])[] {
  const found: (readonly number[])[] = [];
  const extend = (order: readonly number[], left: readonly number[]): void => {
    if (found.length >= most) return;
    if (left.every((count) => count === 0)) found.push(order);
    for (const [axis, count] of left.entries())
      if (count > 0) extend([...order, axis], left.with(axis, count - 1));
  };
  extend([], counts);
  return found;
}

/**
 * Viewing the input of A₁ ⊗ … ⊗ Aₖ as an array [q₁, …, qₖ], each factor acts on one axis, which a rotation of the axes
 * brings to the end: a stride permutation, whatever axis was there before. For two factors (A: p x q, B: s x t):
 * A ⊗ B = (I_p ⊗ B) P(t) (I_t ⊗ A) P(q), the first one first, or P(s) (I_s ⊗ A) P(q) (I_q ⊗ B), the last one first.
 */
function kronSequence(
  factors: readonly AxisFactor[],
  order: readonly number[],
  wanted: number,
): readonly LinearFactor[] {
  const acting: LinearFactor[] = [];
  const sizes = factors.map(({ columns }) => columns);
  const waiting = factors.map((factor) => [...factor.acting]);
  let end = factors.length - 1;
  const bringToEnd = (axis: number): void => {
    if (axis === end) return;
    const before =
      axis > end ? sizes.slice(end + 1, axis + 1) : [...sizes.slice(end + 1), ...sizes.slice(0, axis + 1)];
    acting.push(permutation(multiplyNumbers(...sizes), multiplyNumbers(...before)));
    end = axis;
  };
  for (const axis of order) {
    const piece = waiting[axis]?.shift();
    if (piece === undefined) continue;
    bringToEnd(axis);
    acting.push(blocksFactor(piece, multiplyNumbers(...sizes.toSpliced(axis, 1)), true));
    sizes[axis] = piece.rows;
  }
  bringToEnd(wanted);
  return acting.toReversed();
}

/** What sets an order apart. */
function orderTraits(order: readonly number[]): {
  readonly rule: string;
  readonly traits: readonly string[];
} {
  const isRising = order.every((axis, index) => index === 0 || axis >= (order[index - 1] ?? 0));
  if (isRising) return { rule: "kron-first-factor-first", traits: [] };
  const isFalling = order.every((axis, index) => index === 0 || axis <= (order[index - 1] ?? 0));
  return isFalling
    ? { rule: "kron-last-factor-first", traits: ["reversed"] }
    : { rule: "kron-factors-in-turn", traits: ["interleaved"] };
}

/** The ways of a Kronecker product: as moves and small factors, in every order, partly formed, or formed. */
export function waysOfKron(term: Kron): readonly Way[] {
  const piece = pieceOf(term);
  const formed = formedWays(piece, { rules: [`kron-at-${stageOf(piece)}`], traits: ["materialised"] });
  return [...inTurn(term, term.factors.length - 1), ...formed];
}

/**
 * (A ⊗ B) (C ⊗ D) = (A C) ⊗ (B D) for products whose factors conform one by one: with the two parts of each axis behind
 * one another, in every order, formed or apart. An identity is no part: (I ⊗ B) (A ⊗ I) = A ⊗ B.
 */
export function waysOfKronChain(run: readonly Term[]): readonly Way[] {
  const krons = run.flatMap((term) => (term.kind === "kron" ? [term] : []));
  const [first, ...rest] = krons;
  const last = krons.at(-1);
  if (first === undefined || last === undefined || rest.length === 0 || krons.length < run.length) return [];
  const axes = first.factors.map((_, axis) => krons.flatMap(({ factors }) => factors[axis] ?? []));
  const conform =
    krons.every(({ factors }) => factors.length === axes.length) &&
    axes.every((parts) =>
      parts.every((part, at) => {
        const next = parts[at + 1];
        return next === undefined || sameDimension(part.columns, next.rows);
      }),
    );
  if (!conform) return [];
  const factors = axes.map((parts, axis): Term => {
    const acting = parts.flatMap(actingParts);
    const [only] = acting;
    if (only === undefined) return parts[0] as Term;
    if (acting.length === 1) return only;
    const [rows, columns] = [
      first.factors[axis]?.rows ?? only.rows,
      last.factors[axis]?.columns ?? only.columns,
    ];
    return { id: first.id, kind: "chain", factors: acting, rows, columns };
  });
  const product: Kron = { ...first, factors, columns: last.columns };
  return inTurn(product, factors.length - 1).map((way) => ({
    ...way,
    rules: ["kron-mixed-product", ...way.rules],
  }));
}

const actingParts = (factor: Term): readonly Term[] => {
  if (factor.kind === "identity") return [];
  return factor.kind === "chain" ? factor.factors : [factor];
};

const isWhole = (dimension: NumberExpression): boolean =>
  [...toPolynomial(dimension).values()].every(
    ({ coefficient, powers }) =>
      coefficient.denominator === 1n && powers.every(({ exponent }) => exponent > 0),
  );

/** The factors up to an axis that a rotation brings to the end, and those behind it; an identity may lie on both sides. */
function partedAt(factors: readonly Term[], stride: NumberExpression) {
  for (const [axis, factor] of factors.entries()) {
    const [before, behind] = [factors.slice(0, axis), factors.slice(axis + 1)];
    const lines = divideNumbers(stride, multiplyNumbers(...before.map(({ rows }) => rows)));
    if (sameDimension(lines, factor.rows)) return { moved: [...before, factor], kept: behind };
    const others = divideNumbers(factor.rows, lines);
    if (factor.kind === "identity" && isWhole(lines) && isWhole(others)) {
      const part = (rows: NumberExpression): Term => ({ ...factor, rows, columns: rows });
      return { moved: [...before, part(lines)], kept: [part(others), ...behind] };
    }
  }
  return null;
}

/** P (A ⊗ B ⊗ …) for the P that brings another axis to the end: the factors in turn and one rotation after them. */
export function waysOfRotatedKron(moved: Term | undefined, term: Term | undefined): readonly Way[] {
  if (moved?.kind !== "permutation" || term?.kind !== "kron") return [];
  const parted = partedAt(term.factors, moved.stride);
  if (parted === null) return [];
  return inTurn({ ...term, factors: [...parted.moved, ...parted.kept] }, parted.moved.length - 1);
}

/** The factors in every order, single or some neighbours formed as one; then the axis of the factor `end` is last. */
function inTurn(term: Kron, end: number): readonly Way[] {
  const parts = [part(pieceOf(term))];
  const ways: Way[] = [];
  const cuts = runsOf(term.factors).filter((runs) => runs.length > 1);
  for (const runs of cuts) {
    const wanted = axisOf(runs, end);
    if (wanted === null) continue;
    for (const factors of combinations(runs.map(axisFactors))) {
      const counts = factors.map(({ acting }) => acting.length);
      for (const order of ordersOf(counts, mostWaysOfKron - ways.length)) {
        const { rule, traits } = orderTraits(order);
        ways.push({
          factors: kronSequence(factors, order, wanted),
          parts,
          rules: [rule, ...factors.flatMap(({ rules }) => rules)],
          traits: [...factors.flatMap((factor) => factor.traits), ...traits],
        });
      }
    }
  }
  return ways;
}

/** The run that ends with a factor; null when one goes on beyond it. */
function axisOf(runs: readonly (readonly Term[])[], end: number): number | null {
  let last = -1;
  const found = runs.findIndex((run) => {
    last += run.length;
    return last >= end;
  });
  return last === end ? found : null;
}
