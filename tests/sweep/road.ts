/** The passes that the sweep runs, as values: a test plants a fault by handing in another one. */
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { forwardValue } from "../../compiler/algebra/forward-value.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { compileLibrary } from "../../compiler/backend/llvm/compile-library.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { buildManifest } from "../../compiler/emit/manifest.ts";
import { lowerBackward } from "../../compiler/loop/lower-backward.ts";
import { lowerMerge } from "../../compiler/loop/lower-merge.ts";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { resolvePins } from "../../compiler/plan/resolve-pins.ts";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { packOperand } from "../../runtime/formats/pack-operand.ts";
import { allotDensities } from "../../runtime/model/allot-densities.ts";
import { initialState } from "../../runtime/model/initial-state.ts";
import { createLayerTime } from "../../runtime/model/layer-time.ts";
import { choosePools } from "../../runtime/model/pool-cuts.ts";
import { pullIntermediate } from "../../runtime/model/pull-intermediate.ts";

export const road = {
  parse,
  printSyntax,
  checkModule,
  buildAlgebra,
  normalise,
  deriveGradients,
  forwardValue,
  resolvePins,
  choosePlan,
  initialState,
  allotDensities,
  choosePools,
  createLayerTime,
  packOperand,
  pullIntermediate,
  lowerVariant,
  lowerMerge,
  lowerBackward,
  buildManifest,
  compileLibrary,
};

export type Road = typeof road;

/** In the order in which a program passes them, each with the pass that it judges: the first that disagrees names it. */
export const passes = {
  print: "grammar/parser or grammar/syntax/print-syntax.ts",
  check: "compiler/check/check-module.ts",
  build: "compiler/algebra/build-algebra.ts",
  normalise: "compiler/algebra/normalise.ts",
  gradients: "compiler/algebra/derive-gradient.ts",
  "forward value": "compiler/algebra/forward-value.ts",
  load: "runtime/model/initial-state.ts",
  model: "runtime/model/pool-cuts.ts, allot-densities.ts or joint-values.ts",
  time: "runtime/model/layer-time.ts",
  plan: "compiler/plan/choose-plan.ts",
  "merge plan": "compiler/plan/merge-plan.ts",
  "backward plan": "compiler/plan/backward-plan.ts",
  "pull back": "runtime/model/pull-back.ts",
  pack: "runtime/formats/pack-operand.ts",
  "loop v4": "compiler/loop/lower-variant.ts",
  "loop v3": "compiler/loop/lower-variant.ts",
  "merge loop v4": "compiler/loop/lower-merge.ts",
  "merge loop v3": "compiler/loop/lower-merge.ts",
  "backward loop v4": "compiler/loop/lower-backward.ts",
  "backward loop v3": "compiler/loop/lower-backward.ts",
  emit: "compiler/emit/manifest.ts",
  compile: "compiler/backend/llvm/compile-library.ts",
  native: "compiler/backend/llvm/generate-llvm.ts, called for forward",
  "native merge": "compiler/backend/llvm/generate-llvm.ts, called for the merge",
  "native backward": "compiler/backend/llvm/generate-llvm.ts, called for gradients",
} as const;
export type Level = keyof typeof passes;
export const levels = Object.keys(passes) as readonly Level[];

/** What the levels disagree about. */
export interface Difference {
  readonly level: Level;
  readonly message: string;
}

/** Stops the road at a level. */
export class LevelFault extends Error {
  readonly level: Level;
  constructor(level: Level, message: string, cause?: unknown) {
    super(message, { cause });
    this.level = level;
  }
}

/** Runs `use`; whatever it throws is that level's. */
export function atLevel<Result>(level: Level, use: () => Result): Result {
  try {
    return use();
  } catch (thrown) {
    if (thrown instanceof LevelFault) throw thrown;
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    throw new LevelFault(level, text, thrown);
  }
}
