/** Models: which tensors of a checkpoint get which transform, with which arguments. */

import type { GlobSyntax, ModelSyntax, RuleSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import { type NumberExpression, printNumber, symbolsOf } from "../../runtime/contract/number-expression.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import {
  malformedGlob,
  ruleTensorArguments,
  shadowedRule,
  unknownTransform,
} from "../diagnostics/name-diagnostics.ts";
import { weightShape } from "../diagnostics/shape-diagnostics.ts";
import { suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import { missingArgument } from "../diagnostics/type-diagnostics.ts";
import { globPattern } from "../modules/glob-pattern.ts";
import { findDeclaration, type ModuleScope, visibleNames } from "../modules/module-scope.ts";
import { printShape, sameDimension } from "../types/dimension.ts";
import { substitute } from "../types/fold-number.ts";
import { type SymbolRange, sizeRange } from "../types/knowledge.ts";
import { prove } from "../types/prove.ts";
import { newContext } from "./check-transform.ts";
import type { CheckedModel, CheckedRule, CheckedTransform } from "./checked-module.ts";
import { kindByCode } from "./obligations.ts";
import { checkRuleArguments, matchRuleArguments, type UseRule } from "./rule-arguments.ts";
import type { TransformInstances } from "./transform-instances.ts";

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
    const help =
      near.length === 0
        ? ['declare it, or import it: `import { LoRA } from "lora"`']
        : suggestion(name, span, near);
    diagnostics.push(report(unknownTransform, span, { name }, { help }));
    return null;
  }
  const given = matchRuleArguments(rule, declaration, diagnostics);
  if (given === null) return null;
  const context = newContext(instances.isFaulty);
  const values = checkRuleArguments(context, rule, declaration, given, module);
  diagnostics.push(...context.diagnostics);
  if (values === null) return null;
  const use = { span: rule.transform.span, text: `in this use of \`${name}\`` };
  const transform = instances.instance(declaration, values.constants, use);
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

/** The tensor of a checkpoint is the one tensor argument, and the weight takes its place. */
function fitsTensor(rule: UseRule, transform: CheckedTransform, diagnostics: Diagnostic[]): boolean {
  const tensors = transform.arguments.flatMap((argument) => (argument.kind === "tensor" ? [argument] : []));
  const [tensor] = tensors;
  const { name, span } = rule.transform;
  // The others are read from checkpoints beside: what a layer starts from may come from there, its weight may not.
  if (tensor === undefined || tensors.slice(1).some(({ frozen }) => frozen)) {
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
