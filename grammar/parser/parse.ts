/** Source text → syntax tree and diagnostics: the whole of the front door, in order. */

import type { ModuleSyntax } from "../syntax/syntax-tree.ts";
import type { Diagnostic } from "../text/diagnostic.ts";
import type { SourceText } from "../text/source-text.ts";
import { attachComments } from "./attach-comments.ts";
import { buildSyntaxTree } from "./build-syntax-tree.ts";
import { tokenize } from "./lexer.ts";
import { mismatchDiagnostic } from "./mismatch-messages.ts";
import { markFrozenTypes, markRefreshDefinitions } from "./place-meanings.ts";
import { regionAt, regionStarts } from "./regions.ts";
import { repairBrackets } from "./repair-brackets.ts";
import { repairWords } from "./repair-words.ts";
import { type GrammarMismatch, readFile } from "./spx-parser.ts";
import type { Building } from "./syntax-nodes.ts";
import { hasLocation } from "./token-location.ts";

export interface ParseResult {
  /** Always a whole tree: `broken` expressions and empty names stand where text could not be read. */
  readonly tree: ModuleSyntax;
  /** Sorted by place. The tree means what its author wrote only when there is none. */
  readonly diagnostics: readonly Diagnostic[];
}

const startOf = (diagnostic: Diagnostic): number => diagnostic.primary?.span.start ?? 0;

/** Where a mismatch counts: something missing belongs to the statement before it. */
function offsetOf({ found, previous }: GrammarMismatch): number {
  if (previous !== null) return previous.startOffset;
  return hasLocation(found) ? found.startOffset : 0;
}

/** Reads a file. Never throws, whatever the text. */
export function parse(source: SourceText): ParseResult {
  const { tokens, comments, diagnostics: slips } = tokenize(source);
  // Words before brackets: a reserved word used as a name would look like the end of its statement.
  const wordProblems: Diagnostic[] = [];
  const bracketProblems: Diagnostic[] = [];
  markFrozenTypes(tokens);
  const words = repairWords(source, tokens, wordProblems);
  const repaired = repairBrackets(source, words, bracketProblems);
  markRefreshDefinitions(repaired);
  const { root, mismatches } = readFile(repaired);
  const building: Building = { source, diagnostics: [], anchors: [], blocks: [], cursor: 0 };
  const tree = buildSyntaxTree(building, root);
  attachComments(building, tokens, comments);

  // One mistake, one message: what is said about a statement that was already mended mostly follows from the mending.
  const starts = regionStarts(repaired);
  const regionOf = (diagnostic: Diagnostic): number => regionAt(starts, startOf(diagnostic));
  const mended = new Set([...slips, ...wordProblems, ...bracketProblems].map(regionOf));
  const reshaped = new Set(bracketProblems.map(regionOf));
  const grammarProblems: Diagnostic[] = [];
  for (const mismatch of mismatches) {
    const region = regionAt(starts, offsetOf(mismatch));
    if (!mended.has(region)) grammarProblems.push(mismatchDiagnostic(source, mismatch));
    mended.add(region);
    reshaped.add(region);
  }
  const formProblems = building.diagnostics.filter((diagnostic) => !reshaped.has(regionOf(diagnostic)));
  const diagnostics = [...slips, ...wordProblems, ...bracketProblems, ...grammarProblems, ...formProblems];
  return { tree, diagnostics: diagnostics.sort((first, second) => startOf(first) - startOf(second)) };
}
