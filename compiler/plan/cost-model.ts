/**
 * Predicted nanoseconds of a call, as an expression over dimensions, arguments and `batch`: for each step a fixed
 * price, for each of its terms the walks over the stored values and the multiply-adds; the bytes of all operands once.
 */
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { atomRates, callRates, memoryRates } from "../targets/cpu-rates.ts";
import { substitute } from "../types/fold-number.ts";
import type { OperandLookup } from "./operand-table.ts";
import { ceilOver, over, plus, times, windowSlots } from "./packed-size.ts";
import type { Layout, MergePlan, Operand, Step, StepTerm, Variant } from "./plan.ts";

/** What a price depends on. */
export type PricedVariant = Pick<Variant, "layout" | "activations" | "steps">;

const batch = symbol("batch");
/** Tokens that are computed: lane = token works on whole panels of 16. */
const tokensOf = (layout: Layout): NumberExpression =>
  layout === "lane-output" ? batch : times(ceilOver(batch, 16), number(16));

/** Stored values with the padding that a kernel computes on: whole lanes of outputs, lines of windows. */
function walkedValues(operand: Operand, layout: Layout): NumberExpression {
  if (operand.format.name === "window-ell")
    return windowSlots(operand.rows, operand.columns, operand.multiplies);
  if (layout === "lane-token") return operand.multiplies;
  if (operand.format.name === "panel16") return over(operand.bytes, number(4));
  return operand.format.name === "blockdiag16"
    ? times(operand.columns, ceilOver(over(operand.rows, operand.format.blocks), 16), number(16))
    : operand.multiplies;
}

/** 1 where a step has tiles for both threads, else the price of one of them waiting. */
function sharing(width: NumberExpression, tileTokens: number): NumberExpression {
  const single = apply("and", apply("<=", width, number(16)), apply("<=", batch, number(tileTokens)));
  return plus(number(1), times(number(callRates.singleTileFactor - 1), single));
}

function termCost(
  term: StepTerm,
  width: NumberExpression,
  layout: Layout,
  operands: OperandLookup,
): NumberExpression {
  const rate = atomRates[term.atom][layout];
  const tokens = tokensOf(layout);
  // Tiles at the end of the batch shrink, so a walk is charged in full only when it is the only one.
  const walks = times(
    apply("max", number(1), over(tokens, number(rate.tileTokens))),
    number(rate.tileNanoseconds),
  );
  const multiplies = times(tokens, number(rate.groupNanoseconds / rate.groupTokens));
  const values = walkedValues(operands.find(term.operand), layout);
  return times(values, plus(walks, multiplies), sharing(width, rate.tileTokens));
}

function stepCost(step: Step, variant: PricedVariant, operands: OperandLookup): NumberExpression {
  const tokens = tokensOf(variant.layout);
  const width = variant.activations.find(({ name }) => name === step.output)?.width ?? number(0);
  const scattered = step.outputPermutation !== null && variant.layout === "lane-output";
  const stores =
    (scattered ? callRates.scatterNanoseconds : callRates.activationNanoseconds) * (step.accumulate ? 2 : 1);
  return plus(
    number(callRates.stepNanoseconds),
    times(tokens, width, number(stores)),
    ...step.terms.map((term) => termCost(term, width, variant.layout, operands)),
  );
}

/** Time to read `bytes` once a call; the rate is that of the smallest memory that holds all of them. */
function readCost(bytes: NumberExpression): NumberExpression {
  const {
    secondLevelBytes,
    secondLevelNanoseconds,
    thirdLevelBytes,
    thirdLevelNanoseconds,
    memoryNanoseconds,
  } = memoryRates;
  const surcharge = (limit: number, nanoseconds: number): NumberExpression =>
    times(apply(">", bytes, number(limit)), number(nanoseconds));
  const rate = plus(
    number(secondLevelNanoseconds),
    surcharge(secondLevelBytes, thirdLevelNanoseconds - secondLevelNanoseconds),
    surcharge(thirdLevelBytes, memoryNanoseconds - thirdLevelNanoseconds),
  );
  return times(bytes, rate);
}

/** Operands of a variant, each once. */
export function operandsOf(variant: Pick<Variant, "steps">, operands: OperandLookup): readonly Operand[] {
  const names = new Set(variant.steps.flatMap(({ terms }) => terms.map(({ operand }) => operand)));
  return [...names].map((name) => operands.find(name));
}

/** A price no other variant reaches where a format cannot index the matrix: 16-bit columns, 16-bit windows. */
function limitCost(operand: Operand): NumberExpression | null {
  const widest =
    operand.format.name === "csr" ? 65536 : operand.format.name === "window-ell" ? 1048576 : null;
  return widest === null ? null : times(apply(">", operand.columns, number(widest)), number(1e15));
}

/** Nanoseconds by cause; all read `batch`. */
export interface CostParts {
  /** Entering the kernel. */
  readonly call: NumberExpression;
  readonly reading: NumberExpression;
  /** Into token panels and back; 0 when a lane is an output. */
  readonly transposing: NumberExpression;
  /** One for each step, in order. */
  readonly steps: readonly NumberExpression[];
  /** 0, or a price that excludes the variant because a format's index is too narrow. */
  readonly limits: NumberExpression;
}

export function costParts(variant: PricedVariant, operands: OperandLookup): CostParts {
  const used = operandsOf(variant, operands);
  const [x, y] = variant.activations;
  const edges =
    variant.layout === "lane-token" && x !== undefined && y !== undefined
      ? plus(x.width, y.width)
      : number(0);
  return {
    call: number(callRates.callNanoseconds),
    reading: readCost(plus(...used.map(({ bytes }) => bytes))),
    transposing:
      edges.kind === "number"
        ? edges
        : times(tokensOf(variant.layout), edges, number(callRates.transposeNanoseconds)),
    steps: variant.steps.map((step) => stepCost(step, variant, operands)),
    limits: plus(...used.flatMap((operand) => limitCost(operand) ?? [])),
  };
}

/** Without the share of merging; see `mergeCost`. */
export function callCost(variant: PricedVariant, operands: OperandLookup): NumberExpression {
  const { call, reading, transposing, steps, limits } = costParts(variant, operands);
  return plus(call, reading, transposing, ...steps, limits);
}

/** Nanoseconds of forming the dense weight once, divided by the calls that share it. */
export function mergeCost(
  plan: MergePlan,
  identityVariant: PricedVariant,
  operands: OperandLookup,
): NumberExpression {
  const share = number(1 / callRates.callsPerStep);
  const [x, y] = identityVariant.activations;
  const columns = x?.width ?? number(0);
  if (plan.method === "identity") {
    return times(share, substitute(callCost(identityVariant, operands), new Map([["batch", columns]])));
  }
  const written = times(y?.width ?? number(0), columns, number(4 * memoryRates.memoryNanoseconds));
  const parts = plan.terms.map((term) => {
    if (term.kind === "operand")
      return times(
        walkedValues(operands.find(term.operand), "lane-output"),
        number(callRates.mergeMultiplyNanoseconds),
      );
    const [left, right] = [operands.find(term.left), operands.find(term.right)];
    return times(left.rows, left.columns, right.columns, number(callRates.mergeMultiplyNanoseconds));
  });
  return times(share, plus(number(callRates.callNanoseconds), written, ...parts));
}
