/**
 * Kernels that do one thing as fast as the machine can: read, copy, multiply-add, permute. Written at the loop level and
 * compiled like every other kernel, so that a probe and what it bounds have the same code generator and thread pool.
 */
import { add, int, mul, symbol } from "../../compiler/loop/loop-expression.ts";
import type { LoopExpression, LoopProgram, LoopStatement, ValueType } from "../../compiler/loop/loop-node.ts";

const vector: ValueType = { scalar: "f32", lanes: 16 };
const integers: ValueType = { scalar: "i32", lanes: 16 };

/** Independent chains: more than latency x throughput of a multiply-add on any core so far, and few enough registers. */
const chains = 12;

const read = (name: string): LoopExpression => ({ kind: "read", name, type: vector });
const names = (name: string): readonly string[] =>
  Array.from({ length: chains }, (_, index) => `${name}_${index}`);
const constant = (type: ValueType, value: number): LoopExpression => ({ kind: "constant", type, value });
const start = (name: string, value: LoopExpression = constant(vector, 0)): LoopStatement => ({
  kind: "register",
  name,
  initial: value,
});

/** What keeps the chains from being removed: their sum, one line of y for each tile. */
function storeSum(registers: readonly string[]): LoopStatement {
  const value = registers
    .map(read)
    .reduce((left, right) => ({ kind: "binary", operator: "add", left, right }));
  return { kind: "store", buffer: "y", index: mul(symbol("tile"), int(16)), value, count: null };
}

function program(
  name: string,
  level: string,
  body: readonly LoopStatement[],
  buffers: LoopProgram["buffers"],
  /** A line for each tile, unless the probe writes more. */
  length = mul(symbol("tiles"), int(16)),
): LoopProgram {
  const y = { name: "y", element: "f32", space: "output", length } as const;
  return {
    name,
    level,
    buffers: [...buffers, y],
    symbols: ["tiles", "lines"],
    phases: [{ name: "probe", tile: "tile", tiles: symbol("tiles"), body }],
  };
}

const loop = (body: readonly LoopStatement[], unroll = 1): LoopStatement => ({
  kind: "for",
  variable: "line",
  from: int(0),
  to: symbol("lines"),
  step: int(chains),
  unroll,
  body,
});

/** Element of line `index` after the present one; a tile is `lines` lines of 64 bytes. */
const lineAt = (index: number): LoopExpression =>
  mul(add(add(mul(symbol("tile"), symbol("lines")), symbol("line")), int(index)), int(16));

const allLines = mul(mul(symbol("tiles"), symbol("lines")), int(16));
const data = { name: "data", element: "f32", space: "constant", length: allLines } as const;
const lineOfData = (index: number): LoopExpression => ({
  kind: "load",
  buffer: "data",
  index: lineAt(index),
  type: vector,
  count: null,
});

/** A tile writes `lines` lines of `data` to the same place of y. */
function copyProgram(level: string, suffix: string): LoopProgram {
  const body = names("line").map(
    (_, index): LoopStatement => ({
      kind: "store",
      buffer: "y",
      index: lineAt(index),
      value: lineOfData(index),
      count: null,
    }),
  );
  return program(`probe_copy_${suffix}`, level, [loop(body)], [data], allLines);
}

/** A tile sums `lines` lines of `data`; `lines` is a multiple of `probeLines`. */
function readProgram(level: string, suffix: string): LoopProgram {
  const sums = names("sum");
  const body = sums.map(
    (name, index): LoopStatement => ({
      kind: "set",
      name,
      value: {
        kind: "binary",
        operator: "add",
        left: read(name),
        right: lineOfData(index),
      },
    }),
  );
  return program(
    `probe_read_${suffix}`,
    level,
    [...sums.map((name) => start(name)), loop(body), storeSum(sums)],
    [data],
  );
}

/** `lines` multiply-adds of 16 lanes a tile, in independent chains that touch no memory. */
function multiplyProgram(level: string, suffix: string): LoopProgram {
  const sums = names("sum");
  const factor = constant(vector, 0.5);
  const body = sums.map(
    (name): LoopStatement => ({
      kind: "set",
      name,
      value: { kind: "fma", a: read(name), b: factor, c: factor },
    }),
  );
  const initial = sums.map((name, index) => start(name, constant(vector, index)));
  return program(`probe_multiply_${suffix}`, level, [...initial, loop(body, 4), storeSum(sums)], []);
}

/** `lines` permutes of 16 lanes a tile, each of the result of an earlier one. */
function permuteProgram(level: string, suffix: string): LoopProgram {
  const values = names("value");
  const index: LoopExpression = { kind: "read", name: "index", type: integers };
  const body = values.map(
    (name): LoopStatement => ({
      kind: "set",
      name,
      value: { kind: "permute", table: read(name), index },
    }),
  );
  const load: LoopStatement = {
    kind: "let",
    name: "index",
    value: { kind: "load", buffer: "order", index: int(0), type: integers, count: null },
  };
  const order = { name: "order", element: "i32", space: "constant", length: int(16) } as const;
  const initial = values.map((name, place) => start(name, constant(vector, place)));
  return program(
    `probe_permute_${suffix}`,
    level,
    [load, ...initial, loop(body, 4), storeSum(values)],
    [order],
  );
}

/** Lines of a tile come in multiples of this. */
export const probeLines = chains;

export const probePrograms = (level: string, suffix: string): readonly LoopProgram[] => [
  readProgram(level, suffix),
  copyProgram(level, suffix),
  multiplyProgram(level, suffix),
  permuteProgram(level, suffix),
];
