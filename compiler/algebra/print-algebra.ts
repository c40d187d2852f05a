/** Two printed forms of the algebra: one line as the language writes it, and a listing with one numbered term a line. */
import { type NumberExpression, number, printNumber } from "../../runtime/contract/number-expression.ts";
import { addNumbers, childrenOf } from "./algebra-graph.ts";
import type { AlgebraGraph, Term } from "./algebra-node.ts";
import { describeStructure, structureOf } from "./infer-structure.ts";

/** How tightly the outermost operator of a printed term binds: sums 1, products 2, everything else 3. */
const binding = (term: Term): number => {
  switch (term.kind) {
    case "sum":
      return 1;
    case "chain":
    case "scale":
    case "mask":
    case "hadamard":
      return 2;
    default:
      return 3;
  }
};

const enclosed = (term: Term): string => (binding(term) < 3 ? `(${printTerm(term)})` : printTerm(term));

/** A number in front of `*`. */
export const printFactor = (factor: NumberExpression): string =>
  factor.kind === "apply" ? `(${printNumber(factor)})` : printNumber(factor);

/** `M .* W + (alpha / r) * (B @ A + S)`: neighbours in a sum that share a scale are printed under one. */
export function printTerm(term: Term): string {
  switch (term.kind) {
    case "leaf":
      return term.slice === null ? term.tensor.name : `${term.tensor.name}[${term.slice}]`;
    case "diag":
      return `diag(${term.tensor.name})`;
    case "indicator":
      return printIndicator(term.pattern.name);
    case "identity":
      return `I(${printNumber(term.rows)})`;
    case "zero":
      return "0";
    case "permutation":
      return `P(${printNumber(term.stride)})`;
    case "window":
      return `I[${printWindow(term)}]`;
    case "sum":
      return printSum(term.terms);
    case "chain":
      return term.factors.map(enclosed).join(" @ ");
    case "scale":
      return `${printFactor(term.factor)} * ${enclosed(term.operand)}`;
    case "transpose":
      return `${enclosed(term.operand)}.T`;
    case "mask":
      return `${term.pattern.name} .* ${enclosed(term.operand)}`;
    case "hadamard":
      return term.factors.map(enclosed).join(" .* ");
    case "kron":
      return `kron(${term.factors.map(printTerm).join(", ")})`;
    case "blockdiag":
      return `blockdiag(${term.blocks.map(printTerm).join(", ")})`;
  }
}

/** `0 .. r`, `r .. r + s`: the features that a window takes. */
export const printWindow = ({
  rows,
  offset,
}: {
  readonly rows: NumberExpression;
  readonly offset: NumberExpression;
}): string => `${printNumber(offset)} .. ${printNumber(addNumbers(offset, rows))}`;

/** A selector is called by its own name, every other 0/1 matrix by that of its pattern. */
export const printIndicator = (pattern: string): string =>
  pattern.includes("(") ? pattern : `indicator(${pattern})`;

function printSum(terms: readonly Term[]): string {
  const groups: { readonly factor: NumberExpression; readonly members: Term[] }[] = [];
  for (const term of terms) {
    const { factor, operand } = term.kind === "scale" ? term : { factor: number(1), operand: term };
    const before = groups.at(-1);
    if (before !== undefined && printNumber(before.factor) === printNumber(factor))
      before.members.push(operand);
    else groups.push({ factor, members: [operand] });
  }
  return groups
    .map(({ factor, members }) => {
      const inside = members
        .map((member) => (binding(member) === 1 ? `(${printTerm(member)})` : printTerm(member)))
        .join(" + ");
      if (printNumber(factor) === "1") return inside;
      const [only] = members;
      return `${printFactor(factor)} * ${members.length > 1 || only === undefined ? `(${inside})` : enclosed(only)}`;
    })
    .join(" + ");
}

const shapeOf = (term: Term): string => `[${printNumber(term.rows)}, ${printNumber(term.columns)}]`;

function head(term: Term): string {
  switch (term.kind) {
    case "leaf":
    case "diag": {
      const slice = term.kind === "leaf" && term.slice !== null ? `[${term.slice}]` : "";
      const structure = term.tensor.structure === "dense" ? "" : ` ${term.tensor.structure}`;
      return `${term.kind} ${term.tensor.name}${slice} ${term.tensor.role}${structure}`;
    }
    case "scale":
      return `scale ${printFactor(term.factor)}`;
    case "mask":
      return `mask ${term.pattern.mode === "structural" ? "" : `${term.pattern.mode} `}${term.pattern.name}`;
    case "window":
      return `window ${printWindow(term)}`;
    case "indicator":
      return `indicator ${term.pattern.name}`;
    case "permutation":
      return `permutation ${printFactor(term.stride)}`;
    default:
      return term.kind;
  }
}

/** What is inferred of a term that has operands, in the normal form. */
function structureText({ rules }: AlgebraGraph, term: Term): string {
  if (rules === undefined || childrenOf(term).length === 0) return "";
  const words = describeStructure(structureOf(term), term);
  return words.length === 0 ? "" : `  # ${words.join("; ")}`;
}

/**
 * One line a term, operands first, numbered in that order:
 * ```
 * algebra DSEE: M .* W + (alpha / r) * (B @ A + S)
 *   %1 = leaf W frozen [out, in]
 *   %2 = mask M %1 [out, in]  # zero off M
 * ```
 * In the normal form what is inferred of a term follows it.
 */
export function printAlgebra(graph: AlgebraGraph): string {
  const numbers = new Map<Term, number>();
  const lines: string[] = [];
  const visit = (term: Term): number => {
    const known = numbers.get(term);
    if (known !== undefined) return known;
    const operands = childrenOf(term).map((child) => ` %${visit(child)}`);
    const own = numbers.size + 1;
    numbers.set(term, own);
    lines.push(`  %${own} = ${head(term)}${operands.join("")} ${shapeOf(term)}${structureText(graph, term)}`);
    return own;
  };
  visit(graph.root);
  const rules =
    graph.rules === undefined || graph.rules.length === 0 ? [] : [`  rules: ${graph.rules.join(", ")}`];
  return [`algebra ${graph.transform}: ${printTerm(graph.root)}`, ...lines, ...rules, ""].join("\n");
}
