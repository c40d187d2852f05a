/**
 * Layers of one model: what they choose together, are allotted, or have in common, against the definition over all of
 * them. Only programs with such a construct have more than one layer to load.
 */
import type { ModelRule } from "../../runtime/contract/manifest.ts";
import { evaluateNumber, type NumberExpression, number } from "../../runtime/contract/number-expression.ts";
import { bindArguments } from "../../runtime/model/bind-arguments.ts";
import type { LayerState } from "../../runtime/model/initial-state.ts";
import { createJointValues } from "../../runtime/model/joint-values.ts";
import { type Pattern, positionsOf } from "../../runtime/select/pattern.ts";
import { chooseSizes, meetsConditions } from "./choose-sizes.ts";
import { atClocks } from "./generate-time.ts";
import { computedTensors, exactTensors, numbersGiven, type SweepCase } from "./loaded-case.ts";
import { start } from "./moved-case.ts";
import { positionsKept } from "./positions-oracle.ts";
import type { PatternDeclaration, Program, Selection, Sizes } from "./program.ts";
import { patternsOf, rounds, tensorsOf } from "./program-declarations.ts";
import { createRandom } from "./random.ts";
import { LevelFault, type Road } from "./road.ts";
import type { Stages } from "./stages.ts";
import { stored, type Values } from "./stored-values.ts";

type Scope = "group" | "model";

/** Among which layers a pattern is chosen, or its share allotted; null for a layer by itself. */
function scopeOf({ selection }: PatternDeclaration): Scope | null {
  if ("allotted" in selection && selection.allotted !== undefined) return selection.allotted;
  const pool = "pool" in selection ? selection.pool : null;
  return pool === "group" || pool === "model" ? pool : null;
}

interface ModelLayer {
  /** Which rule of the model loads it. */
  readonly rule: number;
  readonly state: LayerState;
  readonly values: Values;
}

/** Sizes of three layers with the arguments of the case, two of them alike; null where no draw fits. */
function sizesOfLayers({ program, sizes, seed }: SweepCase): readonly Sizes[] | null {
  const own = atClocks(program.schedules, sizes, start);
  for (let attempt = 0; attempt < 8; attempt++) {
    const drawn = chooseSizes(program, createRandom(seed ^ (0x30de1 + attempt)), true);
    if (drawn === null) return null;
    const same = new Map([
      ...drawn,
      ...program.numbers.map(({ name }) => [name, sizes.get(name) ?? 0] as const),
    ]);
    if (meetsConditions(program, same)) return [own, own, atClocks(program.schedules, same, start)];
  }
  return null;
}

async function loadLayers(one: SweepCase, stages: Stages, road: Road): Promise<readonly ModelLayer[]> {
  const { loading } = stages;
  const { program, seed: data } = one;
  const seed = data >>> 1;
  const location = { file: stages.text, line: 1, column: 1 };
  const nothing = { pattern: "", exceptions: [], arguments: {}, location };
  const rules = ["a", "b"].map(
    (glob): ModelRule => ({ kind: "use", glob, transform: program.name, ...nothing }),
  );
  const members = (sizesOfLayers(one) ?? []).map((sizes, index) => {
    const tensors = exactTensors({ ...one, sizes, seed: data + index });
    const numbers = numbersGiven(program, stages, sizes);
    const place = index === 2 ? 1 : 0;
    const rule = rules[place];
    if (rule === undefined) throw new RangeError("no rule");
    return {
      ...{ name: `layer${index}`, transform: loading, rule, place, seed, sizes, tensors, numbers },
      kernels: {},
      bind: () => Promise.resolve(bindArguments(loading, { tensors, numbers })),
    };
  });
  await road.allotDensities(members);
  const cuts = await road.choosePools(members);
  const joint = createJointValues();
  const layers: ModelLayer[] = [];
  for (const member of members) {
    const context = { seed, layer: member.name };
    const state = road.initialState(loading, await member.bind(), context, null, joint, cuts.get(member));
    const tensors = computedTensors(program, member.sizes, member.tensors, state);
    const values = { sizes: member.sizes, tensors, positions: new Map(), members: new Map() };
    layers.push({ rule: member.place, state, values });
  }
  return layers;
}

const areaOf = ({ rows, columns }: PatternDeclaration, { values: { sizes } }: ModelLayer): number =>
  evaluateNumber(rows, sizes) * evaluateNumber(columns, sizes);

const namesOf = ({ name, family }: PatternDeclaration, { values: { sizes } }: ModelLayer): string[] =>
  family === null
    ? [name]
    : Array.from({ length: evaluateNumber(family, sizes) }, (_, index) => `${name}[${index}]`);

/** The largest of all layers together, by layer: ties go to the first layer and its lowest index. */
function largestOfAll(
  layers: readonly ModelLayer[],
  of: Extract<Selection, { kind: "magnitude" | "topk" }>["of"],
  count: number,
): readonly (readonly number[])[] {
  const entries = layers.flatMap(({ values }, layer) =>
    [...stored(of, 0, values).values].map((value, at) => ({ layer, at, score: Math.abs(value) })),
  );
  const kept = entries
    .map((entry, rank) => ({ ...entry, rank }))
    .sort((a, b) => b.score - a.score || a.rank - b.rank)
    .slice(0, count);
  return layers.map((_, index) =>
    kept.flatMap(({ layer, at }) => (layer === index ? [at] : [])).sort((a, b) => a - b),
  );
}

