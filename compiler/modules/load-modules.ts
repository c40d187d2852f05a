/**
 * Reads the entry file and everything it imports. Ensures: imports form no circle, every file is read and parsed
 * once, and each import of a module that exists is joined to its declarations.
 */

import { type ParseResult, parse } from "../../grammar/parser/parse.ts";
import type { ImportSyntax, ModuleSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { SourceText, Span } from "../../grammar/text/source-text.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { importCycle, moduleNotFound } from "../diagnostics/name-diagnostics.ts";
import { listNames, suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import type { CompilerHost } from "../host/compiler-host.ts";
import { soundPart } from "./damage.ts";
import { buildModuleScope, type ModuleScope, type ResolvedImport } from "./module-scope.ts";

export interface LoadedModules {
  /** Null when the entry file cannot be read. */
  readonly entry: ModuleScope | null;
  /** Every file read, the entry first. */
  readonly sources: readonly SourceText[];
  /** Tree of every file read. */
  readonly trees: ReadonlyMap<string, ModuleSyntax>;
  readonly diagnostics: readonly Diagnostic[];
}

interface Loading {
  readonly host: CompilerHost;
  /** By file; null while a file is being loaded or when it failed. */
  readonly modules: Map<string, ModuleScope | null>;
  readonly sources: SourceText[];
  readonly trees: Map<string, ModuleSyntax>;
  readonly diagnostics: Diagnostic[];
  /** Files between the entry and the one being loaded, with the name each was imported by. */
  readonly path: { readonly file: string; readonly name: string }[];
}

const preludeName = "std/prelude";

/** What a host's files parsed to, because many files import the same ones. A text that has changed is parsed anew. */
const parsed = new WeakMap<
  CompilerHost,
  Map<string, { readonly text: string; readonly result: ParseResult }>
>();

function parseOnce(host: CompilerHost, source: SourceText): ParseResult {
  const files = parsed.get(host) ?? new Map<string, { text: string; result: ParseResult }>();
  parsed.set(host, files);
  const known = files.get(source.file);
  if (known?.text === source.text) return known.result;
  const result = parse(source);
  files.set(source.file, { text: source.text, result });
  return result;
}

export function loadModules(entry: string, host: CompilerHost): LoadedModules {
  const loading: Loading = {
    host,
    modules: new Map(),
    sources: [],
    trees: new Map(),
    diagnostics: [],
    path: [],
  };
  const text = host.readFile(entry);
  if (text === null) {
    loading.diagnostics.push(
      report(
        moduleNotFound,
        null,
        { module: entry },
        { help: ["check the path, and that the file may be read"] },
      ),
    );
    return { entry: null, sources: [], trees: loading.trees, diagnostics: loading.diagnostics };
  }
  const scope = loadFile(loading, { file: entry, text }, entry, isStandardFile(host, entry));
  const { sources, trees, diagnostics } = loading;
  return { entry: scope, sources, trees, diagnostics };
}

const isStandardFile = (host: CompilerHost, file: string): boolean =>
  host.standardModules().some((module) => host.resolveStandard(module) === file);

function loadFile(loading: Loading, source: SourceText, name: string, standard: boolean): ModuleScope {
  loading.modules.set(source.file, null);
  loading.sources.push(source);
  loading.path.push({ file: source.file, name });
  const { tree, diagnostics } = parseOnce(loading.host, source);
  loading.diagnostics.push(...diagnostics);
  loading.trees.set(source.file, tree);
  const sound = soundPart(tree, diagnostics);
  const imports = sound.tree.imports.map((syntax) => loadImport(loading, syntax, source.file));
  const preludeFile = loading.host.resolveStandard(preludeName);
  const prelude = source.file === preludeFile ? null : loadPrelude(loading, preludeFile);
  const scope = buildModuleScope({ name, source, sound, standard, imports, prelude }, loading.diagnostics);
  loading.path.pop();
  loading.modules.set(source.file, scope);
  return scope;
}

function loadPrelude(loading: Loading, file: string): ModuleScope | null {
  const loaded = loading.modules.get(file);
  if (loaded !== undefined) return loaded;
  const text = loading.host.readFile(file);
  if (text !== null) return loadFile(loading, { file, text }, preludeName, true);
  loading.modules.set(file, null);
  const help = ["the standard library is missing: install spx again"];
  loading.diagnostics.push(report(moduleNotFound, null, { module: preludeName }, { help }));
  return null;
}

const isRelative = (specifier: string): boolean => specifier.startsWith("./") || specifier.startsWith("../");

function loadImport(loading: Loading, syntax: ImportSyntax, from: string): ResolvedImport {
  const { value, span } = syntax.from;
  if (value === "") return { syntax, module: null };
  const specifier = value.replace(/\.spx$/, "");
  const file = isRelative(specifier)
    ? loading.host.resolveRelative(from, specifier)
    : loading.host.resolveStandard(specifier);
  const known = loading.modules.get(file);
  if (known !== undefined) {
    if (known === null) reportCycle(loading, file, span);
    return { syntax, module: known };
  }
  const inLibrary = isRelative(specifier) || loading.host.standardModules().includes(specifier);
  const text = inLibrary ? loading.host.readFile(file) : null;
  if (text === null) {
    loading.diagnostics.push(missingModule(loading.host, value, specifier, span));
    return { syntax, module: null };
  }
  const standard = !isRelative(specifier) || isStandardFile(loading.host, from);
  return { syntax, module: loadFile(loading, { file, text }, value, standard) };
}

function reportCycle(loading: Loading, file: string, span: Span): void {
  const start = loading.path.findIndex((step) => step.file === file);
  if (start === -1) return;
  const names = loading.path.slice(start).map(({ file: step }) => `\`${step}\``);
  loading.diagnostics.push(report(importCycle, span, { modules: [...names, names[0] ?? ""].join(" → ") }));
}

function missingModule(host: CompilerHost, value: string, specifier: string, span: Span): Diagnostic {
  const modules = host.standardModules();
  const exact = modules.filter((module) => module === `std/${specifier}` || `std/${module}` === specifier);
  const near = exact.length > 0 ? exact : suggestNames(specifier, modules);
  const help =
    near.length > 0
      ? suggestion(specifier, span, near, '"')
      : isRelative(specifier)
        ? ["the path is relative to the importing file, without `.spx`"]
        : [`the standard library has ${listNames(modules, "and")}; own files begin with \`./\``];
  return report(moduleNotFound, span, { module: value }, { help });
}
