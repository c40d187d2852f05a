/** What the names at the top level of a file mean: its own declarations, its imports, then the prelude. */

import type {
  FunctionSyntax,
  IntrinsicSyntax,
  ModelSyntax,
  ModuleSyntax,
  TransformSyntax,
} from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic, Label } from "../../grammar/text/diagnostic.ts";
import type { SourceText, Span } from "../../grammar/text/source-text.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { duplicateDeclaration, nameNotInModule } from "../diagnostics/name-diagnostics.ts";
import { listNames, suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import type { SoundPart } from "./damage.ts";

export type Callable = FunctionSyntax | IntrinsicSyntax;

export type Declaration =
  | { readonly kind: "transform"; readonly syntax: TransformSyntax; readonly module: ModuleScope }
  /** Overloads: several declarations of one name, of which at least one is an intrinsic. */
  | { readonly kind: "callable"; readonly overloads: readonly Callable[]; readonly module: ModuleScope }
  | { readonly kind: "model"; readonly syntax: ModelSyntax; readonly module: ModuleScope };

export interface ModuleScope {
  /** As imports name it; the file name for the entry. */
  readonly name: string;
  readonly source: SourceText;
  /** What could be read. */
  readonly tree: ModuleSyntax;
  /** True for files of the standard library. */
  readonly standard: boolean;
  readonly own: ReadonlyMap<string, Declaration>;
  /** Own declarations and imports. */
  readonly names: ReadonlyMap<string, Declaration>;
  /** Names known to exist whose meaning could not be found, so that their uses raise no second error. */
  readonly broken: { readonly has: (name: string) => boolean };
  /** Transforms that lack statements, with the names that these declared. */
  readonly incomplete: SoundPart["incomplete"];
  readonly prelude: ModuleScope | null;
}

/** The declaration that a name means in `scope`. Own names and imports hide those of the prelude. */
export const findDeclaration = (scope: ModuleScope, name: string): Declaration | undefined =>
  scope.names.get(name) ?? scope.prelude?.own.get(name);

/** All names that have a meaning at the top level of a file. */
export const visibleNames = (scope: ModuleScope): string[] => [
  ...scope.names.keys(),
  ...(scope.prelude?.own.keys() ?? []),
];

/** An import with the module it was loaded from; null when that failed and was reported. */
export interface ResolvedImport {
  readonly syntax: ModuleSyntax["imports"][number];
  readonly module: ModuleScope | null;
}

export interface ScopeParts {
  readonly name: string;
  readonly source: SourceText;
  readonly sound: SoundPart;
  readonly standard: boolean;
  readonly imports: readonly ResolvedImport[];
  readonly prelude: ModuleScope | null;
}

export function buildModuleScope(parts: ScopeParts, diagnostics: Diagnostic[]): ModuleScope {
  const own = new Map<string, Declaration>();
  const names = new Map<string, Declaration>();
  const broken = new Set(parts.sound.lost);
  const { name, source, standard, prelude } = parts;
  const { tree, lostMore, incomplete } = parts.sound;
  const isUnknown = (wanted: string): boolean => !names.has(wanted) && prelude?.own.has(wanted) !== true;
  const scope: ModuleScope = {
    name,
    source,
    tree,
    standard,
    prelude,
    own,
    names,
    broken: { has: (wanted) => broken.has(wanted) || (lostMore && isUnknown(wanted)) },
    incomplete,
  };
  const places = new Map<string, Span>();
  const isFree = (wanted: string, span: Span): boolean => {
    const before = places.get(wanted);
    if (before === undefined) {
      places.set(wanted, span);
      return true;
    }
    const secondary: Label[] = [{ span: before, text: "the first is here" }];
    diagnostics.push(report(duplicateDeclaration, span, { name: wanted }, { secondary }));
    return false;
  };
  for (const declaration of tree.declarations) {
    const declared = declaration.name.name;
    if (declared === "") continue;
    const before = own.get(declared);
    if (
      before?.kind === "callable" &&
      (declaration.kind === "function" || declaration.kind === "intrinsic")
    ) {
      const overloads = [...before.overloads, declaration];
      if (overloads.some(({ kind }) => kind === "intrinsic")) {
        own.set(declared, { ...before, overloads });
        continue;
      }
    }
    if (!isFree(declared, declaration.name.span)) continue;
    own.set(
      declared,
      declaration.kind === "function" || declaration.kind === "intrinsic"
        ? { kind: "callable", overloads: [declaration], module: scope }
        : declaration.kind === "transform"
          ? { kind: "transform", syntax: declaration, module: scope }
          : { kind: "model", syntax: declaration, module: scope },
    );
  }
  for (const [declared, declaration] of own) names.set(declared, declaration);
  for (const { syntax, module } of parts.imports) {
    for (const { imported, local } of syntax.names) {
      if (imported.name === "" || local.name === "") continue;
      const declaration = module?.own.get(imported.name);
      if (declaration === undefined) {
        if (module !== null && !module.broken.has(imported.name))
          diagnostics.push(missingName(imported, module, prelude));
        broken.add(local.name);
        continue;
      }
      if (isFree(local.name, local.span)) names.set(local.name, declaration);
    }
  }
  return scope;
}

function missingName(
  imported: { readonly name: string; readonly span: Span },
  module: ModuleScope,
  prelude: ModuleScope | null,
): Diagnostic {
  const near = suggestNames(imported.name, module.own.keys());
  const help =
    prelude?.own.has(imported.name) === true
      ? [`leave it out: \`${imported.name}\` means the same in every file`]
      : near.length === 0
        ? [`it declares ${listNames([...module.own.keys()], "and")}`]
        : suggestion(imported.name, imported.span, near);
  return report(nameNotInModule, imported.span, { name: imported.name, module: module.name }, { help });
}
