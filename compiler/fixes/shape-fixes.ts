/** Fixes of phase 4: transposes, the order of factors, axes, default values that break a condition. */
import type { ExpressionSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Help } from "../../grammar/text/diagnostic.ts";
import { joinSpans } from "../../grammar/text/source-text.ts";
import {
  after,
  expressionAt,
  type Fix,
  type FixScene,
  fix,
  operandText,
  parameterNamed,
  sidesOf,
  textAt,
  transformAround,
} from "./fix-scene.ts";

/** `A` → `A.T`, `A.T` → `A`. */
function transposing(scene: FixScene, node: ExpressionSyntax, text?: string): Help {
  const replacement =
    node.kind === "transpose" ? textAt(scene, node.operand.span) : `${operandText(scene, node)}.T`;
  return fix(text ?? `transpose it: \`${replacement}\``, "likely", { span: node.span, replacement });
}

/** Right first; where both are offered and read the same, the text says which. */
function eitherTransposed(
  scene: FixScene,
  left: ExpressionSyntax | null,
  right: ExpressionSyntax | null,
): readonly Help[] {
  const alike = left !== null && right !== null && textAt(scene, left.span) === textAt(scene, right.span);
  const offered = (node: ExpressionSyntax | null, side: string): Help[] =>
    node === null ? [] : [transposing(scene, node, alike ? `transpose the ${side} one` : undefined)];
  return [...offered(right, "right"), ...offered(left, "left")];
}

const isReversed = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === 2 && other.length === 2 && one[0] === other[1] && one[1] === other[0];

/** The operands of a sum or a product: the right one at the problem, the left one at its first label. */
function operandsOf(scene: FixScene): [ExpressionSyntax, ExpressionSyntax] | null {
  const place = scene.problem.secondary[0]?.span;
  const left = place === undefined ? undefined : expressionAt(scene, place);
  const right = expressionAt(scene, scene.span);
  return left === undefined || right === undefined ? null : [left, right];
}

const transposedTerm: Fix = (scene) => {
  const { left, right } = scene.problem.facts;
  const operands = operandsOf(scene);
  if (operands === null || !isReversed(sidesOf(left), sidesOf(right))) return [];
  return [transposing(scene, operands[1]), transposing(scene, operands[0])];
};

const factors: Fix = (scene) => {
  const { facts } = scene.problem;
  const [left, right] = [sidesOf(facts.left), sidesOf(facts.right)];
  const operands = operandsOf(scene);
  if (operands === null) return [];
  const [first, second] = operands;
  const swapped = `${operandText(scene, second)} @ ${operandText(scene, first)}`;
  return [
    ...(left[0] === right[1]
      ? [
          fix(`change the order of the factors: \`${swapped}\``, "likely", {
            span: joinSpans(first.span, second.span),
            replacement: swapped,
          }),
        ]
      : []),
    ...eitherTransposed(scene, left[0] === right[0] ? first : null, left[1] === right[1] ? second : null),
  ];
};

const transposedValue: Fix = (scene) => {
  const { expected, found } = scene.problem.facts;
  const node = expressionAt(scene, scene.span);
  if (node === undefined || !isReversed(sidesOf(expected), sidesOf(found))) return [];
  return [transposing(scene, node)];
};

const transposedWeight: Fix = (scene) => {
  const { expected, found } = scene.problem.facts;
  const place = scene.problem.secondary[1]?.span;
  const node = place === undefined ? undefined : expressionAt(scene, place);
  if (node === undefined || !isReversed(sidesOf(expected), sidesOf(found))) return [];
  return [transposing(scene, node, "transpose the weight")];
};

const diagonal: Fix = (scene) => {
  const { facts } = scene.problem;
  if (facts.expected !== "a matrix" || sidesOf(facts.found).length !== 1) return [];
  const replacement = `diag(${textAt(scene, scene.span)})`;
  const text = `write \`${replacement}\` for the matrix with the vector on its diagonal`;
  return [fix(text, "likely", { span: scene.span, replacement })];
};

