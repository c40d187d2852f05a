/** The sweep has to catch a fault in any single pass and name its level. Each test hands in one broken pass. */
import { describe, expect, test } from "vitest";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import type { CheckedTransform, WeightExpression } from "../../compiler/check/checked-module.ts";
import { nodeHost } from "../../compiler/driver/node-host.ts";
import type { LoopExpression, LoopProgram, LoopStatement } from "../../compiler/loop/loop-node.ts";
import type { LoweredKernel } from "../../compiler/loop/lower-variant.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { floatsOf } from "../../runtime/formats/packed-operand.ts";
import { patternOfPositions, positionsOf } from "../../runtime/select/pattern.ts";
import { type Level, levels, type Road, road } from "./road.ts";
import { type ReportedDifference, type SweepOptions, sweep } from "./sweep.ts";

const options: SweepOptions = {
  programs: 60,
  seed: 2,
  nativeEvery: 0,
  casesInLibrary: 4,
  nativeVariants: 2,
  sizesEach: 1,
  choices: { loopVariants: 1, loopBatches: 2, everyTarget: true },
  host: nodeHost(),
  road,
  shrinkTries: 25,
};

/** The first difference of a sweep on a road with a fault. */
async function caught(
  fault: Partial<Road>,
  changes: Partial<SweepOptions> = {},
): Promise<ReportedDifference> {
  const { differences } = await sweep({ ...options, ...changes, road: { ...road, ...fault } });
  const [first] = differences;
  if (first === undefined) throw new Error("the fault was not caught");
  return first;
}

/** The same statements with every loop that runs by more than one stopping one short. */
const withoutLastTile = (program: LoopProgram): LoopProgram => ({
  ...program,
  phases: program.phases.map((phase) => ({ ...phase, tiles: lessOne(phase.tiles) })),
});

const lessOne = (count: LoopExpression): LoopExpression => ({
  kind: "binary",
  operator: "sub",
  left: count,
  right: { kind: "constant", type: { scalar: "i64", lanes: 1 }, value: 1 },
});

/** Stores that touch only some elements touch one fewer. */
function shortTails(statement: LoopStatement): LoopStatement {
  switch (statement.kind) {
    case "store":
      return statement.count === null ? statement : { ...statement, count: lessOne(statement.count) };
    case "for":
      return { ...statement, body: statement.body.map(shortTails) };
    case "if":
      return {
        ...statement,
        // biome-ignore lint/suspicious/noThenProperty: the branch of a loop statement, never awaited.
        then: statement.then.map(shortTails),
        otherwise: statement.otherwise.map(shortTails),
      };
    default:
      return statement;
  }
}

const inTails = (kernel: LoweredKernel): LoweredKernel => ({
  ...kernel,
  program: {
    ...kernel.program,
    phases: kernel.program.phases.map((phase) => ({ ...phase, body: phase.body.map(shortTails) })),
  },
});

/** Every step reads its terms' operands in the reverse order. */
const swapOperands = (plan: Plan): Plan => ({
  ...plan,
  variants: plan.variants.map((variant) => ({
    ...variant,
    steps: variant.steps.map((step) => {
      const dense = step.terms.filter(({ atom }) => atom === "dense").map(({ operand }) => operand);
      return {
        ...step,
        terms: step.terms.map((term) =>
          term.atom === "dense" ? { ...term, operand: dense.pop() ?? term.operand } : term,
        ),
      };
    }),
  })),
});

const dropMinus = (weight: WeightExpression): WeightExpression => {
  if (weight.kind === "scale" && weight.factor.kind === "number" && weight.factor.value === -1)
    return dropMinus(weight.operand);
  if (weight.kind === "sum") return { ...weight, terms: weight.terms.map(dropMinus) };
  return weight;
};

const withoutScale = (term: Term): Term => (term.kind === "scale" ? term.operand : term);

interface Fault {
  readonly name: string;
  readonly level: Level;
  readonly fault: Partial<Road>;
  readonly changes?: Partial<SweepOptions>;
}

const offByOne: Partial<Road> = {
  packOperand: (...given) => {
    const packed = road.packOperand(...given);
    if (given[0].name === "panel16") floatsOf(packed, "values").copyWithin(1, 0);
    return packed;
  },
};

