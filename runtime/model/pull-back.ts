/**
 * Reverse mode over a formula: from the gradient of a loss by its value to those by the parameters that it reads.
 * A gradient on its way is a sum of products (matrix-chains.ts) that is multiplied out only where a rule needs its
 * numbers, and there only at the entries that can hold something, so that a product of thin matrices gets thin ones.
 * size: one rule for each kind of source, in one table that the type of sources keeps complete.
 */
import { keepsZero, type MatrixSource, partsOfSource } from "../contract/matrix-source.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import {
  columnsOf,
  type DiagonalMatrix,
  type MatrixValue,
  rowsOf,
  toDense,
} from "../formats/matrix-value.ts";
import { elementFunctions } from "../linalg/element-functions.ts";
import { chainsOf } from "./evaluate-function.ts";
import { evaluateSource, onesOf, type SourceLeaves } from "./evaluate-source.ts";
import { hadamardMatrices, transposeValue } from "./matrix-algebra.ts";
import {
  type Chain,
  chainOf,
  extendChain,
  forEachEntry,
  type Places,
  settle,
  transposeChain,
} from "./matrix-chains.ts";
import {
  column,
  combineDense,
  filled,
  sliceRows,
  softmaxRows,
  strictUpper,
  upperPositions,
} from "./matrix-functions.ts";
import type { Work } from "./product-work.ts";

/** What formulas read, and what takes the gradients. */
export interface FormulaScope extends SourceLeaves {
  /** The formula of a derived tensor; null for every other leaf. */
  formula(name: string): MatrixSource | null;
  isParameter(name: string): boolean;
  /** Adds to the gradient of a parameter. */
  give(name: string, slice: number | null, gradient: readonly Chain[]): Work<void>;
}

/** One gradient on its way. */
interface Session {
  readonly scope: FormulaScope;
  /** Values of parts, each computed once. */
  value(source: MatrixSource): MatrixValue;
  /** The formula of a derived tensor, whose value the layer has already. */
  enter(name: string, formula: MatrixSource): void;
  /** True when a gradient passes through to a parameter. */
  reaches(source: MatrixSource): boolean;
  pull(source: MatrixSource, gradient: readonly Chain[]): Work<void>;
}

/** Adds to the gradients of all parameters that `formula` reads. @throws SpxError as `evaluateSource`. */
export function* pullBack(formula: MatrixSource, gradient: MatrixValue, scope: FormulaScope): Work<void> {
  const values = new Map<MatrixSource, MatrixValue>();
  const session: Session = {
    scope,
    value(source) {
      const value = values.get(source) ?? evaluateSource(source, scope);
      values.set(source, value);
      return value;
    },
    enter: (name, source) => void values.set(source, scope.leaf(name, null)),
    reaches: (source) => reachesParameter(source, scope),
    *pull(source, given) {
      if (session.reaches(source)) yield* (rules[source.kind] as Rule<MatrixSource>)(source, given, session);
    },
  };
  yield* session.pull(formula, [chainOf(gradient)]);
}

function reachesParameter(source: MatrixSource, scope: FormulaScope): boolean {
  if (source.kind === "detach") return false;
  if (source.kind !== "leaf") return partsOfSource(source).some((part) => reachesParameter(part, scope));
  const formula = scope.formula(source.name);
  return formula === null ? scope.isParameter(source.name) : reachesParameter(formula, scope);
}

type SourceOf<Kind extends MatrixSource["kind"]> = Extract<MatrixSource, { kind: Kind }>;
type Rule<Source> = (source: Source, gradient: readonly Chain[], session: Session) => Work<void>;

/** Where the value of a part can be nonzero whatever the numbers are; null for everywhere. */
function placesOf(source: MatrixSource, session: Session): Places {
  const value = session.value(source);
  if (value.kind === "diag" || value.kind === "blockdiag") return value;
  if (value.kind === "dense") return null;
  const isStructural = ["leaf", "mask", "pattern", "stride-permutation", "window"].includes(source.kind);
  return isStructural ? value : null;
}

const one = (value: MatrixValue): readonly Chain[] => [chainOf(value)];
function* nothing(): Work<void> {}
const diagonal = (values: ArrayLike<number>): DiagonalMatrix => ({
  kind: "diag",
  values: Float32Array.from(values),
});

/** The values of a session as works that have nothing left to do. */
const known = ({ value }: Session) =>
  // biome-ignore lint/correctness/useYield: its product has been formed.
  function* (source: MatrixSource): Work<MatrixValue> {
    return value(source);
  };

/** gradient[i] * f(i) at the entries of `of`. */
function* weighEntries(
  gradient: readonly Chain[],
  of: Exclude<Places, null>,
  f: (at: number) => number,
): Work<readonly Chain[]> {
  const settled = yield* settle(gradient, of);
  return one({ ...settled, values: settled.values.map((value, at) => value * f(at)) });
}

