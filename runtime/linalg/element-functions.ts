/** Functions of one number with their slopes: what `map` sources compute, and what their gradients are multiplied by. */
import type { ElementFunction } from "../contract/matrix-source.ts";

export interface ElementRule {
  readonly value: (x: number) => number;
  /** The derivative at x, from x and y = f(x). Where there is none (|x| and relu at 0) it is 0. */
  readonly slope: (x: number, y: number) => number;
}

export const elementFunctions: Readonly<Record<ElementFunction, ElementRule>> = {
  // σ' = σ (1 - σ)
  sigmoid: { value: (x) => 1 / (1 + Math.exp(-x)), slope: (_, y) => y * (1 - y) },
  // tanh' = 1 - tanh²
  tanh: { value: Math.tanh, slope: (_, y) => 1 - y * y },
  exp: { value: Math.exp, slope: (_, y) => y },
  log: { value: Math.log, slope: (x) => 1 / x },
  sqrt: { value: Math.sqrt, slope: (_, y) => 0.5 / y },
  abs: { value: Math.abs, slope: Math.sign },
  relu: { value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
};
