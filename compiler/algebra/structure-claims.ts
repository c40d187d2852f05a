/**
 * What can be claimed of a matrix without looking at its numbers, and which claim implies which: the order of
 * structure as data. A claim is a sentence that is true for all values of the tensors; several hold at once.
 */
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import { sameDimension, toPolynomial } from "../types/dimension.ts";
import { addNumbers, canonicalNumber, divideNumbers, multiplyNumbers } from "./algebra-graph.ts";

export type Axis = "input" | "output";

export type Claim =
  | { readonly kind: "zero" }
  | { readonly kind: "identity" }
  /** One 1 in every row and column, zeros elsewhere. */
  | { readonly kind: "permutation" }
  /** Square, and its transpose is its inverse. */
  | { readonly kind: "orthogonal" }
  | { readonly kind: "symmetric" }
  /** Zero where row and column differ. */
  | { readonly kind: "diagonal" }
  /** Zero outside of equal blocks along the diagonal. */
  | { readonly kind: "block-diagonal"; readonly blocks: NumberExpression }
  /** At most n entries of every m neighbours along an axis are not zero. */
  | { readonly kind: "groups"; readonly n: number; readonly m: number; readonly axis: Axis }
  /** Zero off tiles, aligned to their size, that have `count` entries together. */
  | {
      readonly kind: "tiles";
      readonly height: number;
      readonly width: number;
      readonly count: NumberExpression;
    }
  /** Zero off the positions of a pattern, or of its transpose. */
  | { readonly kind: "within"; readonly pattern: string; readonly transposed: boolean }
  /** Zero outside of a rectangle. */
  | {
      readonly kind: "part";
      readonly top: NumberExpression;
      readonly height: NumberExpression;
      readonly left: NumberExpression;
      readonly width: NumberExpression;
    }
  /** A Kronecker product of so many factors. */
  | { readonly kind: "kronecker"; readonly factors: number };

export type ClaimKind = Claim["kind"];
export type ClaimOf<Kind extends ClaimKind> = Extract<Claim, { readonly kind: Kind }>;

export interface Shape {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
}

/** All that is inferred of one matrix. */
export interface Structure {
  /** The rank is at most this. */
  readonly rank: NumberExpression;
  /** Entries that may differ from zero are at most this many; null when all may. */
  readonly entries: NumberExpression | null;
  /** Closed under the implications, each once. */
  readonly claims: readonly Claim[];
}

/** The claims that say where zeros lie: they survive a mask and an elementwise product. */
export const zeroClaims = [
  "zero",
  "diagonal",
  "block-diagonal",
  "groups",
  "tiles",
  "within",
  "part",
] as const satisfies readonly ClaimKind[];

export const isSquare = ({ rows, columns }: Shape): boolean => sameDimension(rows, columns);

/** True when a <= b whatever the sizes are: the difference is a sum of dimensions. */
export const isAtMost = (a: NumberExpression, b: NumberExpression): boolean =>
  [...toPolynomial(apply("-", b, a)).values()].every(({ coefficient }) => coefficient.numerator > 0n);

/** The members of a minimum, or the bound itself. */
export const membersOf = (bound: NumberExpression): readonly NumberExpression[] =>
  bound.kind === "apply" && bound.operator === "min" ? bound.operands : [bound];

/**
 * True when `b` is left out beside `a`: it is larger for all sizes, or a multiple of it by whole numbers. Bounds may be
 * left out whatever holds, so this needs no proof.
 */
function undercuts(a: NumberExpression, b: NumberExpression): boolean {
  if (isAtMost(a, b) || (a.kind === "number" && a.value <= 1)) return true;
  const ratio = [...toPolynomial(apply("/", b, a)).values()];
  return (
    ratio.length > 0 &&
    ratio.every(
      ({ coefficient, powers }) =>
        coefficient.numerator > 0n &&
        coefficient.denominator === 1n &&
        powers.every(({ exponent }) => exponent > 0),
    )
  );
}

/** The smallest of some bounds, without those that another one undercuts. */
export function smallest(...bounds: readonly NumberExpression[]): NumberExpression {
  const flat = bounds.map(canonicalNumber).flatMap(membersOf);
  const kept = flat.filter(
    (bound, index) =>
      !flat.some(
        (other, at) => at !== index && undercuts(other, bound) && (!undercuts(bound, other) || at < index),
      ),
  );
  const [first = number(0), ...rest] = kept;
  return rest.length === 0 ? first : canonicalNumber(apply("min", first, ...rest));
}

interface Implication<Kind extends ClaimKind = ClaimKind> {
  readonly from: Kind;
  /** As mathematics. */
  readonly law: string;
  readonly claims?: (claim: ClaimOf<Kind>, shape: Shape) => readonly Claim[];
  readonly rank?: (claim: ClaimOf<Kind>, shape: Shape) => NumberExpression;
  readonly entries?: (claim: ClaimOf<Kind>, shape: Shape) => NumberExpression;
}

const row = <Kind extends ClaimKind>(implication: Implication<Kind>): Implication =>
  implication as unknown as Implication;

const shorterSide = ({ rows, columns }: Shape): NumberExpression => smallest(rows, columns);

