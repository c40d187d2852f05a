/**
 * A generated program as its source text. Parentheses stand where the grammar needs them, and nowhere else.
 * size: one rule for each kind of node, selection and declaration.
 */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import {
  bodyOf,
  conditionsOf,
  divisibility,
  type Expression,
  type Formula,
  type FunctionDeclaration,
  functionsOf,
  type Grid,
  nodesOf,
  numbersRead,
  type PatternDeclaration,
  type Program,
  patternsOf,
  type Schedule,
  type Selection,
  type TensorDeclaration,
  tensorsOf,
} from "./program.ts";

const [sumLevel, productLevel, negativeLevel, postfixLevel, primaryLevel] = [5, 6, 7, 8, 9];

function levelOf(expression: Expression): number {
  switch (expression.kind) {
    case "sum":
      return sumLevel;
    case "product":
    case "hadamard":
    case "mask":
    case "scale":
    case "quotient":
    case "normed":
    case "entry":
      return productLevel;
    case "negative":
      return negativeLevel;
    case "transpose":
      return postfixLevel;
    default:
      return primaryLevel;
  }
}

const tight = (expression: Expression, above: number): string =>
  levelOf(expression) > above ? textOf(expression) : `(${textOf(expression)})`;

const factorText = (factor: NumberExpression): string => {
  const text = printNumber(factor);
  return factor.kind === "apply" || text.startsWith("-") ? `(${text})` : text;
};

/** The expression as the language writes it. */
export function textOf(expression: Expression): string {
  const list = (parts: readonly Expression[]): string => parts.map(textOf).join(", ");
  switch (expression.kind) {
    case "tensor": {
      const { tensor, slice } = expression;
      return slice === null ? tensor.name : `${tensor.name}[${slice}]`;
    }
    case "formal":
      return expression.name;
    case "sum":
      return expression.terms
        .map((term, index) => {
          const text = index === 0 ? textOf(term) : tight(term, sumLevel);
          if (expression.minus[index] !== true) return index === 0 ? text : ` + ${text}`;
          return index === 0 ? `-${tight(term, productLevel)}` : ` - ${text}`;
        })
        .join("");
    case "product":
      return expression.factors.map((factor) => tight(factor, productLevel)).join(" @ ");
    case "scale": {
      const { factor, side, operand } = expression;
      if (side === "left") {
        // A number before a product needs no parentheses: both readings are one matrix.
        const text = operand.kind === "product" ? textOf(operand) : tight(operand, productLevel);
        return `${factorText(factor)} * ${text}`;
      }
      const text = operand.kind === "product" ? textOf(operand) : tight(operand, productLevel);
      return `${text} ${side === "right" ? "*" : "/"} ${factorText(factor)}`;
    }
    case "negative":
      return `-${tight(expression.operand, productLevel)}`;
    case "transpose":
      return `${tight(expression.operand, negativeLevel)}.T`;
    case "mask": {
      const { pattern, member, operand } = expression;
      const kept = member === null ? pattern.name : `${pattern.name}[${member}]`;
      return `${kept} .* ${tight(operand, productLevel)}`;
    }
    case "selector":
      return `${expression.axis}_selector(${expression.pattern.name})`;
    case "hadamard":
      return expression.factors.map((factor) => tight(factor, productLevel)).join(" .* ");
    case "quotient":
      return expression.factors.map((factor) => tight(factor, productLevel)).join(" ./ ");
    case "map":
      return `${expression.function}(${textOf(expression.operand)})`;
    case "square": {
      const { tensor, isUpper, rows } = expression;
      const half = isUpper ? `strict_upper(${tensor.name})` : tensor.name;
      const skew = `${half} - ${half}.T`;
      return expression.function === "cayley"
        ? `cayley(${skew})`
        : `inverse(${skew} + 2 * identity(${printNumber(rows)}))`;
    }
    case "skew":
      return `skew(${expression.tensor.name}, ${expression.size})`;
    case "ones":
      return `ones(${printNumber(expression.rows)}, ${printNumber(expression.columns)})`;
    case "sorted":
      return `permutation(row_norm(${expression.by.name}))`;
    case "detach":
      return `detach(${textOf(expression.operand)})`;
    case "normed": {
      const { axis, vector, isDetached, operand } = expression;
      const norm = `${axis}_norm(${textOf(operand)})`;
      const scales = `diag(${vector.name} ./ ${isDetached ? `detach(${norm})` : norm})`;
      const whole = tight(operand, productLevel);
      return axis === "row" ? `${scales} @ ${whole}` : `${whole} @ ${scales}`;
    }
    case "entry": {
      const { vector, index, isShare, operand } = expression;
      const from = isShare ? `softmax(${vector.name})` : vector.name;
      // `P(b)` has no size of its own, so that a trained number cannot scale it alone.
      const isBare = operand.kind === "product" && operand.factors[0]?.kind !== "permutation";
      const text = isBare ? textOf(operand) : tight(operand, productLevel);
      return `${from}[${index}] * ${text}`;
    }
    case "kron":
      return `kron(${list(expression.factors)})`;
    case "blockdiag":
      return `blockdiag(${list(expression.blocks)})`;
    case "rows":
    case "columns":
      return `${expression.kind}(${list(expression.parts)})`;
    case "indicator":
      return `indicator(${expression.pattern.name})`;
    case "zeros":
      return `zeros(${printNumber(expression.rows)}, ${printNumber(expression.columns)})`;
    case "diag":
      return `diag(${expression.tensor.name})`;
    case "identity":
      return expression.bare ? "identity()" : `identity(${printNumber(expression.rows)})`;
    case "permutation":
      return `P(${printNumber(expression.stride)})`;
    case "loop":
      return `sum(${expression.variable} < ${printNumber(expression.count)}, ${textOf(expression.body)})`;
    case "let":
      return expression.name;
    case "call": {
      const { operands, numbers, function: called } = expression;
      const named = numbers.map((value, index) => `${called.numbers[index]}: ${printNumber(value)}`);
      return `${called.name}(${[...operands.map(textOf), ...named].join(", ")})`;
    }
  }
}

