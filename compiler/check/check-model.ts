/** Models: which tensors of a checkpoint get which transform, with which arguments. */

import type {
  GlobSyntax,
  ModelSyntax,
  ParameterSyntax,
  RuleSyntax,
} from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import {
  type NumberExpression,
  printNumber,
  symbol,
  symbolsOf,
} from "../../runtime/contract/number-expression.ts";
import { replacing, report } from "../diagnostics/define-diagnostic.ts";
import {
  malformedGlob,
  ruleArgumentTensor,
  ruleTensorArguments,
  shadowedRule,
  unknownTransform,
} from "../diagnostics/name-diagnostics.ts";
import { weightShape } from "../diagnostics/shape-diagnostics.ts";
import { listNames, suggestNames } from "../diagnostics/suggest-name.ts";
import {
  argumentTwice,
  constNeeded,
  missingArgument,
  positionalAfterNamed,
  tooManyArguments,
} from "../diagnostics/type-diagnostics.ts";
import { globPattern } from "../modules/glob-pattern.ts";
import { findDeclaration, type ModuleScope, visibleNames } from "../modules/module-scope.ts";
import { printShape, sameDimension, substitute } from "../types/dimension.ts";
import { type SymbolRange, sizeRange } from "../types/knowledge.ts";
import { prove } from "../types/prove.ts";
import { unknownArgumentProblem } from "./check-call.ts";
import type { CheckContext, Environment } from "./check-context.ts";
import { asTyped, numberValue } from "./check-numbers.ts";
import { newContext, type TransformDeclaration } from "./check-transform.ts";
import type { CheckedModel, CheckedRule, CheckedTransform } from "./checked-module.ts";
import { kindByCode } from "./obligations.ts";
import type { TransformInstances } from "./transform-instances.ts";

type UseRule = RuleSyntax & { readonly kind: "use" };

export function checkModel(
  syntax: ModelSyntax,
  module: ModuleScope,
  instances: TransformInstances,
  diagnostics: Diagnostic[],
): CheckedModel {
  const rules: CheckedRule[] = [];
  for (const rule of syntax.rules) {
    if (isShadowed(rule, syntax.rules, diagnostics)) continue;
    const globs = checkGlobs(rule, diagnostics);
    const target =
      rule.kind === "use"
        ? checkUse(rule, module, instances, diagnostics)
        : { transform: null, arguments: {} };
    if (globs === null || target === null) continue;
    rules.push({
      kind: rule.kind,
      glob: rule.pattern.text,
      globSpan: rule.pattern.span,
      ...globs,
      ...target,
      span: rule.span,
    });
  }
  return {
    name: syntax.name.name,
    documentation: syntax.trivia.documentation.map((line) => line.trim()).join("\n"),
    rules,
    span: syntax.name.span,
  };
}

/** An earlier rule without exceptions for the same names, or for all names, leaves nothing over. */
function isShadowed(rule: RuleSyntax, rules: readonly RuleSyntax[], diagnostics: Diagnostic[]): boolean {
  const { text, span } = rule.pattern;
  const earlier = rules
    .slice(0, rules.indexOf(rule))
    .find(
      (before) =>
        (before.pattern.text === text || before.pattern.text === "**") &&
        (before.kind === "freeze" || before.exceptions.length === 0),
    );
  if (earlier === undefined) return false;
  const secondary = [{ span: earlier.pattern.span, text: "this rule takes them first" }];
  diagnostics.push(report(shadowedRule, span, { glob: text }, { secondary }));
  return true;
}

function checkGlobs(
  rule: RuleSyntax,
  diagnostics: Diagnostic[],
): Pick<CheckedRule, "pattern" | "exceptions"> | null {
  const compile = ({ text, span }: GlobSyntax): string | null => {
    const result = globPattern(text);
    if ("pattern" in result) return result.pattern;
    diagnostics.push(report(malformedGlob, span, { glob: text, problem: result.problem }));
    return null;
  };
  const pattern = compile(rule.pattern);
  const exceptions = (rule.kind === "use" ? rule.exceptions : []).map((glob) => ({
    glob: glob.text,
    pattern: compile(glob),
  }));
  const valid = exceptions.flatMap((exception) =>
    exception.pattern === null ? [] : [{ glob: exception.glob, pattern: exception.pattern }],
  );
  return pattern === null || valid.length < exceptions.length ? null : { pattern, exceptions: valid };
}

