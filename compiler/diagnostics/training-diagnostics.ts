/** Phase 5: roles, initial values, masks: what is trained, from where it starts, what is kept. */
import { defineDiagnostic } from "./define-diagnostic.ts";

export const frozenUnused = defineDiagnostic<{ name: string }>({
  code: "SPX5001",
  name: "frozen-unused",
  severity: "warning",
  summary: "a frozen tensor is not part of the weight",
  message: ({ name }) => `\`${name}\` is frozen, and the weight does not read it`,
  help: () => "drop `frozen` when only selections and initial values read it",
});

export const sourceInWeight = defineDiagnostic<{ name: string }>({
  code: "SPX5002",
  name: "source-in-weight",
  severity: "error",
  summary: "the weight reads a tensor that is only a source of initial values",
  message: ({ name }) => `the weight reads \`${name}\`, which is not declared \`frozen\``,
});

export const paramWithoutValue = defineDiagnostic<{ name: string }>({
  code: "SPX5003",
  name: "param-without-value",
  severity: "error",
  summary: "a param has no initial value",
  message: ({ name }) => `\`${name}\` has no initial value`,
  help: ({ name }) => `write \`= 0\` after its type, or \`init ${name} = …\``,
});

export const valueTwice = defineDiagnostic<{ name: string }>({
  code: "SPX5004",
  name: "value-twice",
  severity: "error",
  summary: "a param has two initial values",
  message: ({ name }) => `\`${name}\` has two initial values`,
  help: () => "keep one of them",
});

export const initialValueCycle = defineDiagnostic<{ names: string }>({
  code: "SPX5005",
  name: "initial-value-cycle",
  severity: "error",
  summary: "initial values and selections need each other in a circle",
  message: ({ names }) => `initial values go in a circle: ${names}`,
  help: () => "let one of them start from a constant, a distribution or an argument",
});

export const weightMissing = defineDiagnostic<{ name: string }>({
  code: "SPX5006",
  name: "weight-missing",
  severity: "error",
  summary: "a transform does not say what the weight is",
  message: ({ name }) => `\`${name}\` does not say what the weight is`,
  help: () => "end it with `weight = …`",
});

export const weightTwice = defineDiagnostic<{ name: string }>({
  code: "SPX5007",
  name: "weight-twice",
  severity: "error",
  summary: "a transform says twice what the weight is",
  message: ({ name }) => `\`${name}\` has two weights`,
});

export const paramUnused = defineDiagnostic<{ name: string }>({
  code: "SPX5008",
  name: "param-unused",
  severity: "warning",
  summary: "a param is not part of the weight, so that its gradient is zero",
  message: ({ name }) => `the weight does not read the param \`${name}\``,
  help: () => "use it in `weight = …`, or remove it",
});

export const notInWeight = defineDiagnostic<{ operation: string }>({
  code: "SPX5009",
  name: "not-in-weight",
  severity: "error",
  summary: "the weight uses an operation that exists only for selections and initial values",
  message: ({ operation }) => `${operation} is computed once at load and cannot be part of the weight`,
  help: () => "start a param from it: `param D: [out, in] = …`",
});

export const notInInitialValue = defineDiagnostic<{ operation: string }>({
  code: "SPX5010",
  name: "not-in-initial-value",
  severity: "error",
  summary: "a selection or an initial value uses an operation that exists only for the weight",
  message: ({ operation }) => `${operation} cannot be part of a selection or an initial value`,
  help: () => "these are computed from dense matrices: sums, products, scales and transposes",
});

export const sumTooLong = defineDiagnostic<{ found: number; limit: number }>({
  code: "SPX5011",
  name: "sum-too-long",
  severity: "error",
  summary: "a sum or product has no term, or more than the compiler writes out",
  message: ({ found, limit }) => `a sum or product has 1 to ${limit} terms, and this one has ${found}`,
  help: ({ found }) =>
    found < 1
      ? "leave it out, or give it a term"
      : "write a sum as a product of matrices: `B @ A` is a sum over its rank",
});

export const outputCount = defineDiagnostic<{ expected: number; found: number }>({
  code: "SPX5012",
  name: "output-count",
  severity: "error",
  summary: "`init` names another number of params than the value has parts",
  message: ({ expected, found }) =>
    `the value has ${expected} part${expected === 1 ? "" : "s"}, and \`init\` names ${found}`,
  help: ({ expected }) => (expected === 1 ? "name one param" : `name ${expected} params: \`init L, R = …\``),
});

export const valueStructure = defineDiagnostic<{ name: string; structure: string }>({
  code: "SPX5013",
  name: "value-structure",
  severity: "error",
  summary: "a param of a structure starts from a tensor without it",
  message: ({ name, structure }) => `\`${name}\` is ${structure} and cannot start from a dense tensor`,
  help: () => "start it from a number, a distribution or a projection",
});

export const quantizedNotFrozen = defineDiagnostic<{ name: string; format: string }>({
  code: "SPX5014",
  name: "quantized-not-frozen",
  severity: "error",
  summary: "a quantized type stands where values are given or trained",
  message: ({ name, format }) =>
    `\`${name}\` cannot be ${format}: only a \`frozen\` statement rounds its value`,
});

export const valueReadsLayer = defineDiagnostic<{ name: string; read: string }>({
  code: "SPX5015",
  name: "shared-reads-layer",
  severity: "error",
  summary: "a shared tensor depends on something that each layer has for itself",
  message: ({ name, read }) => `\`${name}\` is shared by all layers, and ${read} is another in each`,
  help: () => "start it from a number, a distribution or another shared tensor, or drop `shared`",
});

export const groupCounts = defineDiagnostic<{ n: number; m: number }>({
  code: "SPX5101",
  name: "group-counts",
  severity: "error",
  summary: "an N:M mask needs 1 <= N <= M",
  message: ({ n, m }) => `no group of ${m} has ${n} entries to keep`,
  help: () => "`nm(n, m)` keeps n of every m, with 1 <= n <= m",
});

export const selectionForPattern = defineDiagnostic<{ selection: string; pattern: string }>({
  code: "SPX5102",
  name: "selection-for-pattern",
  severity: "error",
  summary: "a selection does not fit the kind of the mask",
  message: ({ selection, pattern }) => `\`${selection}\` cannot choose an ${pattern} pattern`,
});

export const pooledPart = defineDiagnostic<{ selection: string; pool: string }>({
  code: "SPX5104",
  name: "pooled-part",
  severity: "error",
  summary: "a selection among several layers stands inside a combination of patterns",
  message: ({ selection, pool }) =>
    `\`${selection}\` with \`pool: ${pool}\` is chosen with other layers and cannot be a part of a combination`,
  help: () => "give it a name first: `support E = …`, and combine that",
});

export const maskUnused = defineDiagnostic<{ name: string }>({
  code: "SPX5103",
  name: "mask-unused",
  severity: "warning",
  summary: "nothing uses a mask or a support",
  message: ({ name }) => `nothing uses the pattern \`${name}\``,
  help: ({ name }) => `write \`${name} .* …\` in the weight, or remove it`,
});