const rules: { readonly [Kind in MatrixSource["kind"]]: Rule<SourceOf<Kind>> } = {
  *leaf({ name, slice }, gradient, { scope, enter, pull }) {
    const formula = scope.formula(name);
    if (formula === null) {
      yield* scope.give(name, slice, gradient);
      return;
    }
    enter(name, formula);
    yield* pull(formula, gradient);
  },
  *sum({ terms }, gradient, { pull }) {
    for (const term of terms) yield* pull(term, gradient);
  },
  // d(A X B) by X: Aᵀ G Bᵀ
  *product({ factors }, gradient, { value, reaches, pull }) {
    for (const [index, factor] of factors.entries()) {
      if (!reaches(factor)) continue;
      const turned = (others: readonly MatrixSource[]): MatrixValue[] =>
        others.toReversed().map((other) => transposeValue(value(other)));
      const [left, right] = [turned(factors.slice(0, index)), turned(factors.slice(index + 1))];
      yield* pull(
        factor,
        gradient.map((chain) => extendChain(left, chain, right)),
      );
    }
  },
  *scale({ factor, of }, gradient, { scope, pull }) {
    const scale = evaluateNumber(factor, scope.symbols);
    yield* pull(
      of,
      gradient.map((chain) => ({ ...chain, scale: scale * chain.scale })),
    );
  },
  transpose: ({ of }, gradient, { pull }) => pull(of, gradient.map(transposeChain)),
  *mask({ pattern, of }, gradient, { scope, pull }) {
    yield* pull(of, one(yield* settle(gradient, onesOf(scope.pattern(pattern)))));
  },
  pattern: nothing,
  // d(X ⊙ Y) by X: G ⊙ Y
  *hadamard({ factors }, gradient, session) {
    for (const [index, factor] of factors.entries()) {
      if (!session.reaches(factor)) continue;
      const others = factors.filter((_, other) => other !== index).map(session.value);
      const weight = others.reduce(hadamardMatrices);
      const places = weight.kind === "dense" ? placesOf(factor, session) : weight;
      yield* session.pull(factor, one(hadamardMatrices(yield* settle(gradient, places), weight)));
    }
  },
  // d(A ⊗ B) by A: Σₖₗ G[(i, k), (j, l)] B[k, l]; by B: Σᵢⱼ G[(i, k), (j, l)] A[i, j]
  *kron({ factors }, gradient, session) {
    const [first, ...rest] = factors;
    const [second] = rest;
    if (first === undefined || second === undefined) return;
    const others: MatrixSource = rest.length === 1 ? second : { kind: "kron", factors: rest };
    const [a, b] = [toDense(session.value(first)), toDense(session.value(others))];
    const [byFirst, byOthers] = [filled(a.rows, a.columns, 0), filled(b.rows, b.columns, 0)];
    forEachEntry(yield* settle(gradient, null), (row, columnIndex, value) => {
      const i = Math.floor(row / b.rows) * a.columns + Math.floor(columnIndex / b.columns);
      const k = (row % b.rows) * b.columns + (columnIndex % b.columns);
      byFirst.values[i] = (byFirst.values[i] ?? 0) + value * (b.values[k] ?? 0);
      byOthers.values[k] = (byOthers.values[k] ?? 0) + value * (a.values[i] ?? 0);
    });
    yield* session.pull(first, one(byFirst));
    yield* session.pull(others, one(byOthers));
  },
  *blockdiag({ blocks }, gradient, { value, pull }) {
    let [top, left] = [0, 0];
    for (const block of blocks) {
      const [rows, columns] = [rowsOf(value(block)), columnsOf(value(block))];
      yield* pull(
        block,
        gradient.map((chain) => part(chain, [top, rows], [left, columns])),
      );
      top += rows;
      left += columns;
    }
  },
  *diag({ of }, gradient, { value, pull }) {
    const vector = value(of);
    if (vector.kind === "diag") yield* pull(of, gradient);
    else yield* pull(of, one(column((yield* settle(gradient, diagonal(toDense(vector).values))).values)));
  },
  identity: nothing,
  "stride-permutation": nothing,
  window: nothing,
  *map(source, gradient, session) {
    const { of } = source;
    const places = keepsZero[source.function] ? placesOf(of, session) : null;
    const { value, slope } = elementFunctions[source.function];
    if (places !== null) {
      const weigh = (at: number): number => {
        const x = places.values[at] ?? Number.NaN;
        return slope(x, value(x));
      };
      yield* session.pull(of, yield* weighEntries(gradient, places, weigh));
      return;
    }
    const weigh = (given: number, x: number): number => given * slope(x, value(x));
    yield* session.pull(of, one(combineDense(yield* settle(gradient, null), session.value(of), weigh)));
  },
  // d(a / b) = da / b - a db / b²
  *quotient({ left, right }, gradient, { value, pull }) {
    const settled = yield* settle(gradient, null);
    const byLeft = combineDense(settled, value(right), (given, b) => given / b);
    yield* pull(left, one(byLeft));
    const ratio = combineDense(value(left), value(right), (a, b) => -a / b);
    yield* pull(right, one(combineDense(byLeft, ratio, (given, factor) => given * factor)));
  },
  // d‖xᵢ‖ = xᵢ · dxᵢ / ‖xᵢ‖, at 0 nothing; the rows of X stay products
  *"row-norm"(source, gradient, session) {
    const norms = toDense(session.value(source)).values;
    const given = toDense(yield* settle(gradient, null)).values;
    const factors = given.map((value, row) => (norms[row] === 0 ? 0 : value / (norms[row] ?? 0)));
    const rows = yield* chainsOf(source.of, known(session), session.scope.symbols);
    yield* session.pull(
      source.of,
      rows.map((chain) => extendChain([diagonal(factors)], chain, [])),
    );
  },
  // dx = y ⊙ (g - Σ g y) along each row
  *"row-softmax"({ of }, gradient, { value, pull }) {
    const y = softmaxRows(value(of));
    const given = toDense(yield* settle(gradient, null));
    const values = new Float32Array(y.values.length);
    for (let row = 0; row < y.rows; row++) {
      const at = (columnIndex: number): number => row * y.columns + columnIndex;
      let sum = 0;
      for (let k = 0; k < y.columns; k++) sum += (given.values[at(k)] ?? 0) * (y.values[at(k)] ?? 0);
      for (let k = 0; k < y.columns; k++)
        values[at(k)] = (y.values[at(k)] ?? 0) * ((given.values[at(k)] ?? 0) - sum);
    }
    yield* pull(of, one({ ...y, values }));
  },
  *entry({ of, row, column: at }, gradient, { value, pull }) {
    const [rows, columns] = [rowsOf(value(of)), columnsOf(value(of))];
    const given = filled(rows, columns, 0);
    given.values[row * columns + at] = toDense(yield* settle(gradient, null)).values[0] ?? Number.NaN;
    yield* pull(of, one(given));
  },
  // every entry is the one: 1ᵀ G 1
  *fill({ rows, columns, of }, gradient, { scope, pull }) {
    const left = filled(1, evaluateNumber(rows, scope.symbols), 1);
    const right = filled(evaluateNumber(columns, scope.symbols), 1, 1);
    yield* pull(
      of,
      gradient.map((chain) => extendChain([left], chain, [right])),
    );
  },
  ones: nothing,
  // d X⁻¹ = -X⁻¹ dX X⁻¹
  *inverse(source, gradient, { value, pull }) {
    const turned = transposeValue(value(source));
    yield* pull(
      source.of,
      gradient.map((chain) => extendChain([turned], { ...chain, scale: -chain.scale }, [turned])),
    );
  },
  *"face-splitting"({ left, right }, gradient, { value, pull }) {
    const [a, b] = [toDense(value(left)), toDense(value(right))];
    const given = toDense(yield* settle(gradient, null)).values;
    const [byLeft, byRight] = [new Float64Array(a.values.length), new Float64Array(b.values.length)];
    for (let row = 0, at = 0; row < a.rows; row++) {
      for (let k = row * a.columns; k < (row + 1) * a.columns; k++) {
        for (let l = row * b.columns; l < (row + 1) * b.columns; l++, at++) {
          byLeft[k] = (byLeft[k] ?? 0) + (given[at] ?? 0) * (b.values[l] ?? 0);
          byRight[l] = (byRight[l] ?? 0) + (given[at] ?? 0) * (a.values[k] ?? 0);
        }
      }
    }
    yield* pull(left, one({ ...a, values: Float32Array.from(byLeft) }));
    yield* pull(right, one({ ...b, values: Float32Array.from(byRight) }));
  },
  // the entry above the diagonal stands below with the other sign
  *skew(source, gradient, { scope, value, pull }) {
    const blocks = value(source);
    if (blocks.kind !== "blockdiag") return;
    const given = (yield* settle(gradient, blocks)).values;
    const size = evaluateNumber(source.size, scope.symbols);
    const triangles = toDense(value(source.of));
    const values = new Float32Array(triangles.values.length);
    for (let block = 0, at = 0; block < triangles.rows; block++) {
      const entry = (row: number, columnIndex: number): number =>
        given[(block * size + row) * size + columnIndex] ?? Number.NaN;
      for (const [row, columnIndex] of upperPositions(size))
        values[at++] = entry(row, columnIndex) - entry(columnIndex, row);
    }
    yield* pull(source.of, one({ ...triangles, values }));
  },
  *"strict-upper"({ of }, gradient, session) {
    yield* session.pull(of, one(strictUpper(yield* settle(gradient, placesOf(of, session)))));
  },
  detach: nothing,
};

/** Rows and columns [first, count] of a chain. */
function part(
  { scale, factors }: Chain,
  [top, rows]: readonly [number, number],
  [left, columns]: readonly [number, number],
): Chain {
  const cut = factors.map((factor, index) => (index === 0 ? sliceRows(factor, top, rows) : factor));
  const last = cut.length - 1;
  return {
    scale,
    factors: cut.map((factor, index) =>
      index === last ? transposeValue(sliceRows(transposeValue(factor), left, columns)) : factor,
    ),
  };
}
