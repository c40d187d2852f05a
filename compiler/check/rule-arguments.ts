/** The arguments that a rule gives to its transform: matched with its numbers, const ones apart. */

import type { ParameterSyntax, RuleSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { type NumberExpression, printNumber, symbol } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { ruleArgumentTensor } from "../diagnostics/name-diagnostics.ts";
import {
  argumentTwice,
  constNeeded,
  positionalAfterNamed,
  tooManyArguments,
} from "../diagnostics/type-diagnostics.ts";
import type { ModuleScope } from "../modules/module-scope.ts";
import { unknownArgumentProblem } from "./check-call.ts";
import type { CheckContext, Environment } from "./check-context.ts";
import { asTyped, knownNumber, numberValue } from "./check-numbers.ts";
import type { TransformDeclaration } from "./check-transform.ts";

export type UseRule = RuleSyntax & { readonly kind: "use" };

type Given = readonly {
  readonly parameter: ParameterSyntax;
  readonly argument: UseRule["arguments"][number];
}[];

export function matchRuleArguments(
  rule: UseRule,
  { syntax }: TransformDeclaration,
  diagnostics: Diagnostic[],
): Given | null {
  const numbers = syntax.parameters.filter(({ type }) => type.kind === "number-type");
  const { name } = rule.transform;
  const given: { parameter: ParameterSyntax; argument: UseRule["arguments"][number] }[] = [];
  let sawName = false;
  for (const [position, argument] of rule.arguments.entries()) {
    const wanted = argument.name;
    sawName ||= wanted !== null;
    if (wanted === null && sawName) {
      diagnostics.push(report(positionalAfterNamed, argument.span, { name }));
      return null;
    }
    const parameter =
      wanted === null ? numbers[position] : numbers.find((candidate) => candidate.name.name === wanted.name);
    if (parameter === undefined) {
      const isTensor =
        wanted !== null && syntax.parameters.some((candidate) => candidate.name.name === wanted.name);
      if (wanted === null)
        diagnostics.push(
          report(tooManyArguments, argument.span, {
            name,
            expected: numbers.length,
            found: rule.arguments.length,
          }),
        );
      else if (isTensor) diagnostics.push(report(ruleArgumentTensor, argument.span, { name: wanted.name }));
      else diagnostics.push(unknownArgumentProblem(name, wanted, numbers));
      return null;
    }
    if (given.some((other) => other.parameter === parameter)) {
      diagnostics.push(report(argumentTwice, argument.span, { argument: parameter.name.name }));
      return null;
    }
    given.push({ parameter, argument });
  }
  return given;
}

/** Values may read the dimensions of the tensor that the rule hands over. */
export function checkRuleArguments(
  context: CheckContext,
  rule: UseRule,
  { syntax }: TransformDeclaration,
  given: Given,
  module: ModuleScope,
): { readonly constants: Map<string, number>; readonly numbers: Map<string, NumberExpression> } | null {
  const own = new Set(syntax.parameters.map(({ name }) => name.name));
  const sides = syntax.parameters.flatMap(({ type }) => (type.kind === "tensor-type" ? type.dimensions : []));
  const dimensions = new Set(
    sides.flatMap((side) => (side.kind === "name" && !own.has(side.name) ? [side.name] : [])),
  );
  for (const name of dimensions) context.symbolTypes.set(name, "int");
  const environment: Environment = {
    module,
    lookup: (name) => (dimensions.has(name) ? numberValue(symbol(name), "int") : null),
    names: () => [...dimensions],
  };
  const constants = new Map<string, number>();
  const numbers = new Map<string, NumberExpression>();
  for (const { parameter, argument } of given) {
    const { name, type } = parameter;
    if (type.kind !== "number-type") continue;
    const value = asTyped(
      context,
      context.check(environment, argument.value),
      type.name,
      argument.value.span,
      name.name,
    );
    if (value === null) return null;
    const known = knownNumber(value);
    if (!type.isConst) numbers.set(name.name, value);
    else if (known !== null) constants.set(name.name, known);
    else {
      context.diagnostics.push(
        report(
          constNeeded,
          argument.span,
          { expected: `\`${name.name}\` of \`${rule.transform.name}\``, found: printNumber(value) },
          { help: ["write a number"] },
        ),
      );
      return null;
    }
  }
  return { constants, numbers };
}
