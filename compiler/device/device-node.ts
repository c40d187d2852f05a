/**
 * The device level: what one thread of a kernel does, with what warps and blocks do together as nodes of their own.
 * One program is printed as CUDA C++ and run by the reference interpreter; both read this file and nothing else.
 * Registers hold 32 bits (`i64` for addresses); numbers of 16 bits travel in pairs in a `u32` or are widened to f32.
 */
// size: the whole level in one place, which the printer and the interpreter both read from end to end.

/** What a register holds. `u32` is bits: pairs of 16-bit numbers, masks, codes. */
export type DeviceScalar = "f32" | "i32" | "u32" | "i64" | "bool";

/** Elements of memories. `bf16` and `f16` are widened to f32 by a load and rounded to nearest even by a store. */
export type DeviceElement = "f32" | "i32" | "u32" | "u16" | "u8" | "i8" | "bf16" | "f16";

export const elementBytes: Readonly<Record<DeviceElement, number>> = {
  f32: 4,
  i32: 4,
  u32: 4,
  u16: 2,
  u8: 1,
  i8: 1,
  bf16: 2,
  f16: 2,
};

export type DeviceOperator =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "rem"
  | "min"
  | "max"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr";
export type DeviceComparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** Elements whose pairs fill a 32-bit register of a matrix product. */
export type HalfElement = "bf16" | "f16";

export type DeviceExpression =
  | { readonly kind: "constant"; readonly type: DeviceScalar; readonly value: number }
  /** A number passed to the kernel. */
  | { readonly kind: "parameter"; readonly name: string; readonly type: DeviceScalar }
  /** `thread` of the block, `block` of the grid, both i32 along x. */
  | { readonly kind: "position"; readonly of: "thread" | "block" }
  /** A `let`, a loop variable, or a register; `index` for one of several. */
  | {
      readonly kind: "read";
      readonly name: string;
      readonly type: DeviceScalar;
      readonly index: DeviceExpression | null;
    }
  /** Integers divide rounding down and are never negative where they do. Shifts and bits: u32 and i32. */
  | {
      readonly kind: "binary";
      readonly operator: DeviceOperator;
      readonly left: DeviceExpression;
      readonly right: DeviceExpression;
    }
  | {
      readonly kind: "compare";
      readonly operator: DeviceComparison;
      readonly left: DeviceExpression;
      readonly right: DeviceExpression;
    }
  | {
      readonly kind: "select";
      readonly condition: DeviceExpression;
      readonly whenTrue: DeviceExpression;
      readonly whenFalse: DeviceExpression;
    }
  /** a * b + c with one rounding, f32. */
  | {
      readonly kind: "fma";
      readonly a: DeviceExpression;
      readonly b: DeviceExpression;
      readonly c: DeviceExpression;
    }
  /** i32 → i64, i64 → i32, i32 → f32, i32 ↔ u32. */
  | { readonly kind: "convert"; readonly value: DeviceExpression; readonly to: DeviceScalar }
  /** Two f32 rounded to 16 bits each, `low` in the low half. */
  | {
      readonly kind: "pack";
      readonly element: HalfElement;
      readonly low: DeviceExpression;
      readonly high: DeviceExpression;
    }
  /** Half of a u32 as f32. */
  | {
      readonly kind: "unpack";
      readonly element: HalfElement;
      readonly half: "low" | "high";
      readonly value: DeviceExpression;
    }
  /** Rounds an f32 to the 10 bits of a tf32 factor; the bits, as u32. */
  | { readonly kind: "round-tf32"; readonly value: DeviceExpression }
  /** Number of ones of a u32, as i32. */
  | { readonly kind: "popcount"; readonly value: DeviceExpression }
  /** The f32 whose bits a u32 holds. */
  | { readonly kind: "reinterpret"; readonly value: DeviceExpression }
  /** Four bytes of eight, all u32: byte i is number (selector >> 4i) & 7 of those of `low` and then `high`. */
  | {
      readonly kind: "permute-bytes";
      readonly low: DeviceExpression;
      readonly high: DeviceExpression;
      readonly selector: DeviceExpression;
    }
  /** One element; `index` in elements, i32 or i64. */
  | {
      readonly kind: "load";
      readonly memory: string;
      readonly index: DeviceExpression;
      readonly type: DeviceScalar;
    };

/** Consecutive registers of one name, from `start` on; how many follows from the statement. */
export interface RegisterSpan {
  readonly name: string;
  readonly start: DeviceExpression;
}

/**
 * Matrix products of a warp, D = A B + D with f32 sums. Registers by lane (g = lane / 4, t = lane % 4), pairs low first:
 * D, all shapes: (g, 2t) (g, 2t+1) (g+8, 2t) (g+8, 2t+1).
 * `m16n8k16`: A pairs (g, 2t..) (g+8, 2t..) (g, 2t+8..) (g+8, 2t+8..); B pairs (2t.., g) (2t+8.., g).
 * `m16n8k8` (tf32): A (g, t) (g+8, t) (g, t+4) (g+8, t+4); B (t, g) (t+4, g).
 * `m16n8k32-sparse`: A as in `m16n8k16` for the two kept of each four; B pairs (2t.., g) and 8, 16, 24 further;
 * metadata of lanes t < 2: bits 2i of row g in the low half, of row g+8 in the high half, entries 8t to 8t+7 of a row;
 * the two places of four inputs ascend.
 */
export type MatrixShape = "m16n8k16" | "m16n8k8" | "m16n8k32-sparse";

