/** A plan step with its operands and activations resolved to buffers: what the step lowerings work on. */
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import type { OutputOrder } from "../types/output-order.ts";
import type { Names } from "./loop-builder.ts";
import { add, div } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";
import type { StrideMap } from "./stride-map.ts";

/**
 * Where an activation lies. `rows`: [batch][width]; `panels`: [ceil(batch/16)][width][16], lane = token,
 * the lanes beyond the batch hold numbers that nobody reads.
 */
export interface Place {
  readonly buffer: string;
  readonly width: LoopExpression;
  readonly form: "rows" | "panels";
  /** For a part of a wider activation: the features of that one, and the first that belongs to the part. */
  readonly within?: { readonly stride: LoopExpression; readonly offset: LoopExpression };
}

/** Features from one token to the next in memory. */
export const featureStride = ({ width, within }: Place): LoopExpression => within?.stride ?? width;

/** The place of a feature among those that lie in memory. */
export const featureAt = ({ within }: Place, feature: LoopExpression): LoopExpression =>
  within === undefined ? feature : add(within.offset, feature);

/** A packed operand with the buffers of the program that hold it. */
export interface OperandTerm {
  readonly format: OperandFormat;
  /** Buffer name of the format → buffer name in the program. */
  readonly buffers: ReadonlyMap<string, string>;
  readonly rows: LoopExpression;
  readonly columns: LoopExpression;
}

export interface ResolvedTerm extends OperandTerm {
  /** Number of blocks of a block-diagonal operand, else 1. */
  readonly blocks: LoopExpression;
  /** Inputs with one scale of a quantized operand, else 1. */
  readonly run: LoopExpression;
  /** The step applies the transposed operand: its rows are the inputs. */
  readonly transposed: boolean;
  readonly input: Place;
  /** The input rounded to pairs of bfloat16, where the term multiplies those. */
  readonly pairs?: Place;
  readonly inputMap: StrideMap<LoopExpression> | null;
}

/** Inputs that a row of the step's output reads through a term. */
export const linesOfTerm = ({ transposed, rows, columns, blocks }: ResolvedTerm): LoopExpression =>
  transposed ? rows : div(columns, blocks);

export interface ResolvedStep {
  readonly name: string;
  readonly names: Names;
  readonly target: X86Target;
  readonly output: Place;
  readonly outputMap: StrideMap<LoopExpression> | null;
  /** Where a lane is an output. */
  readonly order: OutputOrder;
  readonly accumulate: boolean;
  /** Panels with what the sums begin with, in the order of the rows; null for zeros. Only where a lane is a token. */
  readonly start: Place | null;
  readonly terms: readonly ResolvedTerm[];
  /** The name of a buffer of `length` numbers that each tile has for itself; the phases of a program share it. */
  scratch(hint: string, length: number): string;
}

/**
 * The program's name of a term's buffer.
 * @throws Error when the format has no such buffer: the template and the format table disagree.
 */
export function bufferOf(term: OperandTerm, name: string): string {
  const buffer = term.buffers.get(name);
  if (buffer === undefined) throw new Error(`format ${term.format.name} has no buffer ${name}`);
  return buffer;
}
