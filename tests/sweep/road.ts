/** The passes that the sweep runs, as values: a test plants a fault by handing in another one. */
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { compileLibrary } from "../../compiler/backend/llvm/compile-library.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import { lowerMerge } from "../../compiler/loop/lower-merge.ts";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { parse } from "../../grammar/parser/parse.ts";
import { printSyntax } from "../../grammar/syntax/print-syntax.ts";
import { packOperand } from "../../runtime/formats/pack-operand.ts";
import { initialState } from "../../runtime/model/initial-state.ts";

export const road = {
  parse,
  printSyntax,
  checkModule,
  buildAlgebra,
  normalise,
  choosePlan,
  initialState,
  packOperand,
  lowerVariant,
  lowerMerge,
  compileLibrary,
};

export type Road = typeof road;

/** In the order in which a program passes them; the first that disagrees names the guilty pass. */
export const levels = [
  "print",
  "check",
  "build",
  "normalise",
  "load",
  "plan",
  "merge plan",
  "backward plan",
  "pack",
  "loop v4",
  "loop v3",
  "merge loop v4",
  "merge loop v3",
  "compile",
  "native",
  "native merge",
  "native backward",
] as const;
export type Level = (typeof levels)[number];

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
