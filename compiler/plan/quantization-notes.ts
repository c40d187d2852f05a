/** What the plan says about tensors that are held in fewer bits. Stands beside the choice, whose operands it looks at. */
import {
  type MatrixSource,
  type OperandSource,
  partsOfSource,
  stackedParts,
} from "../../runtime/contract/matrix-source.ts";
import { printNumber } from "../../runtime/contract/number-expression.ts";
import { isCoded } from "../../runtime/contract/operand-format.ts";
import { quantizedBytes } from "../../runtime/contract/quantized-type.ts";
import type { AlgebraGraph } from "../algebra/algebra-node.ts";
import { foldNumber } from "../types/fold-number.ts";
import type { Operand } from "./plan.ts";

/** What is stored in fewer bits stays so, unless something else than the tensor itself or its transpose is applied. */
export const quantizationNotes = (tensors: AlgebraGraph["tensors"], operands: readonly Operand[]): string[] =>
  tensors.flatMap(({ name, quantization, dimensions }) => {
    const [rows, columns] = dimensions;
    if (quantization === null || rows === undefined || columns === undefined) return [];
    const bytes = printNumber(foldNumber(quantizedBytes(quantization, rows, columns)));
    const reading = operands.filter(({ source }) => readsTensor(source, name));
    const kernels = reading.every(({ format }) => isCoded(format))
      ? "which is what kernels read"
      : "packed for kernels in single precision";
    return [`${name} is held as ${quantization.grid} in ${bytes} bytes, ${kernels}`];
  });

/**
 * What a device reads of such tensors in another form than their own: matrix units multiply a tensor from its codes, but
 * gradients by x want it transposed, and a scale of a run of inputs belongs to no output of the transpose.
 */
export const widenedNotes = (tensors: AlgebraGraph["tensors"], operands: readonly Operand[]): string[] =>
  tensors.flatMap(({ name, quantization }) => {
    if (quantization === null) return [];
    const keepsBits = ({ format }: Operand): boolean =>
      isCoded(format) ||
      format.name === "code-tiles" ||
      (quantization.grid === "bf16" && format.name === "half-tiles");
    const widened = operands.filter((operand) => readsTensor(operand.source, name) && !keepsBits(operand));
    return widened.map(
      ({ description, format, bytes }) =>
        `${description} is read as ${format.name} in ${printNumber(foldNumber(bytes))} bytes, beside ${name} as ${quantization.grid}`,
    );
  });

const readsTensor = (source: OperandSource, name: string): boolean =>
  stackedParts(source).some((part) => readsPart(part, name));

const readsPart = (source: MatrixSource, name: string): boolean =>
  (source.kind === "leaf" && source.name === name) ||
  partsOfSource(source).some((part) => readsPart(part, name));
