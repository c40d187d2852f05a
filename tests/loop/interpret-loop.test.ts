// The reference back end has to refuse what a correct program never does, and to compute like binary32.
import { describe, expect, it } from "vitest";
import { interpretLoop, LoopFault } from "../../compiler/backend/reference/interpret-loop.ts";
import {
  assign,
  createBlock,
  createNames,
  declareRegister,
  loop,
  store,
} from "../../compiler/loop/loop-builder.ts";
import {
  add,
  batch,
  binary,
  constant,
  convert,
  extract,
  f32,
  f32x16,
  fma,
  int,
  load,
  mul,
  permute,
  shuffle,
  splat,
  symbol,
} from "../../compiler/loop/loop-expression.ts";
import type { BufferDeclaration, LoopExpression, LoopProgram } from "../../compiler/loop/loop-node.ts";

const buffer = (
  name: string,
  space: BufferDeclaration["space"],
  length: LoopExpression,
  element: BufferDeclaration["element"] = "f32",
): BufferDeclaration => ({ name, space, length, element });

/** One phase whose body `fill` writes; `tile` is the tile variable. */
function program(tiles: LoopExpression, fill: (block: ReturnType<typeof createBlock>) => void): LoopProgram {
  const block = createBlock(createNames(["tile"]));
  fill(block);
  return {
    name: "probe",
    level: "x86-64-v3",
    buffers: [
      buffer("x", "input", int(0)),
      buffer("y", "output", int(0)),
      buffer("scratch", "workspace", int(16)),
      buffer("bytes", "constant", int(0), "u8"),
    ],
    symbols: [],
    phases: [{ name: "probe", tile: "tile", tiles, body: block.statements }],
  };
}

interface Memory {
  readonly x?: readonly number[];
  readonly y?: number;
  readonly bytes?: readonly number[];
}

function run(probe: LoopProgram, { x = [], y = 16, bytes = [] }: Memory = {}): number[] {
  const result = new Float32Array(y).fill(-1);
  const buffers = new Map([
    ["x", Float32Array.from(x)],
    ["y", result],
    ["bytes", Uint8Array.from(bytes)],
  ] as [string, Float32Array | Uint8Array][]);
  interpretLoop(probe, { buffers, symbols: new Map(), batch: 3 });
  return [...result];
}

describe("faults", () => {
  it("of accesses beyond a buffer", () => {
    const far = program(int(1), (block) => store(block, "y", int(16), constant(f32, 1)));
    expect(() => run(far)).toThrow(LoopFault);
    const vector = program(int(1), (block) => store(block, "y", int(0), load("x", int(1), f32x16)));
    expect(() => run(vector, { x: Array.from({ length: 16 }, () => 1) })).toThrow(/x\[16\] of 16/);
  });

  it("of tiles that write the same element, or read what another one writes", () => {
    const same = program(int(2), (block) => store(block, "y", int(0), constant(f32, 1)));
    expect(() => run(same)).toThrow(/tiles 0 and 1 meet at y\[0\]/);
    const reads = program(int(2), (block) => {
      store(block, "y", symbol("tile"), load("y", binary("sub", int(1), symbol("tile")), f32));
    });
    expect(() => run(reads)).toThrow(/meet/);
  });

  it("of missing buffers and of loops that stand still", () => {
    const missing = program(int(1), (block) => store(block, "z", int(0), constant(f32, 1)));
    expect(() => run(missing)).toThrow(/no buffer z/);
    const still = program(int(1), (block) => {
      block.statements.push({
        kind: "for",
        variable: "i",
        from: int(0),
        to: batch,
        step: int(0),
        unroll: 1,
        body: [],
      });
    });
    expect(() => run(still)).toThrow(/does not advance/);
  });

  it("of buffers shorter than declared", () => {
    const probe = program(int(0), () => {});
    const longer = { ...probe, buffers: [buffer("x", "input", mul(batch, int(2)))] };
    expect(() => run(longer, { x: [1, 2, 3, 4, 5] })).toThrow(/x has 5 of 6/);
  });
});

describe("values", () => {
  it("of a workspace that nobody wrote are no numbers", () => {
    const probe = program(int(1), (block) => store(block, "y", int(0), load("scratch", int(0), f32x16)));
    expect(run(probe)).toEqual(Array.from({ length: 16 }, () => Number.NaN));
  });

  it("are rounded to binary32, products of an fma are not", () => {
    const third = Math.fround(1 / 3);
    const probe = program(int(1), (block) => {
      const x = load("x", int(0), f32);
      const minus = load("x", int(1), f32);
      store(block, "y", int(0), binary("add", binary("mul", x, x), minus));
      store(block, "y", int(1), fma(x, x, minus));
    });
    const square = Math.fround(third * third);
    const [separate, fused] = run(probe, { x: [third, -square] });
    expect(separate).toBe(0);
    expect(fused).toBe(Math.fround(third * third - square));
    expect(fused).not.toBe(0);
  });

  it("of counted loads, permutes, shuffles, extracts and registers", () => {
    const probe = program(int(1), (block) => {
      const x = load("x", int(0), f32x16, batch);
      store(block, "y", int(0), permute(x, load("bytes", int(0), { scalar: "i32", lanes: 16 })));
      const mixed = shuffle(x, splat(constant(f32, 9)), [16, 1, 2, 0]);
      store(block, "y", int(16), mixed);
      const sum = declareRegister(block, "sum", constant(f32, 0));
      loop(block, "i", { from: int(0), to: batch }, (inner, i) =>
        assign(inner, sum, binary("add", sum.read, convert(convert(add(i, int(1)), "i32"), "f32"))),
      );
      store(block, "y", int(20), binary("mul", sum.read, extract(x, 2)));
    });
    const bytes = Array.from({ length: 16 }, (_, lane) => lane % 4);
    const y = run(probe, { x: [5, 6, 7], y: 21, bytes });
    expect(y.slice(0, 5)).toEqual([5, 6, 7, 0, 5]);
    expect(y.slice(16)).toEqual([9, 6, 7, 5, 42]);
  });
});