/** The shares in proportion to rows + columns, at most 1, that keep `density` of all, by halving an interval. */
function sharesOf(layers: readonly ModelLayer[], pattern: PatternDeclaration, density: number): number[] {
  const areas = layers.map((layer) => areaOf(pattern, layer));
  const sides = layers.map(({ values: { sizes } }) =>
    [pattern.rows, pattern.columns].reduce((sum, side) => sum + evaluateNumber(side, sizes), 0),
  );
  const at = (scale: number): number[] =>
    areas.map((area, index) => Math.min(1, (scale * (sides[index] ?? 0)) / area));
  const kept = (scale: number): number =>
    at(scale).reduce((sum, share, index) => sum + share * (areas[index] ?? 0), 0);
  const wanted = density * areas.reduce((a, b) => a + b, 0);
  let [low, high] = [0, 1e4];
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2;
    if (kept(middle) < wanted) low = middle;
    else high = middle;
  }
  return at(high);
}

const demand = (name: string, found: readonly number[], expected: readonly number[]): void => {
  if (found.join() !== expected.join())
    throw new LevelFault("model", `${name} keeps ${found.join()} among layers, expected ${expected.join()}`);
};

const chosenBy = ({ state }: ModelLayer, name: string): number[] => {
  const pattern: Pattern | undefined = state.patterns.get(name);
  if (pattern === undefined) throw new LevelFault("model", `no pattern ${name}`);
  return [...positionsOf(pattern)];
};

function comparePattern(layers: readonly ModelLayer[], pattern: PatternDeclaration): void {
  const [first] = layers;
  if (first === undefined) return;
  const { selection } = pattern;
  const value = (expression: NumberExpression): number => evaluateNumber(expression, first.values.sizes);
  const total = layers.reduce((sum, layer) => sum + areaOf(pattern, layer), 0);
  for (const name of namesOf(pattern, first)) {
    const found = layers.map((layer) => chosenBy(layer, name));
    if (selection.kind === "random_share") {
      const wanted = Math.round(value(selection.keep ?? number(1)) * total);
      demand(`the number of ${name}`, [found.flat().length], [wanted]);
    } else if (selection.kind === "magnitude" && selection.allotted !== undefined) {
      const shares = sharesOf(layers, pattern, value(selection.keep ?? number(1)));
      for (const [index, layer] of layers.entries()) {
        const kept = found[index] ?? [];
        const wanted = (shares[index] ?? 0) * areaOf(pattern, layer);
        if (Math.abs(kept.length - wanted) > 0.5 + 1e-6)
          throw new LevelFault("model", `${name} keeps ${kept.length} of a layer, allotted ${wanted}`);
        const largest = { kind: "topk", of: selection.of, count: number(kept.length), pool: null } as const;
        demand(name, kept, positionsKept(pattern, layer.values, largest) ?? []);
      }
    } else if (selection.kind === "magnitude" || selection.kind === "topk") {
      const wanted =
        selection.kind === "topk"
          ? value(selection.count)
          : Math.round(value(selection.keep ?? number(1)) * total);
      const expected = largestOfAll(layers, selection.of, wanted);
      for (const [index, kept] of found.entries()) demand(name, kept, expected[index] ?? []);
    }
  }
}

/** Layers of one shape have one array of what is shared, and an array each of what is not. */
function compareShared({ weight }: Program, [one, alike]: readonly ModelLayer[]): void {
  for (const { name, isShared, role } of tensorsOf(weight)) {
    const [own, other] = [one, alike].map((layer) =>
      role === "param" ? layer?.state.parameters.get(name)?.values : layer?.state.frozen.get(name),
    );
    if (own === undefined || other === undefined) continue;
    if ((own === other) !== (isShared === true))
      throw new LevelFault("model", `${name} is ${own === other ? "" : "not "}one for two layers`);
  }
}

/** True when there was something to compare. @throws LevelFault. */
export async function compareModel(one: SweepCase, stages: Stages, road: Road): Promise<boolean> {
  const { program } = one;
  const patterns = patternsOf(program.weight).filter((pattern) => scopeOf(pattern) !== null);
  const isShared = tensorsOf(program.weight).some((tensor) => tensor.isShared === true);
  if ((patterns.length === 0 && !isShared) || rounds(program.weight)) return false;
  try {
    const layers = await loadLayers(one, stages, road);
    for (const pattern of patterns) {
      const groups =
        scopeOf(pattern) === "model"
          ? [layers]
          : [0, 1].map((rule) => layers.filter((layer) => layer.rule === rule));
      for (const group of groups) comparePattern(group, pattern);
    }
    compareShared(program, layers);
    return layers.length > 0;
  } catch (thrown) {
    if (thrown instanceof LevelFault) throw thrown;
    throw new LevelFault("model", thrown instanceof Error ? (thrown.stack ?? "") : String(thrown), thrown);
  }
}
