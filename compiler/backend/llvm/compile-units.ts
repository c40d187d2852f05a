/**
 * Splits the programs of a library into units that LLVM compiles side by side. The number of units is fixed, so
 * that the same programs give the same bytes whatever the machine.
 */
import type { LoopProgram, LoopStatement } from "../../loop/loop-node.ts";

const mostUnits = 4;

function size(statements: readonly LoopStatement[]): number {
  return statements.reduce((sum, statement) => {
    if (statement.kind === "for") return sum + 1 + size(statement.body);
    if (statement.kind === "if") return sum + 1 + size(statement.then) + size(statement.otherwise);
    return sum + 1;
  }, 0);
}

/** At least one unit; the largest programs are dealt first, each to the unit with the least work so far. */
export function compileUnits(programs: readonly LoopProgram[]): LoopProgram[][] {
  const weighed = programs.map((program) => ({
    program,
    weight: program.phases.reduce((sum, phase) => sum + size(phase.body), 0),
  }));
  const units = Array.from({ length: Math.max(1, Math.min(mostUnits, programs.length)) }, () => ({
    programs: [] as LoopProgram[],
    weight: 0,
  }));
  for (const { program, weight } of weighed.toSorted((a, b) => b.weight - a.weight)) {
    const lightest = units.reduce((least, unit) => (unit.weight < least.weight ? unit : least));
    lightest.programs.push(program);
    lightest.weight += weight;
  }
  return units.map((unit) => unit.programs);
}
