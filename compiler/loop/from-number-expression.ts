/**
 * Dimensions become symbols of the frame: every number that a kernel needs and that is not known at compile
 * time is one named 64-bit slot, computed by the runtime at load.
 */
import type { FrameSymbol } from "../../runtime/contract/manifest.ts";
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { evaluateNumber, number, printNumber, symbolsOf } from "../../runtime/contract/number-expression.ts";
import type { Names } from "./loop-builder.ts";
import { int, symbol } from "./loop-expression.ts";
import type { LoopExpression } from "./loop-node.ts";

export interface FrameSymbols {
  /**
   * The dimension as an index expression: a literal when the constants decide it, else a symbol.
   * @throws RangeError when a decided dimension is no natural number.
   */
  dimension(expression: NumberExpression): LoopExpression;
  /** The expression with the constants put in. */
  specialize(expression: NumberExpression): NumberExpression;
  /** The symbols given out so far, in the order of the frame. */
  readonly list: readonly FrameSymbol[];
}

const operatorWords: readonly (readonly [string, string])[] = [
  [" / ", "_over_"],
  [" * ", "_times_"],
  [" + ", "_plus_"],
  [" - ", "_minus_"],
  [" % ", "_mod_"],
];

/** A name for a number, made of what it is computed from. */
export function symbolName(text: string): string {
  const words = operatorWords.reduce((result, [sign, word]) => result.replaceAll(sign, word), text);
  const identifier = words.replaceAll(/[^A-Za-z0-9_]+/g, "_").replaceAll(/^_+|_+$/g, "");
  if (identifier.length > 40) return "size";
  return /^[A-Za-z_]/.test(identifier) ? identifier : `n_${identifier}`;
}

/** Plain symbols keep their names, which `names` must therefore hold back: see `symbolNames`. */
export function createFrameSymbols(
  names: Names,
  keepNames: ReadonlySet<string>,
  constants: Readonly<Record<string, number>>,
): FrameSymbols {
  const list: FrameSymbol[] = [];
  const known = new Map<string, LoopExpression>();

  const specialize = (expression: NumberExpression): NumberExpression => {
    if (expression.kind === "number") return expression;
    if (expression.kind === "symbol") {
      const value = constants[expression.name];
      return value === undefined ? expression : number(value);
    }
    const operands = expression.operands.map(specialize);
    const applied: NumberExpression = { ...expression, operands };
    return operands.every((operand) => operand.kind === "number")
      ? number(evaluateNumber(applied, new Map()))
      : applied;
  };

  const give = (expression: NumberExpression): LoopExpression => {
    const text = printNumber(expression);
    const before = known.get(text);
    if (before !== undefined) return before;
    const keeps = expression.kind === "symbol" && keepNames.has(expression.name);
    const name = keeps ? expression.name : names.fresh(symbolName(text));
    list.push({ name, value: expression });
    const given = symbol(name);
    known.set(text, given);
    return given;
  };

  return {
    list,
    specialize,
    dimension(expression) {
      const special = specialize(expression);
      if (special.kind !== "number") return give(special);
      if (!Number.isSafeInteger(special.value) || special.value < 0) {
        throw new RangeError(
          `the dimension ${printNumber(expression)} is ${special.value}, not a natural number`,
        );
      }
      return int(special.value);
    },
  };
}

/** The plain symbols that `expressions` read. */
export const symbolNames = (expressions: Iterable<NumberExpression>): Set<string> =>
  new Set([...expressions].flatMap(symbolsOf));
