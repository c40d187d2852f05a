/**
 * Numbers that are known only at load: dimensions, ranks, counts, scales, costs, conditions.
 * Plain JSON, so that a manifest can carry them and the runtime can evaluate them without the compiler.
 */

export type NumberOperator =
  | "+"
  | "-"
  | "*"
  /** Real division. A dimension `n / b` is an exact quotient; the obligation `n % b == 0` travels beside it. */
  | "/"
  | "%"
  | "min"
  | "max"
  | "isqrt"
  | "sqrt"
  | "floor"
  | "ceil"
  | "round"
  | "abs"
  | "exp"
  /** The natural logarithm. */
  | "log"
  | "cos"
  /** `pow(base, exponent)`. */
  | "pow"
  | "neg"
  /** Comparisons and connectives give 1 or 0. */
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "and"
  | "or"
  | "not";

export type NumberExpression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "symbol"; readonly name: string }
  | {
      readonly kind: "apply";
      readonly operator: NumberOperator;
      readonly operands: readonly NumberExpression[];
    };

export const number = (value: number): NumberExpression => ({ kind: "number", value });
export const symbol = (name: string): NumberExpression => ({ kind: "symbol", name });
export const apply = (operator: NumberOperator, ...operands: NumberExpression[]): NumberExpression => ({
  kind: "apply",
  operator,
  operands,
});

/** Operator → function of its operands. `%` follows the sign of the divisor, `isqrt` rounds down. */
const operations: Record<NumberOperator, (...values: number[]) => number> = {
  "+": (...values) => values.reduce((sum, value) => sum + value, 0),
  "-": (a = 0, b = 0) => a - b,
  "*": (...values) => values.reduce((product, value) => product * value, 1),
  "/": (a = 0, b = 1) => a / b,
  "%": (a = 0, b = 1) => ((a % b) + b) % b,
  min: (...values) => Math.min(...values),
  max: (...values) => Math.max(...values),
  isqrt: (a = 0) => Math.floor(Math.sqrt(a)),
  sqrt: (a = 0) => Math.sqrt(a),
  floor: (a = 0) => Math.floor(a),
  ceil: (a = 0) => Math.ceil(a),
  round: (a = 0) => Math.round(a),
  abs: (a = 0) => Math.abs(a),
  exp: (a = 0) => Math.exp(a),
  log: (a = 0) => Math.log(a),
  cos: (a = 0) => Math.cos(a),
  pow: (a = 0, b = 1) => a ** b,
  neg: (a = 0) => -a,
  "==": (a, b) => Number(a === b),
  "!=": (a, b) => Number(a !== b),
  "<": (a = 0, b = 0) => Number(a < b),
  "<=": (a = 0, b = 0) => Number(a <= b),
  ">": (a = 0, b = 0) => Number(a > b),
  ">=": (a = 0, b = 0) => Number(a >= b),
  and: (...values) => Number(values.every((value) => value !== 0)),
  or: (...values) => Number(values.some((value) => value !== 0)),
  not: (a) => Number(a === 0),
};

/** The value of an operator on numbers. */
export const applyOperator = (operator: NumberOperator, values: readonly number[]): number =>
  operations[operator](...values);

export const isOperator = (value: unknown): value is NumberOperator =>
  typeof value === "string" && Object.hasOwn(operations, value);

export type SymbolValues = ReadonlyMap<string, number>;

/** As much of a map as evaluating needs: some symbols get their value only when it is asked for. */
export interface SymbolLookup {
  get(symbol: string): number | undefined;
}

/**
 * The value of `expression`.
 * @throws RangeError when a symbol has no value.
 */
export function evaluateNumber(expression: NumberExpression, values: SymbolLookup): number {
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "symbol": {
      const value = values.get(expression.name);
      if (value === undefined) throw new RangeError(`\`${expression.name}\` has no value`);
      return value;
    }
    case "apply": {
      const { operator, operands } = expression;
      // Sums and products are most of a price, and prices are evaluated by the thousand.
      if (operator === "+") {
        let sum = 0;
        for (const operand of operands) sum += evaluateNumber(operand, values);
        return sum;
      }
      if (operator === "*") {
        let product = 1;
        for (const operand of operands) product *= evaluateNumber(operand, values);
        return product;
      }
      return operations[operator](...operands.map((operand) => evaluateNumber(operand, values)));
    }
  }
}

/** The symbols that `expression` reads, each once, in order of first appearance. */
export function symbolsOf(expression: NumberExpression): string[] {
  const found = new Set<string>();
  const visit = (node: NumberExpression): void => {
    if (node.kind === "symbol") found.add(node.name);
    if (node.kind === "apply") node.operands.forEach(visit);
  };
  visit(expression);
  return [...found];
}

const precedence: Partial<Record<NumberOperator, number>> = {
  or: 1,
  and: 2,
  "==": 4,
  "!=": 4,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  "%": 6,
};

/** The expression as the language would write it. */
export function printNumber(expression: NumberExpression, outer = 0): string {
  switch (expression.kind) {
    case "number":
      return String(expression.value);
    case "symbol":
      return expression.name;
    case "apply": {
      const { operator, operands } = expression;
      const level = precedence[operator];
      if (level === undefined) {
        const inner = operands.map((operand) => printNumber(operand)).join(", ");
        if (operator === "neg") return `-${printNumber(operands[0] ?? number(0), 7)}`;
        if (operator === "not") return `not ${printNumber(operands[0] ?? number(0), 3)}`;
        return `${operator}(${inner})`;
      }
      const text = operands
        .map((operand, index) => printNumber(operand, index === 0 ? level : level + 1))
        .join(` ${operator} `);
      return level < outer ? `(${text})` : text;
    }
  }
}
