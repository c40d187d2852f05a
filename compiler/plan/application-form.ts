/** How a term is applied, as an expression that people read. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { printFactor } from "../algebra/print-algebra.ts";
import type { AppliedTerm } from "./linear-factors.ts";
import { enclose } from "./matrix-operand.ts";

/** `((alpha / r) * B) (A x)`: matrices that are formed are printed as one, the scale at the factor that takes it. */
export function applicationForm(
  { parts }: Pick<AppliedTerm, "parts">,
  scale: NumberExpression | null,
  input: string,
): string {
  const trained = Math.max(
    0,
    parts.findIndex(({ trainable }) => trainable),
  );
  const texts = parts.map(({ text }, index) =>
    scale !== null && index === trained ? `${printFactor(scale)} * ${enclose(text)}` : text,
  );
  return texts.reduceRight(
    (inner, text) => `${enclose(text)} ${inner.includes(" ") ? `(${inner})` : inner}`,
    input,
  );
}
