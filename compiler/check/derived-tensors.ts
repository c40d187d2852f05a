/**
 * Parts of the weight that are no sums and products of tensors: functions, quotients, trained numbers. Each becomes a
 * derived tensor with a formula, a leaf of the weight like any other. Those that a `let` names keep its name and are
 * computed once however many formulas read them; the others are written out where they are read.
 */
import type { Span } from "../../grammar/text/source-text.ts";
import { type MatrixSource, partsOfSource } from "../../runtime/contract/matrix-source.ts";
import { apply, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { canonicalDimension } from "../types/dimension.ts";
import type { CheckContext } from "./check-context.ts";
import type { CheckedTensor, Derivation, WeightExpression } from "./checked-module.ts";
import { structureOfSource } from "./derived-structure.ts";
import { isObstacle, type Value } from "./value.ts";

/** A derived tensor while its transform is checked. */
export interface DerivedDraft {
  readonly name: string;
  readonly formula: MatrixSource;
  /** One for a vector, two for a matrix. */
  readonly dimensions: readonly NumberExpression[];
  readonly span: Span;
  /** False when a `let` names it. */
  readonly isAnonymous: boolean;
}

/** The leaf that stands for `formula`; `hint` is what it does, for a readable name. */
export function derive(
  context: CheckContext,
  formula: MatrixSource,
  dimensions: readonly NumberExpression[],
  span: Span,
  hint: string,
): WeightExpression {
  const key = JSON.stringify(formula);
  const known = [...context.derived.values()].find((draft) => JSON.stringify(draft.formula) === key);
  const draft = known ?? {
    name: freshName(context, [hint, ...leavesOf(formula).slice(0, 1)].join(".")),
    formula,
    dimensions,
    span,
    isAnonymous: true,
  };
  context.derived.set(draft.name, draft);
  const [rows = number(1), columns = number(1)] = draft.dimensions;
  return { kind: "leaf", name: draft.name, slice: null, rows, columns, span };
}

/** Names with a dot are nobody's in the language. */
function freshName(context: CheckContext, stem: string): string {
  const wanted = stem.includes(".") ? stem : `${stem}.1`;
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}.${count}`;
    if (!context.derived.has(name)) return name;
  }
}

const leavesOf = (source: MatrixSource): readonly string[] =>
  source.kind === "leaf" ? [source.name] : partsOfSource(source).flatMap(leavesOf);

/** `let name = value`: a derived tensor without a name takes this one. */
export function nameDerived(context: CheckContext, name: string, value: Value): Value {
  if (value.kind !== "tensor" || isObstacle(value.weight) || value.weight.kind !== "leaf") return value;
  const draft = context.derived.get(value.weight.name);
  if (draft?.isAnonymous !== true) return value;
  context.derived.delete(draft.name);
  context.derived.set(name, { ...draft, name, isAnonymous: false });
  return { ...value, weight: { ...value.weight, name } };
}

/** A part of the weight as a formula; a vector is a column. */
export function formulaOf(context: CheckContext, weight: WeightExpression): MatrixSource {
  const one = (part: WeightExpression): MatrixSource => formulaOf(context, part);
  const { rows, columns } = weight;
  switch (weight.kind) {
    case "leaf": {
      const draft = context.derived.get(weight.name);
      return draft?.isAnonymous === true
        ? draft.formula
        : { kind: "leaf", name: weight.name, slice: weight.slice };
    }
    case "diag": {
      const draft = context.derived.get(weight.name);
      const leaf: MatrixSource = { kind: "leaf", name: weight.name, slice: null };
      return { kind: "diag", of: draft?.isAnonymous === true ? draft.formula : leaf };
    }
    case "sum":
      return { kind: "sum", terms: weight.terms.map(one) };
    case "product":
      return { kind: "product", factors: weight.factors.map(one) };
    case "hadamard":
    case "kron":
      return { kind: weight.kind, factors: weight.factors.map(one) };
    case "blockdiag":
      return { kind: "blockdiag", blocks: weight.blocks.map(one) };
    case "scale":
      return { kind: "scale", factor: weight.factor, of: one(weight.operand) };
    case "transpose":
      return { kind: "transpose", of: one(weight.operand) };
    case "mask":
      return maskFormula(context, weight.pattern, one(weight.operand));
    case "identity":
      return { kind: "identity", size: rows };
    case "zero":
      return { kind: "scale", factor: number(0), of: { kind: "ones", rows, columns } };
    case "indicator":
      return { kind: "pattern", name: weight.pattern, rows, columns };
    case "stride-permutation":
      return { kind: "stride-permutation", size: rows, stride: weight.stride };
    case "concatenation":
      return concatenationFormula(weight, weight.parts.map(one));
  }
}

/** A straight-through mask passes gradients whole: X + detach(M ⊙ X - X). */
function maskFormula(context: CheckContext, pattern: string, of: MatrixSource): MatrixSource {
  const masked: MatrixSource = { kind: "mask", pattern, of };
  if (context.patterns.get(pattern)?.mode !== "straight_through") return masked;
  const difference: MatrixSource = {
    kind: "sum",
    terms: [masked, { kind: "scale", factor: number(-1), of }],
  };
  return { kind: "sum", terms: [of, { kind: "detach", of: difference }] };
}

/** [A; B] = S₁ᵀ A + S₂ᵀ B and [A B] = A S₁ + B S₂ for windows S of the identity that follow each other. */
function concatenationFormula(
  weight: Extract<WeightExpression, { kind: "concatenation" }>,
  parts: readonly MatrixSource[],
): MatrixSource {
  const along = weight.axis;
  const terms: MatrixSource[] = [];
  let offset: NumberExpression = number(0);
  for (const [index, part] of weight.parts.entries()) {
    const width = part[along];
    const window: MatrixSource = { kind: "window", size: weight[along], width, offset };
    const source = parts[index] as MatrixSource;
    const turned: MatrixSource = { kind: "transpose", of: window };
    terms.push({ kind: "product", factors: along === "rows" ? [turned, source] : [source, window] });
    offset = canonicalDimension(apply("+", offset, width));
  }
  return { kind: "sum", terms };
}

/** Tensors of the transform, and the derived ones that `names` reach, each after those that it reads. */
export function finishDerived(
  context: CheckContext,
  names: readonly string[],
  tensors: readonly CheckedTensor[],
): readonly CheckedTensor[] {
  const known = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const visit = (name: string): void => {
    const draft = context.derived.get(name);
    if (draft === undefined || known.has(name)) return;
    const leaves = [...new Set(leavesOf(draft.formula))];
    leaves.forEach(visit);
    const reads = leaves.flatMap((leaf) => known.get(leaf) ?? []);
    known.set(name, derivedTensor(draft, reads));
  };
  names.forEach(visit);
  return [...known.values()];
}

function derivedTensor(draft: DerivedDraft, reads: readonly CheckedTensor[]): CheckedTensor {
  const { name, formula, dimensions, span } = draft;
  const isMatrix = dimensions.length === 2;
  const { structure, blocks } = isMatrix
    ? structureOfSource(formula, reads)
    : ({ structure: "dense", blocks: null } as const);
  const isDiagonal = structure === "diag";
  const all = canonicalDimension(apply("*", ...dimensions));
  const count = isDiagonal
    ? (dimensions[0] ?? number(1))
    : blocks === null
      ? all
      : canonicalDimension(apply("/", all, blocks));
  const changes = reads.some(({ role, derivation }) => role === "param" || derivation?.stage === "step");
  const derivation: Derivation = {
    formula,
    reads,
    stage: changes ? "step" : "load",
    differentiable: reachesParam(formula, reads),
  };
  return {
    name,
    role: "derived",
    dimensions: isDiagonal ? dimensions.slice(0, 1) : dimensions,
    structure,
    support: null,
    supportShape: null,
    drawn: "stored",
    blocks,
    count,
    recipe: null,
    quantization: null,
    shared: false,
    derivation,
    span,
  };
}

function reachesParam(source: MatrixSource, reads: readonly CheckedTensor[]): boolean {
  if (source.kind === "detach") return false;
  if (source.kind !== "leaf") return partsOfSource(source).some((part) => reachesParam(part, reads));
  const tensor = reads.find(({ name }) => name === source.name);
  return tensor?.role === "param" || tensor?.derivation?.differentiable === true;
}
