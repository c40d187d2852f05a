/** The printed form of a loop program: what `spxc print --stage loop` shows and golden tests compare. */
import { typeOf } from "./loop-expression.ts";
import type {
  BinaryOperator,
  CompareOperator,
  LoopExpression,
  LoopProgram,
  LoopStatement,
  ValueType,
} from "./loop-node.ts";

const signs: Record<
  BinaryOperator | CompareOperator,
  { readonly text: string; readonly level: number } | null
> = {
  min: null,
  max: null,
  or: { text: "|", level: 1 },
  and: { text: "&", level: 2 },
  eq: { text: "==", level: 3 },
  ne: { text: "!=", level: 3 },
  lt: { text: "<", level: 3 },
  le: { text: "<=", level: 3 },
  gt: { text: ">", level: 3 },
  ge: { text: ">=", level: 3 },
  shl: { text: "<<", level: 4 },
  shr: { text: ">>", level: 4 },
  add: { text: "+", level: 5 },
  sub: { text: "-", level: 5 },
  mul: { text: "*", level: 6 },
  div: { text: "/", level: 6 },
  rem: { text: "%", level: 6 },
};

export const printType = ({ scalar, lanes }: ValueType): string =>
  lanes === 1 ? scalar : `${scalar}x${lanes}`;

/** `buffer[index]`, `buffer[index ..+16]` for vectors, `buffer[index ..+min(16, count)]` when counted. */
function printAccess(
  buffer: string,
  index: LoopExpression,
  lanes: number,
  count: LoopExpression | null,
): string {
  const start = printExpression(index);
  if (count !== null) return `${buffer}[${start} ..+ min(${lanes}, ${printExpression(count)})]`;
  return lanes === 1 ? `${buffer}[${start}]` : `${buffer}[${start} ..+ ${lanes}]`;
}

export function printExpression(node: LoopExpression, outer = 0): string {
  const list = (...parts: LoopExpression[]): string => parts.map((part) => printExpression(part)).join(", ");
  switch (node.kind) {
    case "constant":
      return node.type.scalar === "i64" ? String(node.value) : `${printType(node.type)}(${node.value})`;
    case "vector":
      return `${node.scalar}[${node.values.join(" ")}]`;
    case "symbol":
    case "read":
      return node.name;
    case "unary":
      return `${node.operator}(${list(node.value)})`;
    case "binary":
    case "compare": {
      const sign = signs[node.operator];
      if (sign === null) return `${node.operator}(${list(node.left, node.right)})`;
      const text = `${printExpression(node.left, sign.level)} ${sign.text} ${printExpression(node.right, sign.level + 1)}`;
      return sign.level < outer ? `(${text})` : text;
    }
    case "select":
      return `select(${list(node.condition, node.whenTrue, node.whenFalse)})`;
    case "fma":
      return `fma(${list(node.a, node.b, node.c)})`;
    case "pair-dot":
      return `pair_dot(${list(node.a, node.b, node.c)})`;
    case "round-pairs":
      return `round_pairs(${list(node.low, node.high)})`;
    case "load":
      return printAccess(node.buffer, node.index, node.type.lanes, node.count);
    case "splat":
      return `splat(${list(node.value)})`;
    case "convert":
      return `${node.to}(${list(node.value)})`;
    case "reinterpret":
      return `bits(${list(node.value)})`;
    case "mask":
      return `mask(${list(node.value)})`;
    case "permute":
      return `permute(${list(node.table, node.index)})`;
    case "shuffle":
      return `shuffle(${list(node.left, node.right)}, [${node.lanes.join(" ")}])`;
    case "extract":
      return `${printExpression(node.value, 9)}.${node.lane}`;
  }
}

function printStatement(node: LoopStatement, indent: string): string[] {
  const inner = (body: readonly LoopStatement[]): string[] =>
    body.flatMap((statement) => printStatement(statement, `${indent}  `));
  switch (node.kind) {
    case "for": {
      const step =
        node.step.kind === "constant" && node.step.value === 1 ? "" : ` step ${printExpression(node.step)}`;
      const unroll = node.unroll === 1 ? "" : ` unroll ${node.unroll}`;
      const range = `${printExpression(node.from)}..${printExpression(node.to, 5)}`;
      return [
        `${indent}for ${node.variable} in ${range}${step}${unroll} {`,
        ...inner(node.body),
        `${indent}}`,
      ];
    }
    case "let":
      return [`${indent}let ${node.name} = ${printExpression(node.value)}`];
    case "register":
      return [`${indent}register ${node.name} = ${printExpression(node.initial)}`];
    case "set":
      return [`${indent}${node.name} = ${printExpression(node.value)}`];
    case "store": {
      const { lanes } = typeOf(node.value);
      return [
        `${indent}${printAccess(node.buffer, node.index, lanes, node.count)} = ${printExpression(node.value)}`,
      ];
    }
    case "compress":
      return [
        `${indent}${node.buffer}[${printExpression(node.index)} ..] = compress(${printExpression(node.value)}, ${printExpression(node.where)})`,
      ];
    case "prefetch":
      return [`${indent}prefetch ${printAccess(node.buffer, node.index, 1, null)}`];
    case "if":
      return [
        `${indent}if ${printExpression(node.condition)} {`,
        ...inner(node.then),
        ...(node.otherwise.length === 0 ? [] : [`${indent}} else {`, ...inner(node.otherwise)]),
        `${indent}}`,
      ];
  }
}

/** The program as text, one statement a line. */
export function printLoop(program: LoopProgram): string {
  const buffers = program.buffers.map(
    ({ name, element, space, length }) => `  ${space} ${name}: ${element}[${printExpression(length)}]`,
  );
  const phases = program.phases.flatMap((phase) => [
    "",
    `  # ${phase.name}`,
    `  parallel ${phase.tile} in 0..${printExpression(phase.tiles, 5)} {`,
    ...phase.body.flatMap((statement) => printStatement(statement, "    ")),
    "  }",
  ]);
  const symbols = program.symbols.length === 0 ? [] : [`  symbols ${program.symbols.join(", ")}`];
  return [`kernel ${program.name} for ${program.level} {`, ...symbols, ...buffers, ...phases, "}", ""].join(
    "\n",
  );
}
