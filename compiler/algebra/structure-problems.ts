/**
 * Contradictions of structure: rows that look at one part of the weight, or at one decomposition among the initial
 * values, and say with places what can never be. Requires a checked transform; stands before planning, because what
 * it refuses would run, and would not be what its author meant.
 */
import type { Diagnostic, Label } from "../../grammar/text/diagnostic.ts";
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
} from "../../runtime/contract/number-expression.ts";
import { callsIn, type Recipe } from "../../runtime/contract/recipe.ts";
import type { CheckedPattern, CheckedTransform, WeightExpression } from "../check/checked-module.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  groupsOfSingles,
  groupsTooSparse,
  rankAboveStructure,
  termIsZero,
} from "../diagnostics/structure-diagnostics.ts";
import { sizeRange } from "../types/knowledge.ts";
import { type Assumptions, prove } from "../types/prove.ts";
import { createTermFactory, type TermFactory } from "./algebra-graph.ts";
import type { Term } from "./algebra-node.ts";
import { buildAlgebra } from "./build-algebra.ts";
import { structureOf } from "./infer-structure.ts";
import { printTerm } from "./print-algebra.ts";
import { claimsOf, describeClaim, hasClaim, type Structure } from "./structure-claims.ts";

interface Context {
  readonly transform: CheckedTransform;
  readonly termOf: (weight: WeightExpression) => Term;
  readonly patternNamed: (name: string) => CheckedPattern | undefined;
}

type Weight<Kind extends WeightExpression["kind"]> = Extract<WeightExpression, { readonly kind: Kind }>;

interface Contradiction {
  /** What can never be, in words. */
  readonly law: string;
  readonly find: (weight: WeightExpression, context: Context) => Diagnostic | null;
}

/** The parts of a weight that are matrices themselves. */
function partsOf(weight: WeightExpression): readonly WeightExpression[] {
  switch (weight.kind) {
    case "sum":
      return weight.terms;
    case "product":
    case "hadamard":
    case "kron":
      return weight.factors;
    case "blockdiag":
      return weight.blocks;
    case "concatenation":
      return weight.parts;
    case "scale":
    case "transpose":
    case "mask":
      return [weight.operand];
    default:
      return [];
  }
}

const overMask =
  (
    find: (
      weight: Weight<"mask">,
      pattern: CheckedPattern,
      operand: Structure,
      context: Context,
    ) => Diagnostic | null,
  ) =>
  (weight: WeightExpression, context: Context): Diagnostic | null => {
    if (weight.kind !== "mask") return null;
    const pattern = context.patternNamed(weight.pattern);
    return pattern === undefined
      ? null
      : find(weight, pattern, structureOf(context.termOf(weight.operand)), context);
  };

const patternLabel = (pattern: CheckedPattern): Label => ({
  span: pattern.span,
  text: `\`${pattern.name}\` is declared here`,
});

/** Names of patterns of which one is the complement of the other. */
function areComplements(first: CheckedPattern | undefined, second: CheckedPattern | undefined): boolean {
  const isOf = (recipe: Recipe | undefined, name: string | undefined): boolean =>
    recipe?.kind === "call" &&
    (recipe.intrinsic as string) === "complement" &&
    Object.values(recipe.operands).some((operand) => operand.kind === "pattern" && operand.name === name);
  return isOf(first?.recipe, second?.name) || isOf(second?.recipe, first?.name);
}

/** Two patterns within which the matrix lies, and which never meet. */
function apartPatterns(
  structure: Structure,
  { patternNamed }: Context,
): readonly [CheckedPattern, CheckedPattern] | null {
  const within = claimsOf(structure, "within");
  for (const [index, first] of within.entries()) {
    for (const second of within.slice(index + 1)) {
      const [a, b] = [patternNamed(first.pattern), patternNamed(second.pattern)];
      if (
        first.transposed === second.transposed &&
        a !== undefined &&
        b !== undefined &&
        areComplements(a, b)
      )
        return [a, b];
    }
  }
  return null;
}

function zeroTerm(weight: WeightExpression, context: Context): Diagnostic | null {
  const parts = partsOf(weight);
  const structure = structureOf(context.termOf(weight));
  const isOwn =
    (weight.kind === "mask" || weight.kind === "hadamard" || weight.kind === "product") &&
    parts.every((part) => !hasClaim(structureOf(context.termOf(part)), "zero"));
  if (!isOwn) return null;
  const facts = {
    operation: { mask: "mask", hadamard: "elementwise product", product: "product" }[weight.kind],
  };
  const apart = apartPatterns(structure, context);
  if (apart !== null) {
    const [first, second] = apart;
    const because = [`no position is in both \`${first.name}\` and \`${second.name}\``];
    const secondary = [patternLabel(first), patternLabel(second)];
    // A factor that is zero already has been told.
    if (parts.some((part) => apartPatterns(structureOf(context.termOf(part)), context) !== null)) return null;
    return report(termIsZero, weight.span, facts, { because, secondary });
  }
  if (!hasClaim(structure, "zero")) return null;
  const secondary = parts.flatMap((part) =>
    claimsOf(structureOf(context.termOf(part)), "part").map((claim) => ({
      span: part.span,
      text: describeClaim(claim, part),
    })),
  );
  return report(termIsZero, weight.span, facts, { secondary });
}

