/** How a term is applied, as an expression that people read. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { isTrainable } from "../algebra/structure.ts";
import { type Choices, segmentsOf } from "./linear-factors.ts";
import { enclose, identityPiece, multiplyPieces, pieceOf, scalePiece } from "./matrix-operand.ts";

/** `((alpha / r) * B) (A x)`: products formed at load are printed as one matrix, the scale at the factor that takes it. */
export function applicationForm(
  term: Term,
  scale: NumberExpression | null,
  choices: Choices,
  input: string,
): string {
  const segments = term.kind === "chain" ? segmentsOf(term, choices) : [[term]];
  const pieces = segments.map((segment) => {
    const [only] = segment;
    return segment.length === 1 && only !== undefined
      ? { text: printTerm(only), trainable: isTrainable(only) }
      : multiplyPieces(nonEmpty(segment.map(pieceOf)));
  });
  const trained = Math.max(
    0,
    pieces.findIndex(({ trainable }) => trainable),
  );
  const texts = pieces.map(({ text }, index) =>
    scale !== null && index === trained
      ? scalePiece({ ...identityPiece(term.rows), text }, scale).text
      : text,
  );
  return texts.reduceRight(
    (inner, text) => `${enclose(text)} ${inner.includes(" ") ? `(${inner})` : inner}`,
    input,
  );
}
