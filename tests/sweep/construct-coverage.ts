/**
 * Which constructs of the language a generated program holds, by the names that docs/language.md gives them: the
 * measure of what the sweep covers.
 */
import { functionsOf, nodesOf } from "./expression-parts.ts";
import type { PatternDeclaration, Program, Selection, TensorDeclaration } from "./program.ts";
import { conditionsOf, numbersRead, patternsOf, tensorsOf } from "./program-declarations.ts";

function ofTensor(tensor: TensorDeclaration): string[] {
  const { role, structure, stack, isShared, grid, start, formula, decomposed } = tensor;
  const inFormula = typeof formula === "object" && formula !== null ? [...nodesOf(formula)] : [];
  return [
    ...inFormula.map(({ kind }) => `at load ${kind}`),
    ...(decomposed === undefined ? [] : [`init ${decomposed.name}`]),
    role === "computed"
      ? "frozen NAME = …"
      : role === "let"
        ? "let at load"
        : role === "source"
          ? "source"
          : `${role} ${structure}`,
    ...(stack === null ? [] : ["stacked tensor"]),
    ...(isShared === true ? [role === "computed" ? "shared frozen" : "shared param"] : []),
    ...(grid === undefined
      ? []
      : [
          grid.kind,
          ...(grid.kind === "bf16" ? [] : [grid.block === null ? "scale a row" : "block of a scale"]),
        ]),
    ...(start === undefined ? [] : [typeof start === "number" ? "param = number" : "param = tensor"]),
  ];
}

const ofSelection = (selection: Selection): string[] => [
  selection.kind,
  ...("pool" in selection && selection.pool !== null
    ? [`pool: ${typeof selection.pool === "string" ? selection.pool : "block"}`]
    : []),
  ...("allotted" in selection ? [`erk of the ${selection.allotted}`] : []),
  ...("among" in selection && selection.among !== null ? [`${selection.kind} of:`] : []),
  ...("parts" in selection ? selection.parts.flatMap((part) => ofSelection(part.selection)) : []),
];

function ofPattern({ shape, mode, selection, refresh, family, index }: PatternDeclaration): string[] {
  return [
    shape.kind === "nm" ? `nm along ${shape.axis}` : shape.kind,
    ...(mode === null ? [] : [mode]),
    ...ofSelection(selection),
    ...(family === null ? [] : ["family"]),
    ...(index === undefined ? [] : [`family by index = ${selection.kind}`]),
    ...(refresh === null ? [] : ["refresh"]),
    ...(refresh?.condition == null ? [] : ["refresh while"]),
    ...(refresh?.selection == null ? [] : ofSelection(refresh.selection).map((kind) => `refresh = ${kind}`)),
  ];
}

/** Each once. */
export function constructsOf(program: Program): ReadonlySet<string> {
  const { weight, schedules, stated } = program;
  const read = numbersRead(program);
  const found = [
    ...[...nodesOf(weight)].flatMap((node) => [
      node.kind,
      ...(node.kind === "loop" && node.operator === "product" ? ["product(i < n, …)"] : []),
      ...(node.kind === "map" ? [node.function] : []),
      ...(node.kind === "entry" && node.isShare ? ["entry of a softmax"] : []),
      ...(node.kind === "selector" ? [`${node.axis}_selector`] : []),
      ...(node.kind === "square" ? [node.function, ...(node.isUpper ? ["strict_upper"] : [])] : []),
    ]),
    ...tensorsOf(weight).flatMap(ofTensor),
    ...patternsOf(weight).flatMap(ofPattern),
    ...schedules
      .filter(({ name }) => read.has(name))
      .flatMap(({ type, text }) => [
        type === null ? "phase" : `schedule ${type}`,
        ...(text === null ? [] : [(/^\w+/.exec(text) ?? [""])[0]]),
      ]),
    ...functionsOf(weight).map(() => "function"),
    ...(stated && conditionsOf(weight).length > 0 ? ["require"] : []),
    ...([...read].some((name) => name.startsWith("count(")) ? ["count(M)"] : []),
    ...program.pins.map(({ claim }) => `pin ${claim}`),
  ];
  return new Set(found);
}

/** Construct → how many of `programs` hold it, the rarest first. */
export function countConstructs(programs: readonly Program[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const program of programs)
    for (const construct of constructsOf(program)) counts.set(construct, (counts.get(construct) ?? 0) + 1);
  return new Map([...counts].sort(([, one], [, other]) => one - other));
}

/** What has to occur: a program that yields a weight may hold any of it. */
export const constructs = [
  ...["tensor", "sum", "product", "scale", "negative", "transpose", "mask", "hadamard", "kron", "blockdiag"],
  ...[
    "rows",
    "columns",
    "zeros",
    "indicator",
    "selector",
    "diag",
    "identity",
    "permutation",
    "loop",
    "let",
    "call",
  ],
  ...["map", "quotient", "detach", "normed", "entry", "sorted", "square", "skew", "ones"],
  ...["sigmoid", "tanh", "exp", "log", "sqrt", "abs", "relu", "softmax", "inverse", "cayley", "strict_upper"],
  ...["entry of a softmax", "row_selector", "column_selector"],
  ...[
    "frozen dense",
    "frozen vector",
    "param dense",
    "param sparse",
    "param blockdiag",
    "param diag",
    "param vector",
  ],
  ...[
    "source",
    "frozen NAME = …",
    "stacked tensor",
    "shared param",
    "shared frozen",
    "param = number",
    "param = tensor",
  ],
  ...["let at load", "init truncated_svd", "init trailing_svd", "product(i < n, …)"],
  ...["map", "sum", "product", "hadamard", "transpose", "kron", "identity", "diag"].map(
    (kind) => `at load ${kind}`,
  ),
  ...["bf16", "int8", "int4", "nf4", "nf3", "nf2", "scale a row", "block of a scale"],
  ...["unstructured", "nm along input", "nm along output", "block"],
  ...["structural", "multiplicative", "straight_through", "family"],
  ...["magnitude", "topk", "random", "random_share", "above", "below", "nonzero", "top_rows", "top_columns"],
  ...[
    "random_rows",
    "random_columns",
    "random_rows of:",
    "random_columns of:",
    "all",
    "diagonal",
    "not",
    "and",
    "or",
  ],
  ...["row", "column", "block", "matrix", "group", "model"].map((pool) => `pool: ${pool}`),
  ...["erk of the model", "erk of the group"],
  ...["magnitude", "topk", "above", "nonzero"].map((kind) => `family by index = ${kind}`),
  ...["count(M)", "refresh", "refresh while"],
  ...["magnitude", "topk", "above", "within", "regrow"].map((kind) => `refresh = ${kind}`),
  ...["phase", "schedule real", "schedule int", "schedule ratio", "linear", "cubic", "frame"],
  ...["function", "require"],
  ...["layout", "tile", "merge", "separate", "format"].map((claim) => `pin ${claim}`),
] as const;
