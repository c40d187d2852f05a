/**
 * How claims pass from operands to terms: one row for each law.
 * A row may only claim what is true for all values; what no row says is not claimed.
 */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import type { CheckedPattern, PatternShape } from "../check/checked-module.ts";
import { sameDimension } from "../types/dimension.ts";
import { addNumbers, multiplyNumbers } from "./algebra-graph.ts";
import type { Term, TermKind } from "./algebra-node.ts";
import { area, isScaling, windowOf } from "./structure-bounds.ts";
import {
  type Axis,
  type Claim,
  type ClaimKind,
  claimsOf,
  hasClaim,
  isSquare,
  partsAreApart,
  type Structure,
  zeroClaims,
} from "./structure-claims.ts";

type TermOf<Kind extends TermKind> = Extract<Term, { readonly kind: Kind }>;

export interface ClaimRow {
  readonly over: TermKind;
  /** As mathematics. */
  readonly law: string;
  readonly claims: (term: Term, operands: readonly Structure[]) => readonly Claim[];
}

const row = <Kind extends TermKind>(
  over: Kind,
  law: string,
  claims: (term: TermOf<Kind>, operands: readonly Structure[]) => readonly Claim[],
): ClaimRow => ({ over, law, claims: claims as unknown as ClaimRow["claims"] });

/** True for the pattern of a `permutation(score)`. */
export const isOrdering = ({ recipe }: CheckedPattern): boolean =>
  recipe.kind === "call" && recipe.intrinsic === "permutation";

/** The operand's claims of these kinds. */
const kept =
  (kinds: readonly ClaimKind[]) =>
  (_: Term, [operand]: readonly Structure[]): readonly Claim[] =>
    operand?.claims.filter(({ kind }) => kinds.includes(kind)) ?? [];

/** Claims of these kinds that some operand has. */
const ofAny =
  (kinds: readonly ClaimKind[]) =>
  (_: Term, operands: readonly Structure[]): readonly Claim[] =>
    operands.flatMap(({ claims }) => claims.filter(({ kind }) => kinds.includes(kind)));

const sameClaim = (a: Claim, b: Claim): boolean =>
  a.kind === "block-diagonal" && b.kind === "block-diagonal"
    ? sameDimension(a.blocks, b.blocks)
    : JSON.stringify(a) === JSON.stringify(b);

/** What adds something to a sum; a zero adds nothing, and takes nothing away. */
const summands = (operands: readonly Structure[]): readonly Structure[] => {
  const kept = operands.filter((operand) => !hasClaim(operand, "zero"));
  return kept.length === 0 ? operands : kept;
};

/** Claims of these kinds that all operands have. */
const ofAll =
  (kinds: readonly ClaimKind[]) =>
  (_: Term, [first, ...rest]: readonly Structure[]): readonly Claim[] =>
    first?.claims.filter(
      (claim) =>
        kinds.includes(claim.kind) &&
        rest.every(({ claims }) => claims.some((other) => sameClaim(claim, other))),
    ) ?? [];

const otherAxis = (axis: Axis): Axis => (axis === "input" ? "output" : "input");

function transposeClaim(claim: Claim): Claim {
  switch (claim.kind) {
    case "groups":
      return { ...claim, axis: otherAxis(claim.axis) };
    case "tiles":
      return { ...claim, height: claim.width, width: claim.height };
    case "within":
      return { ...claim, transposed: !claim.transposed };
    case "part":
      return { kind: "part", top: claim.left, height: claim.width, left: claim.top, width: claim.height };
    default:
      return claim;
  }
}

function ofShape(shape: PatternShape, count: NumberExpression): readonly Claim[] {
  switch (shape.kind) {
    case "nm":
      return [{ kind: "groups", n: shape.n, m: shape.m, axis: shape.axis }];
    case "block":
      return [{ kind: "tiles", height: shape.height, width: shape.width, count }];
    default:
      return [];
  }
}

const ofPattern = ({
  name,
  shape,
  count,
}: Pick<CheckedPattern, "name" | "shape" | "count">): readonly Claim[] => [
  { kind: "within", pattern: name, transposed: false },
  ...ofShape(shape, count),
];

/** The one factor that is not a diagonal. */
function scaledFactor(operands: readonly Structure[]): Structure | undefined {
  const others = operands.filter((operand) => !isScaling(operand));
  return others.length === 1 ? others[0] : undefined;
}

const isTransposeOf = (a: Term, b: Term): boolean =>
  (a.kind === "transpose" && a.operand === b) || (b.kind === "transpose" && b.operand === a);

