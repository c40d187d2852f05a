/**
 * The loop level: which instructions run, in which order, on which bytes.
 * Formats are gone (an operand is a set of flat buffers), layouts are index arithmetic, and every vector
 * is spelled out. A program is a sequence of phases; the tiles of one phase run in parallel and write
 * disjoint elements, phases are separated by barriers.
 */

/**
 * Scalars a register can hold. Floats are IEEE binary32 and binary64; `i64` is for indices; integers are never negative,
 * but for those loaded from `i8`, which are only converted, and for sets of bits, which are only combined and stored.
 */
export type Scalar = "f32" | "f64" | "i32" | "i64" | "bool";

/** Elements a buffer can hold. A load extends integers to `i32`: unsigned ones by zeros, `i8` by its sign; a store cuts them off. */
export type BufferElement = "f32" | "f64" | "i32" | "u32" | "u16" | "u8" | "i8";

/** A register type: `lanes` copies of a scalar; `lanes` is 1 for plain scalars, 16 for vectors, 2, 4 or 8 for parts of them. */
export interface ValueType {
  readonly scalar: Scalar;
  readonly lanes: number;
}

export type BinaryOperator =
  | "add"
  | "sub"
  | "mul"
  /** Floats divide; integers divide rounding down (operands are never negative). */
  | "div"
  | "rem"
  | "min"
  | "max"
  | "and"
  | "or"
  | "shl"
  | "shr";

/** `popcount`: how many bits of an integer are set. `sqrt`: of floats, rounded to nearest. */
export type UnaryOperator = "popcount" | "sqrt";

export type CompareOperator = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

export type LoopExpression =
  /** A literal, repeated over all lanes. */
  | { readonly kind: "constant"; readonly type: ValueType; readonly value: number }
  /** A vector of one literal for each lane. */
  | { readonly kind: "vector"; readonly scalar: Scalar; readonly values: readonly number[] }
  /** An `i64`: a run-time symbol of the program (a dimension, `batch`), a loop variable or a tile variable. */
  | { readonly kind: "symbol"; readonly name: string }
  /** The value of a `let` or the present value of a `register`. */
  | { readonly kind: "read"; readonly name: string; readonly type: ValueType }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: LoopExpression;
      readonly right: LoopExpression;
    }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly value: LoopExpression }
  | {
      readonly kind: "compare";
      readonly operator: CompareOperator;
      readonly left: LoopExpression;
      readonly right: LoopExpression;
    }
  | {
      readonly kind: "select";
      readonly condition: LoopExpression;
      readonly whenTrue: LoopExpression;
      readonly whenFalse: LoopExpression;
    }
  /** a * b + c with one rounding. */
  | {
      readonly kind: "fma";
      readonly a: LoopExpression;
      readonly b: LoopExpression;
      readonly c: LoopExpression;
    }
  /**
   * c plus the products of two pairs of bfloat16 in each lane: a and b i32 x 16, the first of a pair in the low half; c f32
   * x 16. Products are exact; in which order they are added, and how often that is rounded, is the machine's.
   */
  | {
      readonly kind: "pair-dot";
      readonly a: LoopExpression;
      readonly b: LoopExpression;
      readonly c: LoopExpression;
    }
  /** Pairs of neighbours of 32 floats (low ++ high), each rounded to bfloat16, to nearest with ties to even: i32 x 16. */
  | { readonly kind: "round-pairs"; readonly low: LoopExpression; readonly high: LoopExpression }
  /**
   * `lanes` consecutive elements from `index` (in elements). With `count` (an i64 scalar), only the first
   * `min(count, lanes)` elements are touched and the other lanes are zero.
   */
  | {
      readonly kind: "load";
      readonly buffer: string;
      readonly index: LoopExpression;
      readonly type: ValueType;
      readonly count: LoopExpression | null;
    }
  | { readonly kind: "splat"; readonly value: LoopExpression; readonly lanes: number }
  /** i32 → i64 (zero-extending), i64 → i32 (truncating), i32 → f32. */
  | { readonly kind: "convert"; readonly value: LoopExpression; readonly to: Scalar }
  /** The f32 whose 32 bits are those of an i32. */
  | { readonly kind: "reinterpret"; readonly value: LoopExpression }
  /** An i32 whose bit l is the truth in lane l. */
  | { readonly kind: "mask"; readonly value: LoopExpression }
  /** out[l] = table[index[l] mod lanes of the table]; table f32 x 16 or x 4, index i32 x 16. */
  | { readonly kind: "permute"; readonly table: LoopExpression; readonly index: LoopExpression }
  /** out[l] = (left ++ right)[lanes[l]], lanes known at compile time. */
  | {
      readonly kind: "shuffle";
      readonly left: LoopExpression;
      readonly right: LoopExpression;
      readonly lanes: readonly number[];
    }
  | { readonly kind: "extract"; readonly value: LoopExpression; readonly lane: number };

