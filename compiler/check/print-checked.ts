/** The printed form of a checked module: every dimension, count, recipe and obligation in one reading. */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import { printSource } from "../../runtime/contract/print-source.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import type { TimeManifest } from "../../runtime/contract/time.ts";
import { printShape } from "../types/dimension.ts";
import type {
  CheckedArgument,
  CheckedModel,
  CheckedModule,
  CheckedPattern,
  CheckedTensor,
  CheckedTransform,
  PatternShape,
  WeightExpression,
} from "./checked-module.ts";
import { poolText } from "./value.ts";

/** Transforms, then models, one blank line between them. Spans are left out. */
export const printChecked = (module: Pick<CheckedModule, "transforms" | "models">): string =>
  [...module.transforms.map(printTransform), ...module.models.map(printModel)].join("\n");

function printTransform(transform: CheckedTransform): string {
  const constants = Object.entries(transform.constants).map(([name, value]) => `  const ${name} = ${value}`);
  const lines = [
    ...constants,
    ...transform.arguments.map((argument) => `  ${printArgument(argument)}`),
    ...transform.requirements.map(({ text, code, reason }) => `  at load ${text}  // ${code}: ${reason}`),
    ...transform.proven.map(({ text, reason }) => `  proven  ${text}  // ${reason}`),
    ...transform.patterns.map((pattern) => `  ${printPattern(pattern)}`),
    ...transform.tensors
      .filter(({ recipe }) => recipe !== null)
      .map((tensor) => `  ${printComputed(tensor)}`),
    ...transform.tensors.flatMap((tensor) => printDerived(tensor)),
    ...(transform.time === null ? [] : printTime(transform.time).map((line) => `  ${line}`)),
    `  order ${transform.order.length === 0 ? "nothing" : transform.order.join(", ")}`,
    `  weight ${printShape([transform.weight.rows, transform.weight.columns])} = ${printWeight(transform.weight)}`,
  ];
  return `transform ${transform.name} {\n${lines.join("\n")}\n}\n`;
}

/** One line a schedule, phase and refresh. */
export function printTime({ numbers, refreshes }: TimeManifest): string[] {
  return [
    ...numbers.map((entry) => {
      const value = printNumber(entry.value);
      return entry.kind === "phase"
        ? `phase ${entry.name} = ${value}`
        : `schedule ${entry.name}: ${entry.type} = ${value}`;
    }),
    ...refreshes.map(({ pattern, every, condition, recipe, count }) => {
      const held = condition === null ? "" : ` while ${printNumber(condition)}`;
      const kept = count === null ? "" : ` count ${printNumber(count)}`;
      return `refresh ${pattern} every ${printNumber(every)}${held}${kept} = ${printRecipe(recipe)}`;
    }),
  ];
}

function printArgument(argument: CheckedArgument): string {
  if (argument.kind === "tensor")
    return `${argument.frozen ? "frozen" : "source"} ${argument.name}: ${printShape(argument.dimensions)}`;
  const value = argument.defaultValue === null ? "" : ` = ${printNumber(argument.defaultValue)}`;
  return `${argument.type} ${argument.name}${value}`;
}

const printPatternShape = (shape: PatternShape): string =>
  shape.kind === "nm"
    ? `nm(${shape.n}, ${shape.m}) along ${shape.axis}`
    : shape.kind === "block"
      ? `block(${shape.height}, ${shape.width})`
      : "unstructured";

const printPattern = ({ name, mode, shape, rows, columns, count, pool, recipe }: CheckedPattern): string =>
  `pattern ${name}: ${mode === "structural" ? "" : `${mode} `}${printPatternShape(shape)} ${printShape([rows, columns])} count ${printNumber(count)}${pool === null ? "" : ` of the ${pool.scope}`} = ${printRecipe(recipe)}`;

const printDerived = ({ name, structure, dimensions, derivation }: CheckedTensor): readonly string[] =>
  derivation === undefined
    ? []
    : [
        `  derived ${name}: ${structure === "dense" ? "" : `${structure} `}${printShape(dimensions)} at ${derivation.stage} = ${printSource(derivation.formula)}`,
      ];

