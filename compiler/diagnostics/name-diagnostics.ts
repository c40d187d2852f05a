/** Phase 2: names, modules and the rules of models. */
import { defineDiagnostic } from "./define-diagnostic.ts";

export const unknownName = defineDiagnostic<{ name: string }>({
  code: "SPX2001",
  name: "unknown-name",
  severity: "error",
  summary: "a name that nothing declares",
  message: ({ name }) => `nothing here is called \`${name}\``,
});

export const unknownTransform = defineDiagnostic<{ name: string }>({
  code: "SPX2002",
  name: "unknown-transform",
  severity: "error",
  summary: "a rule uses a transform that is neither declared nor imported",
  message: ({ name }) => `there is no transform \`${name}\``,
});

export const duplicateDeclaration = defineDiagnostic<{ name: string }>({
  code: "SPX2101",
  name: "duplicate-declaration",
  severity: "error",
  summary: "two declarations or imports of a file have one name",
  message: ({ name }) => `\`${name}\` is declared twice in this file`,
  help: () => "rename one of them, or import with `as`",
});

export const duplicateName = defineDiagnostic<{ name: string; where: string }>({
  code: "SPX2102",
  name: "duplicate-name",
  severity: "error",
  summary: "two arguments, dimensions or statements of a transform have one name",
  message: ({ name, where }) => `\`${name}\` has two meanings in \`${where}\``,
  help: () => "give each its own name",
});

export const moduleNotFound = defineDiagnostic<{ module: string }>({
  code: "SPX2201",
  name: "module-not-found",
  severity: "error",
  summary: "the file of an import does not exist or cannot be read",
  message: ({ module }) => `there is no module \`${module}\``,
});

export const nameNotInModule = defineDiagnostic<{ name: string; module: string }>({
  code: "SPX2202",
  name: "name-not-in-module",
  severity: "error",
  summary: "an import names something that the module does not declare",
  message: ({ name, module }) => `\`${module}\` declares no \`${name}\``,
});

export const importCycle = defineDiagnostic<{ modules: string }>({
  code: "SPX2203",
  name: "import-cycle",
  severity: "error",
  summary: "files import each other in a circle",
  message: ({ modules }) => `imports go in a circle: ${modules}`,
  help: () => "move what both need into a third file",
});

export const recursiveFunction = defineDiagnostic<{ name: string }>({
  code: "SPX2204",
  name: "recursive-function",
  severity: "error",
  summary: "a function or a `let` needs its own value",
  message: ({ name }) => `\`${name}\` needs its own value`,
  help: () => "functions are abbreviations: write the expression out",
});

export const unknownIntrinsic = defineDiagnostic<{ name: string }>({
  code: "SPX2301",
  name: "unknown-intrinsic",
  severity: "error",
  summary: "an intrinsic is declared that the compiler does not supply",
  message: ({ name }) => `the compiler supplies no intrinsic \`${name}\``,
  help: () => "write a `function`; intrinsics belong to the standard library",
});

export const malformedGlob = defineDiagnostic<{ glob: string; problem: string }>({
  code: "SPX2401",
  name: "malformed-glob",
  severity: "error",
  summary: "a pattern of tensor names cannot be read",
  message: ({ glob, problem }) => `the pattern \`${glob}\` ${problem}`,
  help: () =>
    "names, `.`, `*` within one part, `**` for any parts, `{0,1,12}` for one of several, `[0-9]` for one character",
});

export const shadowedRule = defineDiagnostic<{ glob: string }>({
  code: "SPX2402",
  name: "shadowed-rule",
  severity: "error",
  summary: "an earlier rule takes every tensor that a rule could match",
  message: ({ glob }) => `no tensor reaches the rule for \`${glob}\``,
  help: () => "the first rule that matches wins: move this rule up, or remove it",
});

export const ruleTensorArguments = defineDiagnostic<{ name: string; count: number }>({
  code: "SPX2403",
  name: "rule-tensor-arguments",
  severity: "error",
  summary: "a rule uses a transform without a tensor, or with frozen ones beside the first",
  message: ({ name, count }) => `a rule hands over one tensor, and \`${name}\` takes ${count}`,
  help: () => "give the transform one tensor; others may be sources, read from other checkpoints at load",
});

export const ruleArgumentTensor = defineDiagnostic<{ name: string }>({
  code: "SPX2404",
  name: "rule-argument-tensor",
  severity: "error",
  summary: "a rule gives a value to the tensor that it hands over itself",
  message: ({ name }) => `\`${name}\` is the tensor that the rule hands over`,
  help: () => "give only numbers",
});
