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

const readsTensor = (source: OperandSource, name: string): boolean =>
  stackedParts(source).some((part) => readsPart(part, name));

const readsPart = (source: MatrixSource, name: string): boolean =>
  (source.kind === "leaf" && source.name === name) ||
  partsOfSource(source).some((part) => readsPart(part, name));