const sized: Fix = ({ problem, span }) =>
  problem.facts.name === "`identity`"
    ? [fix("write `identity(…)` with its size", "sketch", { span: after(span), replacement: "(…)" })]
    : [];

const lastSlice: Fix = ({ problem, span }) => {
  const { index, last } = problem.facts;
  if (typeof last !== "number" || index !== last + 1) return [];
  const edit = { span, replacement: String(last) };
  return [fix(`slices count from 0: write \`${last}\``, "likely", edit)];
};

const newArgument: Fix = (scene) => {
  const { problem } = scene;
  const last = transformAround(scene)?.parameters.at(-1);
  if (last === undefined || problem.help.some(({ edits }) => edits.length > 0)) return [];
  const declaration = `${problem.facts.name}: int = 8`;
  const edit = { span: after(last.span), replacement: `, ${declaration}` };
  return [fix(`declare it: \`${declaration}\``, "sketch", edit), ...problem.help];
};

const eitherAxis: Fix = ({ span }) => [
  fix("write `along input` (within a row)", "likely", { span, replacement: "input" }),
  fix("write `along output` (within a column)", "likely", { span, replacement: "output" }),
];

const divisorsOf = (dividend: number): number[] =>
  Array.from({ length: Math.min(dividend, 65536) }, (_, index) => index + 1).filter(
    (candidate) => dividend % candidate === 0,
  );

/** `wanted` changed so that the comparison holds; nearest first. `isLeft`: it stands left of the operator. */
function mendedNumbers(operator: string, wanted: number, other: number, isLeft: boolean): number[] {
  const near = (one: number, two: number): number =>
    Math.abs(one - wanted) - Math.abs(two - wanted) || one - two;
  switch (operator) {
    case "%":
      if (isLeft)
        return [wanted - (wanted % other), wanted - (wanted % other) + other].filter((one) => one > 0);
      return divisorsOf(other).sort(near).slice(0, 1);
    case "<=":
    case ">=":
      return [other];
    case ">":
      return [isLeft ? other + 1 : other - 1];
    case "<":
      return [isLeft ? other - 1 : other + 1];
    default:
      return [];
  }
}

/** A condition that the default of one argument breaks: the nearest default that keeps it. */
const otherDefault: Fix = (scene) => {
  const { problem } = scene;
  const refuted = /`(\d+) (%|<=|>=|<|>) (\d+)(?: == 0)?` is false/.exec(String(problem.facts.values));
  const written = /^(\w+) (?:%|<=|>=|<|>) (\w+)/.exec(String(problem.facts.condition));
  if (refuted === null) return [];
  const [, leftText, operator = "", rightText] = refuted;
  const [left, right] = [Number(leftText), Number(rightText)];
  for (const label of problem.secondary) {
    const [, name = "", value] = /^`(\w+)` is (\d+) by default$/.exec(label.text) ?? [];
    const isLeft = Number(value) === left && written?.[1] === name;
    const isRight = Number(value) === right && written?.[2] === name;
    const place = parameterNamed(scene, name)?.defaultValue?.span;
    if (isLeft === isRight || place === undefined) continue;
    const numbers = mendedNumbers(operator, isLeft ? left : right, isLeft ? right : left, isLeft);
    return numbers.map((number) =>
      fix(`choose another default: \`${name} = ${number}\``, "likely", {
        span: place,
        replacement: String(number),
      }),
    );
  }
  return [];
};

export const shapeFixes: Readonly<Record<string, Fix>> = {
  SPX4001: transposedTerm,
  SPX4002: factors,
  SPX4003: transposedValue,
  SPX4004: diagonal,
  SPX4005: transposedWeight,
  SPX4006: sized,
  SPX4007: lastSlice,
  SPX4008: otherDefault,
  SPX4101: otherDefault,
  SPX4102: otherDefault,
  SPX4103: otherDefault,
  SPX4104: otherDefault,
  SPX4105: otherDefault,
  SPX4106: otherDefault,
  SPX4201: otherDefault,
  SPX4301: newArgument,
  SPX4303: eitherAxis,
  SPX4401: otherDefault,
  SPX4501: otherDefault,
};
