/** Phase 3: kinds of values, number types, arguments. */
import { defineDiagnostic } from "./define-diagnostic.ts";

/** What to write where another kind stands. */
const insteadOf: Readonly<Record<string, string>> = {
  "a condition": "compare it with something: `r <= out`, `in % 4 == 0`",
  "a number": "write a number, a dimension or a number argument",
  "a matrix": "write a tensor, or sums and products of tensors",
  "a number or a matrix": "write a number, a tensor, or sums and products of them",
  "a pattern": "write the name of a mask or a support, or a selection such as `topk(abs(W), 64)`",
};

export const wrongKind = defineDiagnostic<{ expected: string; found: string }>({
  code: "SPX3001",
  name: "wrong-kind",
  severity: "error",
  summary: "a value of another kind stands where a number, matrix, pattern or condition must stand",
  message: ({ expected, found }) => `${expected} must stand here, not ${found}`,
  help: ({ expected }) => insteadOf[expected] ?? `write ${expected}`,
});

export const notAValue = defineDiagnostic<{ name: string; found: string }>({
  code: "SPX3002",
  name: "not-a-value",
  severity: "error",
  summary: "a function is used as a value, or a value as a function",
  message: ({ name, found }) => `\`${name}\` is ${found}`,
});

export const matrixTimesMatrix = defineDiagnostic<{ left: string; right: string }>({
  code: "SPX3003",
  name: "matrix-times-matrix",
  severity: "error",
  summary: "`*` stands between two matrices",
  message: ({ left, right }) => `\`*\` multiplies by a number, and neither ${left} nor ${right} is one`,
  help: () => "write `@` for the matrix product, `.*` for the Hadamard product",
});

export const numberPlusMatrix = defineDiagnostic<{ operator: string }>({
  code: "SPX3004",
  name: "number-plus-matrix",
  severity: "error",
  summary: "a number is added to a matrix",
  message: ({ operator }) => `\`${operator}\` joins two numbers or two matrices, not a number and a matrix`,
  help: () => "write `c * identity` for c on the diagonal",
});

export const expressionTooLarge = defineDiagnostic<{ limit: number }>({
  code: "SPX3005",
  name: "expression-too-large",
  severity: "error",
  summary: "an expression grows beyond what the compiler writes out",
  message: ({ limit }) => `written out, this expression has more than ${limit} parts`,
  help: () => "`let`s and functions are written out at every use: use them fewer times",
});

export const notWhole = defineDiagnostic<{ expected: string; found: string }>({
  code: "SPX3101",
  name: "not-whole",
  severity: "error",
  summary: "a number that may have a fraction stands where a whole number must stand",
  message: ({ expected, found }) => `${expected} must be a whole number, and \`${found}\` may not be one`,
  help: () => "use `floor`, `ceil`, `round` or `isqrt`",
});

export const outOfRange = defineDiagnostic<{ name: string; found: string; expected: string }>({
  code: "SPX3102",
  name: "out-of-range",
  severity: "error",
  summary: "a number lies outside the range of its type",
  message: ({ name, found, expected }) => `\`${name}\` must lie ${expected}, and is ${found}`,
  help: ({ expected }) => `write a number ${expected}`,
});

export const constNeeded = defineDiagnostic<{ expected: string; found: string }>({
  code: "SPX3103",
  name: "const-needed",
  severity: "error",
  summary: "a value is not known when the kernels are built",
  message: ({ expected, found }) => `${expected} must be known at build time, and \`${found}\` is not`,
  help: ({ found }) =>
    /^\w+$/.test(found) ? `declare \`${found}: const int\`` : "use numbers and `const` arguments",
});

export const tooManyArguments = defineDiagnostic<{ name: string; expected: number; found: number }>({
  code: "SPX3201",
  name: "too-many-arguments",
  severity: "error",
  summary: "a call has more arguments than the declaration",
  message: ({ name, expected, found }) =>
    `\`${name}\` takes ${expected} argument${expected === 1 ? "" : "s"}, and gets ${found}`,
  help: ({ expected }) => `give ${expected === 0 ? "none" : `only ${expected}`}`,
});

export const missingArgument = defineDiagnostic<{ name: string; argument: string }>({
  code: "SPX3202",
  name: "missing-argument",
  severity: "error",
  summary: "an argument without a default is not given",
  message: ({ name, argument }) => `\`${name}\` needs its argument \`${argument}\``,
});

export const unknownArgument = defineDiagnostic<{ name: string; argument: string }>({
  code: "SPX3203",
  name: "unknown-argument",
  severity: "error",
  summary: "an argument is given that the declaration does not have",
  message: ({ name, argument }) => `\`${name}\` has no argument \`${argument}\``,
});

export const argumentTwice = defineDiagnostic<{ argument: string }>({
  code: "SPX3204",
  name: "argument-twice",
  severity: "error",
  summary: "an argument is given twice",
  message: ({ argument }) => `\`${argument}\` is given twice`,
});

export const positionalAfterNamed = defineDiagnostic<{ name: string }>({
  code: "SPX3205",
  name: "positional-after-named",
  severity: "error",
  summary: "an argument without a name follows one with a name",
  message: ({ name }) => `an argument of \`${name}\` without a name follows one with a name`,
  help: () => "name it, or move it forward",
});

export const constWithoutDefault = defineDiagnostic<{ name: string }>({
  code: "SPX3206",
  name: "const-without-default",
  severity: "error",
  summary: "a `const` argument has no default, so that nothing could be built for it",
  message: ({ name }) => `the const argument \`${name}\` needs a default`,
  help: ({ name }) => `write \`= \` and a value; a rule may still choose another: \`use T(${name}: 2)\``,
});

export const pinValue = defineDiagnostic<{ claim: string }>({
  code: "SPX3104",
  name: "pin-value",
  severity: "error",
  summary: "a pin names a format, a layout or a tile that does not exist",
  message: ({ claim }) => `no such ${claim} to pin`,
});
