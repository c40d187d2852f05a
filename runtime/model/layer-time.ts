/**
 * A layer along the clocks of training: scheduled numbers, refreshed patterns, and the packed operands that follow
 * from them. Either everything of a new clock is put in place or nothing.
 */
import type { TransformManifest } from "../contract/manifest.ts";
import { evaluateNumber, symbolsOf } from "../contract/number-expression.ts";
import type { Clocks } from "../contract/time.ts";
import { SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import type { RecipeKernels } from "../select/recipe-value.ts";
import { checkRequirements } from "./bind-arguments.ts";
import type { LayerState } from "./initial-state.ts";
import type { LayerParts } from "./layer.ts";
import type { LayerCalls } from "./layer-calls.ts";
import { type PatternChange, refreshPatterns } from "./refresh-patterns.ts";
import { checkClocks, scheduledNumbers } from "./scheduled-numbers.ts";

/** What `Layer.at` gives. */
export interface LayerChange<
  T extends { readonly numbers: Readonly<Record<string, number>>; readonly patterns: string } = {
    readonly numbers: Readonly<Record<string, number>>;
    readonly patterns: string;
  },
> {
  /** Schedules and phases as they are now, by name. */
  readonly numbers: T["numbers"];
  /** Patterns that were chosen again and are others now; read `parameters()` anew after that. */
  readonly patterns: readonly (PatternChange & { readonly name: T["patterns"] })[];
}

export interface LayerTime {
  /**
   * @throws SpxError SPX8401, SPX8402, SPX8407 for clocks; SPX8407 when the step runs backwards in a layer with
   *   refreshes; SPX8405 for a gradient of another shape; the code of a requirement that holds no longer.
   */
  at(clocks: Clocks, gradient: DenseTensor | null): LayerChange;
  /** Where the layer stands. */
  now(): Clocks;
}

export function createLayerTime(
  { transform, state, identity }: Pick<LayerParts, "transform" | "state" | "identity">,
  calls: Pick<LayerCalls, "moved">,
  kernels: Partial<RecipeKernels> = {},
): LayerTime {
  const { seed, name: layer } = identity;
  let now = identity.clocks;
  const watched = { ...transform, requirements: changingRequirements(transform) };
  return {
    now: () => now,
    at(given, gradient) {
      const clocks = checkClocks(transform, given);
      checkForward(transform, now, clocks);
      checkGradient(transform, state, gradient);
      const symbols = new Map(state.symbols);
      const numbers = scheduledNumbers(transform, symbols, clocks);
      for (const [name, value] of numbers) symbols.set(name, value);
      const scene = {
        transform,
        state,
        symbols,
        numbers,
        before: now,
        clocks,
        seed,
        layer,
        gradient,
        kernels,
      };
      const { patterns, parameters, changes } = refreshPatterns(scene);
      checkRequirements(watched, symbols, new Set());
      const differ = [...symbols].some(([name, value]) => state.symbols.get(name) !== value);
      for (const [name, value] of symbols) state.symbols.set(name, value);
      for (const [name, pattern] of patterns) state.patterns.set(name, pattern);
      for (const [name, parameter] of parameters) state.parameters.set(name, parameter);
      now = clocks;
      if (differ || changes.length > 0) calls.moved();
      return { numbers: Object.fromEntries(numbers), patterns: changes };
    },
  };
}

/** Those that read something which changes with the clocks. */
function changingRequirements({ time, patterns, requirements }: TransformManifest) {
  const refreshed = new Set(time?.refreshes.map(({ pattern }) => pattern));
  const changing = new Set([
    ...(time?.numbers ?? []).map(({ name }) => name),
    ...patterns.flatMap(({ name, measured }) => (measured !== null && refreshed.has(name) ? [measured] : [])),
  ]);
  return requirements.filter(({ condition }) => symbolsOf(condition).some((name) => changing.has(name)));
}

/** What a refresh dropped cannot be brought back. */
function checkForward({ name, time }: TransformManifest, before: Clocks, clocks: Clocks): void {
  const [from, to] = [before.step ?? 0, clocks.step ?? 0];
  if (time === null || time.refreshes.length === 0 || to >= from) return;
  throw new SpxError("SPX8407", `the clock \`step\` of \`${name}\` is ${to}, after ${from}`, {
    facts: { transform: name, found: to, before: from },
    help: "load the layer anew, or restore one that was saved at an earlier step",
  });
}

function checkGradient(
  transform: TransformManifest,
  { symbols }: LayerState,
  gradient: DenseTensor | null,
): void {
  if (gradient === null) return;
  const expected = [transform.rows, transform.columns].map((side) => evaluateNumber(side, symbols));
  if (gradient.shape.join() === expected.join()) return;
  throw new SpxError(
    "SPX8405",
    `\`gradient\` is [${gradient.shape.join(", ")}], the weight of \`${transform.name}\` [${expected.join(", ")}]`,
    {
      facts: { transform: transform.name, found: gradient.shape, expected },
      help: "give the gradient of the whole weight, row by row",
    },
  );
}
