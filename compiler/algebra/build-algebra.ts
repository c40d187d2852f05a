/**
 * Weight expression → term, one to one. Stands right after checking: requires that all names are resolved and all
 * shapes agree; ensures only what the constructors promise. Spans end here, names remain.
 */
import { type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import type {
  CheckedPattern,
  CheckedTensor,
  CheckedTransform,
  WeightExpression,
} from "../check/checked-module.ts";
import { addNumbers, createTermFactory, nonEmpty, type TermFactory } from "./algebra-graph.ts";
import type { AlgebraGraph, Term } from "./algebra-node.ts";

interface Scope {
  readonly factory: TermFactory;
  readonly tensors: ReadonlyMap<string, CheckedTensor>;
  readonly patterns: ReadonlyMap<string, CheckedPattern>;
}

/**
 * The algebra of a transform's weight.
 * @param factory to make the terms with; by default a fresh one.
 * @throws ReferenceError when the weight names a tensor or pattern that the transform does not list: a checker's fault.
 */
export function buildAlgebra(
  transform: CheckedTransform,
  factory = createTermFactory(transform.tensors),
): AlgebraGraph {
  return {
    transform: transform.name,
    root: buildPart(transform.weight, transform, factory),
    tensors: transform.tensors,
    patterns: transform.patterns,
  };
}

/** An expression over the tensors and patterns of a transform, as a term. @throws ReferenceError as `buildAlgebra`. */
export const buildPart = (
  part: WeightExpression,
  { tensors, patterns }: Pick<CheckedTransform, "tensors" | "patterns">,
  factory: TermFactory,
): Term =>
  buildTerm(part, {
    factory,
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    patterns: new Map(patterns.map((pattern) => [pattern.name, pattern])),
  });

function named<T>(table: ReadonlyMap<string, T>, name: string): T {
  const found = table.get(name);
  if (found === undefined)
    throw new ReferenceError(`the weight reads \`${name}\`, which the transform does not list`);
  return found;
}

function buildTerm(weight: WeightExpression, scope: Scope): Term {
  const { factory } = scope;
  const build = (part: WeightExpression): Term => buildTerm(part, scope);
  const buildAll = (parts: readonly WeightExpression[]): readonly [Term, ...Term[]] =>
    nonEmpty(parts.map(build));
  switch (weight.kind) {
    case "leaf":
      return factory.leaf(named(scope.tensors, weight.name), weight.slice);
    case "diag":
      return factory.diag(named(scope.tensors, weight.name));
    case "indicator":
      return factory.indicator(named(scope.patterns, weight.pattern));
    case "identity":
      return factory.identity(weight.rows);
    case "zero":
      return factory.zero(weight.rows, weight.columns);
    case "stride-permutation":
      return factory.permutation(weight.rows, weight.stride);
    case "sum":
      return factory.sum(buildAll(weight.terms));
    case "product":
      return factory.chain(buildAll(weight.factors));
    case "concatenation":
      return concatenate(weight.axis, buildAll(weight.parts), factory);
    case "scale":
      return factory.scale(weight.factor, build(weight.operand));
    case "transpose":
      return factory.transpose(build(weight.operand));
    case "mask":
      return factory.mask(named(scope.patterns, weight.pattern), build(weight.operand));
    case "hadamard":
      return factory.hadamard(buildAll(weight.factors));
    case "kron":
      return factory.kron(buildAll(weight.factors));
    case "blockdiag":
      return factory.blockdiag(buildAll(weight.blocks));
  }
}

/** [A; B] = S₁ᵀ A + S₂ᵀ B and [A B] = A S₁ + B S₂ for windows S that follow each other. */
export function concatenate(
  axis: "rows" | "columns",
  parts: readonly [Term, ...Term[]],
  factory: TermFactory,
): Term {
  const size = addNumbers(...parts.map((part) => part[axis]));
  let offset: NumberExpression = number(0);
  const placed = parts.map((part) => {
    const window = factory.window(size, part[axis], offset);
    offset = addNumbers(offset, part[axis]);
    return axis === "rows" ? factory.chain([factory.transpose(window), part]) : factory.chain([part, window]);
  });
  return factory.sum(nonEmpty(placed));
}