const shapeText = ({ rows, columns, stack, structure }: TensorDeclaration): string => {
  const sides = structure === "vector" || structure === "diag" ? [rows] : [rows, columns];
  return `[${[...(stack === null ? [] : [stack]), ...sides].map((side) => printNumber(side)).join(", ")}]`;
};

/** @param own the pattern that a refresh chooses again. */
function selectionText(selection: Selection, own = ""): string {
  switch (selection.kind) {
    case "magnitude": {
      const keep = selection.keep === null ? "" : `, ${printNumber(selection.keep)}`;
      return `magnitude(${selection.of.name}${keep}${poolText(selection)})`;
    }
    case "topk":
      return `topk(abs(${selection.of.name}), ${printNumber(selection.count)}${poolText(selection)})`;
    case "random":
      return `random_support(${printNumber(selection.count)})`;
    case "random_share":
      return `random(${selection.keep === null ? "" : printNumber(selection.keep)})`;
    case "above":
    case "below":
      return `${selection.kind}(${selection.of.name}, ${printNumber(selection.threshold)})`;
    case "nonzero":
      return `nonzero(${selection.of.name})`;
    case "top_rows":
    case "top_columns": {
      const score = selection.kind === "top_rows" ? "row_norm" : "column_norm";
      return `${selection.kind}(${score}(${selection.of.name}), ${printNumber(selection.count)})`;
    }
    case "random_rows":
    case "random_columns": {
      const among = selection.among === null ? "" : `, of: ${printNumber(selection.among)}`;
      return `${selection.kind}(${printNumber(selection.count)}${among})`;
    }
    case "all":
    case "diagonal":
      return `${selection.kind}()`;
    case "regrow": {
      const { of, by, fraction } = selection;
      return `regrow(${own}, abs(${of.name}), abs(${by?.name ?? "gradient"}), ${printNumber(fraction)})`;
    }
    case "within":
      return `${own} and ${partText(selection.parts[0])}`;
    case "not":
      return `not ${partText(selection.parts[0])}`;
    case "and":
    case "or":
      return selection.parts.map(partText).join(` ${selection.kind} `);
  }
}

/** A pattern by its name; one without stands as its selection. */
function partText({ name, selection }: PatternDeclaration): string {
  if (name !== "") return name;
  return "parts" in selection ? `(${selectionText(selection)})` : selectionText(selection);
}