function checkUse(
  rule: UseRule,
  module: ModuleScope,
  instances: TransformInstances,
  diagnostics: Diagnostic[],
): Pick<CheckedRule, "transform" | "arguments"> | null {
  const { name, span } = rule.transform;
  if (name === "" || module.broken.has(name)) return null;
  const declaration = findDeclaration(module, name);
  if (declaration?.kind !== "transform") {
    const transforms = visibleNames(module).filter(
      (candidate) => findDeclaration(module, candidate)?.kind === "transform",
    );
    const near = suggestNames(name, transforms);
    const [nearest] = near;
    const help =
      nearest === undefined
        ? ['declare it, or import it: `import { LoRA } from "lora"`']
        : [replacing(span, nearest, `did you mean ${listNames(near)}?`)];
    diagnostics.push(report(unknownTransform, span, { name }, { help }));
    return null;
  }
  const given = matchRuleArguments(rule, declaration, diagnostics);
  if (given === null) return null;
  const context = newContext();
  const values = checkRuleArguments(context, rule, declaration, given, module);
  diagnostics.push(...context.diagnostics);
  if (values === null) return null;
  const transform = instances.instance(declaration, values.constants);
  if (transform === null || !fitsTensor(rule, transform, diagnostics)) return null;
  const missing = transform.arguments.find(
    (argument) =>
      argument.kind === "number" && argument.defaultValue === null && !values.numbers.has(argument.name),
  );
  if (missing !== undefined) {
    diagnostics.push(report(missingArgument, span, { name, argument: missing.name }));
    return null;
  }
  if (!requirementsMayHold(rule, transform, values.numbers, diagnostics)) return null;
  return { transform: transform.name, arguments: Object.fromEntries(values.numbers) };
}

type Given = readonly {
  readonly parameter: ParameterSyntax;
  readonly argument: UseRule["arguments"][number];
}[];

function matchRuleArguments(
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
function checkRuleArguments(
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
    if (!type.isConst) numbers.set(name.name, value);
    else if (value.kind === "number") constants.set(name.name, value.value);
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

/** The tensor of a checkpoint is the one tensor argument, and the weight takes its place. */
function fitsTensor(rule: UseRule, transform: CheckedTransform, diagnostics: Diagnostic[]): boolean {
  const tensors = transform.arguments.flatMap((argument) => (argument.kind === "tensor" ? [argument] : []));
  const [tensor] = tensors;
  const { name, span } = rule.transform;
  if (tensor === undefined || tensors.length !== 1) {
    diagnostics.push(
      report(
        ruleTensorArguments,
        span,
        { name, count: tensors.length },
        { secondary: [{ span: transform.span, text: "declared here" }] },
      ),
    );
    return false;
  }
  const { rows, columns } = transform.weight;
  const [expectedRows, expectedColumns] = tensor.dimensions;
  const fits =
    tensor.dimensions.length === 2 &&
    expectedRows !== undefined &&
    expectedColumns !== undefined &&
    sameDimension(rows, expectedRows) &&
    sameDimension(columns, expectedColumns);
  if (fits) return true;
  const facts = {
    transform: name,
    expected: printShape(tensor.dimensions),
    found: printShape([rows, columns]),
  };
  const secondary = [
    { span: tensor.span, text: facts.expected },
    { span: transform.weight.span, text: facts.found },
  ];
  diagnostics.push(report(weightShape, span, facts, { secondary }));
  return false;
}

/** Conditions of the transform that the rule's own numbers break for all sizes. */
function requirementsMayHold(
  rule: UseRule,
  transform: CheckedTransform,
  numbers: ReadonlyMap<string, NumberExpression>,
  diagnostics: Diagnostic[],
): boolean {
  let holds = true;
  for (const requirement of transform.requirements) {
    if (!symbolsOf(requirement.condition).some((name) => numbers.has(name))) continue;
    const condition = substitute(requirement.condition, numbers);
    const ranges = new Map<string, SymbolRange>();
    const argumentNames = new Set(transform.arguments.map(({ name }) => name));
    for (const name of symbolsOf(condition)) if (!argumentNames.has(name)) ranges.set(name, sizeRange);
    if (prove(condition, { ranges, facts: [] }) !== "refuted") continue;
    const values = [...numbers].filter(([name]) => symbolsOf(requirement.condition).includes(name));
    const text = values.map(([name, value]) => `\`${name}\` = ${printNumber(value)}`).join(", ");
    diagnostics.push(
      report(
        kindByCode(requirement.code),
        rule.transform.span,
        { condition: requirement.text, values: ` with ${text}` },
        { secondary: [{ span: requirement.span, text: "required here" }] },
      ),
    );
    holds = false;
  }
  return holds;
}
