/**
 * The reference back end: runs a loop program over typed arrays, slowly and suspiciously. Every access is
 * bounds-checked, workspaces and the scratch of each tile start as NaN, tiles run in any order, and two tiles of a
 * phase may not meet.
 */

import { narrowToHalves } from "../../../runtime/tensor/half-precision.ts";
import { comparisons } from "../../loop/index-arithmetic.ts";
import { isFloat, typeOf } from "../../loop/loop-expression.ts";
import type {
  BinaryOperator,
  BufferElement,
  LoopExpression,
  LoopProgram,
  LoopStatement,
  Scalar,
  UnaryOperator,
} from "../../loop/loop-node.ts";
import { floatOfBits } from "./float-bits.ts";

export type BufferData =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Int8Array;

export interface LoopRun {
  /** The `constant`, `input` and `output` buffers by name. */
  readonly buffers: ReadonlyMap<string, BufferData>;
  readonly symbols: ReadonlyMap<string, number>;
  readonly batch: number;
  /** The order in which `count` tiles run; ascending when left out. */
  readonly tileOrder?: (count: number) => readonly number[];
}

/** A program did what a correct one never does; the message says where. */
export class LoopFault extends Error {}

type Value = number | readonly number[];

const arithmetic: Record<BinaryOperator, (a: number, b: number, scalar: Scalar) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b, scalar) => (isFloat(scalar) ? a / b : Math.floor(a / b)),
  rem: (a, b) => a % b,
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  and: (a, b, scalar) => (scalar === "i64" ? Number(BigInt(a) & BigInt(b)) : (a & b) >>> 0),
  or: (a, b, scalar) => (scalar === "i64" ? Number(BigInt(a) | BigInt(b)) : (a | b) >>> 0),
  shl: (a, b) => a * 2 ** b,
  shr: (a, b) => Math.floor(a / 2 ** b),
};

