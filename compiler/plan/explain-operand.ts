/** An operand or a step of an explanation, with its sizes as numbers. */
import {
  evaluateNumber,
  type NumberExpression,
  type SymbolValues,
} from "../../runtime/contract/number-expression.ts";
import type { Operand } from "./plan.ts";
import { printFormat } from "./print-plan.ts";

export interface ExplainedOperand {
  readonly name: string;
  readonly description: string;
  readonly format: string;
  readonly stage: "load" | "step";
  readonly bytes: number;
  /** For one token. */
  readonly multiplies: number;
}

export interface ExplainedStep {
  readonly text: string;
  /** Predicted, at the batch of its interval. */
  readonly nanoseconds: number;
}

export function explainOperand(operand: Operand, values: SymbolValues): ExplainedOperand {
  const at = (expression: NumberExpression): number => Math.round(evaluateNumber(expression, values));
  const { name, description, stage } = operand;
  const format = printFormat(operand.format);
  return { name, description, format, stage, bytes: at(operand.bytes), multiplies: at(operand.multiplies) };
}
