/**
 * Construction of loop statements: fresh names and collectors of statements. Loops and branches whose
 * condition is already known disappear here, so that lowering code needs no special cases.
 */
import { add, compare, int, knownInt, min, mul, symbol, typeOf } from "./loop-expression.ts";
import type { LoopExpression, LoopStatement, ValueType } from "./loop-node.ts";

/** Gives out names, each once in a program. */
export interface Names {
  /** `hint`, or `hint` with a number when it is taken. */
  fresh(hint: string): string;
}

export function createNames(reserved: Iterable<string>): Names {
  const taken = new Set(reserved);
  const next = new Map<string, number>();
  return {
    fresh(hint) {
      let name = hint;
      for (let count = next.get(hint) ?? 2; taken.has(name); count++) {
        name = `${hint}_${count}`;
        next.set(hint, count + 1);
      }
      taken.add(name);
      return name;
    },
  };
}

/** Where statements are collected. */
export interface Block {
  readonly statements: LoopStatement[];
  readonly names: Names;
}

export const createBlock = (names: Names): Block => ({ statements: [], names });

/** Names the present value of an expression that reads registers, so that later assignments leave it alone. */
export function snapshot(block: Block, hint: string, value: LoopExpression): LoopExpression {
  const name = block.names.fresh(hint);
  block.statements.push({ kind: "let", name, value });
  return { kind: "read", name, type: typeOf(value) };
}

/** A mutable value that lives in a machine register. */
export interface Register {
  readonly name: string;
  readonly type: ValueType;
  readonly read: LoopExpression;
}

/** Names the value of an expression; literals and names stand for themselves. */
export function define(block: Block, hint: string, value: LoopExpression): LoopExpression {
  const named = value.kind === "constant" || value.kind === "symbol" || value.kind === "read";
  return named ? value : snapshot(block, hint, value);
}

export function declareRegister(block: Block, hint: string, initial: LoopExpression): Register {
  const name = block.names.fresh(hint);
  const type = typeOf(initial);
  block.statements.push({ kind: "register", name, initial });
  return { name, type, read: { kind: "read", name, type } };
}

export function assign(block: Block, register: Register, value: LoopExpression): void {
  block.statements.push({ kind: "set", name: register.name, value });
}

export function store(
  block: Block,
  buffer: string,
  index: LoopExpression,
  value: LoopExpression,
  count: LoopExpression | null = null,
): void {
  block.statements.push({ kind: "store", buffer, index, value, count });
}

/** Stores the lanes for which `where` holds; see the statement. */
export function compress(
  block: Block,
  buffer: string,
  index: LoopExpression,
  value: LoopExpression,
  where: LoopExpression,
): void {
  block.statements.push({ kind: "compress", buffer, index, value, where });
}

/** Asks for the cache line of an element of a packed operand, which may lie outside the buffer. */
export function prefetch(block: Block, buffer: string, index: LoopExpression): void {
  block.statements.push({ kind: "prefetch", buffer, index });
}

export interface LoopRange {
  readonly from: LoopExpression;
  readonly to: LoopExpression;
  readonly step?: number;
}

/** Loops that are known to turn no more often than this are written out. */
const mostUnrolledTurns = 4;

/** A serial loop; one that is known to run at most once leaves its body, or nothing. */
export function loop(
  block: Block,
  hint: string,
  range: LoopRange,
  body: (inner: Block, variable: LoopExpression) => void,
): void {
  const { from, to, step = 1 } = range;
  const first = knownInt(from);
  const end = knownInt(to);
  if (first !== null && end !== null) {
    if (first >= end) return;
    if (first + step >= end) {
      body(block, from);
      return;
    }
  }
  const turns = first !== null && end !== null ? Math.ceil((end - first) / step) : Number.POSITIVE_INFINITY;
  const unroll = turns <= mostUnrolledTurns ? turns : 1;
  const variable = block.names.fresh(hint);
  const inner = createBlock(block.names);
  body(inner, symbol(variable));
  block.statements.push({ kind: "for", variable, from, to, step: int(step), unroll, body: inner.statements });
}

/** A branch; one whose condition is known leaves the side that is taken. */
export function when(
  block: Block,
  condition: LoopExpression,
  then: (inner: Block) => void,
  otherwise: (inner: Block) => void = () => {},
): void {
  if (condition.kind === "constant") {
    (condition.value === 0 ? otherwise : then)(block);
    return;
  }
  const thenBlock = createBlock(block.names);
  then(thenBlock);
  const otherwiseBlock = createBlock(block.names);
  otherwise(otherwiseBlock);
  block.statements.push({
    kind: "if",
    condition,
    // biome-ignore lint/suspicious/noThenProperty: `then` is the field of the loop node, which nobody awaits.
    then: thenBlock.statements,
    otherwise: otherwiseBlock.statements,
  });
}

/** The sub-range of `total` units that belongs to `tile` when each tile takes `each` of them. */
export function tileRange(
  tile: LoopExpression,
  each: LoopExpression,
  total: LoopExpression,
): { readonly from: LoopExpression; readonly to: LoopExpression } {
  const from = mul(tile, each);
  return { from, to: min(total, add(from, each)) };
}

/** Runs `body` with the exact number that `count` (1 to `most`) turns out to be. */
export function forExactCount(
  block: Block,
  count: LoopExpression,
  most: number,
  body: (inner: Block, exact: number) => void,
): void {
  if (most < 1) return;
  const chain = (inner: Block, exact: number): void =>
    when(
      inner,
      compare("eq", count, int(exact)),
      (taken) => body(taken, exact),
      (rest) => {
        if (exact > 1) chain(rest, exact - 1);
      },
    );
  chain(block, most);
}