/** From the strongest claim to the weakest. */
export const implications: readonly Implication[] = [
  row({
    from: "zero",
    law: "0 has rank 0 and no entries",
    rank: () => number(0),
    entries: () => number(0),
  }),
  row({
    from: "identity",
    law: "I is a permutation and a diagonal",
    claims: () => [{ kind: "permutation" }, { kind: "diagonal" }],
  }),
  row({
    from: "permutation",
    law: "P Pᵀ = I, with one entry a row",
    claims: () => [{ kind: "orthogonal" }],
    entries: (_, { rows }) => rows,
  }),
  row({
    from: "diagonal",
    law: "a square diagonal is symmetric, and n blocks of 1",
    claims: (_, shape) =>
      isSquare(shape) ? [{ kind: "symmetric" }, { kind: "block-diagonal", blocks: shape.rows }] : [],
    entries: (_, shape) => shorterSide(shape),
  }),
  row({
    from: "block-diagonal",
    law: "b equal blocks cover 1 / b of the entries",
    entries: ({ blocks }, { rows, columns }) => divideNumbers(multiplyNumbers(rows, columns), blocks),
  }),
  row({
    from: "groups",
    law: "n of m is a share of n / m",
    entries: ({ n, m }, { rows, columns }) =>
      divideNumbers(multiplyNumbers(number(n), rows, columns), number(m)),
  }),
  row({ from: "tiles", law: "tiles have their entries", entries: ({ count }) => count }),
  row({
    from: "part",
    law: "what is zero outside of h x w has rank at most min(h, w)",
    rank: ({ height, width }) => smallest(height, width),
    entries: ({ height, width }) => multiplyNumbers(height, width),
  }),
];

const keyOf = (claim: Claim): string => JSON.stringify(claim);

const without = (given: NumberExpression | null, found: NumberExpression): NumberExpression =>
  given === null ? found : smallest(given, found);

/** Everything that follows from what was inferred directly. */
export function closeStructure(
  shape: Shape,
  direct: {
    readonly rank: NumberExpression;
    readonly entries: NumberExpression | null;
    readonly claims: readonly Claim[];
  },
): Structure {
  const claims = new Map<string, Claim>();
  let rank = smallest(direct.rank, shape.rows, shape.columns);
  let { entries } = direct;
  const add = (claim: Claim): void => {
    if (claims.has(keyOf(claim))) return;
    claims.set(keyOf(claim), claim);
    for (const implication of implications) {
      if (implication.from !== claim.kind) continue;
      const found = implication.rank?.(claim, shape);
      if (found !== undefined) rank = smallest(rank, found);
      const count = implication.entries?.(claim, shape);
      if (count !== undefined) entries = without(entries, count);
      for (const implied of implication.claims?.(claim, shape) ?? []) add(implied);
    }
  };
  direct.claims.forEach(add);
  // Blocks and groups have more entries than a side, so that only a number of entries of its own bounds the rank.
  if (direct.entries !== null) rank = smallest(rank, direct.entries);
  const isFull = entries !== null && sameDimension(entries, multiplyNumbers(shape.rows, shape.columns));
  return { rank, entries: isFull ? null : entries, claims: [...claims.values()] };
}

export const claimsOf = <Kind extends ClaimKind>(
  { claims }: Structure,
  kind: Kind,
): readonly ClaimOf<Kind>[] => claims.filter((claim): claim is ClaimOf<Kind> => claim.kind === kind);

export const hasClaim = (structure: Structure, ...kinds: readonly ClaimKind[]): boolean =>
  structure.claims.some(({ kind }) => kinds.includes(kind));

/** True when two rectangles are known to share no entry. */
export function partsAreApart(a: ClaimOf<"part">, b: ClaimOf<"part">): boolean {
  const before = (start: NumberExpression, length: NumberExpression, next: NumberExpression): boolean =>
    isAtMost(addNumbers(start, length), next);
  return (
    before(a.top, a.height, b.top) ||
    before(b.top, b.height, a.top) ||
    before(a.left, a.width, b.left) ||
    before(b.left, b.width, a.left)
  );
}

const range = (start: NumberExpression, length: NumberExpression): string =>
  `${printNumber(start)} .. ${printNumber(addNumbers(start, length))}`;

/** What bounds the rank besides the sides; null for nothing. */
export function ownRank({ rows, columns }: Shape, { rank }: Structure): NumberExpression | null {
  const own = membersOf(rank).filter(
    (member) => !sameDimension(member, rows) && !sameDimension(member, columns),
  );
  return own.length === 0 ? null : smallest(...own);
}

/** A claim about a matrix of this shape in words, for people. */
export function describeClaim(claim: Claim, shape: Shape): string {
  switch (claim.kind) {
    case "block-diagonal":
      return `${printNumber(claim.blocks)} diagonal blocks`;
    case "groups":
      return `${claim.n} of ${claim.m} along the ${claim.axis}`;
    case "tiles":
      return `${claim.height} x ${claim.width} tiles`;
    case "within":
      return `zero off ${claim.pattern}${claim.transposed ? ".T" : ""}`;
    case "part": {
      const rows = `rows ${range(claim.top, claim.height)}`;
      const columns = `columns ${range(claim.left, claim.width)}`;
      const sides = [
        ...(sameDimension(claim.height, shape.rows) ? [] : [rows]),
        ...(sameDimension(claim.width, shape.columns) ? [] : [columns]),
      ];
      return `zero outside ${sides.join(" and ")}`;
    }
    case "kronecker":
      return `Kronecker product of ${claim.factors}`;
    default:
      return claim.kind;
  }
}
