/** What the cases of kernels on matrix units are written with. */
import { symbol } from "../../runtime/contract/number-expression.ts";

export const halves = ["bf16", "f16"] as const;
export type Half = (typeof halves)[number];

export const [out, inputs, r] = [symbol("out"), symbol("in"), symbol("r")];

export const term = (operand: string, input = "x") =>
  ({ atom: "dense", operand, input, inputPermutation: null }) as const;