export const contradictions: readonly Contradiction[] = [
  {
    law: "a group of a diagonal or a permutation holds at most one entry",
    find: overMask((weight, pattern, operand) => {
      const { shape } = pattern;
      const single = operand.claims.find(({ kind }) =>
        ["identity", "permutation", "diagonal"].includes(kind),
      );
      if (shape.kind !== "nm" || shape.m < 2 || single === undefined) return null;
      const facts = {
        name: pattern.name,
        n: shape.n,
        m: shape.m,
        structure: nounOf[single.kind] ?? single.kind,
      };
      return report(groupsOfSingles, weight.operand.span, facts, {
        because: [`of ${shape.m} neighbours along the ${shape.axis} at most one is not zero`],
        secondary: [patternLabel(pattern)],
      });
    }),
  },
  {
    law: "n of m cannot be kept where fewer are left",
    find: overMask((weight, pattern, operand) => {
      const { shape } = pattern;
      if (shape.kind !== "nm") return null;
      const fewer = claimsOf(operand, "groups").find(
        ({ n, m, axis }) => m === shape.m && axis === shape.axis && n < shape.n,
      );
      if (fewer === undefined) return null;
      const facts = { name: pattern.name, n: shape.n, m: shape.m, found: fewer.n };
      return report(groupsTooSparse, weight.operand.span, facts, { secondary: [patternLabel(pattern)] });
    }),
  },
  { law: "what has no common entry is zero", find: zeroTerm },
];

const nounOf: Readonly<Record<string, string>> = {
  identity: "the identity",
  permutation: "a permutation",
  diagonal: "diagonal",
};

/** The term of a recipe that is algebra on tensors; null for what is computed otherwise. */
function termOfRecipe(recipe: Recipe, transform: CheckedTransform, factory: TermFactory): Term | null {
  const inner = (part: Recipe | undefined): Term | null =>
    part === undefined ? null : termOfRecipe(part, transform, factory);
  if (recipe.kind === "tensor") {
    const tensor = transform.tensors.find(({ name }) => name === recipe.name);
    return tensor === undefined || tensor.dimensions.length > 2 ? null : factory.leaf(tensor, null);
  }
  if (recipe.kind !== "call") return null;
  const { left, right, value, factor } = recipe.operands;
  const [a, b, only] = [inner(left), inner(right), inner(value)];
  switch (recipe.intrinsic) {
    case "add":
    case "subtract":
      return a === null || b === null ? null : factory.sum([a, b]);
    case "matmul":
      return a === null || b === null ? null : factory.chain([a, b]);
    case "transpose":
      return only === null ? null : factory.transpose(only);
    case "scale":
      return only === null || factor?.kind !== "number" ? null : factory.scale(number(1), only);
    default:
      return null;
  }
}

function assumptionsOf({ tensors, arguments: given, requirements, proven }: CheckedTransform): Assumptions {
  const ranges = new Map<string, typeof sizeRange>();
  for (const argument of given) {
    if (argument.kind === "number" && argument.type === "int")
      ranges.set(argument.name, {
        low: Number.NEGATIVE_INFINITY,
        high: Number.POSITIVE_INFINITY,
        whole: true,
      });
  }
  for (const { dimensions } of tensors) {
    for (const side of dimensions) if (side.kind === "symbol") ranges.set(side.name, sizeRange);
  }
  return { ranges, facts: [...requirements, ...proven].map(({ condition }) => condition) };
}

/** Decompositions of a rank that their matrix cannot have. */
function rankProblems(transform: CheckedTransform, factory: TermFactory): readonly Diagnostic[] {
  const assumptions = assumptionsOf(transform);
  const told = new Set<string>();
  const owners = [...transform.tensors, ...transform.patterns];
  return owners.flatMap(({ name, recipe, span }) =>
    (recipe === null ? [] : callsIn(recipe)).flatMap((call) => {
      const { rank, weight } = call.operands;
      const term = weight === undefined ? null : termOfRecipe(weight, transform, factory);
      const key = JSON.stringify(call);
      if (rank?.kind !== "number" || term === null || told.has(key)) return [];
      const bound: NumberExpression = structureOf(term).rank;
      if (prove(apply("<=", rank.value, bound), assumptions) !== "refuted") return [];
      told.add(key);
      const facts = { name, rank: printNumber(rank.value), bound: printNumber(bound) };
      const because = [`\`${printTerm(term)}\` has rank at most ${printNumber(bound)}`];
      return [report(rankAboveStructure, span, facts, { because })];
    }),
  );
}

/** What contradicts itself in the structure of a transform; empty when nothing does. */
export function structureProblems(transform: CheckedTransform): readonly Diagnostic[] {
  const factory = createTermFactory(transform.tensors);
  const context: Context = {
    transform,
    termOf: (weight) => buildAlgebra({ ...transform, weight }, factory).root,
    patternNamed: (name) => transform.patterns.find((pattern) => pattern.name === name),
  };
  const visit = (weight: WeightExpression): readonly Diagnostic[] => [
    ...partsOf(weight).flatMap(visit),
    ...contradictions.flatMap(({ find }) => find(weight, context) ?? []),
  ];
  return [...visit(transform.weight), ...rankProblems(transform, factory)];
}
