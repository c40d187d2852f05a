/**
 * What the tensor kernels have in common: number types, the 16 bytes of an activation that a lane holds for the products
 * of a tile, the products of a tile, and where their sums belong.
 */
import type { CudaElements } from "../../../runtime/contract/cuda.ts";
import { type Code, name, put, type Registers, registers, set, unrolled, when } from "../device-builder.ts";
import {
  add,
  binary,
  bits,
  both,
  compare,
  div,
  int,
  load,
  mul,
  pack,
  rem,
  select,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceElement, HalfElement } from "../device-node.ts";
import { type DeviceActivation, type DeviceTerm, rowOf } from "../device-step.ts";

/** A number type of matrix units. */
export interface TensorType {
  /** Elements of 16 bytes of an activation, a quarter of a row of a tile. */
  readonly perLane: number;
  /** Inputs of a tile: four lanes of them. */
  readonly inputs: number;
  readonly half: HalfElement | null;
  /** Elements of activations, of packed tiles, and bytes of both. */
  readonly activation: DeviceElement;
  readonly tiles: "u16" | "u32";
  readonly bytes: number;
}

export function tensorType(elements: CudaElements): TensorType {
  if (elements === "bf16" || elements === "f16")
    return { perLane: 8, inputs: 32, half: elements, activation: elements, tiles: "u16", bytes: 2 };
  if (elements === "tf32")
    return { perLane: 4, inputs: 16, half: null, activation: "f32", tiles: "u32", bytes: 4 };
  throw new TypeError(`matrix units do not multiply ${elements}`);
}

/** Whether 16 bytes of an activation can be read at once: its rows and its part begin on such a boundary. */
export const isAligned = (code: Code, { stride, offset }: DeviceActivation, { perLane }: TensorType): Value =>
  name(
    code,
    "aligned",
    both(compare("eq", rem(stride, int(perLane)), int(0)), compare("eq", rem(offset, int(perLane)), int(0))),
  );

/**
 * Sets four words, or one, to the 16 or 4 bytes of a token that begin at `input`, zeros beyond the last input. Four are
 * those of the products of a tile: two of its first step, then two of its second.
 */
export function loadWords(
  code: Code,
  type: TensorType,
  { input, columns }: Pick<DeviceTerm, "input" | "columns">,
  aligned: Value,
  place: { readonly token: Value; readonly input: Value },
  target: { readonly registers: Registers; readonly at: Value; readonly count: 1 | 4 },
): void {
  const { registers: words, at, count } = target;
  const start = name(code, "start", add(rowOf(input, place.token), place.input));
  const isInside = compare("le", add(place.input, int((type.perLane / 4) * count)), columns);
  const one = (inner: Code, offset: Value): Value =>
    name(
      inner,
      "x",
      select(
        compare("lt", add(place.input, offset), columns),
        load(input.memory, add(start, offset), "f32"),
        zero,
      ),
    );
  const { half } = type;
  if (half === null) {
    const floats = registers(code, "xs", zero, count);
    when(
      code,
      both(aligned, isInside),
      (inner) => loadRegisters(inner, floats, int(0), count, input.memory, start),
      (inner) => unrolled(inner, "i", count, (deep, i) => set(deep, floats, one(deep, i), i)),
    );
    unrolled(code, "i", count, (inner, i) =>
      set(inner, words, { kind: "round-tf32", value: floats.read(i) }, add(at, i)),
    );
    return;
  }
  when(
    code,
    both(aligned, isInside),
    (inner) => loadRegisters(inner, words, at, count, input.memory, start),
    (inner) =>
      unrolled(inner, "i", count, (deep, i) => {
        const low = one(deep, mul(i, int(2)));
        const high = one(deep, add(mul(i, int(2)), int(1)));
        set(deep, words, pack(half, low, high), add(at, i));
      }),
  );
}

/** Reads `count` words of memory at once into registers from `at` on. */
export const loadRegisters = (
  code: Code,
  target: Registers,
  at: Value,
  count: 1 | 2 | 4,
  memory: string,
  index: Value,
  streamed = false,
): void =>
  put(code, { kind: "load-vector", target: target.span(at), registers: count, memory, index, streamed });

export const loadFour = (
  code: Code,
  target: Registers,
  at: Value,
  memory: string,
  index: Value,
  streamed = false,
): void => loadRegisters(code, target, at, 4, memory, index, streamed);

export const wordsOf = (code: Code, hint: string, count: number): Registers =>
  registers(code, hint, bits(0), count);

/** Some of several registers, from `at` on. */
export interface WordsAt {
  readonly registers: Registers;
  readonly at: Value;
}

/** The product of four words of a tile of weights and two of activations. */
export const multiply = (code: Code, { half }: TensorType, sums: WordsAt, a: WordsAt, b: WordsAt): void =>
  put(code, {
    kind: "matrix-product",
    shape: half === null ? "m16n8k8" : "m16n8k16",
    element: half ?? "tf32",
    sums: sums.registers.span(sums.at),
    a: a.registers.span(a.at),
    b: b.registers.span(b.at),
    metadata: null,
  });

/** Output of a tile, and token of eight, that sum number `index` of a lane belongs to. */
export const rowOfSum = (lane: Value, index: Value): Value =>
  add(div(lane, int(4)), mul(div(index, int(2)), int(8)));
export const tokenOfSum = (lane: Value, index: Value): Value =>
  add(mul(rem(lane, int(4)), int(2)), rem(index, int(2)));

/** Stores a sum where there is such an output and such a token, after adding what the output holds if it is to. */
export function storeSum(
  code: Code,
  output: DeviceActivation,
  accumulate: boolean,
  batch: Value,
  place: { readonly row: Value; readonly token: Value },
  sum: Value,
): void {
  const { row, token } = place;
  const exists = both(compare("lt", row, output.width), compare("lt", token, batch));
  when(code, exists, (inner) => {
    const at = name(inner, "at", add(rowOf(output, token), row));
    const value = accumulate ? binary("add", load(output.memory, at, "f32"), sum) : sum;
    put(inner, { kind: "store", memory: output.memory, index: at, value });
  });
}
