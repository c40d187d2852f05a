/**
 * Splits the programs of a library into units that LLVM compiles side by side. The number of units is fixed, so
 * that the same programs give the same bytes whatever the machine. Programs with phases in common go together, because
 * a unit compiles equal phases once.
 */
import type { LoopPhase, LoopProgram, LoopStatement } from "../../loop/loop-node.ts";

const mostUnits = 4;
/** What a phase that a unit does not have yet weighs against balance: work that is done twice helps nobody. */
const newPhaseWeight = 3;

function size(statements: readonly LoopStatement[]): number {
  return statements.reduce((sum, statement) => {
    if (statement.kind === "for") return sum + 1 + size(statement.body);
    if (statement.kind === "if") return sum + 1 + size(statement.then) + size(statement.otherwise);
    return sum + 1;
  }, 0);
}

/** Fields of statements and expressions that name something. */
const naming = ["name", "buffer", "variable"];

/** The body with its names numbered by their first appearance. */
function shapeOf({ body }: LoopPhase): string {
  const numbers = new Map<string, number>();
  return JSON.stringify(body, (field, value: unknown) => {
    if (typeof value !== "string" || !naming.includes(field)) return value;
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    return number;
  });
}

/** At least one unit; the largest programs are dealt first. */
export function compileUnits(programs: readonly LoopProgram[]): LoopProgram[][] {
  const weighed = programs.map((program) => {
    const phases = new Map(
      program.phases.map((phase) => [`${program.level} ${shapeOf(phase)}`, size(phase.body)]),
    );
    return { program, phases, weight: sumOf(phases.values()) };
  });
  const units = Array.from({ length: Math.max(1, Math.min(mostUnits, programs.length)) }, () => ({
    programs: [] as LoopProgram[],
    shapes: new Set<string>(),
    weight: 0,
  }));
  for (const { program, phases } of weighed.toSorted((a, b) => b.weight - a.weight)) {
    const offers = units.map((unit) => {
      const fresh = [...phases].filter(([shape]) => !unit.shapes.has(shape));
      const added = sumOf(fresh.map(([, weight]) => weight));
      return { unit, added, price: unit.weight + newPhaseWeight * added };
    });
    const { unit, added } = offers.reduce((best, offer) => (offer.price < best.price ? offer : best));
    unit.programs.push(program);
    for (const shape of phases.keys()) unit.shapes.add(shape);
    unit.weight += added;
  }
  return units.map((unit) => unit.programs);
}

const sumOf = (numbers: Iterable<number>): number => [...numbers].reduce((sum, each) => sum + each, 0);
