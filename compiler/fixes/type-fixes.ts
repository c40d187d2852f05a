/** Fixes of phase 3: operators between the wrong kinds, number types, arguments of calls. */
import type { Help } from "../../grammar/text/diagnostic.ts";
import {
  after,
  type Binary,
  before,
  binaryWith,
  callWith,
  type Fix,
  type FixScene,
  fix,
  isBare,
  operandText,
  parameterNamed,
  sameSpan,
  sidesOf,
  textAt,
  transformAround,
} from "./fix-scene.ts";
import { withoutArgument } from "./name-fixes.ts";

const opposite: Readonly<Record<string, string>> = { "@": ".*", ".*": "@" };

/** Another operator in the place of one, with parentheses where `.*` and `@` would meet. */
function withOperator(
  scene: FixScene,
  node: Binary,
  operator: string,
  applicability: Help["applicability"],
): Help {
  const rival = opposite[operator];
  const meets = (side: Binary["left"]): boolean =>
    side.kind === "binary" && side.operator === rival && isBare(side);
  const parent = binaryWith(
    scene,
    (candidate) => candidate.operator === rival && sameSpan(candidate.left.span, node.span),
  );
  const [left, right] = [textAt(scene, node.left.span), textAt(scene, node.right.span)];
  const sides = [
    meets(node.left) ? `(${left})` : left,
    node.right.kind === "binary" && isBare(node.right) ? `(${right})` : right,
  ];
  const text = `${sides[0]} ${operator} ${sides[1]}`;
  if (parent !== undefined && isBare(node))
    return fix(`write \`${text}\``, applicability, { span: node.span, replacement: `(${text})` });
  if (meets(node.left) && isBare(node))
    return fix(`write \`${text}\``, applicability, { span: node.span, replacement: text });
  return fix(`write \`${text}\``, applicability, { span: node.operatorSpan, replacement: operator });
}

/** A matrix times a vector: the vector scales the rows or the columns that it fits. */
function onSides(
  scene: FixScene,
  { left, right, span }: Binary,
  leftSides: readonly string[],
  rightSides: readonly string[],
): readonly Help[] {
  const [matrix, vector] = leftSides.length === 2 ? [left, right] : [right, left];
  const [sides, [length]] = leftSides.length === 2 ? [leftSides, rightSides] : [rightSides, leftSides];
  if (sides.length !== 2) return [];
  const diagonal = `diag(${textAt(scene, vector.span)})`;
  const products: readonly (readonly [string | undefined, string, string])[] = [
    [sides[0], `${diagonal} @ ${operandText(scene, matrix)}`, "rows"],
    [sides[1], `${operandText(scene, matrix)} @ ${diagonal}`, "columns"],
  ];
  return products
    .filter(([side]) => side === length)
    .map(([, text, lines]) =>
      fix(`write \`${text}\` to scale the ${lines}`, "likely", { span, replacement: `(${text})` }),
    );
}

/** `*` between matrices: the products that their shapes allow. */
const matrixProduct: Fix = (scene) => {
  const { problem, span } = scene;
  const node = binaryWith(scene, ({ operatorSpan }) => sameSpan(operatorSpan, span));
  const [left, right] = [sidesOf(problem.facts.left), sidesOf(problem.facts.right)];
  if (node === undefined) return [];
  if (left.length === 1 || right.length === 1) return onSides(scene, node, left, right);
  if (left.length !== 2 || right.length !== 2) return [];
  const operators = [
    ...(left[1] === right[0] ? ["@"] : []),
    ...(left[0] === right[0] && left[1] === right[1] ? [".*"] : []),
  ];
  const meaning: Readonly<Record<string, string>> = {
    "@": "the matrix product",
    ".*": "the Hadamard product",
  };
  return operators.map((operator) => {
    const help = withOperator(scene, node, operator, operators.length === 1 ? "safe" : "likely");
    return { ...help, text: `${help.text} for ${meaning[operator]}` };
  });
};

/** An operator whose operands say which one was meant. */
const operatorOfKinds: Fix = (scene) => {
  const { problem, span } = scene;
  const found = String(problem.facts.found);
  const node = binaryWith(
    scene,
    ({ left, right }) => sameSpan(left.span, span) || sameSpan(right.span, span),
  );
  if (found === "`frozen`") {
    const frozen = /^frozen\s*/.exec(textAt(scene, span))?.[0];
    if (frozen === undefined) return [];
    const edit = { span: { ...span, end: span.start + frozen.length }, replacement: "" };
    return [fix("remove `frozen`: a param is trained", "likely", edit), ...problem.help];
  }
  if (node === undefined) return [];
  if (found.startsWith("the number") && (node.operator === "@" || node.operator === ".*"))
    return [withOperator(scene, node, "*", "safe")];
  if (found.startsWith("the pattern") && (node.operator === "@" || node.operator === "*"))
    return [withOperator(scene, node, ".*", "safe"), ...problem.help];
  return [];
};

