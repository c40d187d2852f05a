/**
 * Pins as filters of candidates: each names terms of the normal form, found by structure, because equal terms are one
 * object. Stands between normalising and choosing.
 */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { TermFactory } from "../algebra/algebra-graph.ts";
import type { AlgebraGraph, Term } from "../algebra/algebra-node.ts";
import { buildPart } from "../algebra/build-algebra.ts";
import { normaliseTerm } from "../algebra/normalise.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { sourceOf } from "../algebra/term-source.ts";
import type { CheckedPin, CheckedTransform } from "../check/checked-module.ts";
import { tileTokens } from "../targets/x86-targets.ts";
import type { CandidateClaims } from "./candidate-plans.ts";
import { termsOf } from "./enumerate-sums.ts";
import type { AppliedTerm, LinearFactor } from "./linear-factors.ts";
import type { Layout } from "./plan.ts";
import { splitScale } from "./scaled-factors.ts";
import { formatOf } from "./storage.ts";

export interface ResolvedPins {
  readonly claims: CandidateClaims;
  readonly diagnostics: readonly Diagnostic[];
}

type Admits = (terms: readonly AppliedTerm[], layout: Layout) => boolean;

/** The terms of the weight that a pinned expression is, up to their scales; null when it is no sum of such terms. */
function termsNamed(subject: Term, root: Term): readonly Term[] | null {
  const parts = termsOf(root);
  const found = termsOf(subject).map((wanted) => {
    const { operand } = splitScale(wanted);
    return parts.find((part) => splitScale(part).operand === operand);
  });
  return found.every((part) => part !== undefined) ? found : null;
}

const isWhole = (term: AppliedTerm, wanted: ReadonlySet<Term>): boolean =>
  term.covers.length === wanted.size && term.covers.every((part) => wanted.has(part));

/** One packed matrix that holds all of the term. */
const isFormed = ({ factors }: AppliedTerm): boolean => factors.length === 1 && factors[0]?.kind !== "sum";

function storageOf(factor: LinearFactor): string | null {
  if (factor.kind === "matrix") return factor.storage;
  return factor.kind === "diagonal" ? "vector" : factor.kind === "blocks" ? "blocks" : null;
}

/** Factors that hold a matrix, those of sums between other factors among them. */
const matricesOf = (terms: readonly AppliedTerm[]): readonly LinearFactor[] =>
  terms.flatMap(({ factors }) =>
    factors.flatMap((factor) => (factor.kind === "sum" ? matricesOf(factor.sum.terms) : [factor])),
  );

function formatAdmits(subject: Term, pin: Extract<CheckedPin, { claim: "format" }>): Admits {
  const source = JSON.stringify(sourceOf(splitScale(subject).operand));
  const holds = (factor: LinearFactor): boolean =>
    "piece" in factor && JSON.stringify(factor.piece.source) === source;
  // What has no format of its own in a layout runs as something else there, which is not what is claimed.
  const isKept = (factor: LinearFactor, layout: Layout): boolean =>
    storageOf(factor) === pin.storage &&
    (factor.kind !== "matrix" || formatOf(factor.piece, factor.storage, layout).note === null);
  return (terms, layout) =>
    (pin.layout === null || pin.layout === layout) &&
    matricesOf(terms).some((factor) => holds(factor) && isKept(factor, layout));
}

function admitsOf(
  pin: Extract<CheckedPin, { claim: "merge" | "separate" }>,
  named: ReadonlySet<Term>,
): Admits {
  if (pin.claim === "merge") return (terms) => terms.some((term) => isWhole(term, named) && isFormed(term));
  return (terms) =>
    terms.every(
      ({ covers }) => covers.every((part) => named.has(part)) || !covers.some((part) => named.has(part)),
    ) &&
    // What is one product is separate only when it is not multiplied out either.
    !(
      named.size === 1 &&
      terms.some((term) => isWhole(term, named) && term.parts.length === 1 && isProduct(named))
    );
}

const isProduct = (named: ReadonlySet<Term>): boolean =>
  [...named].some((term) => ["chain", "kron"].includes(splitScale(term).operand.kind));

const notAPart = (transform: CheckedTransform, pin: CheckedPin, subject: Term, root: Term): Diagnostic => ({
  code: "SPX6301",
  severity: "error",
  message: `\`${printTerm(subject)}\` is no sum of terms of the weight of \`${transform.name}\``,
  primary: { span: pin.span, text: "pinned here" },
  secondary: [{ span: transform.weight.span, text: "the weight" }],
  facts: {},
  because: [
    `its terms are ${termsOf(root)
      .map((term) => `\`${printTerm(term)}\``)
      .join(", ")}`,
  ],
  help: [],
});

const impossibleTile = (pin: Extract<CheckedPin, { claim: "tile" }>): Diagnostic => ({
  code: "SPX6303",
  severity: "error",
  message: `no kernel takes ${pin.tokens} tokens at once`,
  primary: { span: pin.span, text: "pinned here" },
  secondary: [],
  facts: {},
  because: [
    `registers hold ${tileTokens["lane-output"].join(", ")} tokens where a lane is an output, ${tileTokens["lane-token"].join(", ")} where it is a token`,
  ],
  help: [],
});

/** Errors: SPX6301 a pinned expression is no part of the weight, SPX6303 no kernel has the tile. */
export function resolvePins(
  transform: CheckedTransform,
  { root }: AlgebraGraph,
  factory: TermFactory,
): ResolvedPins {
  const diagnostics: Diagnostic[] = [];
  const distinct = new Set<Term>();
  const tiles = (transform.pins ?? []).flatMap((pin) => (pin.claim === "tile" ? [pin.tokens] : []));
  const admits = (transform.pins ?? []).flatMap((pin): Admits[] => {
    if (pin.claim === "layout") return [(_, layout) => layout === pin.layout];
    if (pin.claim === "tile") {
      const layouts = (["lane-output", "lane-token"] as const).filter((layout) =>
        tileTokens[layout].includes(pin.tokens),
      );
      if (layouts.length === 0) diagnostics.push(impossibleTile(pin));
      return [(_, layout) => tiles.every((tokens) => tokens === pin.tokens) && layouts.includes(layout)];
    }
    const subject = normaliseTerm(buildPart(pin.subject, transform, factory), factory).term;
    if (pin.claim === "format") {
      distinct.add(splitScale(subject).operand);
      return [formatAdmits(subject, pin)];
    }
    const named = termsNamed(subject, root);
    if (named === null) {
      diagnostics.push(notAPart(transform, pin, subject, root));
      return [];
    }
    for (const term of named) distinct.add(term);
    return [admitsOf(pin, new Set(named))];
  });
  return {
    diagnostics,
    claims: {
      distinct,
      admits: (terms, layout) => admits.every((admit) => admit(terms, layout)),
      tile: tiles[0] ?? null,
    },
  };
}
