/** Phase 6, structure: what the zeros and ranks of matrices contradict, found on the algebra. */
import { defineDiagnostic } from "./define-diagnostic.ts";

export const groupsOfSingles = defineDiagnostic<{ name: string; n: number; m: number; structure: string }>({
  code: "SPX6101",
  name: "groups-of-singles",
  severity: "error",
  summary: "an N:M mask lies over a matrix that has one entry a row and column",
  message: ({ name, n, m, structure }) =>
    `\`${name}\` keeps ${n} of every ${m} entries of a matrix that is ${structure}`,
  help: () => "mask it with `unstructured`, or mask the dense factor beside it",
});

export const groupsTooSparse = defineDiagnostic<{ name: string; n: number; m: number; found: number }>({
  code: "SPX6102",
  name: "groups-too-sparse",
  severity: "error",
  summary: "an N:M mask asks for more entries of a group than are left in it",
  message: ({ name, n, m, found }) =>
    `\`${name}\` keeps ${n} of every ${m} entries, and at most ${found} of them are not zero`,
  help: ({ found, m }) => `keep at most ${found} of ${m}, or mask before the entries are dropped`,
});

export const termIsZero = defineDiagnostic<{ operation: string }>({
  code: "SPX6103",
  name: "term-is-zero",
  severity: "error",
  summary: "a part of the weight is zero whatever its tensors hold, because its factors never meet",
  message: ({ operation }) => `this ${operation} is zero whatever its tensors hold`,
});

export const rankAboveStructure = defineDiagnostic<{ name: string; rank: string; bound: string }>({
  code: "SPX6104",
  name: "rank-above-structure",
  severity: "error",
  summary: "a decomposition asks for a higher rank than its matrix can have",
  message: ({ name, rank, bound }) =>
    `\`${name}\` asks for rank ${rank} of a matrix whose rank is at most ${bound}`,
  help: ({ bound }) => `ask for rank ${bound} or less`,
});
