/**
 * A file → its checked module: load what it imports, check its transforms, then its models and the imported
 * transforms that they use. What could not be read is left out, and nothing is said about what hangs on it.
 */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { SourceText } from "../../grammar/text/source-text.ts";
import { sortDiagnostics } from "../diagnostics/sort-diagnostics.ts";
import { addFixes, type ReadFile } from "../fixes/add-fixes.ts";
import type { CompilerHost } from "../host/compiler-host.ts";
import { type LoadedModules, loadModules } from "../modules/load-modules.ts";
import type { ModuleScope } from "../modules/module-scope.ts";
import { standardHomes } from "../modules/standard-homes.ts";
import { checkUncalledFunctions } from "./check-functions.ts";
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
  const finish = (found: readonly Diagnostic[]): Diagnostic[] =>
    addFixes(sortDiagnostics(found, files), filesOf(loaded), homesOf(host));
  if (loaded.entry === null)
    return { module: null, diagnostics: finish(loaded.diagnostics), sources: loaded.sources };
  const diagnostics = [...loaded.diagnostics];
  const module = checkLoaded(loaded.entry, loaded.sources, diagnostics);
  const sorted = finish(diagnostics);
  return { module: hasErrors(sorted) ? null : module, diagnostics: sorted, sources: loaded.sources };
}

/** What fixes may read. */
const filesOf = ({ sources, trees }: LoadedModules): ReadonlyMap<string, ReadFile> =>
  new Map(
    sources.flatMap(({ file, text }) => {
      const tree = trees.get(file);
      return tree === undefined ? [] : [[file, { text, tree }]];
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
  const instances = makeInstances(diagnostics);
  const models: CheckedModel[] = [];
  for (const declaration of entry.own.values()) {
    if (declaration.kind === "transform") instances.instance(declaration, new Map());
  }
  for (const declaration of entry.own.values()) {
    if (declaration.kind === "model")
      models.push(checkModel(declaration.syntax, entry, instances, diagnostics));
  }
  // The library's own functions are held to their declarations by its tests; a user's file is checked whole.
  diagnostics.push(...checkUncalledFunctions(entry));
  return { file: entry.source.file, sources, transforms: instances.all(), models };
}
