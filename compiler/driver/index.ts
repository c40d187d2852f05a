/** Public entry `spx`: compile from a program instead of the command line. */
export type { Diagnostic } from "../../grammar/text/diagnostic.ts";
export { type ArtefactFile, writeArtefact } from "../emit/artefact-writer.ts";
export type { CompilerHost } from "../host/compiler-host.ts";
export type { Artefact, BuildProblem, Compilation, CompileOptions } from "./compilation.ts";
export { compileFile, planFile } from "./compile.ts";
export { nodeHost } from "./node-host.ts";
