/** A generated program as its source text: what its weight reads, declared before it. */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import { bodyOf, functionsOf, nodesOf } from "./expression-parts.ts";
import { textOf } from "./expression-text.ts";
import type {
  FunctionDeclaration,
  PatternDeclaration,
  Pin,
  Pool,
  Program,
  Schedule,
  Selection,
  TensorDeclaration,
} from "./program.ts";
import { conditionsOf, divisibility, numbersRead, patternsOf, tensorsOf } from "./program-declarations.ts";

const shapeText = ({ rows, columns, stack, structure }: TensorDeclaration): string => {
  const sides = structure === "vector" || structure === "diag" ? [rows] : [rows, columns];
  return `[${[...(stack === null ? [] : [stack]), ...sides].map((side) => printNumber(side)).join(", ")}]`;
};

/** A matrix, or that of a stack which has the index of the pattern in its family. */
const readText = ({ index }: PatternDeclaration, { name, stack }: TensorDeclaration): string =>
  stack === null ? name : `${name}[${index}]`;

function shareText(
  { rows, columns }: PatternDeclaration,
  { keep, allotted }: Extract<Selection, { kind: "magnitude" }>,
): string {
  const share = keep === null ? "" : printNumber(keep);
  if (allotted === undefined) return share;
  const pool = allotted === "model" ? "" : `, pool: ${allotted}`;
  return `erk(${share}, ${printNumber(rows)}, ${printNumber(columns)}${pool})`;
}

/** @param selection that of the pattern, or the one that a refresh chooses again by. */
function selectionText(pattern: PatternDeclaration, selection = pattern.selection): string {
  const own = pattern.name;
  switch (selection.kind) {
    case "magnitude": {
      const keep = selection.keep === null ? "" : `, ${shareText(pattern, selection)}`;
      return `magnitude(${readText(pattern, selection.of)}${keep}${poolText(selection)})`;
    }
    case "topk":
      return `topk(abs(${readText(pattern, selection.of)}), ${printNumber(selection.count)}${poolText(selection)})`;
    case "random":
      return `random_support(${printNumber(selection.count)})`;
    case "random_share":
      return `random(${selection.keep === null ? "" : `${printNumber(selection.keep)}${poolText(selection)}`})`;
    case "above":
    case "below":
      return `${selection.kind}(${readText(pattern, selection.of)}, ${printNumber(selection.threshold)})`;
    case "nonzero":
      return `nonzero(${readText(pattern, selection.of)})`;
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
function partText(part: PatternDeclaration): string {
  if (part.name !== "") return part.name;
  return "parts" in part.selection ? `(${selectionText(part)})` : selectionText(part);
}

function refreshText(pattern: PatternDeclaration): string[] {
  const { name, refresh } = pattern;
  if (refresh === null) return [];
  const { every, condition, selection } = refresh;
  const held = condition === null ? "" : ` while ${printNumber(condition)}`;
  const chosen = selection === null ? "" : ` = ${selectionText(pattern, selection)}`;
  return [`  refresh ${name} every ${every}${held}${chosen}`];
}

const scheduleText = ({ name, type, value, text }: Schedule): string =>
  type === null
    ? `  phase ${name} = ${printNumber(value)}`
    : `  schedule ${name}: ${type} = ${text ?? printNumber(value)}`;

const poolText = ({ pool }: { readonly pool: Pool }): string =>
  pool === null ? "" : `, pool: ${typeof pool === "string" ? pool : `block(${pool.height}, ${pool.width})`}`;

const familyText = ({ family, index }: PatternDeclaration): string =>
  family === null ? "" : `[${index === undefined ? "" : `${index} < `}${printNumber(family)}]`;

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
      return `  ${word} ${tensor.name}: ${shape}${tensor.decomposed === undefined ? ` = ${startText(tensor, 0)}` : ""}`;
  }
}

function computedType(tensor: TensorDeclaration): string {
  const { grid } = tensor;
  if (grid === undefined) return shapeText(tensor);
  return `${grid.kind} ${shapeText(tensor)}${grid.block === null ? "" : ` block ${grid.block}`}`;
}

/** Of a tensor that is computed at load. */
function formulaText(tensor: TensorDeclaration): string[] {
  const { formula, isShared, name, role } = tensor;
  if (formula === null) return [];
  const value = typeof formula === "number" ? `${formula}` : textOf(formula);
  if (role === "let") return [`  let ${name} = ${value}`];
  return [`  ${isShared === true ? "shared " : ""}frozen ${name}: ${computedType(tensor)} = ${value}`];
}

/** Both factors of a decomposition, once. */
const decompositionText = ({ name, decomposed }: TensorDeclaration): string[] =>
  decomposed === undefined || decomposed.names[0] !== name
    ? []
    : [
        `  init ${decomposed.names.join(", ")} = ${decomposed.name}(${decomposed.of.name}, ${printNumber(decomposed.rank)})`,
      ];

function pinText(pin: Pin): string {
  switch (pin.claim) {
    case "layout":
      return `  pin layout = ${pin.layout}`;
    case "tile":
      return `  pin tile = ${pin.tokens}`;
    case "format":
      return `  pin format ${textOf(pin.subject)} = ${pin.format}`;
    default:
      return `  pin ${pin.claim} ${textOf(pin.subject)}`;
  }
}

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
const allotmentNames: ReadonlySet<string> = new Set(["erk"]);
const decompositionNames: ReadonlySet<string> = new Set(["truncated_svd", "trailing_svd"]);
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
        ? `  mask ${pattern.name}${familyText(pattern)}: ${patternText(pattern)} = ${selectionText(pattern)}`
        : `  support ${pattern.name} = ${selectionText(pattern)}`,
    ),
    ...tensorsOf(weight)
      .filter(({ role }) => role === "param")
      .map(paramText),
    ...tensorsOf(weight).flatMap(decompositionText),
    ...tensorsOf(weight).flatMap(formulaText),
    ...[...lets].map(([name, value]) => `  let ${name} = ${textOf(value)}`),
    ...patterns.flatMap(refreshText),
    `  weight = ${textOf(weight)}`,
    ...program.pins.map(pinText),
  ];
  const called = [...new Set(lines.join("\n").match(/\b\w+(?=\()/g))].sort();
  const importOf = (names: ReadonlySet<string>, file: string): string => {
    const read = called.filter((name) => names.has(name));
    return read.length === 0 ? "" : `import { ${read.join(", ")} } from "${file}"\n`;
  };
  const imported =
    importOf(functionNames, "std/functions") +
    importOf(scheduleNames, "std/schedule") +
    importOf(selectionNames, "std/select") +
    importOf(allotmentNames, "std/sparse") +
    importOf(decompositionNames, "std/lowrank");
  const imports = imported === "" ? "" : `${imported}\n`;
  return `${imports}${functionsOf(weight).map(functionText).join("")}transform ${program.name}(${[...tensors, ...numbers].join(", ")}) {
${lines.join("\n")}
}
`;
}
