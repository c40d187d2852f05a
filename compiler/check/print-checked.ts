/** The printed form of a checked module: everything the later stages read, one fact a line. */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
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

const list = (dimensions: readonly NumberExpression[]): string =>
  `[${dimensions.map((dimension) => printNumber(dimension)).join(", ")}]`;

export function printChecked(module: CheckedModule): string {
  return [...module.transforms.map(printTransform), ...module.models.map(printModel)].join("\n\n");
}

export function printTransform(transform: CheckedTransform): string {
  const constants = Object.entries(transform.constants).map(([name, value]) => `  const ${name} = ${value}`);
  const lines = [
    `transform ${transform.name} : ${list([transform.weight.rows, transform.weight.columns])}`,
    ...transform.arguments.map(printArgument),
    ...constants,
    ...transform.proven.map((requirement) => `  proven ${requirement.text}`),
    ...transform.requirements.map((requirement) => `  at load ${requirement.text}    # ${requirement.reason}`),
    ...transform.patterns.map(printPattern),
    ...transform.tensors.filter((tensor) => tensor.role === "param").map(printParameter),
    `  order ${transform.order.join(", ")}`,
    `  weight = ${printWeight(transform.weight)}`,
  ];
  return lines.join("\n");
}

function printArgument(argument: CheckedArgument): string {
  if (argument.kind === "tensor") {
    return `  ${argument.frozen ? "frozen" : "source"} ${argument.name} : ${list(argument.dimensions)}`;
  }
  const value = argument.defaultValue === null ? "" : ` = ${printNumber(argument.defaultValue)}`;
  return `  number ${argument.name} : ${argument.type}${value}`;
}

export function printShape(shape: PatternShape): string {
  switch (shape.kind) {
    case "unstructured":
      return "unstructured";
    case "nm":
      return `nm(${shape.n}, ${shape.m}) along ${shape.axis}`;
    case "block":
      return `block(${shape.height}, ${shape.width})`;
  }
}

function printPattern(pattern: CheckedPattern): string {
  const size = list([pattern.rows, pattern.columns]);
  const count = printNumber(pattern.count);
  return `  pattern ${pattern.name} : ${printShape(pattern.shape)} ${size}, ${count} kept = ${printRecipe(pattern.recipe)}`;
}

function printParameter(tensor: CheckedTensor): string {
  const support = tensor.support === null ? "" : ` on ${tensor.support}`;
  const blocks = tensor.blocks === null ? "" : ` blocks ${printNumber(tensor.blocks)}`;
  const value = tensor.recipe === null ? "" : ` = ${printRecipe(tensor.recipe)}`;
  const type = `${tensor.structure} ${list(tensor.dimensions)}${support}${blocks}`;
  return `  param ${tensor.name} : ${type}, ${printNumber(tensor.count)} values${value}`;
}

export function printRecipe(recipe: Recipe): string {
  switch (recipe.kind) {
    case "number":
      return printNumber(recipe.value);
    case "tensor":
    case "pattern":
      return recipe.name;
    case "output":
      return `${printRecipe(recipe.of)}#${recipe.index}`;
    case "call": {
      const operands = Object.entries(recipe.operands).map(([name, operand]) => `${name}: ${printRecipe(operand)}`);
      return `${recipe.intrinsic}(${operands.join(", ")})`;
    }
  }
}

/** Fully parenthesised, so that the tree can be read off. */
export function printWeight(weight: WeightExpression): string {
  const joined = (parts: readonly WeightExpression[], operator: string): string =>
    `(${parts.map(printWeight).join(` ${operator} `)})`;
  switch (weight.kind) {
    case "leaf":
      return weight.slice === null ? weight.name : `${weight.name}[${weight.slice}]`;
    case "sum":
      return joined(weight.terms, "+");
    case "product":
      return joined(weight.factors, "@");
    case "hadamard":
      return joined(weight.factors, ".*");
    case "scale":
      return `(${printNumber(weight.factor, 7)} * ${printWeight(weight.operand)})`;
    case "transpose":
      return `${printWeight(weight.operand)}.T`;
    case "mask":
      return `(${weight.pattern} .* ${printWeight(weight.operand)})`;
    case "kron":
      return `kron(${weight.factors.map(printWeight).join(", ")})`;
    case "blockdiag":
      return `blockdiag(${weight.blocks.map(printWeight).join(", ")})`;
    case "diag":
      return `diag(${weight.name})`;
    case "identity":
      return `identity(${printNumber(weight.rows)})`;
    case "zero":
      return "0";
    case "stride-permutation":
      return `P(${printNumber(weight.stride)})`;
  }
}

function printModel(model: CheckedModel): string {
  const rules = model.rules.map((rule) => {
    if (rule.kind === "freeze") return `  freeze ${JSON.stringify(rule.glob)}`;
    const given = Object.entries(rule.arguments).map(([name, value]) => `${name}: ${printNumber(value)}`);
    const exceptions = rule.exceptions.map((exception) => ` except ${JSON.stringify(exception.glob)}`).join("");
    return `  for ${JSON.stringify(rule.glob)}${exceptions} use ${rule.transform}(${given.join(", ")})`;
  });
  return [`model ${model.name}`, ...rules].join("\n");
}
