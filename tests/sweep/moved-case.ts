/** A layer moved from the start to the clocks of its case by the runtime, beside what the language says becomes of it. */
import type { TransformManifest } from "../../runtime/contract/manifest.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import type { LayerState } from "../../runtime/model/initial-state.ts";
import { zeroClocks } from "../../runtime/model/scheduled-numbers.ts";
import { positionsOf } from "../../runtime/select/pattern.ts";
import { demandKept } from "./demand-positions.ts";
import type { SweepCase } from "./loaded-case.ts";
import { patternsOf, tensorsOf } from "./program-declarations.ts";
import { LevelFault, type Road } from "./road.ts";
import type { Values } from "./stored-values.ts";

/** A matrix that was written dense and is stored at the positions of a structural mask alone. */
export function spread(positions: Float64Array, stored: ArrayLike<number>, count: number): Float64Array {
  const dense = new Float64Array(count);
  positions.forEach((position, index) => {
    dense[position] = stored[index] ?? 0;
  });
  return dense;
}

/** Where every layer starts. */
export const start = { step: 0, progress: 0 } as const;

/** The clocks of a case. */
export const clocksOf = ({ sizes }: SweepCase): { readonly step: number; readonly progress: number } => ({
  step: sizes.get("step") ?? 0,
  progress: sizes.get("progress") ?? 0,
});

interface MovingCase {
  readonly one: SweepCase;
  readonly loading: TransformManifest;
  readonly state: LayerState;
  /** Stored values; those of parameters that move are put in place. */
  readonly tensors: Map<string, Float32Array>;
  /** Before the move. */
  readonly values: Values;
  readonly gradient: Float32Array;
  readonly road: Road;
}

/** From the start to the clocks of the case: the positions then, with parameters where the language says they go. */
export function moveCase({
  one,
  loading,
  state,
  tensors,
  values,
  gradient,
  road,
}: MovingCase): Values["positions"] {
  const { program, sizes, seed } = one;
  if (loading.time === null) return values.positions;
  const [rows, columns] = [program.weight.rows, program.weight.columns].map((side) =>
    evaluateNumber(side, sizes),
  );
  const identity = {
    transform: program.name,
    source: "",
    arguments: {},
    seed: seed >>> 1,
    name: program.name,
    clocks: zeroClocks,
  };
  const clocks = clocksOf(one);
  road
    .createLayerTime({ transform: loading, state, identity }, { moved: () => undefined })
    .at(clocks, { shape: [rows ?? 0, columns ?? 0], values: gradient });
  for (const { name } of loading.time.numbers)
    if (state.symbols.get(name) !== sizes.get(name))
      throw new LevelFault("time", `${name} is ${state.symbols.get(name)}, expected ${sizes.get(name)}`);
  const positions = new Map(values.positions);
  const seen = new Map(values.tensors);
  for (const pattern of patternsOf(program.weight)) {
    const { refresh, name, selection } = pattern;
    if (refresh === null) continue;
    const { every, condition } = refresh;
    const isDue = clocks.step >= every && (condition === null || evaluateNumber(condition, sizes) !== 0);
    const chosen = state.patterns.get(name);
    const before = positions.get(pattern) ?? [];
    const now: Values = { ...values, sizes, positions, tensors: seen };
    if (!isDue && chosen !== undefined && [...positionsOf(chosen)].join() !== before.join())
      throw new LevelFault("time", `${name} is chosen again, though nothing is due`);
    if (!isDue) continue;
    const after = demandKept("time", pattern, refresh.selection ?? selection, chosen, now, gradient);
    positions.set(pattern, after);
    // What lives on the pattern keeps its values where it stays, and starts at its number or 0 elsewhere.
    for (const parameter of loading.parameters) {
      const tensor = tensorsOf(program.weight).find((candidate) => candidate.name === parameter.name);
      if (parameter.support !== name || tensor === undefined) continue;
      const first = typeof tensor.start === "number" ? tensor.start : 0;
      const held = new Map(before.map((at, index) => [at, tensors.get(parameter.name)?.[index] ?? 0]));
      const moved = Float32Array.from(after, (at) => held.get(at) ?? first);
      const found = state.parameters.get(parameter.name)?.values ?? [];
      if (moved.join() !== found.join())
        throw new LevelFault(
          "time",
          `${parameter.name} on ${name} is ${found.join()}, expected ${moved.join()}`,
        );
      tensors.set(parameter.name, moved);
      const area = evaluateNumber(pattern.rows, sizes) * evaluateNumber(pattern.columns, sizes);
      seen.set(
        parameter.name,
        tensor.structure === "dense" ? spread(Float64Array.from(after), moved, area) : moved,
      );
    }
  }
  return positions;
}
