/**
 * What of a file may be checked although some of it could not be read. Ensures that nothing is left whose meaning
 * hangs on text that was not read: such statements, rules, imports and declarations are taken out, and their names
 * are known to mean something unknown.
 */
import type {
  DeclarationSyntax,
  ImportSyntax,
  ModuleSyntax,
  StatementSyntax,
  TransformSyntax,
} from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";

export interface SoundPart {
  readonly tree: ModuleSyntax;
  /** Names of declarations and imports that were taken out. */
  readonly lost: ReadonlySet<string>;
  /** True when a name of the file itself may have been lost without a trace. */
  readonly lostMore: boolean;
  /** Transforms that lack statements, with the names that these declared. Other names may be lost as well. */
  readonly incomplete: ReadonlyMap<TransformSyntax, ReadonlySet<string>>;
}

interface Placed {
  readonly span: Span;
}

/** The part that an offset belongs to: the last one that begins at or before it. */
const partAt = <Part extends Placed>(parts: readonly Part[], offset: number): Part | undefined =>
  parts.findLast(({ span }) => span.start <= offset);

const namesOfStatement = (statement: StatementSyntax): string[] =>
  "name" in statement && statement.name !== null ? [statement.name.name] : [];

const namesOfImport = ({ names }: ImportSyntax): string[] => names.map(({ local }) => local.name);

/** Requires the diagnostics of reading `tree`; without any, the whole tree is sound. */
export function soundPart(tree: ModuleSyntax, diagnostics: readonly Diagnostic[]): SoundPart {
  const offsets = diagnostics.flatMap(({ primary }) => (primary === null ? [] : [primary.span.start]));
  const parts: readonly (ImportSyntax | DeclarationSyntax)[] = [...tree.imports, ...tree.declarations].sort(
    (one, other) => one.span.start - other.span.start,
  );
  const damage = new Map<ImportSyntax | DeclarationSyntax | undefined, number[]>();
  for (const offset of offsets) {
    const part = partAt(parts, offset);
    damage.set(part, [...(damage.get(part) ?? []), offset]);
  }
  const lost = new Set<string>();
  const incomplete = new Map<TransformSyntax, ReadonlySet<string>>();
  let lostMore = damage.has(undefined);
  const lose = (...names: readonly string[]): [] => {
    for (const name of names) lost.add(name);
    lostMore ||= names.includes("") || names.length === 0;
    return [];
  };
  const soundDeclaration = (declaration: DeclarationSyntax): readonly DeclarationSyntax[] => {
    const places = damage.get(declaration);
    if (places === undefined) return [declaration];
    if (places.some((offset) => offset >= declaration.span.end)) lostMore = true;
    if (declaration.kind !== "transform" && declaration.kind !== "model") return lose(declaration.name.name);
    const entries: readonly Placed[] =
      declaration.kind === "transform" ? declaration.statements : declaration.rules;
    const damaged = new Set(places.map((offset) => partAt(entries, offset)));
    if (damaged.has(undefined) || declaration.name.name === "") return lose(declaration.name.name);
    if (declaration.kind === "model")
      return [{ ...declaration, rules: declaration.rules.filter((rule) => !damaged.has(rule)) }];
    const statements = declaration.statements.filter((statement) => !damaged.has(statement));
    const transform = { ...declaration, statements };
    const gone = declaration.statements.filter((statement) => damaged.has(statement));
    incomplete.set(transform, new Set(gone.flatMap(namesOfStatement)));
    return [transform];
  };
  // An import may have lost names, or the whole of the next one.
  lostMore ||= tree.imports.some((syntax) => damage.has(syntax));
  const imports = tree.imports.flatMap((syntax) =>
    damage.has(syntax) ? lose(...namesOfImport(syntax)) : [syntax],
  );
  const declarations = tree.declarations.flatMap(soundDeclaration);
  return { tree: { ...tree, imports, declarations }, lost, lostMore, incomplete };
}
