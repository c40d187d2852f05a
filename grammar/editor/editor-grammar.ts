/**
 * The TextMate grammar of the language, made from the tables of keywords and operators, so that editors colour what
 * the parser reads. `spx.tmLanguage.json` beside this file is its printed form.
 */
import { type KeywordPlace, keywords } from "../parser/keywords.ts";
import { operatorLevels } from "../syntax/operators.ts";

export interface EditorRule {
  readonly name?: string;
  readonly match?: string;
  readonly begin?: string;
  readonly end?: string;
  readonly patterns?: readonly EditorRule[];
  readonly captures?: Readonly<Record<string, { readonly name: string }>>;
}

const scopes: Readonly<Record<KeywordPlace, string>> = {
  module: "keyword.declaration.spx",
  transform: "keyword.control.spx",
  model: "keyword.control.rule.spx",
  rule: "keyword.control.rule.spx",
  type: "storage.type.spx",
  clause: "keyword.control.clause.spx",
  expression: "keyword.operator.word.spx",
};

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

const words = (place: KeywordPlace): EditorRule => ({
  name: scopes[place],
  match: `\\b(?:${keywords
    .filter((keyword) => keyword.place === place)
    .map(({ word }) => word)
    .join("|")})\\b`,
});

/** `.T`, `.*`, `<=`, …: longest first, because the first alternative that matches wins. */
function signs(): EditorRule {
  const operators = operatorLevels
    .flatMap(({ operators }): readonly string[] => operators)
    .filter((operator) => !/^[a-z]+$/.test(operator) && operator !== "[i]");
  const texts = [...new Set([...operators, "->", "="])].sort((first, second) => second.length - first.length);
  return {
    name: "keyword.operator.spx",
    match: texts.map((text) => (text === ".T" ? "\\.T\\b" : escaped(text))).join("|"),
  };
}

/** A TextMate grammar as the JSON file holds it. */
export interface EditorGrammar {
  readonly $schema: string;
  readonly name: string;
  readonly scopeName: string;
  readonly patterns: readonly EditorRule[];
}

export function editorGrammar(): EditorGrammar {
  const declared: EditorRule = {
    match: "\\b(transform|function|intrinsic|model)\\s+([A-Za-z_]\\w*)",
    captures: { 1: { name: scopes.module }, 2: { name: "entity.name.type.spx" } },
  };
  const places: readonly KeywordPlace[] = [
    "module",
    "transform",
    "model",
    "rule",
    "type",
    "clause",
    "expression",
  ];
  const patterns: readonly EditorRule[] = [
    { name: "comment.line.documentation.spx", match: "///(?!/).*$" },
    { name: "comment.line.double-slash.spx", match: "//.*$" },
    {
      name: "string.quoted.double.spx",
      begin: '"',
      end: '"|$',
      patterns: [{ name: "keyword.operator.wildcard.spx", match: "\\*\\*?|[{},?]" }],
    },
    { name: "constant.numeric.spx", match: "\\b\\d+(?:\\.\\d+)?(?:[eE][+-]?\\d+)?\\b" },
    declared,
    // An argument or parameter keeps the colour of a name also when its name means something elsewhere.
    { name: "variable.parameter.spx", match: "\\b[A-Za-z_]\\w*(?=\\s*:)" },
    {
      name: "entity.name.function.spx",
      match: `\\b(?!(?:${keywords.map(({ word }) => word).join("|")})\\b)[A-Za-z_]\\w*(?=\\()`,
    },
    ...places.map(words),
    signs(),
  ];
  return {
    $schema: "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
    name: "spx",
    scopeName: "source.spx",
    patterns,
  };
}
