/**
 * What the grammar reads and the checker does not know yet, one row a construct. Ensures that such a program gets one
 * honest diagnostic instead of a wrong meaning. A construct that gains its meaning loses its row here.
 */
import type { ParameterSyntax, StatementSyntax, TransformSyntax } from "../../grammar/syntax/syntax-tree.ts";
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";

interface Row {
  /** Completes "… cannot be built yet". */
  readonly construct: string;
  readonly holds: (node: StatementSyntax | ParameterSyntax) => boolean;
}

const rows: readonly Row[] = [
  { construct: "a pinned `tile`", holds: (node) => "claim" in node && node.claim === "tile" },
];

export const notSupportedYet = (construct: string, span: Span): Diagnostic => ({
  code: "SPX6901",
  severity: "error",
  message: `${construct} cannot be built yet`,
  primary: { span, text: "not supported yet" },
  secondary: [],
  facts: { construct },
  because: [],
  help: [],
});

/** The first construct without a meaning in each parameter and statement of `syntax`. */
export const findUnsupported = ({ parameters, statements }: TransformSyntax): Diagnostic[] =>
  [...parameters, ...statements].flatMap((node) => {
    const row = rows.find(({ holds }) => holds(node));
    return row === undefined ? [] : [notSupportedYet(row.construct, node.span)];
  });