/** A chain that reads the same transposed and reversed: B Bᵀ, B S Bᵀ with S symmetric. */
function isPalindrome(factors: readonly Term[], operands: readonly Structure[]): boolean {
  const last = factors.length - 1;
  return factors.every((factor, index) => {
    const mirror = factors[last - index];
    const own = operands[index];
    if (mirror === undefined || own === undefined) return false;
    if (isTransposeOf(factor, mirror)) return true;
    return factor === mirror && hasClaim(own, "symmetric");
  });
}

/** A sum in which each term is symmetric, or stands beside its transpose. */
function isMirrored(terms: readonly Term[], operands: readonly Structure[]): boolean {
  const unscaled = (term: Term): Term => (term.kind === "scale" ? term.operand : term);
  const factor = (term: Term): string => (term.kind === "scale" ? JSON.stringify(term.factor) : "1");
  return terms.every((term, index) => {
    const own = operands[index];
    return (
      (own !== undefined && hasClaim(own, "symmetric")) ||
      terms.some((other) => factor(other) === factor(term) && isTransposeOf(unscaled(other), unscaled(term)))
    );
  });
}

/** Sᵀ X T is zero outside of the rows of S and the columns of T. */
function partOfChain({ factors, rows, columns }: TermOf<"chain">): readonly Claim[] {
  const [first, last] = [factors[0], factors.at(-1)];
  const put = first?.kind === "transpose" ? windowOf(first) : null;
  const take = last?.kind === "window" ? last : null;
  if (put === null && take === null) return [];
  return [
    {
      kind: "part",
      top: put?.offset ?? number(0),
      height: put?.rows ?? rows,
      left: take?.offset ?? number(0),
      width: take?.rows ?? columns,
    },
  ];
}

/** Tiles of one size that all operands have, each with its counts times a factor of its own. */
function addTiles(
  operands: readonly Structure[],
  factors: readonly NumberExpression[] = [],
): readonly Claim[] {
  const [first, ...rest] = operands;
  if (first === undefined) return [];
  const times = (count: NumberExpression, index: number): NumberExpression =>
    multiplyNumbers(count, factors[index] ?? number(1));
  return claimsOf(first, "tiles").flatMap((own) => {
    const others = rest.map((operand) =>
      claimsOf(operand, "tiles").find(({ height, width }) => height === own.height && width === own.width),
    );
    if (others.includes(undefined)) return [];
    const counts = [own, ...others].map((claim, index) => times(claim?.count ?? number(0), index));
    return [{ ...own, count: addNumbers(...counts) }];
  });
}

/** n1 of m beside n2 of m is n1 + n2 of m. */
function addGroups(operands: readonly Structure[]): readonly Claim[] {
  const [first, ...rest] = operands;
  if (first === undefined) return [];
  return claimsOf(first, "groups").flatMap(({ n, m, axis }) => {
    const others = rest.map((operand) =>
      claimsOf(operand, "groups").find((claim) => claim.m === m && claim.axis === axis),
    );
    const total = others.reduce((sum, claim) => sum + (claim?.n ?? m), n);
    return total < m ? [{ kind: "groups" as const, n: total, m, axis }] : [];
  });
}

const squareKinds: readonly ClaimKind[] = ["identity", "permutation", "orthogonal", "symmetric", "diagonal"];
const partClaims = (operands: readonly Structure[]) => operands.map((operand) => claimsOf(operand, "part"));

