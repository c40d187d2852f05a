/**
 * Smaller cases that still differ at the same level: a subtree for its parent, a leaf for a subtree, fewer terms,
 * smaller sizes, fewer batches. Greedy: the first that still differs is the new start.
 */
import { sameDimension } from "../../compiler/types/dimension.ts";
import { printNumber } from "../../runtime/contract/number-expression.ts";
import { interestingSizes, meetsConditions } from "./choose-sizes.ts";
import { childrenOf, mapChildren, nodesOf } from "./expression-parts.ts";
import type { SweepCase } from "./loaded-case.ts";
import type { Expression, Shape, TensorDeclaration } from "./program.ts";
import type { LevelFault } from "./road.ts";

export interface Shrunk {
  readonly one: SweepCase;
  readonly fault: LevelFault;
}

const sameShape = (a: Shape, b: Shape): boolean =>
  sameDimension(a.rows, b.rows) && sameDimension(a.columns, b.columns);

const leaves = new Map<string, Expression>();

/** One frozen tensor for each shape. */
function frozenLeaf({ rows, columns }: Shape): Expression {
  const key = `${printNumber(rows)}, ${printNumber(columns)}`;
  const known = leaves.get(key);
  if (known !== undefined) return known;
  const tensor: TensorDeclaration = {
    name: `Leaf${leaves.size}`,
    role: "frozen",
    structure: "dense",
    rows,
    columns,
    stack: null,
    support: null,
    blocks: null,
    formula: null,
  };
  const made: Expression = { kind: "tensor", tensor, slice: null, rows, columns };
  leaves.set(key, made);
  return made;
}

const isFrozenLeaf = (expression: Expression): boolean => [...leaves.values()].includes(expression);

const countOf = (expression: Expression): number => [...nodesOf(expression)].length;

/** What may stand for `expression`, smaller first. */
function* smaller(expression: Expression): Generator<Expression> {
  const children = childrenOf(expression);
  if (!isFrozenLeaf(expression)) yield frozenLeaf(expression);
  for (const node of nodesOf(expression)) if (node !== expression && sameShape(node, expression)) yield node;
  if (expression.kind === "sum" && children.length > 2) {
    for (let left = 0; left < children.length; left++)
      yield {
        ...expression,
        terms: expression.terms.filter((_, index) => index !== left),
        minus: expression.minus.filter((_, index) => index !== left),
      };
  }
  if (expression.kind === "call") yield expression.function.body(expression.operands, expression.numbers);
  if (expression.kind === "let") yield expression.value;
  for (const [index, child] of children.entries()) {
    for (const less of smaller(child))
      yield mapChildren(renamed(expression), (other, at) => (at === index ? less : other));
  }
}

/** Other uses of a name keep the value that it had. */
const renamed = (expression: Expression): Expression =>
  expression.kind === "let" ? { ...expression, name: `${expression.name}_` } : expression;

function* smallerCases(one: SweepCase): Generator<SweepCase> {
  const size = countOf(one.program.weight);
  for (const weight of smaller(one.program.weight)) {
    const program = { ...one.program, weight };
    if (countOf(weight) <= size && meetsConditions(program, one.sizes)) yield { ...one, program };
  }
  for (const pin of one.program.pins)
    yield { ...one, program: { ...one.program, pins: one.program.pins.filter((other) => other !== pin) } };
  if (one.program.stated) yield { ...one, program: { ...one.program, stated: false } };
  for (const name of one.program.dimensions) {
    const now = one.sizes.get(name) ?? 1;
    for (const less of interestingSizes) {
      if (less >= now) break;
      const sizes = new Map([...one.sizes, [name, less]]);
      if (meetsConditions(one.program, sizes)) yield { ...one, sizes };
    }
  }
  if (one.batches.length > 1) for (const batch of one.batches) yield { ...one, batches: [batch] };
}

const weightOfNode = (node: Expression): number => {
  if (isFrozenLeaf(node)) return 9;
  if (childrenOf(node).length === 0) return 10;
  return node.kind === "call" || node.kind === "let" ? 30 : 20;
};

/** A measure that every accepted step makes smaller. */
const weightOf = ({ program, sizes, batches }: SweepCase): number => {
  const kinds = [...nodesOf(program.weight)].reduce((sum, node) => sum + weightOfNode(node), 0);
  const extent = program.dimensions.reduce((sum, name) => sum + (sizes.get(name) ?? 0) / 100, 0);
  return kinds + extent + batches.length / 100 + Number(program.stated) + program.pins.length;
};

/** At one level, and with one diagnostic where there is one: a smaller program may well be wrong in another way. */
const isSame = (found: LevelFault, fault: LevelFault): boolean =>
  found.level === fault.level && codeIn(found) === codeIn(fault);
const codeIn = ({ message }: LevelFault): string => /SPX\d{4}/.exec(message)?.[0] ?? "";

/** The smallest case found with `tries` candidates; `fails` says how a case differs. */
export async function shrinkCase(
  one: SweepCase,
  fault: LevelFault,
  fails: (candidate: SweepCase) => Promise<LevelFault | null>,
  tries: number,
): Promise<Shrunk> {
  let best: Shrunk = { one, fault };
  let left = tries;
  for (let progress = true; progress && left > 0; ) {
    progress = false;
    for (const candidate of smallerCases(best.one)) {
      if (weightOf(candidate) >= weightOf(best.one)) continue;
      if (left-- <= 0) break;
      const found = await fails(candidate);
      if (found === null || !isSame(found, fault)) continue;
      best = { one: candidate, fault: found };
      progress = true;
      break;
    }
  }
  return best;
}
