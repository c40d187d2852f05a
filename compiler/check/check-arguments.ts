/** The arguments of a transform: numbers, and tensors whose shapes bind the dimensions. */
import type { ParameterSyntax, TypeSyntax } from "../../grammar/syntax/syntax-tree.ts";
import { number, printNumber, symbol } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { quantizedNotFrozen } from "../diagnostics/training-diagnostics.ts";
import { constNeeded, constWithoutDefault, wrongKind } from "../diagnostics/type-diagnostics.ts";
import { substitute } from "../types/fold-number.ts";
import { type SymbolRange, sizeRange } from "../types/knowledge.ts";
import { addProblem, type CheckContext, type Environment } from "./check-context.ts";
import { checkDimensions } from "./check-dimensions.ts";
import { asTyped, knownNumber, numberValue } from "./check-numbers.ts";
import {
  declareName,
  type TensorDraft,
  type TensorType,
  type TransformDraft,
  tensorValue,
} from "./transform-draft.ts";
import { type NumberType, poison } from "./value.ts";

type NumberParameter = ParameterSyntax & { readonly type: TypeSyntax & { readonly kind: "number-type" } };

const ranges: Readonly<Record<NumberType, SymbolRange>> = {
  int: { low: -Infinity, high: Infinity, whole: true },
  real: { low: -Infinity, high: Infinity, whole: false },
  ratio: { low: 0, high: 1, whole: false },
  bool: { low: 0, high: 1, whole: true },
};

const isNumber = (parameter: ParameterSyntax): parameter is NumberParameter =>
  parameter.type.kind === "number-type";

/**
 * Values of the const arguments: those given, else the defaults. Null after a report. A default may read const
 * arguments before it.
 */
export function constantsOf(
  context: CheckContext,
  environment: Environment,
  parameters: readonly ParameterSyntax[],
  given: ReadonlyMap<string, number>,
): Map<string, number> | null {
  const constants = new Map<string, number>();
  const scope: Environment = {
    ...environment,
    lookup: (name, span) => {
      const constant = constants.get(name);
      return constant === undefined
        ? environment.lookup(name, span)
        : numberValue(number(constant), Number.isInteger(constant) ? "int" : "real");
    },
    names: () => [...constants.keys()],
  };
  for (const { name, type, defaultValue } of parameters) {
    if (type.kind !== "number-type" || !type.isConst) continue;
    const chosen = given.get(name.name);
    if (chosen !== undefined) {
      constants.set(name.name, chosen);
      continue;
    }
    if (defaultValue === null) {
      addProblem(context, report(constWithoutDefault, name.span, { name: name.name }));
      return null;
    }
    const value = asTyped(
      context,
      context.check(scope, defaultValue),
      type.name,
      defaultValue.span,
      name.name,
    );
    if (value === null) return null;
    const known = knownNumber(value);
    if (known === null) {
      addProblem(
        context,
        report(constNeeded, defaultValue.span, { expected: `\`${name.name}\``, found: printNumber(value) }),
      );
      return null;
    }
    constants.set(name.name, known);
  }
  return constants;
}

export function checkArguments(draft: TransformDraft): void {
  const { parameters } = draft.syntax;
  for (const { name, type } of parameters) {
    if (!declareName(draft, name.name, name.span)) continue;
    if (type.kind === "number-type") declareNumber(draft, name.name, name.span, type);
  }
  for (const { type } of parameters) {
    if (type.kind === "tensor-type") bindSymbols(draft, type);
  }
  for (const parameter of parameters) {
    if (isNumber(parameter)) checkNumber(draft, parameter);
    else if (parameter.type.kind === "tensor-type") checkTensor(draft, parameter, parameter.type);
    else {
      const facts = {
        expected: "a number type or a tensor type",
        found: parameter.type.kind === "pool-type" ? "a pool" : `the pattern type \`${parameter.type.name}\``,
      };
      addProblem(draft.context, report(wrongKind, parameter.type.span, facts));
      draft.values.set(parameter.name.name, () => poison);
    }
  }
}

