/** The dense micro-kernel of layout lane = token: `outputs` x `vectors` accumulators, one pass over k. */
import type { LoopProgram, LoopStatement } from "../../compiler/loop/loop-node.ts";
import {
  add,
  buffer,
  constant,
  f32,
  f32x16,
  fma,
  forLoop,
  letValue,
  load,
  long,
  mul,
  phase,
  read,
  register,
  set,
  splat,
  store,
  symbol,
} from "./loop-builders.ts";

export interface DenseShape {
  readonly outputs: number;
  readonly vectors: number;
  readonly unroll: number;
}

/**
 * w: [tiles][k][outputs], x: [k][16 vectors], y: [tiles][outputs][16 vectors]; symbols k, tiles.
 * y[t, o, m] = sum over k of w[t, k, o] x[k, m].
 */
export function denseProgram(
  name: string,
  { outputs, vectors, unroll }: DenseShape,
): Omit<LoopProgram, "level"> {
  const tokens = vectors * 16;
  const pairs = Array.from(
    { length: outputs * vectors },
    (_, i) => [Math.floor(i / vectors), i % vectors] as const,
  );
  const k = symbol("k");
  const accumulator = (o: number, v: number): string => `acc_${o}_${v}`;
  const step: LoopStatement[] = [
    ...Array.from({ length: vectors }, (_, v) =>
      letValue(`x_${v}`, load("x", add(mul(symbol("i"), long(tokens)), long(v * 16)))),
    ),
    ...Array.from({ length: outputs }, (_, o) => [
      letValue(
        `w_${o}`,
        splat(load("w", add(read("row"), add(mul(symbol("i"), long(outputs)), long(o))), f32)),
      ),
      ...Array.from({ length: vectors }, (_, v) =>
        set(accumulator(o, v), fma(read(`w_${o}`), read(`x_${v}`), read(accumulator(o, v)))),
      ),
    ]).flat(),
  ];
  return {
    name,
    buffers: [
      buffer("w", "constant", mul(symbol("tiles"), mul(k, long(outputs)))),
      buffer("x", "input", mul(k, long(tokens))),
      buffer("y", "output", mul(symbol("tiles"), long(outputs * tokens))),
    ],
    symbols: ["k", "tiles"],
    phases: [
      phase("dense", symbol("tiles"), [
        letValue("row", mul(symbol("tile"), mul(k, long(outputs)))),
        ...pairs.map(([o, v]) => register(accumulator(o, v), constant(f32x16, 0))),
        forLoop("i", k, step, { unroll }),
        ...pairs.map(([o, v]) =>
          store(
            "y",
            add(mul(symbol("tile"), long(outputs * tokens)), long(o * tokens + v * 16)),
            read(accumulator(o, v)),
          ),
        ),
      ]),
    ],
  };
}
