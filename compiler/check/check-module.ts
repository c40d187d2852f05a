/**
 * A file → its checked module: load what it imports, check its transforms, then its models and the imported
 * transforms that they use. What could not be read is left out, and nothing is said about what hangs on it.
 */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { SourceText } from "../../grammar/text/source-text.ts";
import { sortDiagnostics } from "../diagnostics/sort-diagnostics.ts";
import { tellAtUse } from "../diagnostics/tell-at-use.ts";
import { addFixes, type ReadFile } from "../fixes/add-fixes.ts";
import type { CompilerHost } from "../host/compiler-host.ts";
import { type LoadedModules, loadModules } from "../modules/load-modules.ts";
import type { ModuleScope } from "../modules/module-scope.ts";
import { standardHomes } from "../modules/standard-homes.ts";
import { checkFunctionsOnce, checkUncalledFunctions } from "./check-functions.ts";
import { checkModel } from "./check-model.ts";
import type { CheckedModel, CheckedModule } from "./checked-module.ts";
import { makeInstances } from "./transform-instances.ts";

export interface CheckResult {
  /** Null when there was an error. */
  readonly module: CheckedModule | null;
  /** In the order in which they are shown; warnings also beside a module. */
  readonly diagnostics: readonly Diagnostic[];
  /** Every file read, for rendering. */
  readonly sources: readonly SourceText[];
}

const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some(({ severity }) => severity === "error");

/** Checks the file `entry`, a path as the user writes it. Never throws for a mistake in a program. */
export function checkModule(entry: string, host: CompilerHost): CheckResult {
  const loaded = loadModules(entry, host);
  const files = loaded.sources.map(({ file }) => file);
  const library = libraryFiles(entry, host);
  const finish = (found: readonly Diagnostic[]): Diagnostic[] => {
    const mended = addFixes(found, filesOf(loaded, library), homesOf(host));
    return sortDiagnostics(
      mended.map((diagnostic) => tellAtUse(diagnostic, library)),
      files,
    );
  };
  if (loaded.entry === null)
    return { module: null, diagnostics: finish(loaded.diagnostics), sources: loaded.sources };
  const diagnostics = [...loaded.diagnostics];
  const module = checkLoaded(loaded.entry, loaded.sources, diagnostics);
  const sorted = finish(diagnostics);
  return { module: hasErrors(sorted) ? null : module, diagnostics: sorted, sources: loaded.sources };
}

/** The files of the library, without the one that is checked. */
const libraryFiles = (entry: string, host: CompilerHost): ReadonlySet<string> =>
  new Set(
    host
      .standardModules()
      .map((module) => host.resolveStandard(module))
      .filter((file) => file !== entry),
  );

/** What fixes may read: the user's files. */
const filesOf = (
  { sources, trees }: LoadedModules,
  library: ReadonlySet<string>,
): ReadonlyMap<string, ReadFile> =>
  new Map(
    sources.flatMap(({ file, text }) => {
      const tree = trees.get(file);
      return tree === undefined || library.has(file) ? [] : [[file, { text, tree }]];
    }),
  );

/** The library is searched at most once, and only when a name is unknown. */
function homesOf(host: CompilerHost): () => ReadonlyMap<string, string> {
  let homes: ReadonlyMap<string, string> | null = null;
  return () => {
    homes ??= standardHomes(host);
    return homes;
  };
}

function checkLoaded(
  entry: ModuleScope,
  sources: readonly SourceText[],
  diagnostics: Diagnostic[],
): CheckedModule {
  const isFaulty = checkFunctionsOnce(entry, diagnostics);
  const instances = makeInstances(diagnostics, isFaulty);
  const models: CheckedModel[] = [];
  for (const declaration of entry.own.values()) {
    if (declaration.kind === "transform") instances.instance(declaration, new Map());
  }
  for (const declaration of entry.own.values()) {
    if (declaration.kind === "model")
      models.push(checkModel(declaration.syntax, entry, instances, diagnostics));
  }
  checkUncalledFunctions(entry, isFaulty);
  return { file: entry.source.file, sources, transforms: instances.all(), models };
}
