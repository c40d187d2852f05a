/** A generated expression as the language writes it. Parentheses stand where the grammar needs them, and nowhere else. */
import { type NumberExpression, printNumber } from "../../runtime/contract/number-expression.ts";
import type { Expression } from "./program.ts";

const [sumLevel, productLevel, negativeLevel, postfixLevel, primaryLevel] = [5, 6, 7, 8, 9];

function levelOf(expression: Expression): number {
  switch (expression.kind) {
    case "sum":
      return sumLevel;
    case "product":
    case "hadamard":
    case "mask":
    case "scale":
    case "quotient":
    case "normed":
    case "entry":
      return productLevel;
    case "negative":
      return negativeLevel;
    case "transpose":
      return postfixLevel;
    default:
      return primaryLevel;
  }
}

const tight = (expression: Expression, above: number): string =>
  levelOf(expression) > above ? textOf(expression) : `(${textOf(expression)})`;

const factorText = (factor: NumberExpression): string => {
  const text = printNumber(factor);
  return factor.kind === "apply" || text.startsWith("-") ? `(${text})` : text;
};

/** The expression as the language writes it. */
export function textOf(expression: Expression): string {
  const list = (parts: readonly Expression[]): string => parts.map(textOf).join(", ");
  switch (expression.kind) {
    case "tensor": {
      const { tensor, slice } = expression;
      return slice === null ? tensor.name : `${tensor.name}[${slice}]`;
    }
    case "formal":
      return expression.name;
    case "sum":
      return expression.terms
        .map((term, index) => {
          const text = index === 0 ? textOf(term) : tight(term, sumLevel);
          if (expression.minus[index] !== true) return index === 0 ? text : ` + ${text}`;
          return index === 0 ? `-${tight(term, productLevel)}` : ` - ${text}`;
        })
        .join("");
    case "product":
      return expression.factors.map((factor) => tight(factor, productLevel)).join(" @ ");
    case "scale": {
      const { factor, side, operand } = expression;
      if (side === "left") {
        // A number before a product needs no parentheses: both readings are one matrix.
        const text = operand.kind === "product" ? textOf(operand) : tight(operand, productLevel);
        return `${factorText(factor)} * ${text}`;
      }
      const text = operand.kind === "product" ? textOf(operand) : tight(operand, productLevel);
      return `${text} ${side === "right" ? "*" : "/"} ${factorText(factor)}`;
    }
    case "negative":
      return `-${tight(expression.operand, productLevel)}`;
    case "transpose":
      return `${tight(expression.operand, negativeLevel)}.T`;
    case "mask": {
      const { pattern, member, operand } = expression;
      const kept = member === null ? pattern.name : `${pattern.name}[${member}]`;
      return `${kept} .* ${tight(operand, productLevel)}`;
    }
    case "selector":
      return `${expression.axis}_selector(${expression.pattern.name})`;
    case "hadamard":
      return expression.factors.map((factor) => tight(factor, productLevel)).join(" .* ");
    case "quotient":
      return expression.factors.map((factor) => tight(factor, productLevel)).join(" ./ ");
    case "map":
      return `${expression.function}(${textOf(expression.operand)})`;
    case "square": {
      const { tensor, isUpper, rows } = expression;
      const half = isUpper ? `strict_upper(${tensor.name})` : tensor.name;
      const skew = `${half} - ${half}.T`;
      return expression.function === "cayley"
        ? `cayley(${skew})`
        : `inverse(${skew} + 2 * identity(${printNumber(rows)}))`;
    }
    case "skew":
      return `skew(${expression.tensor.name}, ${expression.size})`;
    case "ones":
      return `ones(${printNumber(expression.rows)}, ${printNumber(expression.columns)})`;
    case "sorted":
      return `permutation(row_norm(${expression.by.name}))`;
    case "detach":
      return `detach(${textOf(expression.operand)})`;
    case "normed": {
      const { axis, vector, isDetached, operand } = expression;
      const norm = `${axis}_norm(${textOf(operand)})`;
      const scales = `diag(${vector.name} ./ ${isDetached ? `detach(${norm})` : norm})`;
      const whole = tight(operand, productLevel);
      return axis === "row" ? `${scales} @ ${whole}` : `${whole} @ ${scales}`;
    }
    case "entry": {
      const { vector, index, isShare, operand } = expression;
      const from = isShare ? `softmax(${vector.name})` : vector.name;
      // `P(b)` has no size of its own, so that a trained number cannot scale it alone.
      const isBare = operand.kind === "product" && operand.factors[0]?.kind !== "permutation";
      const text = isBare ? textOf(operand) : tight(operand, productLevel);
      return `${from}[${index}] * ${text}`;
    }
    case "kron":
      return `kron(${list(expression.factors)})`;
    case "blockdiag":
      return `blockdiag(${list(expression.blocks)})`;
    case "rows":
    case "columns":
      return `${expression.kind}(${list(expression.parts)})`;
    case "indicator":
      return `indicator(${expression.pattern.name})`;
    case "zeros":
      return `zeros(${printNumber(expression.rows)}, ${printNumber(expression.columns)})`;
    case "diag":
      return `diag(${expression.tensor.name})`;
    case "identity":
      return expression.bare ? "identity()" : `identity(${printNumber(expression.rows)})`;
    case "permutation":
      return `P(${printNumber(expression.stride)})`;
    case "loop":
      return `${expression.operator}(${expression.variable} < ${printNumber(expression.count)}, ${textOf(expression.body)})`;
    case "let":
      return expression.name;
    case "call": {
      const { operands, numbers, function: called } = expression;
      const named = numbers.map((value, index) => `${called.numbers[index]}: ${printNumber(value)}`);
      return `${called.name}(${[...operands.map(textOf), ...named].join(", ")})`;
    }
  }
}