const faults: readonly Fault[] = [
  {
    name: "a printer that drops parentheses",
    level: "print",
    fault: { printSyntax: (tree) => road.printSyntax(tree).replace(/\((\w+ [+-] \w+)\)/, "$1") },
  },
  {
    name: "a checker that refuses Kronecker products",
    level: "check",
    fault: {
      checkModule: (file, host) =>
        host.readFile(file)?.includes("kron(")
          ? { module: null, diagnostics: [], sources: [] }
          : road.checkModule(file, host),
    },
  },
  {
    name: "a checker that loses minus signs",
    level: "build",
    fault: {
      checkModule: (file, host) => {
        const result = road.checkModule(file, host);
        const change = (transform: CheckedTransform) => ({
          ...transform,
          weight: dropMinus(transform.weight),
        });
        const { module } = result;
        return module === null
          ? result
          : { ...result, module: { ...module, transforms: module.transforms.map(change) } };
      },
    },
  },
  {
    name: "a normaliser that drops a scale",
    level: "normalise",
    fault: {
      normalise: (graph, factory) => {
        const normal = road.normalise(graph, factory);
        const { root } = normal;
        const changed =
          root.kind === "sum"
            ? factory.sum([withoutScale(root.terms[0] ?? root), ...root.terms.slice(1)])
            : withoutScale(root);
        return { ...normal, root: changed };
      },
    },
  },
  {
    name: "a selection that takes the second best",
    level: "load",
    fault: {
      initialState: (...given) => {
        const state = road.initialState(...given);
        const moved = [...state.patterns].map(([name, pattern]) => {
          const positions = [...positionsOf(pattern)];
          const free = Array.from({ length: pattern.rows * pattern.columns }, (_, at) => at).find(
            (at) => !positions.includes(at),
          );
          if (free === undefined || positions.length === 0) return [name, pattern] as const;
          return [
            name,
            patternOfPositions(pattern.rows, pattern.columns, [...positions.slice(1), free]),
          ] as const;
        });
        return { ...state, patterns: new Map(moved) };
      },
    },
  },
  {
    name: "a planner that swaps operands",
    level: "plan",
    fault: {
      choosePlan: (...given) => {
        const result = road.choosePlan(...given);
        return result.plan === null ? result : { ...result, plan: swapOperands(result.plan) };
      },
    },
  },
  {
    name: "a merge that forgets a term",
    level: "merge plan",
    fault: {
      choosePlan: (...given) => {
        const result = road.choosePlan(...given);
        if (result.plan?.merge.method !== "kernel" || result.plan.merge.terms.length < 2) return result;
        return {
          ...result,
          plan: { ...result.plan, merge: { method: "kernel", terms: result.plan.merge.terms.slice(1) } },
        };
      },
    },
  },
  { name: "a packer that is off by one", level: "pack", fault: offByOne },
  {
    name: "a lowering that cuts tails short",
    level: "loop v4",
    fault: { lowerVariant: (...given) => inTails(road.lowerVariant(...given)) },
  },
  {
    name: "a lowering of one level that leaves out a tile",
    level: "loop v3",
    fault: {
      lowerVariant: (plan, variant, target, given) => {
        const kernel = road.lowerVariant(plan, variant, target, given);
        return target.suffix === "v4" ? kernel : { ...kernel, program: withoutLastTile(kernel.program) };
      },
    },
  },
  {
    name: "a merge kernel that leaves out a panel",
    level: "merge loop v4",
    fault: {
      lowerMerge: (...given) => {
        const kernel = road.lowerMerge(...given);
        return { ...kernel, program: withoutLastTile(kernel.program) };
      },
    },
  },
  {
    name: "a back end that leaves out a tile",
    level: "native",
    fault: {
      compileLibrary: (programs, given) =>
        road.compileLibrary(
          programs.map((program) => (program.name.includes("_merge") ? program : withoutLastTile(program))),
          given,
        ),
    },
    changes: { programs: 8, nativeEvery: 1, shrinkTries: 6 },
  },
  {
    name: "a back end that leaves out a tile of every gradient",
    level: "native backward",
    fault: {
      compileLibrary: (programs, given) =>
        road.compileLibrary(
          programs.map((program) =>
            program.name.includes("_backward") ? withoutLastTile(program) : program,
          ),
          given,
        ),
    },
    changes: { programs: 8, nativeEvery: 1, shrinkTries: 4 },
  },
];

describe("a fault is caught at its level:", () => {
  test.each(faults)(
    "$name: $level",
    async ({ level, fault, changes }) => {
      // Loops are slow to interpret and come after most levels.
      const early = levels.indexOf(level) < levels.indexOf("loop v4");
      const found = await caught(fault, {
        ...(early ? { choices: { loopVariants: 0, loopBatches: 0, everyTarget: false } } : {}),
        ...changes,
      });
      expect(found.level, found.message).toBe(level);
      expect(found.text).toContain("transform S");
    },
    60_000,
  );
});

test("what is reported is small", async () => {
  const found = await caught(offByOne, { shrinkTries: 200 });
  expect(found.text.split("\n").filter((line) => line.includes("param ")).length).toBeLessThanOrEqual(1);
  expect(Object.values(found.sizes).every((size) => size <= 2)).toBe(true);
});