function refreshText({ name, refresh }: PatternDeclaration): string[] {
  if (refresh === null) return [];
  const { every, condition, selection } = refresh;
  const held = condition === null ? "" : ` while ${printNumber(condition)}`;
  const chosen = selection === null ? "" : ` = ${selectionText(selection, name)}`;
  return [`  refresh ${name} every ${every}${held}${chosen}`];
}

const scheduleText = ({ name, type, value, text }: Schedule): string =>
  type === null
    ? `  phase ${name} = ${printNumber(value)}`
    : `  schedule ${name}: ${type} = ${text ?? printNumber(value)}`;

const poolText = ({ pool }: { readonly pool: "row" | null }): string =>
  pool === null ? "" : `, pool: ${pool}`;

const familyText = ({ family }: PatternDeclaration): string =>
  family === null ? "" : `[${printNumber(family)}]`;

function patternText(pattern: PatternDeclaration): string {
  return `${pattern.mode === null ? "" : `${pattern.mode} `}${patternShapeText(pattern)}`;
}

function patternShapeText({ shape }: PatternDeclaration): string {
  switch (shape.kind) {
    case "unstructured":
      return "unstructured";
    case "nm":
      return `nm(${shape.n}, ${shape.m}) along ${shape.axis}`;
    case "block":
      return `block(${shape.height}, ${shape.width})`;
  }
}

const startText = ({ start }: TensorDeclaration, usual: number): string =>
  typeof start === "object" ? start.name : `${start ?? usual}`;

function paramText(tensor: TensorDeclaration): string {
  const shape = shapeText(tensor);
  const word = tensor.isShared === true ? "shared param" : "param";
  switch (tensor.structure) {
    case "sparse": {
      const { support } = tensor;
      if (support === null) throw new TypeError(`${tensor.name} has no support`);
      return `  param ${tensor.name}: sparse ${shape} on ${partText(support)} = ${startText(tensor, 0)}`;
    }
    case "blockdiag":
      return `  ${word} ${tensor.name}: blockdiag ${shape} blocks ${tensor.blocks === null ? "" : printNumber(tensor.blocks)} = ${startText(tensor, 0)}`;
    case "diag":
      return `  ${word} ${tensor.name}: diag ${shape} = ${startText(tensor, 1)}`;
    default:
      return `  ${word} ${tensor.name}: ${shape} = ${startText(tensor, 0)}`;
  }
}

function computedType(tensor: TensorDeclaration): string {
  const { grid } = tensor;
  if (grid === undefined) return shapeText(tensor);
  return `${grid.kind} ${shapeText(tensor)}${grid.block === null ? "" : ` block ${grid.block}`}`;
}

const formulaText = ({ left, right, factor }: Formula, grid: Grid | undefined): string =>
  typeof left === "number"
    ? `${left}`
    : grid !== undefined
      ? left.name
      : right === null
        ? `abs(${left.name})`
        : `${left.name} - ${factor < 0 ? `(${factor})` : factor} * ${right.name}`;

const functionText = ({ name, formals, numbers, ...rest }: FunctionDeclaration): string => {
  const tensors = formals.map(
    (formal) => `${formal.name}: [${printNumber(formal.rows)}, ${printNumber(formal.columns)}]`,
  );
  const body = textOf(bodyOf({ name, formals, numbers, ...rest }));
  return `function ${name}(${[...tensors, ...numbers.map((number) => `${number}: real`)].join(", ")}) = ${body}\n\n`;
};

/** The tensor arguments; one more for dimensions that no other binds. */
export function argumentTensors(program: Program): TensorDeclaration[] {
  const tensors = tensorsOf(program.weight).filter(({ role }) => role === "frozen" || role === "source");
  const bound = new Set(
    tensors.flatMap(({ rows, columns, structure, stack }) => [
      ...[rows, ...(structure === "vector" ? [] : [columns]), ...(stack === null ? [] : [stack])].flatMap(
        (side) => (side.kind === "symbol" ? [side.name] : []),
      ),
    ]),
  );
  const read = numbersRead(program);
  const missing = program.dimensions.filter((name) => read.has(name) && !bound.has(name));
  const binding = missing.map((name): TensorDeclaration => {
    const side: NumberExpression = { kind: "symbol", name };
    return {
      name: `Size_${name}`,
      role: "source",
      structure: "dense",
      rows: side,
      columns: { kind: "number", value: 1 },
      stack: null,
      support: null,
      blocks: null,
      formula: null,
    };
  });
  return [...tensors, ...binding];
}