export const claimRows: readonly ClaimRow[] = [
  row("zero", "0 is zero", () => [{ kind: "zero" }]),
  row("identity", "I is the identity", () => [{ kind: "identity" }]),
  row("permutation", "P(s) is a permutation", () => [{ kind: "permutation" }]),
  row("diag", "diag(d) is diagonal", () => [{ kind: "diagonal" }]),
  row("leaf", "a tensor has the structure of its type", ({ tensor }) => [
    ...(tensor.structure === "blockdiag" && tensor.blocks !== null
      ? [{ kind: "block-diagonal" as const, blocks: tensor.blocks }]
      : []),
    ...(tensor.structure === "sparse" && tensor.support !== null
      ? ofPattern({
          name: tensor.support,
          shape: tensor.supportShape ?? { kind: "unstructured" },
          count: tensor.count,
        })
      : []),
  ]),

  row("scale", "s X is zero where X is, and as symmetric", kept([...zeroClaims, "symmetric", "kronecker"])),
  row(
    "transpose",
    "Xᵀ is X with its axes exchanged",
    (_, [operand]) => operand?.claims.map(transposeClaim) ?? [],
  ),

  row("sum", "X + Y is zero where both are", (term, operands) =>
    ofAll(["zero", "diagonal", "block-diagonal", "within", "part"])(term, summands(operands)),
  ),
  row("sum", "n of m and k of m are n + k of m", (_, operands) => addGroups(summands(operands))),
  row("sum", "tiles and tiles of one size are tiles", (_, operands) => addTiles(summands(operands))),
  row("sum", "X + Xᵀ is symmetric", ({ terms }, operands) =>
    isMirrored(terms, operands) ? [{ kind: "symmetric" }] : [],
  ),

  row("chain", "X 0 = 0", ofAny(["zero"])),
  row(
    "chain",
    "products of diagonals, permutations, orthogonal or equally blocked matrices are such again",
    ofAll(["identity", "permutation", "orthogonal", "diagonal", "block-diagonal"]),
  ),
  row("chain", "a diagonal moves no entry", (_, operands) => {
    const scaled = scaledFactor(operands);
    return scaled?.claims.filter(({ kind }) => ["groups", "tiles", "within", "part"].includes(kind)) ?? [];
  }),
  row("chain", "(X S Xᵀ)ᵀ = X S Xᵀ for a symmetric S", ({ factors }, operands) =>
    isPalindrome(factors, operands) ? [{ kind: "symmetric" }] : [],
  ),
  row("chain", "Sᵀ X T is zero outside of the rows of S and the columns of T", (term) => partOfChain(term)),

  row("indicator", "1 on E is zero off E", ({ pattern }) => ofPattern(pattern)),
  row("indicator", "what sorts is a permutation", ({ pattern }) =>
    isOrdering(pattern) ? [{ kind: "permutation" }] : [],
  ),
  row("mask", "M ⊙ X is zero off M", ({ pattern }) => ofPattern(pattern)),
  row("mask", "M ⊙ X is zero where X is", kept(zeroClaims)),

  row("hadamard", "X ⊙ Y is zero where one of them is", ofAny(zeroClaims)),
  row("hadamard", "X ⊙ Y is symmetric when both are", ofAll(["symmetric"])),
  row("hadamard", "matrices without a common rectangle have no common entry", (_, operands) => {
    const parts = partClaims(operands);
    const apart = parts.some((own, index) =>
      parts.slice(index + 1).some((others) => own.some((a) => others.some((b) => partsAreApart(a, b)))),
    );
    return apart ? [{ kind: "zero" }] : [];
  }),

  row("kron", "X ⊗ 0 = 0", ofAny(["zero"])),
  row("kron", "X ⊗ Y of such matrices is such again", (term, operands) =>
    ofAll(term.factors.every(isSquare) ? squareKinds : [])(term, operands),
  ),
  row("kron", "X ⊗ Y has as many blocks as X", (_, [first]) =>
    first === undefined ? [] : claimsOf(first, "block-diagonal"),
  ),
  row("kron", "X ⊗ Y has groups and tiles as Y has", ({ factors }, operands) => {
    const last = operands.at(-1);
    if (last === undefined) return [];
    const copies = multiplyNumbers(
      ...factors.slice(0, -1).map((factor, index) => operands[index]?.entries ?? area(factor)),
    );
    return [...claimsOf(last, "groups"), ...addTiles([last], [copies])];
  }),
  row("kron", "X ⊗ Y is a Kronecker product", ({ factors }) => [
    { kind: "kronecker", factors: factors.length },
  ]),

  row("blockdiag", "0 ⊕ 0 = 0", ofAll(["zero"])),
  row("blockdiag", "X ⊕ Y of square such matrices is such again", (term, operands) =>
    ofAll(term.blocks.every(isSquare) ? squareKinds : [])(term, operands),
  ),
  row("blockdiag", "X ⊕ Y of equal sizes has equal blocks", ({ blocks }) => {
    const [first, ...rest] = blocks;
    const isEven =
      first !== undefined &&
      rest.every(
        ({ rows, columns }) => sameDimension(rows, first.rows) && sameDimension(columns, first.columns),
      );
    return isEven ? [{ kind: "block-diagonal", blocks: number(blocks.length) }] : [];
  }),
  row("blockdiag", "X ⊕ Y has the groups that both have", ofAll(["groups"])),
  row("blockdiag", "X ⊕ Y has the tiles of both", (_, operands) => addTiles(operands)),
];