function bitCount(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

const unaryOperations: Readonly<Record<UnaryOperator, (value: number) => number>> = {
  popcount: bitCount,
  sqrt: Math.sqrt,
};

/** Memory of a program's own, in which every element holds what no correct program reads. */
const poisoned: Readonly<Record<BufferElement, (length: number) => BufferData>> = {
  f32: (length) => new Float32Array(length).fill(Number.NaN),
  f64: (length) => new Float64Array(length).fill(Number.NaN),
  i32: (length) => new Int32Array(length).fill(0x7ead7ead),
  u32: (length) => new Uint32Array(length).fill(0x7ead7ead),
  u16: (length) => new Uint16Array(length).fill(0xdead),
  u8: (length) => new Uint8Array(length).fill(0xad),
  i8: (length) => new Int8Array(length).fill(-83),
};

/** The result as its type holds it. */
function rounded(value: number, scalar: Scalar): number {
  if (scalar === "f32") return Math.fround(value);
  if (scalar === "i32") return value >>> 0;
  if (scalar === "i64" && !Number.isSafeInteger(value)) throw new LoopFault(`index ${value} is no integer`);
  return value;
}

const map = (value: Value, change: (item: number) => number): Value =>
  typeof value === "number" ? change(value) : value.map(change);
const zip = (a: Value, b: Value, join: (left: number, right: number) => number): Value =>
  typeof a === "number"
    ? join(a, b as number)
    : a.map((item, lane) => join(item, (b as readonly number[])[lane] ?? NaN));
const scalarOf = (value: Value): number => {
  if (typeof value !== "number") throw new LoopFault("a vector where a number is needed");
  return value;
};
const vectorOf = (value: Value): readonly number[] => (typeof value === "number" ? [value] : value);

/** The two bfloat16 numbers of an i32, the low half first. */
const pairOf = (bits: number): readonly [number, number] => [
  floatOfBits((bits << 16) >>> 0),
  floatOfBits((bits & 0xffff_0000) >>> 0),
];

/** The sum with both products, rounded after each: products of bfloat16 are exact. */
const pairSum = (sum: number, [a, c]: readonly [number, number], [b, d]: readonly [number, number]): number =>
  Math.fround(Math.fround(sum + c * d) + a * b);

/** Remembers which tile touched which element in the present phase. */
interface Touches {
  readonly written: Map<number, number>;
  readonly read: Map<number, number>;
}

/**
 * Runs `program`, writing its output buffers in place.
 * @throws LoopFault for an access out of bounds, tiles that meet, a missing buffer or symbol.
 */
export function interpretLoop(program: LoopProgram, run: LoopRun): void {
  const names = new Map<string, Value>([...run.symbols, ["batch", run.batch]]);
  const buffers = new Map<string, BufferData>(run.buffers);
  const scratch = new Map<string, () => BufferData>();
  let touches = new Map<string, Touches>();
  let tile = 0;

  const lookUp = (name: string): Value => {
    const value = names.get(name);
    if (value === undefined) throw new LoopFault(`${name} has no value`);
    return value;
  };

  function touch(kind: "read" | "written", buffer: string, index: number): BufferData {
    const data = buffers.get(buffer);
    if (data === undefined) throw new LoopFault(`no buffer ${buffer}`);
    if (index < 0 || index >= data.length)
      throw new LoopFault(`${buffer}[${index}] of ${data.length} ${kind} by tile ${tile}`);
    const marks = touches.get(buffer) ?? { written: new Map(), read: new Map() };
    touches.set(buffer, marks);
    const met = marks.written.get(index) ?? (kind === "written" ? marks.read.get(index) : undefined);
    if (met !== undefined && met !== tile)
      throw new LoopFault(`tiles ${met} and ${tile} meet at ${buffer}[${index}]`);
    marks[kind].set(index, tile);
    return data;
  }

  const countOf = (count: LoopExpression | null, lanes: number): number =>
    count === null ? lanes : Math.min(lanes, scalarOf(evaluate(count)));

  function evaluate(node: LoopExpression): Value {
    switch (node.kind) {
      case "constant":
        return node.type.lanes === 1 ? node.value : Array.from({ length: node.type.lanes }, () => node.value);
      case "vector":
        return node.values;
      case "symbol":
      case "read":
        return lookUp(node.name);
      case "unary":
        return map(evaluate(node.value), (item) =>
          rounded(unaryOperations[node.operator](item), typeOf(node).scalar),
        );
      case "binary": {
        const { scalar } = typeOf(node.left);
        const operation = arithmetic[node.operator];
        return zip(evaluate(node.left), evaluate(node.right), (a, b) =>
          rounded(operation(a, b, scalar), scalar),
        );
      }
      case "compare":
        return zip(evaluate(node.left), evaluate(node.right), (a, b) =>
          Number(comparisons[node.operator](a, b)),
        );
      case "select": {
        const condition = evaluate(node.condition);
        const [yes, no] = [evaluate(node.whenTrue), evaluate(node.whenFalse)];
        if (typeof condition === "number") return condition === 0 ? no : yes;
        return condition.map((taken, lane) => vectorOf(taken === 0 ? no : yes)[lane] ?? NaN);
      }
      case "fma": {
        const product = zip(evaluate(node.a), evaluate(node.b), (a, b) => a * b);
        const { scalar } = typeOf(node.a);
        return zip(product, evaluate(node.c), (ab, c) => rounded(ab + c, scalar));
      }
      case "pair-dot": {
        const [a, b] = [vectorOf(evaluate(node.a)), vectorOf(evaluate(node.b))];
        return vectorOf(evaluate(node.c)).map((sum, lane) =>
          pairSum(sum, pairOf(a[lane] ?? NaN), pairOf(b[lane] ?? NaN)),
        );
      }
      case "round-pairs": {
        const halves = [node.low, node.high].flatMap((half) => vectorOf(evaluate(half)));
        const bits = narrowToHalves("bf16", Float32Array.from(halves));
        return Array.from({ length: bits.length / 2 }, (_, pair) => {
          const [first = 0, second = 0] = bits.subarray(2 * pair, 2 * pair + 2);
          return (first | (second << 16)) >>> 0;
        });
      }
      case "load": {
        const start = scalarOf(evaluate(node.index));
        const count = countOf(node.count, node.type.lanes);
        const items = Array.from({ length: node.type.lanes }, (_, lane) =>
          lane < count ? (touch("read", node.buffer, start + lane)[start + lane] ?? NaN) : 0,
        );
        return node.type.lanes === 1 ? (items[0] ?? NaN) : items;
      }
      case "splat": {
        const value = scalarOf(evaluate(node.value));
        return Array.from({ length: node.lanes }, () => value);
      }
      case "convert":
        return map(evaluate(node.value), (item) => rounded(item, node.to));
      case "reinterpret":
        return map(evaluate(node.value), floatOfBits);
      case "mask":
        return vectorOf(evaluate(node.value)).reduce((all, taken, lane) => all + taken * 2 ** lane, 0);
      case "permute": {
        const table = vectorOf(evaluate(node.table));
        return map(evaluate(node.index), (lane) => table[lane & (table.length - 1)] ?? NaN);
      }
      case "shuffle": {
        const both = [...vectorOf(evaluate(node.left)), ...vectorOf(evaluate(node.right))];
        return node.lanes.map((lane) => both[lane] ?? NaN);
      }
      case "extract":
        return vectorOf(evaluate(node.value))[node.lane] ?? NaN;
    }
  }

  function execute(node: LoopStatement): void {
    switch (node.kind) {
      case "for": {
        const to = scalarOf(evaluate(node.to));
        const step = scalarOf(evaluate(node.step));
        if (step <= 0) throw new LoopFault(`loop over ${node.variable} does not advance`);
        for (let at = scalarOf(evaluate(node.from)); at < to; at += step) {
          names.set(node.variable, at);
          node.body.forEach(execute);
        }
        return;
      }
      case "let":
      case "set":
        names.set(node.name, evaluate(node.value));
        return;
      case "register":
        names.set(node.name, evaluate(node.initial));
        return;
      case "store": {
        const start = scalarOf(evaluate(node.index));
        const items = vectorOf(evaluate(node.value));
        const count = countOf(node.count, items.length);
        for (let lane = 0; lane < count; lane++) {
          touch("written", node.buffer, start + lane)[start + lane] = items[lane] ?? NaN;
        }
        return;
      }
      case "compress": {
        const start = scalarOf(evaluate(node.index));
        const truths = vectorOf(evaluate(node.where));
        const kept = vectorOf(evaluate(node.value)).filter((_, lane) => truths[lane] !== 0);
        for (let lane = 0; lane < truths.length; lane++) {
          touch("written", node.buffer, start + lane)[start + lane] = kept[lane] ?? NaN;
        }
        return;
      }
      case "prefetch":
        // The index must have a value; the line may lie anywhere.
        scalarOf(evaluate(node.index));
        return;
      case "if":
        (scalarOf(evaluate(node.condition)) === 0 ? node.otherwise : node.then).forEach(execute);
    }
  }

  for (const { name, space, element, length } of program.buffers) {
    const expected = scalarOf(evaluate(length));
    if (space === "workspace") buffers.set(name, poisoned[element](expected));
    if (space === "local") scratch.set(name, () => poisoned[element](expected));
    if (space === "local") continue;
    const found = buffers.get(name)?.length ?? -1;
    if (found < expected) throw new LoopFault(`buffer ${name} has ${found} of ${expected} elements`);
  }
  for (const phase of program.phases) {
    touches = new Map();
    const count = scalarOf(evaluate(phase.tiles));
    for (const number of run.tileOrder?.(count) ?? Array.from({ length: count }, (_, at) => at)) {
      tile = number;
      for (const [name, fresh] of scratch) {
        buffers.set(name, fresh());
        touches.delete(name);
      }
      names.set(phase.tile, tile);
      phase.body.forEach(execute);
    }
  }
}
