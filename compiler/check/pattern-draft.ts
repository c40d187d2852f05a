/** A pattern while its transform is checked: its size may become known only where it is used. */

import type { MaskMode, TypeSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import type { CheckedPattern, PatternShape } from "./checked-module.ts";
import type { OpenShape, PoisonValue, SelectionValue } from "./value.ts";

export interface PatternDraft {
  readonly name: string;
  readonly span: Span;
  readonly mode: MaskMode;
  /** Null for the anonymous support of a sparse tensor. */
  readonly syntax: (TypeSyntax & { readonly kind: "pattern-type" }) | null;
  /** How its positions are chosen; poison when that was wrong. */
  readonly selection: SelectionValue | PoisonValue;
  shape: OpenShape;
  /** Its kind; null after a report. Requires that the size is known. */
  readonly kind: () => PatternShape | null;
  /** The checked pattern, made once; null after a report. Requires that the size is known as far as uses say it. */
  readonly finish: () => CheckedPattern | null;
}