function printComputed(tensor: CheckedTensor): string {
  const { name, role, structure, dimensions, support, blocks, count, recipe, quantization, shared } = tensor;
  const kind = quantization?.grid ?? (structure === "dense" ? "" : structure);
  const type = `${kind === "" ? "" : `${kind} `}${printShape(dimensions)}`;
  const place = support === null ? "" : ` on ${support}`;
  const run = quantization?.block ?? null;
  const parts = blocks === null ? "" : ` blocks ${printNumber(blocks)}`;
  const scales = run === null ? "" : ` block ${printNumber(run)}`;
  const value = recipe === null ? "" : printRecipe(recipe);
  return `${shared ? "shared " : ""}${role} ${name}: ${type}${place}${parts}${scales} count ${printNumber(count)} = ${value}`;
}

export function printRecipe(recipe: Recipe): string {
  switch (recipe.kind) {
    case "number":
      return printNumber(recipe.value);
    case "tensor":
    case "pattern":
      return recipe.name;
    case "call":
      return `${recipe.intrinsic}(${Object.entries(recipe.operands)
        .map(([name, operand]) => `${name}: ${printRecipe(operand)}`)
        .concat(recipe.pool === undefined ? [] : [`pool: ${poolText(recipe.pool)}`])
        .join(", ")})`;
    case "output":
      return `output ${recipe.index} of ${printRecipe(recipe.of)}`;
  }
}

/** Binding strength: 1 sum, 2 product, 3 anything that needs no parentheses. */
export function printWeight(weight: WeightExpression, outer = 0): string {
  const wrap = (level: number, text: string): string => (level < outer ? `(${text})` : text);
  const listed = (name: string, parts: readonly WeightExpression[]): string =>
    `${name}(${parts.map((part) => printWeight(part)).join(", ")})`;
  switch (weight.kind) {
    case "leaf":
      return weight.slice === null ? weight.name : `${weight.name}[${weight.slice}]`;
    case "sum":
      return wrap(1, weight.terms.map((term) => printWeight(term, 2)).join(" + "));
    case "product":
      return wrap(2, weight.factors.map((factor) => printWeight(factor, 3)).join(" @ "));
    case "hadamard":
      return wrap(2, weight.factors.map((factor) => printWeight(factor, 3)).join(" .* "));
    case "scale":
      return wrap(2, `${printFactor(weight.factor)} * ${printWeight(weight.operand, 3)}`);
    case "mask":
      return wrap(2, `${weight.pattern} .* ${printWeight(weight.operand, 3)}`);
    case "transpose":
      return `${printWeight(weight.operand, 3)}.T`;
    case "kron":
      return listed("kron", weight.factors);
    case "blockdiag":
      return listed("blockdiag", weight.blocks);
    case "concatenation":
      return listed(weight.axis, weight.parts);
    case "diag":
      return `diag(${weight.name})`;
    case "indicator":
      return weight.pattern.includes("(") ? weight.pattern : `indicator(${weight.pattern})`;
    case "identity":
      return "identity";
    case "zero":
      return `zeros(${printNumber(weight.rows)}, ${printNumber(weight.columns)})`;
    case "stride-permutation":
      return `P(${printNumber(weight.stride)})`;
  }
}

const printFactor = (factor: NumberExpression): string =>
  factor.kind === "apply" ? `(${printNumber(factor)})` : printNumber(factor);

function printModel({ name, rules }: CheckedModel): string {
  const lines = rules.map((rule) => {
    const exceptions = rule.exceptions.map(({ glob }) => ` except "${glob}"`).join("");
    if (rule.transform === null) return `  freeze "${rule.glob}"`;
    const values = Object.entries(rule.arguments).map(
      ([argument, value]) => `${argument}: ${printNumber(value)}`,
    );
    return `  for "${rule.glob}"${exceptions} use ${rule.transform}${values.length === 0 ? "" : `(${values.join(", ")})`}`;
  });
  return `model ${name} {\n${lines.join("\n")}\n}\n`;
}
