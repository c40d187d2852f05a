/**
 * A program with sizes and data: a layer's state as the runtime makes it, beside what the oracle says. Data are small
 * integers, thinned until every calculation in float32 is exact, so that levels have to agree to the last bit.
 */
import type { WeightValues } from "../../compiler/algebra/evaluate-source.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { bindArguments } from "../../runtime/model/bind-arguments.ts";
import { frozenTensor } from "../../runtime/model/frozen-values.ts";
import type { LayerState } from "../../runtime/model/initial-state.ts";
import { scheduledNumbers, zeroClocks } from "../../runtime/model/scheduled-numbers.ts";
import type { DenseTensor } from "../../runtime/select/dense-tensor.ts";
import { type Pattern, positionsOf } from "../../runtime/select/pattern.ts";
import { computedValues } from "./computed-values.ts";
import { demandDecomposed } from "./demand-decomposed.ts";
import { demandKept } from "./demand-positions.ts";
import { bitsNeeded, magnitudeOf } from "./exactness.ts";
import { atClocks } from "./generate-time.ts";
import { moveCase, spread, start } from "./moved-case.ts";
import type { PatternDeclaration, Program, Sizes } from "./program.ts";
import { patternsOf, rounds, tensorsOf } from "./program-declarations.ts";
import { meaningOf } from "./program-oracle.ts";
import { argumentNumbers, argumentTensors } from "./program-text.ts";
import { createRandom, type Random } from "./random.ts";
import { atLevel, LevelFault, type Road } from "./road.ts";
import type { Stages } from "./stages.ts";
import { type Matrix, startValues, stored as storedMatrix, type Values } from "./stored-values.ts";

export interface SweepCase {
  readonly program: Program;
  readonly sizes: Sizes;
  /** Of the data, the order of tiles, and what is picked where not everything runs. */
  readonly seed: number;
  readonly batches: readonly number[];
}

export interface LoadedCase {
  readonly given: ReadonlyMap<string, DenseTensor>;
  readonly numbers: ReadonlyMap<string, number>;
  readonly state: LayerState;
  /** What every parameter is set to after loading. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
  /** Of the weight, where a refresh reads it. */
  readonly gradient: Float32Array;
  readonly values: Values;
  /** The same values as the compiler's interpreters read them. */
  readonly compilerValues: WeightValues;
  readonly weight: Matrix;
  /** Bits that the weight times one input may need. */
  readonly bits: number;
  /** How large the parts are that the weight is rounded from; 0 where nothing is rounded. */
  readonly rounded: number;
  /** The weight with `by` times `direction` added to a parameter, as it is stored, for the derivative at the values. */
  readonly moved: (name: string, direction: ArrayLike<number>, by: number) => Matrix;
}

/** How much larger than the entries of a weight what it is rounded from may be for a comparison to mean something. */
const mostCancelled = 2000;
export const largestInput = 3;
/** Integers of float32 are exact up to 2 to this power. */
export const exactBits = 24;

/** Entries up to `largest`, one of `every` not zero; from dense to thin. */
const densities = [
  { largest: 3, every: 1 },
  { largest: 1, every: 1 },
  { largest: 2, every: 4 },
  { largest: 1, every: 10 },
  { largest: 1, every: 40 },
  { largest: 1, every: 400 },
] as const;
type Density = (typeof densities)[number];

/** Odd multiples of 1/64 from 1/4 to 5/4, of either sign: none lies between two levels of a grid. */
const fractions = (random: Random, count: number): Float32Array =>
  Float32Array.from(
    { length: count },
    () => ((17 + 2 * random.below(32)) / 64) * (random.chance(0.5) ? 1 : -1),
  );

const valuesFor = (random: Random, count: number, density: Density | null): Float32Array =>
  density === null ? fractions(random, count) : integers(random, count, density);

const integers = (random: Random, count: number, { largest, every }: Density): Float32Array =>
  Float32Array.from({ length: count }, () => {
    const value = 1 + random.below(largest);
    return random.below(every) > 0 ? 0 : random.chance(0.5) ? value : -value;
  });

export const inputsFor = (seed: number, count: number): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.below(2 * largestInput + 1) - largestInput);
};

function givenTensors(
  { program, sizes, seed }: SweepCase,
  density: Density | null,
): Map<string, DenseTensor> {
  const random = createRandom(seed ^ 0x51ed);
  return new Map(
    argumentTensors(program).map((tensor) => {
      const sides = tensor.structure === "vector" ? [tensor.rows] : [tensor.rows, tensor.columns];
      const shape = [...(tensor.stack === null ? [] : [tensor.stack]), ...sides].map((side) =>
        evaluateNumber(side, sizes),
      );
      return [
        tensor.name,
        {
          shape,
          values: valuesFor(
            random,
            shape.reduce((a, b) => a * b, 1),
            density,
          ),
        },
      ];
    }),
  );
}

