// Every rule of the loop level has a program that breaks it; the printed form is fixed by one small kernel.
import { describe, expect, it } from "vitest";
import {
  assign,
  createBlock,
  createNames,
  declareRegister,
  define,
  loop,
  store,
  when,
} from "../../compiler/loop/loop-builder.ts";
import {
  add,
  batch,
  binary,
  compare,
  constant,
  f32,
  f32x16,
  fma,
  i32x16,
  int,
  load,
  mask,
  mul,
  permute,
  shuffle,
  splat,
  symbol,
  unary,
  vector,
  zeros,
} from "../../compiler/loop/loop-expression.ts";
import type {
  BufferDeclaration,
  LoopExpression,
  LoopProgram,
  LoopStatement,
} from "../../compiler/loop/loop-node.ts";
import { printLoop } from "../../compiler/loop/print-loop.ts";
import { verifyLoop } from "../../compiler/loop/verify-loop.ts";

const buffers: readonly BufferDeclaration[] = [
  { name: "w", element: "f32", space: "constant", length: mul(symbol("in"), int(16)) },
  { name: "x", element: "f32", space: "input", length: mul(batch, symbol("in")) },
  { name: "y", element: "f32", space: "output", length: mul(batch, int(16)) },
];

const program = (body: readonly LoopStatement[], change: Partial<LoopProgram> = {}): LoopProgram => ({
  name: "probe",
  level: "x86-64-v4",
  buffers,
  symbols: ["in"],
  phases: [{ name: "y", tile: "tile", tiles: batch, body }],
  ...change,
});

function dot(): LoopProgram {
  const block = createBlock(createNames(["in", "tile", "w", "x", "y"]));
  const base = define(block, "row", mul(symbol("tile"), symbol("in")));
  const sum = declareRegister(block, "sum", zeros);
  loop(block, "k", { from: int(0), to: symbol("in") }, (inner, k) => {
    const line = define(inner, "line", load("w", mul(k, int(16)), f32x16));
    assign(inner, sum, fma(line, splat(load("x", add(base, k), f32)), sum.read));
  });
  when(
    block,
    compare("lt", symbol("tile"), batch),
    (inner) => store(inner, "y", mul(symbol("tile"), int(16)), sum.read),
    (inner) => store(inner, "y", int(0), sum.read, int(3)),
  );
  return program(block.statements);
}

it("prints one statement a line", () => {
  expect(printLoop(dot())).toBe(`kernel probe for x86-64-v4 {
  symbols in
  constant w: f32[in * 16]
  input x: f32[batch * in]
  output y: f32[batch * 16]

  # y
  parallel tile in 0..batch {
    let row = tile * in
    register sum = f32x16(0)
    for k in 0..in {
      let line = w[k * 16 ..+ 16]
      sum = fma(line, splat(x[row + k]), sum)
    }
    if tile < batch {
      y[tile * 16 ..+ 16] = sum
    } else {
      y[0 ..+ min(16, 3)] = sum
    }
  }
}
`);
});

it("finds nothing wrong with a correct program", () => {
  expect(verifyLoop(dot())).toEqual([]);
});

const put = (value: LoopExpression, index: LoopExpression = int(0)): LoopStatement => ({
  kind: "store",
  buffer: "y",
  index,
  value,
  count: null,
});
const letOf = (name: string, value: LoopExpression): LoopStatement => ({ kind: "let", name, value });
const read = (name: string, type = f32x16): LoopExpression => ({ kind: "read", name, type });
const number = constant(f32, 1);

