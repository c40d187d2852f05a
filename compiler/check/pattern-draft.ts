/** A pattern while its transform is checked: its size may become known only where it is used. */

import type { MaskMode, TypeSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import type { PoisonValue, SelectionValue } from "./value.ts";

export interface PatternDraft {
  readonly name: string;
  readonly span: Span;
  readonly mode: MaskMode;
  /** Null for the anonymous support of a sparse tensor. */
  readonly syntax: (TypeSyntax & { readonly kind: "pattern-type" }) | null;
  /** How its positions are chosen; poison when that was wrong. */
  readonly selection: SelectionValue | PoisonValue;
  shape: readonly [NumberExpression, NumberExpression] | null;
}