export type LoopStatement =
  /** Serial loop, variable = from, from + step, … while < to. `unroll` copies the body that many times a turn. */
  | {
      readonly kind: "for";
      readonly variable: string;
      readonly from: LoopExpression;
      readonly to: LoopExpression;
      readonly step: LoopExpression;
      readonly unroll: number;
      readonly body: readonly LoopStatement[];
    }
  | { readonly kind: "let"; readonly name: string; readonly value: LoopExpression }
  /** Declares a mutable register; becomes an SSA value. */
  | { readonly kind: "register"; readonly name: string; readonly initial: LoopExpression }
  | { readonly kind: "set"; readonly name: string; readonly value: LoopExpression }
  /** Stores all lanes, or the first `min(count, lanes)` when `count` is given. */
  | {
      readonly kind: "store";
      readonly buffer: string;
      readonly index: LoopExpression;
      readonly value: LoopExpression;
      readonly count: LoopExpression | null;
    }
  /**
   * Stores the f32 lanes for which `where` holds, one after the other from `index`. All 16 elements from there are
   * written: what lies behind those lanes is undefined.
   */
  | {
      readonly kind: "compress";
      readonly buffer: string;
      readonly index: LoopExpression;
      readonly value: LoopExpression;
      readonly where: LoopExpression;
    }
  /**
   * Asks for the cache line of an element that will be read soon, which may lie outside the buffer. Changes no value, so
   * that an interpreter has nothing to do.
   */
  | { readonly kind: "prefetch"; readonly buffer: string; readonly index: LoopExpression }
  | {
      readonly kind: "if";
      readonly condition: LoopExpression;
      readonly then: readonly LoopStatement[];
      readonly otherwise: readonly LoopStatement[];
    };

/**
 * Where a buffer lives. `constant`: packed operands, addresses in the frame. `input`/`output`: the `x` and
 * `y` of the call. `workspace`: scratch, laid out one after the other, each start rounded up to 64 bytes.
 * A backward kernel has two inputs and many outputs: `cotangent` is what it reads at the `y` of the call, and
 * `result` is written, its address in the frame, which each call has for itself. `local`: scratch of one tile, of known
 * length, which starts with whatever lay there.
 */
export type BufferSpace = "constant" | "input" | "output" | "cotangent" | "result" | "workspace" | "local";

export interface BufferDeclaration {
  readonly name: string;
  readonly element: BufferElement;
  readonly space: BufferSpace;
  /**
   * Number of elements, from constants and symbols only (add, sub, mul, div, rem, min, max). For `constant`
   * buffers at least that many: 0 where only the data tells, as for the entries of a sparse operand. A literal for
   * `local` ones.
   */
  readonly length: LoopExpression;
}

/** One parallel loop: `body` runs for every value of `tile` in [0, tiles), in any order, on any thread. */
export interface LoopPhase {
  readonly name: string;
  readonly tile: string;
  readonly tiles: LoopExpression;
  readonly body: readonly LoopStatement[];
}

/**
 * One kernel for one instruction-set level.
 * Native signature: `int32 NAME(void *frame, void *workspace, const float *x, float *y, int64 batch, int32 threads)`.
 * The frame holds 8-byte slots: the address of each `constant` buffer in declaration order, then each symbol
 * as int64 in the order of `symbols` (`batch` is not among them: it is an argument), then the address of each
 * `result` buffer in declaration order.
 */
export interface LoopProgram {
  readonly name: string;
  /** Of `compiler/targets`. */
  readonly level: string;
  readonly buffers: readonly BufferDeclaration[];
  readonly symbols: readonly string[];
  readonly phases: readonly LoopPhase[];
}

/** The vector width, in elements, of every packed layout and every program, whatever the registers' width. */
export const lanes = 16;
