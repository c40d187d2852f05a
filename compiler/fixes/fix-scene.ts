/**
 * What a fix may look at: the diagnostic, the text and the tree of its file. The tree is searched by spans, because a
 * diagnostic carries places and not nodes.
 */
import type {
  ExpressionSyntax,
  ModuleSyntax,
  ParameterSyntax,
  StatementSyntax,
  TransformSyntax,
} from "../../grammar/syntax/syntax-tree.ts";
import type { Applicability, Diagnostic, Help, TextEdit } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";

export interface FixScene {
  readonly problem: Diagnostic;
  /** The primary span of the problem. */
  readonly span: Span;
  readonly source: string;
  readonly tree: ModuleSyntax;
  /** Name → module of the standard library that declares it. */
  readonly homes: () => ReadonlyMap<string, string>;
}

export type Fix = (scene: FixScene) => readonly Help[];

export type Binary = ExpressionSyntax & { readonly kind: "binary" };
export type Call = ExpressionSyntax & { readonly kind: "call" };

export const fix = (text: string, applicability: Applicability, ...edits: readonly TextEdit[]): Help => ({
  text,
  edits,
  applicability,
});

export const sameSpan = (one: Span, other: Span): boolean =>
  one.start === other.start && one.end === other.end && one.file === other.file;

export const textAt = ({ source }: FixScene, span: Span): string => source.slice(span.start, span.end);

export const before = (span: Span): Span => ({ ...span, end: span.start });
export const after = (span: Span): Span => ({ ...span, start: span.end });

interface SyntaxNode {
  readonly kind: string;
  readonly span: Span;
}

const isNode = (value: object): value is SyntaxNode =>
  "kind" in value && typeof value.kind === "string" && "span" in value;

/** Every node of the tree that has a kind, parents first. */
export function* nodesIn(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) {
    for (const entry of value) yield* nodesIn(entry);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (isNode(value)) yield value;
  for (const entry of Object.values(value)) yield* nodesIn(entry);
}

const expressionKinds: ReadonlySet<string> = new Set([
  "number",
  "name",
  "call",
  "index",
  "sum",
  "product",
  "binary",
  "unary",
  "transpose",
]);
export const isExpression = (node: SyntaxNode): node is ExpressionSyntax => expressionKinds.has(node.kind);

/** The expression that stands at exactly `span`. */
export function expressionAt({ tree }: FixScene, span: Span): ExpressionSyntax | undefined {
  for (const node of nodesIn(tree)) if (isExpression(node) && sameSpan(node.span, span)) return node;
  return undefined;
}

/** The first call for which `accepts` holds. */
export function callWith({ tree }: FixScene, accepts: (call: Call) => boolean): Call | undefined {
  for (const node of nodesIn(tree))
    if (isExpression(node) && node.kind === "call" && accepts(node)) return node;
  return undefined;
}

/** The first operation for which `accepts` holds. */
export function binaryWith({ tree }: FixScene, accepts: (binary: Binary) => boolean): Binary | undefined {
  for (const node of nodesIn(tree))
    if (isExpression(node) && node.kind === "binary" && accepts(node)) return node;
  return undefined;
}

/** The transform around the problem. */
export const transformAround = ({ tree, span }: FixScene): TransformSyntax | undefined =>
  tree.declarations.find(
    (declaration): declaration is TransformSyntax =>
      declaration.kind === "transform" &&
      declaration.span.start <= span.start &&
      span.end <= declaration.span.end,
  );

export const parameterNamed = (scene: FixScene, name: string): ParameterSyntax | undefined =>
  transformAround(scene)?.parameters.find((parameter) => parameter.name.name === name);

/** The statement that declares `name` in the transform around the problem. */
export const statementNamed = (scene: FixScene, name: string): StatementSyntax | undefined =>
  transformAround(scene)?.statements.find((statement) => "name" in statement && statement.name.name === name);

/** Places in `tree` where `name` stands as a name of any sort. */
export function placesOfName(tree: unknown, name: string): Span[] {
  if (Array.isArray(tree)) return tree.flatMap((entry) => placesOfName(entry, name));
  if (typeof tree !== "object" || tree === null) return [];
  const inside = Object.values(tree).flatMap((entry) => placesOfName(entry, name));
  const isName = "name" in tree && tree.name === name && "span" in tree;
  return isName ? [(tree as { readonly span: Span }).span, ...inside] : inside;
}

/** An operation without parentheses of its own. */
export const isBare = (node: ExpressionSyntax): boolean =>
  (node.kind === "binary" && node.span.start === node.left.span.start) ||
  (node.kind === "unary" &&
    node.operand.span.start > node.span.start &&
    node.operand.span.end === node.span.end);

/** The text of an operand where an operator of any strength stands beside it. */
export function operandText(scene: FixScene, node: ExpressionSyntax): string {
  const text = textAt(scene, node.span);
  return isBare(node) ? `(${text})` : text;
}

/** Sides of a printed shape: `[out, r + 1]` → `out`, `r + 1`. */
export function sidesOf(shape: string | number | undefined): string[] {
  const inner = /^\[(.*)\]$/.exec(String(shape))?.[1];
  if (inner === undefined) return [];
  const sides: string[] = [];
  let depth = 0;
  let from = 0;
  for (let index = 0; index <= inner.length; index += 1) {
    const character = inner[index];
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (index < inner.length && (character !== "," || depth > 0)) continue;
    sides.push(inner.slice(from, index).trim());
    from = index + 1;
  }
  return sides;
}

/** Takes a whole statement out, with its documentation and the line that it leaves empty. */
export function removal(scene: FixScene, span: Span): TextEdit {
  const { source } = scene;
  let start = source.lastIndexOf("\n", span.start - 1) + 1;
  if (source.slice(start, span.start).trim() !== "") return { span, replacement: "" };
  for (;;) {
    const lineStart = source.lastIndexOf("\n", start - 2) + 1;
    if (start === 0 || !source.slice(lineStart, start).trimStart().startsWith("///")) break;
    start = lineStart;
  }
  const lineEnd = source.indexOf("\n", span.end);
  const rest = source.slice(span.end, lineEnd === -1 ? source.length : lineEnd);
  if (rest.trim() !== "") return { span, replacement: "" };
  return { span: { ...span, start, end: lineEnd === -1 ? source.length : lineEnd + 1 }, replacement: "" };
}
