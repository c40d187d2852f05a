/**
 * Predicted nanoseconds of a call, as an expression over dimensions, arguments and `batch`: for each step a fixed
 * price, for each of its terms the walks over the stored values and the multiply-adds, shared by the threads that have
 * tiles; the bytes of the operands from where they lie. Linear in the rates: `spxc calibrate` fits them to times by
 * pricing with one rate at a time.
 */
import {
  apply,
  type NumberExpression,
  number,
  printNumber,
  symbol,
} from "../../runtime/contract/number-expression.ts";
import { callsPerStep } from "../targets/cpu-rates.ts";
import type { ByThreads, LevelRates, RatedAtom, RateTable } from "../targets/rate-table.ts";
import { withTile, type X86Target, x86Targets } from "../targets/x86-targets.ts";
import { applyFolded } from "../types/fold-number.ts";
import { knownPrice } from "./known-prices.ts";
import type { OperandLookup } from "./operand-table.ts";
import { csrParts, over, plus, times } from "./packed-size.ts";
import type { Operand, Step, StepTerm, Variant } from "./plan.ts";
import { ratedAtom } from "./rated-atom.ts";
import { roundingCost } from "./rounding-levels.ts";
import { orderOf, type StepPhase, stepPhases } from "./step-phases.ts";
import { passedShare, passingCost, sharing, sweepCost, transposingCost } from "./thread-cost.ts";
import { phaseGeometry, type StepGeometry } from "./tile-geometry.ts";
import { entrySlots, inputsOfEntry, walkedValues } from "./walked-values.ts";

/** What a price depends on. */
export type PricedVariant = Pick<Variant, "layout" | "activations" | "steps" | "merged">;

/** A level with its rates and the threads that share the work. */
export interface PricedMachine {
  readonly target: X86Target;
  readonly rates: LevelRates;
  readonly threads: number;
}

/** One for each level that is measured, the widest first. */
export const machinesOf = ({ levels, threads }: RateTable): readonly PricedMachine[] =>
  x86Targets.map((target) => ({ target, rates: levels[target.base], threads }));

/** The machine with the tile of a plan, if its author has pinned one. */
export const tiledMachine = (machine: PricedMachine, tile: number | null | undefined): PricedMachine =>
  tile === null || tile === undefined ? machine : { ...machine, target: withTile(machine.target, tile) };

/** The widest level: what a plan is chosen for where one level has to do. @throws TypeError without levels. */
export function widestMachine(table: RateTable): PricedMachine {
  const [widest] = machinesOf(table);
  if (widest === undefined) throw new TypeError("no levels");
  return widest;
}

const max = (a: NumberExpression, b: NumberExpression): NumberExpression => applyFolded("max", a, b);
const min = (a: NumberExpression, b: NumberExpression): NumberExpression => applyFolded("min", a, b);

function termCost(
  term: StepTerm,
  geometry: StepGeometry,
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const operand = operands.find(term.operand);
  const { rows, columns, format, multiplies } = operand;
  const vector = variant.layout === "lane-output" ? 1 : 16;
  const walked = (values: NumberExpression, atom: RatedAtom): NumberExpression => {
    const { walkNanoseconds, multiplyNanoseconds } = machine.rates.atoms[atom][variant.layout];
    return times(
      values,
      plus(
        times(geometry.walks, number(walkNanoseconds)),
        times(geometry.tokens, number(multiplyNanoseconds / vector)),
      ),
    );
  };
  if (format.name === "mixed-ell") {
    const { quads, windows } = entrySlots(operand);
    return plus(walked(quads, "quads"), walked(windows, "sparse"));
  }
  const parts = format.name === "csr" ? csrParts(rows, columns, multiplies) : number(0);
  const between = times(parts, geometry.walks, number(machine.rates.calls.partNanoseconds));
  const values = walkedValues(operand, geometry.rowTile);
  const strided = variant.layout === "lane-output" && term.inputPermutation !== null;
  const inputNanoseconds = strided
    ? machine.rates.calls.stridedNanoseconds
    : (inputsOfEntry(format) * machine.rates.memory.groupInputNanoseconds) / vector;
  const inputs = times(values, geometry.tokens, number(inputNanoseconds));
  return plus(walked(values, ratedAtom(term.atom, format)), between, inputs);
}

const widthOf = (variant: PricedVariant, activation: string): NumberExpression =>
  variant.activations.find(({ name }) => name === activation)?.width ?? number(0);

/** What the price of a step depends on but for the machine. */
function keyOf(step: Step, variant: PricedVariant, operands: OperandLookup): string {
  const what = step.terms
    .map(
      ({ atom, operand, transposed, inputPermutation }) =>
        `${atom} ${operand} ${transposed === true} ${inputPermutation !== null}`,
    )
    .join(" + ");
  const width = printNumber(widthOf(variant, step.output));
  const stores = `${orderOf(step, operands)} ${step.accumulate} ${passedShare(step.output, variant, operands)}`;
  return `${what} ${variant.layout} ${width} ${stores}`;
}

const levelKey = ({ threads, target }: PricedMachine): string =>
  `${threads} ${target.name} ${target.outputTokens} ${target.denseTokenTile.vectors}`;