export type DeviceStatement =
  | { readonly kind: "let"; readonly name: string; readonly value: DeviceExpression }
  /** `count` mutable registers; an index into several is known when the loops marked `unroll` are written out. */
  | {
      readonly kind: "register";
      readonly name: string;
      readonly count: number | null;
      readonly initial: DeviceExpression;
    }
  | {
      readonly kind: "set";
      readonly name: string;
      readonly index: DeviceExpression | null;
      readonly value: DeviceExpression;
    }
  /** variable = from, from + step, … while < to. `unroll`: written out by the compiler; bounds are then constants. */
  | {
      readonly kind: "for";
      readonly variable: string;
      readonly from: DeviceExpression;
      readonly to: DeviceExpression;
      readonly step: DeviceExpression;
      readonly unroll: boolean;
      readonly body: readonly DeviceStatement[];
    }
  | {
      readonly kind: "if";
      readonly condition: DeviceExpression;
      readonly body: readonly DeviceStatement[];
      readonly otherwise: readonly DeviceStatement[];
    }
  | {
      readonly kind: "store";
      readonly memory: string;
      readonly index: DeviceExpression;
      readonly value: DeviceExpression;
    }
  /** 4, 8 or 16 aligned bytes into 1, 2 or 4 registers. `streamed`: will not be read again soon. */
  | {
      readonly kind: "load-vector";
      readonly target: RegisterSpan;
      readonly registers: 1 | 2 | 4;
      readonly memory: string;
      readonly index: DeviceExpression;
      readonly streamed: boolean;
    }
  /** 8 or 16 aligned bytes from 2 or 4 registers, bit by bit. */
  | {
      readonly kind: "store-vector";
      readonly source: RegisterSpan;
      readonly registers: 2 | 4;
      readonly memory: string;
      readonly index: DeviceExpression;
    }
  /** Adds to one f32 of a global memory, whoever else does at the same time. */
  | {
      readonly kind: "atomic-add";
      readonly memory: string;
      readonly index: DeviceExpression;
      readonly value: DeviceExpression;
    }
  /** All threads of the block meet; what they wrote before is seen after. */
  | { readonly kind: "barrier" }
  /** The same for the threads of a warp. */
  | { readonly kind: "warp-barrier" }
  /** target = value of the lane whose number differs in the bits of `mask`; all lanes take part. */
  | {
      readonly kind: "shuffle-xor";
      readonly target: string;
      readonly value: DeviceExpression;
      readonly mask: number;
    }
  /**
   * Begins to copy 4, 8 or 16 aligned bytes from global to on-chip memory: the first `valid` of them (all when null),
   * then zeros. Done when a `wait` says so.
   */
  | {
      readonly kind: "copy-async";
      readonly to: string;
      readonly toIndex: DeviceExpression;
      readonly from: string;
      readonly fromIndex: DeviceExpression;
      readonly bytes: 4 | 8 | 16;
      readonly valid: DeviceExpression | null;
    }
  /** The copies begun since the last `commit` are one group. */
  | { readonly kind: "commit" }
  /** Until at most `pending` of the groups last committed are under way. Others see the bytes after a barrier. */
  | { readonly kind: "wait"; readonly pending: number }
  /**
   * Four matrices of 8 x 8 numbers of 16 bits from on-chip memory: lane 8i + r says where row r of matrix i begins, 16
   * aligned bytes; register i of lane 4g + t becomes the numbers 2t and 2t + 1 of row g of matrix i.
   */
  | {
      readonly kind: "load-matrices";
      /** 4 u32 registers. */
      readonly target: RegisterSpan;
      readonly memory: string;
      readonly index: DeviceExpression;
    }
  | {
      readonly kind: "matrix-product";
      readonly shape: MatrixShape;
      /** Of A and B; `m16n8k8` is tf32. */
      readonly element: HalfElement | "tf32";
      /** 4 f32 registers. */
      readonly sums: RegisterSpan;
      /** 4 u32 registers. */
      readonly a: RegisterSpan;
      /** 2 u32 registers, 4 when sparse. */
      readonly b: RegisterSpan;
      /** u32; null when dense. */
      readonly metadata: DeviceExpression | null;
    }
  /** A line of text for whoever reads the kernel. */
  | { readonly kind: "comment"; readonly text: string };

/** A pointer argument. What is `read` never changes during a launch. */
export interface DeviceBuffer {
  readonly kind: "buffer";
  readonly name: string;
  readonly element: DeviceElement;
  readonly access: "read" | "write" | "update";
}

export interface DeviceNumber {
  readonly kind: "number";
  readonly name: string;
  readonly type: "i32" | "i64" | "f32";
}

export type DeviceParameter = DeviceBuffer | DeviceNumber;

/** On-chip memory that the threads of a block have in common. */
export interface BlockMemory {
  readonly name: string;
  readonly element: DeviceElement;
  readonly length: number;
}

export interface DeviceProgram {
  /** Exported name. */
  readonly name: string;
  /** One or a few lines for people: what it computes. */
  readonly purpose: readonly string[];
  readonly architecture: "sm_80" | "sm_90a";
  readonly parameters: readonly DeviceParameter[];
  readonly memories: readonly BlockMemory[];
  /** Threads of a block, a multiple of 32. */
  readonly threads: number;
  /** Blocks that a multiprocessor should hold at once: a bound on registers. */
  readonly blocksPerProcessor: number;
  readonly body: readonly DeviceStatement[];
}

/** Static block memory stops here; beyond it, all of a kernel's is dynamic. */
export const mostStaticBytes = 48 * 1024;

export const memoryBytes = ({ memories }: DeviceProgram): number =>
  memories.reduce(
    (sum, { element, length }) => sum + Math.ceil((elementBytes[element] * length) / 128) * 128,
    0,
  );

/** Bytes that a launch has to ask for. */
export const dynamicBytes = (program: DeviceProgram): number =>
  memoryBytes(program) > mostStaticBytes ? memoryBytes(program) : 0;
