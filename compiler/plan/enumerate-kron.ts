/** Every way to apply a Kronecker product: its factors on the axes of an array one after the other, or formed as one matrix. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { divideNumbers, multiplyNumbers, nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { isTrainable } from "../algebra/structure.ts";
import { sameDimension } from "../types/dimension.ts";
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
import { kronPieces, type MatrixPiece, pieceOf } from "./matrix-operand.ts";

type Kron = Extract<Term, { kind: "kron" }>;

/** One of the factors that act on an axis, or several formed as one. */
interface AxisFactor {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  /** In the order in which they act; none for the identity. */
  readonly acting: readonly MatrixPiece[];
  readonly rules: readonly string[];
  readonly traits: readonly string[];
}

/** I ⊗ (X Y) = (I ⊗ X) (I ⊗ Y): the part that acts first is first. */
function axisFactors(run: readonly Term[]): readonly AxisFactor[] {
  const [only] = run;
  if (run.length > 1 || only === undefined) {
    const piece = kronPieces(nonEmpty(run.map(pieceOf)));
    const { rows, columns } = piece;
    return [
      { rows, columns, acting: [piece], rules: [`kron-at-${stageOf(piece)}`], traits: ["materialised"] },
    ];
  }
  const { rows, columns } = only;
  const plain = { rows, columns, rules: [], traits: [] };
  if (only.kind === "identity") return [{ ...plain, acting: [] }];
  const whole: AxisFactor = { ...plain, acting: [pieceOf(only)] };
  if (only.kind !== "chain") return [whole];
  const apart: AxisFactor = { ...plain, acting: only.factors.toReversed().map(pieceOf) };
  const rules = [`product-at-${isTrainable(only) ? "step" : "load"}`];
  const formed = { ...whole, rules, traits: ["multiplied"] };
  return [apart, formed];
}

/** Both orders cost the same multiplies for square factors of one size; then only the one without scattered stores is kept. */
function isOrderOpen({ factors }: Kron): boolean {
  const sizes = factors.flatMap(({ rows, columns }) => [rows, columns]);
  return !sizes.every((size) => sizes[0] === undefined || sameDimension(size, sizes[0]));
}

/**
 * Viewing the input of A₁ ⊗ … ⊗ Aₖ as an array [q₁, …, qₖ], each factor acts on one axis; a rotation of the axes,
 * which is a stride permutation, brings that axis to the end. For two factors (A: p x q, B: s x t):
 * A ⊗ B = P(s) (I_s ⊗ A) P(q) (I_q ⊗ B), the last factor first, or (I_p ⊗ B) P(t) (I_t ⊗ A) P(q), the first one first.
 */
function kronSequence(factors: readonly AxisFactor[], reversed: boolean): readonly LinearFactor[] {
  const acting: LinearFactor[] = [];
  let total = multiplyNumbers(...factors.map((factor) => factor.columns));
  for (const factor of reversed ? factors.toReversed() : factors) {
    const rest = divideNumbers(total, factor.columns);
    if (!reversed) acting.push(permutation(total, factor.columns));
    total = multiplyNumbers(rest, factor.rows);
    for (const piece of factor.acting) acting.push(blocksFactor(piece, rest, true));
    if (reversed) acting.push(permutation(total, rest));
  }
  return acting.toReversed();
}

/** The ways of a Kronecker product: as moves and small factors, in either order, partly formed, or formed. */
export function waysOfKron(term: Kron): readonly Way[] {
  const piece = pieceOf(term);
  const parts = [part(piece)];
  const orders = isOrderOpen(term) ? [false, true] : [false];
  const sequences = runsOf(term.factors)
    .filter((runs) => runs.length > 1)
    .flatMap((runs) => combinations(runs.map(axisFactors)))
    .flatMap((factors) =>
      orders.map(
        (reversed): Way => ({
          factors: kronSequence(factors, reversed),
          parts,
          rules: [
            reversed ? "kron-last-factor-first" : "kron-first-factor-first",
            ...factors.flatMap(({ rules }) => rules),
          ],
          traits: [...factors.flatMap(({ traits }) => traits), ...(reversed ? ["reversed"] : [])],
        }),
      ),
    );
  return [
    ...sequences,
    ...formedWays(piece, { rules: [`kron-at-${stageOf(piece)}`], traits: ["materialised"] }),
  ];
}