function declareNumber(
  draft: TransformDraft,
  name: string,
  span: NumberParameter["span"],
  type: NumberParameter["type"],
): void {
  const constant = draft.constants.get(name);
  if (type.isConst) {
    if (constant !== undefined) draft.values.set(name, () => numberValue(number(constant), type.name));
    return;
  }
  draft.context.symbolTypes.set(name, type.name);
  draft.ranges.set(name, ranges[type.name]);
  draft.origins.set(name, { span, text: `\`${name}\` is an argument` });
  draft.values.set(name, () => numberValue(symbol(name), type.name));
}

/** A bare name that is no argument is a new dimension, bound by this side of the shape. */
function bindSymbols(draft: TransformDraft, type: TensorType): void {
  for (const side of type.dimensions) {
    if (side.kind !== "name" || draft.values.has(side.name)) continue;
    const taken = draft.places.get(side.name);
    if (taken !== undefined) {
      declareName(draft, side.name, side.span);
      draft.values.set(side.name, () => poison);
      continue;
    }
    const { name, span } = side;
    draft.places.set(name, span);
    draft.context.symbolTypes.set(name, "int");
    draft.ranges.set(name, sizeRange);
    draft.origins.set(name, { span, text: `\`${name}\` is this side` });
    draft.values.set(name, () => numberValue(symbol(name), "int"));
  }
}

function checkNumber(draft: TransformDraft, { name, type, defaultValue, span }: NumberParameter): void {
  if (type.isConst) return;
  const value =
    defaultValue === null
      ? null
      : asTyped(
          draft.context,
          draft.context.check(draft.environment, defaultValue),
          type.name,
          defaultValue.span,
          name.name,
        );
  if (value !== null) {
    draft.defaults.set(name.name, substitute(value, draft.defaults));
    draft.origins.set(name.name, { span, text: `\`${name.name}\` is ${printNumber(value)} by default` });
  }
  draft.arguments.push({ kind: "number", name: name.name, type: type.name, defaultValue: value, span });
}

const structureText = {
  sparse: "sparse",
  blockdiag: "block-diagonal",
  diag: "diagonal",
  dense: "dense",
} as const;

function checkTensor(draft: TransformDraft, { name, span }: ParameterSyntax, type: TensorType): void {
  if (type.structure !== "dense") {
    const facts = {
      expected: "the shape of a dense tensor",
      found: `a ${structureText[type.structure]} one`,
    };
    addProblem(
      draft.context,
      report(wrongKind, type.span, facts, {
        help: ["arguments come from a checkpoint and are dense; masks make them sparse"],
      }),
    );
  }
  const rounding = `round it: \`frozen Q: ${type.quantized?.format} […] = ${name.name}\``;
  refuseQuantized(draft, name.name, type, rounding);
  const dimensions = checkDimensions(draft, name.name, type.dimensions, type);
  const tensor: TensorDraft = {
    name: name.name,
    role: type.frozen ? "frozen" : "source",
    type: { ...type, structure: "dense" },
    span: name.span,
    dimensions,
    blocks: null,
    computed: false,
    quantization: null,
    shared: false,
    support: null,
    recipe: null,
  };
  draft.tensors.set(name.name, tensor);
  draft.values.set(name.name, (use) => tensorValue(tensor, use));
  if (dimensions !== null)
    draft.arguments.push({ kind: "tensor", name: name.name, frozen: type.frozen, dimensions, span });
}

/** Values that are given or trained are what they are; only a `frozen` statement rounds. */
export function refuseQuantized(
  draft: TransformDraft,
  name: string,
  { quantized, span }: TensorType,
  help: string,
): void {
  if (quantized === null) return;
  const { format } = quantized;
  addProblem(draft.context, report(quantizedNotFrozen, span, { name, format }, { help: [help] }));
}
