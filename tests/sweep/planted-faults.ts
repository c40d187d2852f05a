/**
 * A fault for each pass, planted by handing another pass to the road: the sweep has to stop at the level of that pass.
 * The tests plant all of them, `npm run sweep -- --plant LEVEL` one.
 * size: one row for each pass, with what breaks it beside it.
 */

import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { noClaims } from "../../compiler/plan/candidate-plans.ts";
import { floatsOf } from "../../runtime/formats/packed-operand.ts";
import { patternOfPositions, positionsOf } from "../../runtime/select/pattern.ts";
import {
  changedRecipes,
  doubled,
  dropMinus,
  inTails,
  swapOperands,
  twice,
  withoutLastTile,
  withoutScale,
  withoutScales,
} from "./broken-passes.ts";
import { type Level, type Road, road } from "./road.ts";
import type { SweepOptions } from "./sweep.ts";

export interface PlantedFault {
  readonly name: string;
  readonly level: Level;
  readonly fault: Partial<Road>;
  readonly changes?: Partial<SweepOptions>;
}

export const offByOne: Partial<Road> = {
  packOperand: (...given) => {
    const packed = road.packOperand(...given);
    if (given[0].name === "panel16") floatsOf(packed, "values").copyWithin(1, 0);
    return packed;
  },
};

/** Machine code is slow to make: few programs, hardly shrunk. */
const natively: Partial<SweepOptions> = {
  programs: 4,
  nativeEvery: 1,
  nativeVariants: 1,
  shrinkTries: 1,
  choices: { loopVariants: 0, loopBatches: 0, everyTarget: false },
};

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: "a printer that drops parentheses",
    level: "print",
    fault: { printSyntax: (tree) => road.printSyntax(tree).replace(/\((\w+ [+-] \w+)\)/, "$1") },
  },
  {
    name: "a parser that takes the first product for a sum",
    level: "print",
    fault: { parse: ({ file, text }) => road.parse({ file, text: text.replace(" @ ", " + ") }) },
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
    name: "a builder that leaves out a term",
    level: "build",
    fault: {
      buildAlgebra: (checked, factory) => {
        const graph = road.buildAlgebra(checked, factory);
        const [, second] = graph.root.kind === "sum" ? graph.root.terms : [];
        return second === undefined ? graph : { ...graph, root: second };
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
    name: "a forward value that drops a scale",
    level: "forward value",
    fault: {
      forwardValue: (...given) => {
        const graph = road.forwardValue(...given);
        return { ...graph, root: withoutScale(graph.root) };
      },
    },
  },
  {
    name: "a planner that forgets the pins",
    level: "plan",
    fault: { resolvePins: (...given) => ({ ...road.resolvePins(...given), claims: noClaims }) },
    changes: { programs: 200 },
  },
  {
    name: "products at load with exchanged factors",
    level: "load",
    fault: changedRecipes((call) =>
      call.intrinsic === "kron" || call.intrinsic === "subtract"
        ? { ...call, operands: { left: call.operands.right ?? call, right: call.operands.left ?? call } }
        : call,
    ),
    changes: { programs: 200, seed: 31 },
  },
  {
    name: "a decomposition that takes the smallest singular values",
    level: "load",
    fault: changedRecipes((call) =>
      call.intrinsic === "svd_factors" ? { ...call, intrinsic: "trailing_svd" } : call,
    ),
    changes: { programs: 400, seed: 32 },
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
    name: "pools that each layer has for itself",
    level: "model",
    fault: { choosePools: () => Promise.resolve(new Map()) },
    changes: { programs: 400, seed: 5 },
  },
  {
    name: "shares that no layer is allotted",
    level: "model",
    fault: { allotDensities: () => Promise.resolve() },
    changes: { programs: 400, seed: 102 },
  },
  {
    name: "a clock that chooses no pattern again",
    level: "time",
    fault: {
      createLayerTime: (parts, calls) => {
        const { transform } = parts;
        const time = transform.time && { ...transform.time, refreshes: [] };
        return road.createLayerTime({ ...parts, transform: { ...transform, time } }, calls);
      },
    },
    changes: { programs: 400, seed: 18 },
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
  {
    name: "a derivation that counts every occurrence twice",
    level: "gradients",
    fault: { deriveGradients: (...given) => twice(road.deriveGradients(...given)) },
  },
  {
    name: "a planner that forgets the last gradient",
    level: "backward plan",
    fault: {
      choosePlan: (...given) => {
        const result = road.choosePlan(...given);
        const { plan } = result;
        const last = plan?.backward.steps.findLast(({ kind }) => kind === "gradient");
        if (plan === null || last === undefined) return result;
        const steps = plan.backward.steps.filter((step) => step !== last);
        return { ...result, plan: { ...plan, backward: { ...plan.backward, steps } } };
      },
    },
  },
  {
    name: "a pull-back that stops at the first parameter",
    level: "pull back",
    fault: {
      pullIntermediate: (intermediate, gradients, leaves) =>
        road.pullIntermediate(intermediate, gradients.slice(1), leaves),
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
    name: "a backward kernel that leaves out a tile",
    level: "backward loop v4",
    fault: {
      lowerBackward: (...given) => {
        const kernel = road.lowerBackward(...given);
        return { ...kernel, program: withoutLastTile(kernel.program) };
      },
    },
  },
  {
    name: "a merge kernel of one level that leaves out a panel",
    level: "merge loop v3",
    fault: {
      lowerMerge: (plan, target, given) => {
        const kernel = road.lowerMerge(plan, target, given);
        return target.suffix === "v4" ? kernel : { ...kernel, program: withoutLastTile(kernel.program) };
      },
    },
  },
  {
    name: "a backward kernel of one level that leaves out a tile",
    level: "backward loop v3",
    fault: {
      lowerBackward: (plan, backward, target, given) => {
        const kernel = road.lowerBackward(plan, backward, target, given);
        return target.suffix === "v4" ? kernel : { ...kernel, program: withoutLastTile(kernel.program) };
      },
    },
  },
  {
    name: "an emitter that loses a scale",
    level: "emit",
    fault: {
      buildManifest: (input) => {
        const manifest = road.buildManifest(input);
        return { ...manifest, transforms: manifest.transforms.map(withoutScales) };
      },
    },
    changes: { ...natively, programs: 8, shrinkTries: 0 },
  },
  {
    name: "a back end that compiles nothing",
    level: "compile",
    fault: { compileLibrary: async () => ({ kind: "failure", problems: [] }) },
    changes: natively,
  },
  {
    name: "a back end that doubles every merge",
    level: "native merge",
    fault: {
      compileLibrary: (programs, given) =>
        road.compileLibrary(
          programs.map((program) => (program.name.includes("_merge_") ? doubled(program) : program)),
          given,
        ),
    },
    changes: natively,
  },
  {
    name: "a back end that leaves out a tile",
    level: "native",
    fault: {
      compileLibrary: (programs, given) =>
        road.compileLibrary(
          programs.map((program) => (program.name.includes("_merge_") ? program : withoutLastTile(program))),
          given,
        ),
    },
    changes: natively,
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
    changes: natively,
  },
];