const broken: readonly { readonly rule: string; readonly of: LoopProgram }[] = [
  { rule: "a name is given once", of: program([letOf("a", number), letOf("a", number)]) },
  { rule: "a name is given once", of: program([], { symbols: ["in", "w"] }) },
  { rule: "a value is named before it is read", of: program([put(read("a"))]) },
  { rule: "a value is named before it is read", of: program([letOf("a", number), put(read("a"))]) },
  { rule: "an index is known where it is used", of: program([put(zeros, symbol("rows"))]) },
  {
    rule: "a register is declared before it is set, with the same type",
    of: program([{ kind: "set", name: "a", value: zeros }]),
  },
  {
    rule: "a register is declared before it is set, with the same type",
    of: program([letOf("a", zeros), { kind: "set", name: "a", value: zeros }]),
  },
  { rule: "both sides have one type", of: program([put(binary("add", zeros, number))]) },
  { rule: "bits are combined in integers or truths", of: program([put(binary("and", zeros, zeros))]) },
  { rule: "integers are shifted", of: program([put(binary("shl", zeros, zeros))]) },
  { rule: "the operands are floats of one type", of: program([put(fma(zeros, zeros, number))]) },
  {
    rule: "the table is f32x16 or f32x4",
    of: program([put(permute(constant(i32x16, 0), constant(i32x16, 0)))]),
  },
  { rule: "the index is i32x16", of: program([put(permute(zeros, zeros))]) },
  { rule: "the lanes exist", of: program([put(shuffle(zeros, zeros, [0, 32]))]) },
  { rule: "the lane exists", of: program([put({ kind: "extract", value: zeros, lane: 16 })]) },
  { rule: "a number is repeated", of: program([put(splat(zeros))]) },
  { rule: "the conversion exists", of: program([put({ kind: "convert", value: zeros, to: "i32" })]) },
  { rule: "the place is an index", of: program([put(load("x", number, f32x16))]) },
  {
    rule: "values have 1 or 16 lanes, parts of a transposed tile 2, 4 or 8",
    of: program([put(constant({ scalar: "f32", lanes: 3 }, 0))]),
  },
  { rule: "a load has the type of its buffer", of: program([put(load("x", int(0), i32x16))]) },
  { rule: "a load has the type of its buffer", of: program([put(load("z", int(0), f32x16))]) },
  {
    rule: "values are stored to outputs, results, workspaces and scratch of their type",
    of: program([{ kind: "store", buffer: "x", index: int(0), value: zeros, count: null }]),
  },
  {
    rule: "only packed operands are asked for ahead, by an index",
    of: program([{ kind: "prefetch", buffer: "y", index: int(0) }]),
  },
  {
    rule: "loop bounds are indices",
    of: program([
      { kind: "for", variable: "i", from: int(0), to: number, step: int(1), unroll: 1, body: [] },
    ]),
  },
  {
    rule: "a branch asks one truth",
    // biome-ignore lint/suspicious/noThenProperty: the field of the loop node.
    of: program([{ kind: "if", condition: number, then: [], otherwise: [] }]),
  },
  { rule: "an integer literal is a natural number", of: program([put(zeros, int(-1))]) },
  { rule: "the level is known", of: program([], { level: "x86-64-v5" }) },
  {
    rule: "lengths are made of symbols",
    of: program([], { buffers: [{ name: "t", element: "f32", space: "workspace", length: symbol("tile") }] }),
  },
  {
    rule: "scratch has a known length",
    of: program([], { buffers: [{ name: "t", element: "f32", space: "local", length: symbol("batch") }] }),
  },
  {
    rule: "values are stored to outputs, results, workspaces and scratch of their type",
    of: program([{ kind: "store", buffer: "y", index: int(0), value: constant(i32x16, 0), count: null }]),
  },
  { rule: "truths become bits", of: program([put(mask(zeros))]) },
  {
    rule: "bits of integers are counted, roots of floats are taken",
    of: program([put(unary("popcount", zeros))]),
  },
  { rule: "an integer literal is a natural number", of: program([put(vector("i32", [1, -1]))]) },
  {
    rule: "16 floats are stored by 16 truths to a buffer of floats",
    of: program([{ kind: "compress", buffer: "y", index: int(0), value: zeros, where: zeros }]),
  },
  {
    rule: "tiles are counted from symbols",
    of: program([], { phases: [{ name: "y", tile: "tile", tiles: load("x", int(0), f32), body: [] }] }),
  },
];

describe("names the broken rule", () => {
  it.each(broken)("$rule", ({ rule, of }) => {
    expect(verifyLoop(of).map((violation) => violation.rule)).toContain(rule);
  });
});