/** The number arguments that occur. */
export function argumentNumbers(program: Program): Program["numbers"] {
  const read = numbersRead(program);
  return program.numbers.filter(({ name }) => read.has(name));
}

/** What programs import, by file. */
const functionNames: ReadonlySet<string> = new Set([
  ...["sigmoid", "tanh", "relu", "softmax", "detach", "inverse", "cayley", "skew", "strict_upper", "ones"],
]);
const scheduleNames: ReadonlySet<string> = new Set(["over", "linear", "cubic", "frame"]);
const selectionNames: ReadonlySet<string> = new Set([
  "magnitude",
  "random",
  "regrow",
  "random_support",
  "topk",
  "above",
  "below",
  "nonzero",
  "top_rows",
  "top_columns",
  "random_rows",
  "random_columns",
  "all",
  "diagonal",
  "row_norm",
  "column_norm",
]);

/** The whole file. */
export function programText(program: Program): string {
  const { weight } = program;
  const tensors = argumentTensors(program).map(
    (tensor) => `${tensor.name}: ${tensor.role === "frozen" ? "frozen " : ""}${shapeText(tensor)}`,
  );
  const numbers = argumentNumbers(program).map(
    ({ name, type, byDefault }) => `${name}: ${type} = ${printNumber({ kind: "number", value: byDefault })}`,
  );
  const nodes = [...nodesOf(weight)];
  const lets = new Map(
    nodes.flatMap((node) => (node.kind === "let" ? [[node.name, node.value] as const] : [])),
  );
  const patterns = patternsOf(weight).filter(({ name }) => name !== "");
  const masks = new Set(nodes.flatMap((node) => (node.kind === "mask" ? [node.pattern] : [])));
  const read = numbersRead(program);
  const conditions = program.stated ? conditionsOf(weight) : [];
  const lines = [
    ...program.schedules.filter(({ name }) => read.has(name)).map(scheduleText),
    ...conditions.map((condition) => `  require ${printNumber(divisibility(condition))}`),
    ...patterns.map((pattern) =>
      masks.has(pattern) || pattern.selection.kind === "magnitude"
        ? `  mask ${pattern.name}${familyText(pattern)}: ${patternText(pattern)} = ${selectionText(pattern.selection)}`
        : `  support ${pattern.name} = ${selectionText(pattern.selection)}`,
    ),
    ...tensorsOf(weight)
      .filter(({ role }) => role === "param")
      .map(paramText),
    ...tensorsOf(weight).flatMap((tensor) =>
      tensor.formula === null
        ? []
        : [
            `  ${tensor.isShared === true ? "shared " : ""}frozen ${tensor.name}: ${computedType(tensor)} = ${formulaText(tensor.formula, tensor.grid)}`,
          ],
    ),
    ...[...lets].map(([name, value]) => `  let ${name} = ${textOf(value)}`),
    ...patterns.flatMap(refreshText),
    `  weight = ${textOf(weight)}`,
    ...(program.layout === null ? [] : [`  pin layout = ${program.layout}`]),
  ];
  const called = [...new Set(lines.join("\n").match(/\b\w+(?=\()/g))].sort();
  const importOf = (names: ReadonlySet<string>, file: string): string => {
    const read = called.filter((name) => names.has(name));
    return read.length === 0 ? "" : `import { ${read.join(", ")} } from "${file}"\n`;
  };
  const imported =
    importOf(functionNames, "std/functions") +
    importOf(scheduleNames, "std/schedule") +
    importOf(selectionNames, "std/select");
  const imports = imported === "" ? "" : `${imported}\n`;
  return `${imports}${functionsOf(weight).map(functionText).join("")}transform ${program.name}(${[...tensors, ...numbers].join(", ")}) {
${lines.join("\n")}
}
`;
}
