/** What the lanes of a warp do together on their registers: fragments of matrices, and their products. */
import { type DeviceStatement, elementBytes, type RegisterSpan } from "../../device/device-node.ts";
import { checkRead, DeviceFault } from "./device-memory.ts";
import { accessOf, type BlockState, type Lanes, memoryOf, registersOf, uniform } from "./device-state.ts";
import { evaluate } from "./evaluate-device.ts";
import { multiplyFragments } from "./matrix-fragments.ts";

/** What a warp does together needs all of its lanes. */
export function wholeWarps(mask: Uint8Array, what: string): readonly number[] {
  const warps: number[] = [];
  for (let warp = 0; warp * 32 < mask.length; warp++) {
    const active = mask.subarray(warp * 32, warp * 32 + 32).reduce((sum, on) => sum + on, 0);
    if (active === 32) warps.push(warp);
    else if (active > 0)
      throw new DeviceFault("divergent", `${what} with ${active} of the 32 lanes of a warp`);
  }
  return warps;
}

/** The registers of a span, and what they hold. */
export function spanOf({ name, start }: RegisterSpan, count: number, mask: Uint8Array, state: BlockState) {
  const first = uniform(evaluate(start, mask, state), mask, `an index of ${name}`);
  const targets = registersOf(state, name).slice(first, first + count);
  if (targets.length < count) throw new DeviceFault("out of bounds", `registers ${name}[${first}] and on`);
  return { targets, isFloat: state.types.get(name) === "f32" };
}

/** Reads are checked for the lanes that name the rows, as the hardware makes them. */
export function loadMatrices(
  { memory: name, index, target }: Extract<DeviceStatement, { kind: "load-matrices" }>,
  mask: Uint8Array,
  state: BlockState,
): void {
  const memory = memoryOf(state, name);
  const places = evaluate(index, mask, state);
  const size = elementBytes[memory.element];
  const { targets } = spanOf(target, 4, mask, state);
  for (const warp of wholeWarps(mask, "a load of matrices")) {
    for (let lane = 0; lane < 32; lane++) {
      const first = places[32 * warp + lane] ?? -1;
      if ((first * size) % 16 !== 0)
        throw new DeviceFault("misaligned", `a row of 16 bytes at ${name}[${first}]`);
      for (let offset = 0; offset < 16 / size; offset++)
        checkRead(memory, first + offset, accessOf(state, 32 * warp + lane));
    }
    targets.forEach((register, matrix) => {
      for (let lane = 0; lane < 32; lane++) {
        const row = places[32 * warp + 8 * matrix + (lane >> 2)] ?? 0;
        register[32 * warp + lane] = memory.view.getUint32(row * size + 4 * (lane & 3), true);
      }
    });
  }
}

export function multiply(
  statement: Extract<DeviceStatement, { kind: "matrix-product" }>,
  mask: Uint8Array,
  state: BlockState,
): void {
  const { shape, element } = statement;
  const span = (of: RegisterSpan, count: number): Lanes[] => spanOf(of, count, mask, state).targets;
  const [sums, a] = [span(statement.sums, 4), span(statement.a, 4)];
  const b = span(statement.b, shape === "m16n8k32-sparse" ? 4 : 2);
  const metadata = statement.metadata === null ? null : evaluate(statement.metadata, mask, state);
  for (const warp of wholeWarps(mask, "a matrix product")) {
    const lanes = (values: Lanes): number[] => [...values.subarray(warp * 32, warp * 32 + 32)];
    const words = metadata === null ? [] : lanes(metadata);
    const result = multiplyFragments(shape, element, a.map(lanes), b.map(lanes), sums.map(lanes), words);
    for (const [index, values] of sums.entries()) values.set(result[index] ?? [], warp * 32);
  }
}
