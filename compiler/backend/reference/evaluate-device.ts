/** Expressions of the device level, for all active threads of a block at once; inactive ones keep zeros. */
import { scalarOf } from "../../device/device-expression.ts";
import type { DeviceExpression, DeviceScalar } from "../../device/device-node.ts";
import { comparisons } from "../../loop/index-arithmetic.ts";
import { checkRead, DeviceFault, narrow, readElement, widen } from "./device-memory.ts";
import {
  accessOf,
  type BlockState,
  type Lanes,
  memoryOf,
  narrowed,
  registersOf,
  uniform,
} from "./device-state.ts";
import { floatOfBits } from "./float-bits.ts";
import { toTf32 } from "./matrix-fragments.ts";

/** A register that all active threads index alike. */
export function oneOf(
  state: BlockState,
  name: string,
  index: DeviceExpression | null,
  mask: Uint8Array,
): Lanes {
  const all = registersOf(state, name);
  const at = index === null ? 0 : uniform(evaluate(index, mask, state), mask, `an index of ${name}`);
  const found = all[at];
  if (found === undefined) throw new DeviceFault("out of bounds", `register ${name}[${at}] of ${all.length}`);
  return found;
}

/** Wraps a result to the range of its type. */
function wrapped(value: number, type: DeviceScalar): number {
  switch (type) {
    case "f32":
      return Math.fround(value);
    case "i32":
      return value | 0;
    case "u32":
      return value >>> 0;
    case "i64":
      return Math.trunc(value);
    case "bool":
      return value === 0 ? 0 : 1;
  }
}

function applyBinary(operator: string, a: number, b: number, type: DeviceScalar): number {
  switch (operator) {
    case "add":
      return wrapped(a + b, type);
    case "sub":
      return wrapped(a - b, type);
    case "mul":
      return type === "i32" || type === "u32" ? wrapped(Math.imul(a, b), type) : wrapped(a * b, type);
    case "div":
      if (type !== "f32" && b === 0) throw new DeviceFault("out of bounds", "a division by zero");
      return type === "f32" ? Math.fround(a / b) : Math.floor(a / b);
    case "rem":
      if (b === 0) throw new DeviceFault("out of bounds", "a division by zero");
      return a % b;
    case "min":
      return Math.min(a, b);
    case "max":
      return Math.max(a, b);
    case "and":
      return type === "bool" ? Number(a !== 0 && b !== 0) : wrapped(a & b, type);
    case "or":
      return type === "bool" ? Number(a !== 0 || b !== 0) : wrapped(a | b, type);
    case "xor":
      return wrapped(a ^ b, type);
    case "shl":
      return wrapped(b >= 32 ? 0 : a << b, type);
    case "shr":
      return wrapped(b >= 32 ? 0 : a >>> b, type);
    default:
      throw new TypeError(`no operator ${operator}`);
  }
}

function ones(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}

function permuted(low: number, high: number, selector: number): number {
  let word = 0;
  for (let byte = 0; byte < 4; byte++) {
    const place = (selector >>> (4 * byte)) & 7;
    const chosen = ((place < 4 ? low : high) >>> (8 * (place & 3))) & 255;
    word |= chosen << (8 * byte);
  }
  return word >>> 0;
}

type Fixed = Extract<DeviceExpression, { kind: "constant" | "parameter" | "position" }>;

function fixedValue(expression: Fixed, { block, numbers, program }: BlockState): Lanes {
  const values = new Float64Array(program.threads);
  if (expression.kind === "constant") return values.fill(wrapped(expression.value, expression.type));
  if (expression.kind === "position")
    return expression.of === "block" ? values.fill(block) : values.map((_, thread) => thread);
  const value = numbers.get(expression.name);
  if (value === undefined) throw new TypeError(`${program.name} has no number ${expression.name}`);
  return values.fill(wrapped(value, expression.type));
}

/** @throws DeviceFault when a load reads what it must not. */
export function evaluate(expression: DeviceExpression, mask: Uint8Array, state: BlockState): Lanes {
  const { threads } = state.program;
  const each = (value: (thread: number) => number): Lanes => {
    const result = new Float64Array(threads);
    for (let thread = 0; thread < threads; thread++) if (mask[thread] === 1) result[thread] = value(thread);
    return result;
  };
  const of = (inner: DeviceExpression, where = mask): Lanes => evaluate(inner, where, state);
  const at = (values: Lanes, thread: number): number => values[thread] ?? 0;
  switch (expression.kind) {
    case "constant":
    case "parameter":
    case "position": {
      const known = state.fixed.get(expression) ?? fixedValue(expression, state);
      state.fixed.set(expression, known);
      return known;
    }
    case "read":
      return oneOf(state, expression.name, expression.index, mask);
    case "binary": {
      const type = scalarOf(expression.left);
      const left = of(expression.left);
      // The right side of `and` is evaluated where the left one holds, as in C.
      const guards = type === "bool" && expression.operator === "and";
      const right = of(expression.right, guards ? narrowed(mask, (thread) => at(left, thread) !== 0) : mask);
      return each((thread) => applyBinary(expression.operator, at(left, thread), at(right, thread), type));
    }
    case "compare": {
      const holds = comparisons[expression.operator];
      const [left, right] = [of(expression.left), of(expression.right)];
      return each((thread) => Number(holds(at(left, thread), at(right, thread))));
    }
    case "select": {
      const condition = of(expression.condition);
      const where = (wanted: number) => narrowed(mask, (thread) => at(condition, thread) === wanted);
      const [yes, no] = [of(expression.whenTrue, where(1)), of(expression.whenFalse, where(0))];
      return each((thread) => (at(condition, thread) === 1 ? at(yes, thread) : at(no, thread)));
    }
    case "fma": {
      const [a, b, c] = [of(expression.a), of(expression.b), of(expression.c)];
      return each((thread) => Math.fround(at(a, thread) * at(b, thread) + at(c, thread)));
    }
    case "convert": {
      const values = of(expression.value);
      return each((thread) => wrapped(at(values, thread), expression.to));
    }
    case "pack": {
      const [low, high] = [of(expression.low), of(expression.high)];
      const { element } = expression;
      return each(
        (thread) => (narrow(element, at(low, thread)) | (narrow(element, at(high, thread)) << 16)) >>> 0,
      );
    }
    case "unpack": {
      const words = of(expression.value);
      const shift = expression.half === "low" ? 0 : 16;
      return each((thread) => widen(expression.element, (at(words, thread) >>> shift) & 0xffff));
    }
    case "round-tf32": {
      const values = of(expression.value);
      return each((thread) => toTf32(at(values, thread)));
    }
    case "popcount": {
      const words = of(expression.value);
      return each((thread) => ones(at(words, thread)));
    }
    case "reinterpret": {
      const words = of(expression.value);
      return each((thread) => floatOfBits(at(words, thread)));
    }
    case "permute-bytes": {
      const [low, high, selector] = [of(expression.low), of(expression.high), of(expression.selector)];
      return each((thread) => permuted(at(low, thread), at(high, thread), at(selector, thread)));
    }
    case "load": {
      const memory = memoryOf(state, expression.memory);
      const index = of(expression.index);
      // What is only read is nobody's race: its bounds are all there is to check.
      const plain = memory.shadow === null;
      return each((thread) => {
        const place = at(index, thread);
        if (!plain || !(place >= 0 && place < memory.length))
          checkRead(memory, place, accessOf(state, thread));
        return readElement(memory, place);
      });
    }
  }
}