/** A number beside a matrix: on the diagonal. */
const onDiagonal: Fix = (scene) => {
  const { problem, span } = scene;
  const node = binaryWith(scene, ({ operatorSpan }) => sameSpan(operatorSpan, span));
  const place = problem.secondary.find(({ text }) => text === "a number")?.span;
  const side = [node?.left, node?.right].find((one) => one && place && sameSpan(one.span, place));
  if (side === undefined) return [];
  const isSum = side.kind === "binary" && isBare(side);
  const text = isSum ? `(${textAt(scene, side.span)})` : textAt(scene, side.span);
  const written = `${text} * identity`;
  return [
    fix(`write \`${written}\` for a number on the diagonal`, "likely", {
      span: side.span,
      replacement: written,
    }),
  ];
};

/** An argument is declared whole, because every other use of it would ask again. */
const rounded: Fix = (scene) => {
  const name = String(scene.problem.facts.found);
  const type = parameterNamed(scene, name)?.type;
  if (type?.kind === "number-type") {
    const declared = type.isConst ? "const int" : "int";
    return [
      fix(`declare \`${name}: ${declared}\``, "likely", { span: type.span, replacement: declared }),
      ...scene.problem.help,
    ];
  }
  const text = textAt(scene, scene.span);
  const edit = { span: scene.span, replacement: `round(${text})` };
  return [fix(`write \`round(${text})\`, or use \`floor\`, \`ceil\` or \`isqrt\``, "likely", edit)];
};

const percentage: Fix = ({ problem, span }) => {
  const found = Number(problem.facts.found);
  if (problem.facts.expected !== "between 0 and 1" || !(found > 1 && found <= 100)) return [];
  const ratio = String(Number((found / 100).toPrecision(12)));
  return [fix(`write \`${ratio}\` for ${found} percent`, "likely", { span, replacement: ratio })];
};

const constant: Fix = (scene) => {
  const name = String(scene.problem.facts.found);
  const type = parameterNamed(scene, name)?.type;
  if (type?.kind !== "number-type" || type.isConst) return [];
  const text = `declare \`${name}: const ${type.name}\``;
  return [fix(text, "likely", { span: before(type.span), replacement: "const " })];
};

const extraArgument: Fix = (scene) => {
  const { span, problem } = scene;
  const holds = (argument: { readonly value: { readonly span: typeof span } }): boolean =>
    sameSpan(argument.value.span, span);
  const call = callWith(scene, (candidate) => candidate.arguments.some(holds));
  const index = call?.arguments.findIndex(holds) ?? -1;
  if (call === undefined || index < 0) return [];
  const edit = withoutArgument(call.arguments, index);
  const last = problem.code === "SPX3201" ? call.arguments.at(-1) : undefined;
  if (edit === null) return [];
  const text =
    last === undefined || last.value.span.end === span.end ? "remove it" : "remove it and what follows";
  return [fix(text, "likely", { ...edit, span: { ...edit.span, end: last?.span.end ?? edit.span.end } })];
};

const missingArgument: Fix = (scene) => {
  const { span, problem } = scene;
  const call = callWith(scene, ({ callee }) => sameSpan(callee.span, span));
  if (call === undefined) return [];
  const last = call.arguments.at(-1);
  const text = `${problem.facts.argument}: …`;
  const place =
    last === undefined
      ? { ...call.span, start: call.span.end - 1, end: call.span.end - 1 }
      : after(last.span);
  return [
    fix(`write \`${text}\``, "sketch", { span: place, replacement: last === undefined ? text : `, ${text}` }),
  ];
};

const called: Fix = ({ problem, span }) =>
  problem.facts.found === "a function, not a value"
    ? [fix(`call it: \`${problem.facts.name}(…)\``, "sketch", { span: after(span), replacement: "(…)" })]
    : [];

const constantDefault: Fix = (scene) => {
  const name = String(scene.problem.facts.name);
  const parameter = parameterNamed(scene, name);
  if (parameter === undefined || transformAround(scene) === undefined) return [];
  const text = `write \`= \` and a value; a rule may still choose another: \`use T(${name}: 2)\``;
  return [fix(text, "sketch", { span: after(parameter.type.span), replacement: " = 1" })];
};

export const typeFixes: Readonly<Record<string, Fix>> = {
  SPX3001: operatorOfKinds,
  SPX3002: called,
  SPX3003: matrixProduct,
  SPX3004: onDiagonal,
  SPX3101: rounded,
  SPX3102: percentage,
  SPX3103: constant,
  SPX3201: extraArgument,
  SPX3202: missingArgument,
  SPX3204: extraArgument,
  SPX3206: constantDefault,
};
