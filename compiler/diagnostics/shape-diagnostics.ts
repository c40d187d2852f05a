/** Phase 4: shapes, structure and conditions on dimensions. */
import { defineDiagnostic } from "./define-diagnostic.ts";

export const shapesDiffer = defineDiagnostic<{ operator: string; left: string; right: string }>({
  code: "SPX4001",
  name: "shapes-differ",
  severity: "error",
  summary: "the operands of a sum or a Hadamard product have different shapes",
  message: ({ operator, left, right }) => `\`${operator}\` joins ${left} and ${right}`,
});

export const innerDimensionsDiffer = defineDiagnostic<{
  left: string;
  right: string;
  columns: string;
  rows: string;
}>({
  code: "SPX4002",
  name: "inner-dimensions-differ",
  severity: "error",
  summary: "the inner dimensions of a matrix product differ",
  message: ({ left, right, columns, rows }) =>
    `${left} @ ${right}: inner dimensions \`${columns}\` and \`${rows}\` differ`,
});

export const valueShape = defineDiagnostic<{ name: string; expected: string; found: string }>({
  code: "SPX4003",
  name: "value-shape",
  severity: "error",
  summary: "a tensor is given for something of another shape",
  message: ({ name, expected, found }) => `\`${name}\` is ${expected}, and the tensor given is ${found}`,
  help: ({ expected }) => `give a tensor of the shape ${expected.replace(/^a pattern /, "")}`,
});

export const dimensionCount = defineDiagnostic<{ expected: string; found: string }>({
  code: "SPX4004",
  name: "dimension-count",
  severity: "error",
  summary: "a tensor has the wrong number of dimensions for its place",
  message: ({ expected, found }) => `${expected} must stand here, not a tensor ${found}`,
});

export const weightShape = defineDiagnostic<{ expected: string; found: string; transform: string }>({
  code: "SPX4005",
  name: "weight-shape",
  severity: "error",
  summary: "a rule replaces a tensor by a weight of another shape",
  message: ({ expected, found, transform }) =>
    `\`${transform}\` would replace a tensor ${expected} by ${found}`,
});

export const unknownSize = defineDiagnostic<{ name: string }>({
  code: "SPX4006",
  name: "unknown-size",
  severity: "error",
  summary: "nothing says how large a matrix or a pattern is",
  message: ({ name }) => `nothing says how large ${name} is`,
});

export const indexOutOfRange = defineDiagnostic<{ index: number; last: string | number }>({
  code: "SPX4007",
  name: "index-out-of-range",
  severity: "error",
  summary: "an index lies outside its tensor",
  message: ({ index, last }) => `index ${index} lies outside 0 … ${last}`,
  help: ({ last }) => `count slices from 0 to ${last}`,
});

export const dimensionNotPositive = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4008",
  name: "dimension-not-positive",
  severity: "error",
  summary: "a dimension or a number of blocks is not positive",
  message: ({ condition, values }) => `a size must be positive: \`${condition}\` cannot hold${values}`,
});

export const notDivisible = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4101",
  name: "not-divisible",
  severity: "error",
  summary: "a `require` about divisibility cannot hold",
  message: ({ condition, values }) => `\`${condition}\` cannot hold${values}`,
  help: () => "change one of the sizes, or the condition",
});

export const groupsDoNotDivide = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4102",
  name: "groups-do-not-divide",
  severity: "error",
  summary: "the groups of an N:M mask do not fill the axis",
  message: ({ condition, values }) =>
    `the groups of the mask do not fill the axis: \`${condition}\` cannot hold${values}`,
});

export const blocksDoNotDivide = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4103",
  name: "blocks-do-not-divide",
  severity: "error",
  summary: "the number of diagonal blocks does not divide a dimension",
  message: ({ condition, values }) =>
    `equal diagonal blocks do not fill the matrix: \`${condition}\` cannot hold${values}`,
});

export const scalesDoNotDivide = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4107",
  name: "scales-do-not-divide",
  severity: "error",
  summary: "the entries that share a scale do not fill the rows of a quantized matrix",
  message: ({ condition, values }) =>
    `runs of entries with one scale do not fill a row: \`${condition}\` cannot hold${values}`,
});

export const strideDoesNotDivide = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4104",
  name: "stride-does-not-divide",
  severity: "error",
  summary: "the stride of a permutation does not divide its size",
  message: ({ condition, values }) =>
    `the stride does not divide the size: \`${condition}\` cannot hold${values}`,
});

export const tilesDoNotDivide = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4105",
  name: "tiles-do-not-divide",
  severity: "error",
  summary: "the blocks of a block mask do not tile the matrix",
  message: ({ condition, values }) =>
    `the blocks of the mask do not tile the matrix: \`${condition}\` cannot hold${values}`,
});

export const quotientNotWhole = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4106",
  name: "quotient-not-whole",
  severity: "error",
  summary: "a quotient used as a dimension is not a whole number",
  message: ({ condition, values }) =>
    `a dimension must be a whole number: \`${condition}\` cannot hold${values}`,
});

export const rankAboveBound = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4201",
  name: "rank-above-bound",
  severity: "error",
  summary: "a rank is larger than the matrix allows",
  message: ({ condition, values }) =>
    `the rank is larger than the matrix: \`${condition}\` cannot hold${values}`,
});

export const unknownDimension = defineDiagnostic<{ name: string }>({
  code: "SPX4301",
  name: "unknown-dimension",
  severity: "error",
  summary: "a dimension that no argument determines",
  message: ({ name }) => `no argument determines the dimension \`${name}\``,
});

export const unknownAxis = defineDiagnostic<{ name: string; rows: string; columns: string }>({
  code: "SPX4302",
  name: "unknown-axis",
  severity: "error",
  summary: "`along` names no axis of the matrix",
  message: ({ name, rows, columns }) => `\`${name}\` is no axis of a matrix [${rows}, ${columns}]`,
});

export const ambiguousAxis = defineDiagnostic<{ name: string }>({
  code: "SPX4303",
  name: "ambiguous-axis",
  severity: "error",
  summary: "`along` names a dimension that both axes have",
  message: ({ name }) => `both axes of the matrix are \`${name}\``,
  help: () => "write `along input` (within a row) or `along output` (within a column)",
});

export const supportTooLarge = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4401",
  name: "support-too-large",
  severity: "error",
  summary: "a selection asks for more positions than the matrix has",
  message: ({ condition, values }) =>
    `more positions than the matrix has: \`${condition}\` cannot hold${values}`,
});

export const requirementRefuted = defineDiagnostic<{ condition: string; values: string }>({
  code: "SPX4501",
  name: "requirement-refuted",
  severity: "error",
  summary: "a `require` cannot hold",
  message: ({ condition, values }) => `\`${condition}\` cannot hold${values}`,
  help: () => "change one of the numbers, or the condition",
});