/** Positions as the runtime chose them. @throws LevelFault where the language leaves no choice and it chose others. */
function positionsIn(
  program: Program,
  state: LayerState,
  values: Values,
): Pick<Values, "positions" | "members"> {
  const positions = new Map<PatternDeclaration, readonly number[]>();
  const members = new Map<PatternDeclaration, number[][]>();
  for (const pattern of patternsOf(program.weight)) {
    const demand = (chosen: Pattern | null | undefined, sizes = values.sizes): number[] =>
      demandKept("load", pattern, pattern.selection, chosen, { ...values, sizes, positions });
    if (pattern.family !== null) {
      const count = evaluateNumber(pattern.family, values.sizes);
      const named = Array.from({ length: count }, (_, index) => `${pattern.name}[${index}]`);
      const each = named.map((name, index) =>
        demand(state.patterns.get(name), new Map([...values.sizes, [pattern.index ?? "", index]])),
      );
      members.set(pattern, each);
      continue;
    }
    const holder = tensorsOf(program.weight).find(({ support }) => support === pattern);
    const own = state.parameters.get(holder?.name ?? "")?.target.support;
    positions.set(pattern, demand(pattern.name === "" ? own : state.patterns.get(pattern.name)));
  }
  return { positions, members };
}

/** Small integers for the tensors that a layer is given: what is computed from them at load is exact. */
export const exactTensors = (one: SweepCase): Map<string, DenseTensor> => givenTensors(one, densities[0]);

/** The numbers that a layer is given: those that were not fixed when the program was built. */
export function numbersGiven(program: Program, { checked }: Stages, sizes: Sizes): Map<string, number> {
  const constants = new Set(Object.keys(checked.constants));
  return new Map(
    argumentNumbers(program).flatMap(({ name }) =>
      constants.has(name) ? [] : [[name, sizes.get(name) ?? 0] as const],
    ),
  );
}

function load(one: SweepCase, stages: Stages, road: Road, density: Density | null): LoadedCase {
  const { program, sizes, seed } = one;
  const { loading, checked } = stages;
  const given = givenTensors(one, density);
  const numbers = numbersGiven(program, stages, sizes);
  const bound = bindArguments(loading, { tensors: given, numbers });
  const state = road.initialState(loading, bound, { seed: seed >>> 1, layer: program.name }, null);
  for (const [name, value] of scheduledNumbers(loading, state.symbols, zeroClocks))
    state.symbols.set(name, value);
  demandOneSupport(checked, state);
  const random = createRandom(seed ^ 0x7a11);
  const parameters = new Map<string, Float32Array>();
  const nowhere = { positions: new Map(), members: new Map() };
  const loadedTensors = computedTensors(program, sizes, given, state);
  demandStart(program, state, { sizes, tensors: loadedTensors, ...nowhere });
  for (const [name, { values }] of state.parameters) {
    values.set(valuesFor(random, values.length, density));
    parameters.set(name, values.slice());
  }
  const tensors = new Map([...loadedTensors, ...parameters]);
  const asWritten = (name: string, stored: ArrayLike<number>): ArrayLike<number> => {
    const tensor = tensorsOf(program.weight).find((one) => one.name === name);
    const target = state.parameters.get(name)?.target;
    const narrowed = tensor?.structure === "dense" ? (target?.support ?? null) : null;
    return narrowed === null
      ? stored
      : spread(positionsOf(narrowed), stored, narrowed.rows * narrowed.columns);
  };
  const allWritten = (): Map<string, ArrayLike<number>> =>
    new Map([...tensors].map(([name, stored]) => [name, asWritten(name, stored)] as const));
  const first: Values = {
    sizes: atClocks(program.schedules, sizes, start),
    tensors: allWritten(),
    ...nowhere,
  };
  const loaded: Values = { ...first, ...positionsIn(program, state, first) };
  const [rows = 0, columns = 0] = [program.weight.rows, program.weight.columns].map((side) =>
    evaluateNumber(side, sizes),
  );
  const gradient = valuesFor(random, rows * columns, density);
  const positions = atLevel("time", () =>
    moveCase({ one, loading, state, tensors, values: loaded, gradient, road }),
  );
  const written = allWritten();
  const values: Values = { ...loaded, sizes: withCounts(sizes, positions), tensors: written, positions };
  const compilerValues: WeightValues = {
    // With the counts that were measured at load.
    numbers: state.symbols,
    tensors: new Map(
      [...tensors].map(([name, data]) => {
        const support = state.parameters.get(name)?.target.support ?? null;
        return [
          name,
          { values: Float64Array.from(data), positions: support === null ? null : [...positionsOf(support)] },
        ];
      }),
    ),
    patterns: new Map(
      [...state.patterns].map(([name, pattern]) => {
        const kept = new Set(positionsOf(pattern));
        return [name, (row: number, column: number) => kept.has(row * pattern.columns + column)];
      }),
    ),
  };
  return {
    given,
    numbers,
    state,
    parameters,
    gradient,
    values,
    compilerValues,
    weight: meaningOf(program.weight, values),
    bits: density === null ? Number.POSITIVE_INFINITY : bitsNeeded(program.weight, values, largestInput),
    rounded: density === null ? magnitudeOf(program.weight, values) : 0,
    moved: (name, direction, by) => {
      const stored = Float64Array.from(
        tensors.get(name) ?? [],
        (value, at) => value + by * (direction[at] ?? 0),
      );
      const changed = new Map([...written, [name, asWritten(name, stored)] as const]);
      return meaningOf(program.weight, { ...values, tensors: changed, unmoved: values });
    },
  };
}

