/** The kernels of `device-sample.ts` in JavaScript over the fake driver's memory, in double precision. */
import type { FakeLaunch } from "./fake-cuda.ts";

/** float32 of bfloat16 bits, and back by rounding to nearest even. */
const widen = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0] ?? 0;
const narrow = (value: number): number => {
  const word = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
};

interface Vector {
  get(index: number): number;
  set(index: number, value: number): void;
}

function vector(launched: FakeLaunch, argument: number, count: number): Vector {
  if (!launched.kernel.endsWith("_bf16")) {
    const values = launched.floats(argument, count);
    return {
      get: (index) => values[index] ?? Number.NaN,
      set(index, value) {
        values[index] = value;
      },
    };
  }
  const bytes = launched.bytes(argument, 2 * count);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
  return {
    get: (index) => widen(bits[index] ?? 0),
    set(index, value) {
      bits[index] = narrow(value);
    },
  };
}

/** A kernel as the whole grid runs it. */
export function runSampleKernel(launched: FakeLaunch): void {
  const { kernel } = launched;
  const at = (values: Float32Array, index: number): number => values[index] ?? Number.NaN;
  const dot = (count: number, term: (k: number) => number): number => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += term(k);
    return sum;
  };
  if (kernel.startsWith("shrink")) {
    const [rows, columns, rank] = [launched.int32(3), launched.int32(4), launched.int32(5)] as const;
    const [x, a, t] = [
      vector(launched, 0, rows * columns),
      launched.floats(1, rank * columns),
      launched.floats(2, rows * rank),
    ] as const;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < rank; j++)
        t[i * rank + j] = dot(columns, (k) => x.get(i * columns + k) * at(a, j * columns + k));
  } else if (kernel.startsWith("split")) {
    const [rows, outs, columns, rank] = [6, 7, 8, 9].map((index) => launched.int32(index)) as [
      number,
      number,
      number,
      number,
    ];
    const [x, y] = [vector(launched, 0, rows * columns), vector(launched, 1, rows * outs)] as const;
    const [w, up, delta] = [
      launched.floats(2, outs * columns),
      launched.floats(3, outs * rank),
      launched.floats(4, outs * columns),
    ] as const;
    const t = launched.floats(5, rows * rank);
    for (let i = 0; i < rows; i++)
      for (let o = 0; o < outs; o++)
        y.set(
          i * outs + o,
          dot(
            columns,
            (k) => x.get(i * columns + k) * (at(w, o * columns + k) + at(delta, o * columns + k)),
          ) + dot(rank, (k) => at(t, i * rank + k) * at(up, o * rank + k)),
        );
  } else if (kernel.startsWith("merged")) {
    const [rows, outs, columns] = [3, 4, 5].map((index) => launched.int32(index)) as [number, number, number];
    const [x, y, w] = [
      vector(launched, 0, rows * columns),
      vector(launched, 1, rows * outs),
      launched.floats(2, outs * columns),
    ] as const;
    for (let i = 0; i < rows; i++)
      for (let o = 0; o < outs; o++)
        y.set(
          i * outs + o,
          dot(columns, (k) => x.get(i * columns + k) * at(w, o * columns + k)),
        );
  } else if (kernel === "outer_f32") {
    const [rows, outs, columns] = [3, 4, 5].map((index) => launched.int32(index)) as [number, number, number];
    const [x, dy, g] = [
      launched.floats(0, rows * columns),
      launched.floats(1, rows * outs),
      launched.floats(2, outs * columns),
    ] as const;
    for (let o = 0; o < outs; o++)
      for (let k = 0; k < columns; k++)
        g[o * columns + k] =
          at(g, o * columns + k) + dot(rows, (i) => at(dy, i * outs + o) * at(x, i * columns + k));
  } else if (kernel === "collect_f32") {
    const [outs, columns, rank, factor] = [
      launched.int32(7),
      launched.int32(8),
      launched.int32(9),
      launched.float32(10),
    ] as const;
    const [g, b, a, where] = [
      launched.floats(0, outs * columns),
      launched.floats(1, outs * rank),
      launched.floats(2, rank * columns),
      launched.floats(3, outs * columns),
    ] as const;
    const [db, da] = [launched.floats(4, outs * rank), launched.floats(5, rank * columns)] as const;
    for (let o = 0; o < outs; o++)
      for (let j = 0; j < rank; j++)
        db[o * rank + j] =
          at(db, o * rank + j) +
          factor * dot(columns, (k) => at(g, o * columns + k) * at(a, j * columns + k));
    for (let j = 0; j < rank; j++)
      for (let k = 0; k < columns; k++)
        da[j * columns + k] =
          at(da, j * columns + k) + factor * dot(outs, (o) => at(g, o * columns + k) * at(b, o * rank + j));
    const places = [...where.keys()].filter((place) => where[place] !== 0);
    const ds = launched.floats(6, places.length);
    for (const [entry, place] of places.entries()) ds[entry] = at(ds, entry) + factor * at(g, place);
  } else if (kernel === "dx_f32") {
    const [rows, outs, columns] = [3, 4, 5].map((index) => launched.int32(index)) as [number, number, number];
    const [dy, dx, w] = [
      launched.floats(0, rows * outs),
      launched.floats(1, rows * columns),
      launched.floats(2, outs * columns),
    ] as const;
    for (let i = 0; i < rows; i++)
      for (let k = 0; k < columns; k++)
        dx[i * columns + k] = dot(outs, (o) => at(dy, i * outs + o) * at(w, o * columns + k));
  } else throw new RangeError(`no kernel ${kernel}`);
}