const stepCost = (
  step: Step,
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression =>
  knownPrice(
    operands,
    step,
    { rates: machine.rates, level: levelKey(machine) },
    {
      key: () => keyOf(step, variant, operands),
      price: () => freshStepCost(step, variant, operands, machine),
    },
  );

function freshStepCost(
  step: Step,
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const phases = stepPhases(step, variant.layout, operands);
  return plus(
    number(machine.rates.calls.stepNanoseconds),
    ...phases.map((phase) => phaseCost(phase, step, variant, operands, machine)),
  );
}

function phaseCost(
  phase: StepPhase,
  step: Step,
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const { calls } = machine.rates;
  const width = widthOf(variant, step.output);
  const geometry = phaseGeometry(phase, width, variant.layout, operands, machine.target);
  const scattered = phase.order === "singles";
  const storing = {
    lines: calls.storeNanoseconds[variant.layout],
    strips: calls.stripNanoseconds,
    singles: calls.scatterNanoseconds,
  };
  const stores = times(
    geometry.tokens,
    width,
    number(storing[phase.order]),
    number(step.accumulate || phase.sparse ? 2 : 1),
  );
  const work = plus(
    scattered ? number(0) : stores,
    ...phase.terms.map((term) => termCost(term, geometry, variant, operands, machine)),
  );
  return plus(
    sweepCost(geometry.tiles, machine),
    passingCost(
      times(geometry.tokens, width),
      passedShare(step.output, variant, operands),
      geometry.tiles,
      variant.layout,
      machine,
    ),
    times(work, sharing(geometry.tiles, machine.threads)),
    // Scattered numbers share their lines with those of other panels, for which threads take turns.
    scattered ? times(stores, sharing(geometry.groups, machine.threads)) : number(0),
  );
}

/** 0 up to `limit`, 1 from twice as much on: what no longer stays in a cache grows gradually. */
const overflow = (bytes: NumberExpression, limit: number): NumberExpression =>
  min(number(1), max(number(0), plus(over(bytes, number(limit)), number(-1))));

/**
 * Nanoseconds a byte of what is read again and again, `bytes` in all, by the smallest memory that holds it.
 * @param beneath 1 where multiply-adds hide a part of the time to read from memory, else 0.
 */
export function byteNanoseconds(
  bytes: NumberExpression,
  { rates: { memory }, threads }: PricedMachine,
  beneath: NumberExpression = number(0),
): NumberExpression {
  const of = (rate: ByThreads): number => (threads === 1 ? rate.one : rate.all);
  const third = of(memory.thirdLevelNanoseconds);
  const exposed = of(memory.memoryNanoseconds);
  const hidden = exposed - of(memory.beneathMultipliesNanoseconds);
  return plus(
    times(overflow(bytes, memory.secondLevelBytes), number(third)),
    times(
      overflow(bytes, memory.thirdLevelBytes),
      plus(number(exposed - third), times(beneath, number(-hidden))),
    ),
  );
}

/** Operands of a variant, each once. */
export function operandsOf(variant: Pick<Variant, "steps">, operands: OperandLookup): readonly Operand[] {
  const names = new Set(variant.steps.flatMap(({ terms }) => terms.map(({ operand }) => operand)));
  return [...names].map((name) => operands.find(name));
}

/**
 * Time to read the operands from beyond the second level. With a lane an output each operand is read once, because a
 * panel of it stays near while the tokens pass, and beneath the multiply-adds as soon as lines pass more tokens than share
 * a load; with a lane a token once for every group of tokens.
 */
function readingCost(
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const all = plus(...operandsOf(variant, operands).map(({ bytes }) => bytes));
  if (variant.layout === "lane-output") {
    const beneath = apply(">", symbol("batch"), number(machine.target.outputTokens));
    return times(all, byteNanoseconds(all, machine, beneath));
  }
  const read = variant.steps.flatMap((step) =>
    stepPhases(step, variant.layout, operands).map((phase) => {
      const width = widthOf(variant, step.output);
      const { walks } = phaseGeometry(phase, width, variant.layout, operands, machine.target);
      const bytes = new Set(phase.terms.map(({ operand }) => operand));
      return times(walks, plus(...[...bytes].map((name) => operands.find(name).bytes)));
    }),
  );
  return times(plus(...read), byteNanoseconds(all, machine));
}

/** Share of one call in computing an operand whose tensors changed; what the merge fills is priced by merge-cost.ts. */
export const formingCost = (
  { stage, production, work }: Operand,
  { rates }: PricedMachine,
): NumberExpression =>
  stage === "load" || production === "merge"
    ? number(0)
    : times(work, number(rates.calls.formingNanoseconds / callsPerStep));

/** Nanoseconds by cause; all read `batch`. */
export interface CostParts {
  /** Entering the kernel. */
  readonly call: NumberExpression;
  readonly reading: NumberExpression;
  /** Into token panels and back; when a lane is an output, rounding to bf16 if the level does that. */
  readonly transposing: NumberExpression;
  /** One for each step, in order. */
  readonly steps: readonly NumberExpression[];
  /** Computing operands outside of kernels after a step of training, divided by the calls that share it. */
  readonly forming: NumberExpression;
}

export function costParts(
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): CostParts {
  const { calls } = machine.rates;
  const [x, y] = variant.activations;
  const transposed = variant.layout === "lane-token" && x !== undefined && y !== undefined;
  return {
    call: number(calls.callNanoseconds),
    reading: readingCost(variant, operands, machine),
    transposing: transposed
      ? plus(
          transposingCost(x.width, passedShare(x.name, variant, operands), machine),
          transposingCost(y.width, 0, machine),
        )
      : roundingCost(variant, operands, machine),
    steps: variant.steps.map((step) => stepCost(step, variant, operands, machine)),
    forming: variant.merged
      ? number(0)
      : plus(...operandsOf(variant, operands).map((operand) => formingCost(operand, machine))),
  };
}

/** Without the share of merging; see `mergeCost`. */
export function callCost(
  variant: PricedVariant,
  operands: OperandLookup,
  machine: PricedMachine,
): NumberExpression {
  const { call, reading, transposing, steps, forming } = costParts(variant, operands, machine);
  return plus(call, reading, transposing, ...steps, forming);
}
