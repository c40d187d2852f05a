/** Formulas of derived tensors as the language writes them, for plans and explanations. */
import type { MatrixSource } from "./matrix-source.ts";
import { type NumberExpression, printNumber } from "./number-expression.ts";

const printFactor = (factor: NumberExpression): string =>
  factor.kind === "apply" ? `(${printNumber(factor)})` : printNumber(factor);

/** How tightly the outermost operator binds: sums 1, products 2, everything else 3. */
const binding = ({ kind }: MatrixSource): number =>
  kind === "sum" ? 1 : ["product", "scale", "mask", "hadamard", "quotient"].includes(kind) ? 2 : 3;

const enclosed = (source: MatrixSource): string =>
  binding(source) < 3 ? `(${printSource(source)})` : printSource(source);

const joined = (sources: readonly MatrixSource[], operator: string): string =>
  sources.map(enclosed).join(operator);
const listed = (name: string, ...sources: readonly MatrixSource[]): string =>
  `${name}(${sources.map(printSource).join(", ")})`;

/** `m ./ row_norm(W + (alpha / r) * (B @ A))`. */
export function printSource(source: MatrixSource): string {
  switch (source.kind) {
    case "leaf":
      return source.slice === null ? source.name : `${source.name}[${source.slice}]`;
    case "sum":
      return source.terms
        .map((term) => (binding(term) === 1 ? enclosed(term) : printSource(term)))
        .join(" + ");
    case "product":
      return joined(source.factors, " @ ");
    case "hadamard":
      return joined(source.factors, " .* ");
    case "quotient":
      return joined([source.left, source.right], " ./ ");
    case "scale":
      return `${printFactor(source.factor)} * ${enclosed(source.of)}`;
    case "transpose":
      return `${enclosed(source.of)}.T`;
    case "mask":
      return `${source.pattern} .* ${enclosed(source.of)}`;
    case "pattern":
      return source.name;
    case "kron":
      return listed("kron", ...source.factors);
    case "blockdiag":
      return listed("blockdiag", ...source.blocks);
    case "identity":
      return `I(${printNumber(source.size)})`;
    case "stride-permutation":
      return `P(${printNumber(source.stride)})`;
    case "window":
      return `I(${printNumber(source.size)})[${printNumber(source.offset)}..]`;
    case "entry":
      return `${enclosed(source.of)}[${source.row}${source.column === 0 ? "" : `, ${source.column}`}]`;
    case "fill":
      return printSource(source.of);
    case "ones":
      return "1";
    case "face-splitting":
      return listed("face_splitting", source.left, source.right);
    case "map":
      return listed(source.function, source.of);
    case "row-norm":
      return source.of.kind === "transpose"
        ? listed("column_norm", source.of.of)
        : listed("row_norm", source.of);
    case "row-softmax":
      return listed("softmax", source.of.kind === "transpose" ? source.of.of : source.of);
    case "diag":
    case "inverse":
    case "skew":
    case "detach":
      return listed(source.kind, source.of);
    case "strict-upper":
      return listed("strict_upper", source.of);
  }
}