/** What is given, and what is computed from it; of frozen tensors what the runtime computed has to be that. */
export function computedTensors(
  { weight }: Program,
  sizes: Sizes,
  given: LoadedCase["given"],
  { frozen }: LayerState,
): Map<string, Float32Array> {
  const tensors = new Map([...given].map(([name, { values }]) => [name, values] as const));
  for (const tensor of tensorsOf(weight)) {
    const { name, formula, grid, role } = tensor;
    if (formula === null) continue;
    const expected = computedValues(tensor, { sizes, tensors, positions: new Map(), members: new Map() });
    tensors.set(name, expected);
    if (role === "let") continue;
    const held = frozen.get(name);
    const found = held === undefined ? undefined : frozenTensor(held).values;
    const within = grid === undefined || grid.kind === "bf16" ? 0 : 2 ** -20;
    if (
      found?.length !== expected.length ||
      !expected.every((value, at) => Math.abs(value - (found[at] ?? Number.NaN)) <= within)
    )
      throw new LevelFault("load", `${name} is computed as ${found?.join()}, expected ${expected.join()}`);
  }
  return tensors;
}

/** Every parameter starts with what its declaration says. */
function demandStart({ weight }: Program, { parameters }: LayerState, values: Values): void {
  const { sizes, tensors } = values;
  for (const tensor of tensorsOf(weight)) {
    const parameter = parameters.get(tensor.name);
    if (parameter === undefined) continue;
    if (tensor.decomposed !== undefined) {
      const { names, of, rank } = tensor.decomposed;
      const [left, right] = names.map((name) => parameters.get(name)?.values ?? []);
      if (left === undefined || right === undefined || tensor.name !== names[0]) continue;
      demandDecomposed(
        tensor.decomposed,
        storedMatrix(of, 0, values),
        evaluateNumber(rank, sizes),
        left,
        right,
      );
      continue;
    }
    const { stored, support } = parameter.target;
    const expected = startValues(
      tensor,
      stored,
      support === null ? null : [...positionsOf(support)],
      tensors,
    );
    if (expected.join() !== parameter.values.join())
      throw new LevelFault(
        "load",
        `${tensor.name} starts as ${parameter.values.join()}, expected ${expected.join()}`,
      );
  }
}

/** `count(M)` beside the other numbers. */
const withCounts = (sizes: Sizes, positions: Values["positions"]): Sizes =>
  new Map([...sizes, ...[...positions].map(([{ name }, kept]) => [`count(${name})`, kept.length] as const)]);

/** A sparse parameter lies at the positions that its support has by name. */
function demandOneSupport({ tensors }: Stages["checked"], state: LayerState): void {
  for (const { name, support } of tensors) {
    const own = state.parameters.get(name)?.target.support;
    const named = support === null ? undefined : state.patterns.get(support);
    if (own === undefined || own === null || named === undefined) continue;
    if (positionsOf(own).join() !== positionsOf(named).join())
      throw new LevelFault("load", `${name} does not lie at the positions of ${support}`);
  }
}

/** @throws LevelFault at "load". */
export function loadCase(one: SweepCase, stages: Stages, road: Road): LoadedCase {
  if (rounds(one.program.weight)) {
    const rounded = atLevel("load", () => load(one, stages, road, null));
    if (!rounded.weight.values.every(Number.isFinite)) throw new InexactCase("a norm is 0");
    const largest = rounded.weight.values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    if (rounded.rounded > mostCancelled * largest) throw new InexactCase("what is left is rounding");
    return rounded;
  }
  let loaded: LoadedCase | null = null;
  for (const density of densities) {
    loaded = atLevel("load", () => load(one, stages, road, density));
    if (loaded.bits <= exactBits) return loaded;
  }
  throw new InexactCase("no data of this case is exact in float32");
}

/** The case proves nothing about rounding and is left out. */
export class InexactCase extends Error {}
