/**
 * Every way to apply a small weight, written from the definition and from nothing of the search: each set partition of a
 * sum, each cut of a chain into runs, each forming of a run (every-forming.ts), each order of a Kronecker product
 * (every-kron.ts), each stacking of what is applied to x, both layouts. Only the cost primitives are those of the compiler.
 */
import { callCost, type PricedMachine, type PricedVariant } from "../../compiler/plan/cost-model.ts";
import { isAligned, packedBytes, storedValues } from "../../compiler/plan/packed-size.ts";
import type { Activation, Layout, Operand, Step, StepTerm } from "../../compiler/plan/plan.ts";
import { evaluateNumber, number } from "../../runtime/contract/number-expression.ts";
import type { OperandFormat } from "../../runtime/contract/operand-format.ts";
import {
  columnsOf,
  type Formula,
  formings,
  isTrained,
  kept,
  rowsOf,
  type Stored,
  storedWays,
} from "./every-forming.ts";
import { kronWays, type OnAxis, type Rotation } from "./every-kron.ts";

/** Factors of a term, the last acting first; a sum inside a chain is a list of terms. */
type Factor = Stored | OnAxis | { readonly inner: readonly (readonly Factor[])[]; readonly rows: number };
type Way = readonly Factor[];

/** True when the term ends in a matrix, so that it can share a step. */
const sharesStep = (way: Way): boolean => {
  const [first] = way;
  return first !== undefined && !("block" in first) && ("inner" in first || first.storage !== "vector");
};

/** Ways of a part of a chain that is applied by itself. */
function alone(formula: Formula): readonly Way[] {
  const formed = formings(formula)
    .flatMap(storedWays)
    .map((stored): Way => [stored]);
  if (formula.kind === "kron") return [...formed, ...kronWays(formula.parts)];
  if (formula.kind !== "sum") return formed;
  const applied = sumWays(formula.parts)
    .filter((terms) => terms.length > 1 && terms.every(sharesStep))
    .map((terms): Way => [{ inner: terms, rows: rowsOf(formula) }]);
  return [...formed, ...applied];
}

/** (A x B) (C x D) = (A C) x (B D), where the parts of each axis fit. */
function mixedWays(run: readonly Formula[]): readonly Way[] {
  const axesOf = (formula: Formula): readonly Formula[] => (formula.kind === "kron" ? formula.parts : []);
  const count = run[0] === undefined ? 0 : axesOf(run[0]).length;
  if (count === 0 || run.some((formula) => axesOf(formula).length !== count)) return [];
  const axes = Array.from({ length: count }, (_, axis) =>
    run.map((formula) => axesOf(formula)[axis] as Formula),
  );
  const fit = axes.every((parts) =>
    parts.every((part, at) => {
      const next = parts[at + 1];
      return next === undefined || columnsOf(part) === rowsOf(next);
    }),
  );
  if (!fit) return [];
  return kronWays(
    axes.map((parts) => ({
      kind: "product",
      parts: parts.flatMap((part) => (part.kind === "product" ? part.parts : [part])),
    })),
  );
}

/** Every cut of a chain into runs that are formed, or applied by themselves. */
function chainWays(factors: readonly Formula[]): readonly Way[] {
  if (factors.length === 0) return [[]];
  return factors.flatMap((_, index) => {
    const run = factors.slice(0, index + 1);
    const [only] = run;
    const ways =
      run.length === 1 && only !== undefined
        ? alone(only)
        : [
            ...mixedWays(run),
            ...formings({ kind: "product", parts: run })
              .flatMap(storedWays)
              .map((stored): Way => [stored]),
          ];
    return ways.flatMap((way) => chainWays(factors.slice(index + 1)).map((rest) => [...way, ...rest]));
  });
}

const termWays = (formula: Formula): readonly Way[] =>
  formula.kind === "product" ? chainWays(formula.parts) : alone(formula);

/** Every set partition: the group of the first term is any set of the others. */
function sumWays(terms: readonly Formula[]): readonly (readonly Way[])[] {
  const [first, ...others] = terms;
  if (first === undefined) return [[]];
  return Array.from({ length: 2 ** others.length }, (_, bits) => {
    const inside = others.filter((_, index) => ((bits >> index) & 1) === 1);
    const outside = others.filter((_, index) => ((bits >> index) & 1) === 0);
    const group: readonly Way[] =
      inside.length === 0
        ? termWays(first)
        : formings({ kind: "sum", parts: [first, ...inside] })
            .flatMap(storedWays)
            .map((stored): Way => [stored]);
    const rest = sumWays(outside);
    return group.flatMap((way) => rest.map((ways) => [way, ...ways]));
  }).flat();
}

interface Assembly {
  readonly layout: Layout;
  readonly operands: Operand[];
  readonly activations: Activation[];
  readonly steps: Step[];
}

/** Kernels with a lane an output read blocks entry by entry. */
function storedAs(stored: Stored, layout: Layout): readonly [StepTerm["atom"], OperandFormat] {
  const { n, m, height, width } = kept;
  const isOutput = layout === "lane-output";
  if (stored.storage === "dense") return ["dense", { name: "panel16" }];
  if (stored.storage === "vector") return ["diag", { name: "vector" }];
  if (stored.storage === "groups" && stored.zeros === "nm")
    return ["nm", { name: isOutput ? "nm-lanes" : "nm-rows", n, m }];
  if (stored.storage === "groups" && !isOutput) return ["block", { name: "block-strips", height, width }];
  return ["sparse", { name: isOutput ? "mixed-ell" : "csr" }];
}

function blockOperand({ operands }: Assembly, { block, lines, rows }: OnAxis): Operand {
  const columns = lines * block.columns;
  const format = { name: "blockdiag16", blocks: number(lines), repeated: true } as const;
  const shape = { rows: number(rows), columns: number(columns) };
  const multiplies = number(block.rows * block.columns * lines);
  const operand: Operand = {
    ...shape,
    name: `o${operands.length}`,
    format,
    source: { kind: "leaf", name: block.name, slice: null },
    stage: block.trained ? "step" : "load",
    production: "pack",
    bytes: packedBytes(shape, format, multiplies),
    multiplies,
    work: number(block.work),
    description: block.name,
  };
  operands.push(operand);
  return operand;
}

function operandOf({ operands, layout }: Assembly, stored: Stored): Operand {
  const [, format] = storedAs(stored, layout);
  const [rows, columns] = [number(stored.rows), number(stored.columns)];
  const structure =
    stored.zeros === "dense" || stored.zeros === "diagonal"
      ? ({ kind: stored.zeros } as const)
      : ({ kind: "sparse", count: number(stored.count) } as const);
  const multiplies = storedValues({ rows, columns, structure }, format);
  const aligned = format.name === "mixed-ell" && isAligned(structure);
  const operand: Operand = {
    name: `o${operands.length}`,
    format,
    rows,
    columns,
    source: { kind: "leaf", name: stored.name, slice: null },
    stage: stored.trained ? "step" : "load",
    production: "pack",
    bytes: packedBytes({ rows, columns }, format, multiplies, aligned),
    multiplies,
    ...(aligned ? { aligned } : {}),
    work: number(stored.work),
    description: stored.name,
  };
  operands.push(operand);
  return operand;
}

function factorTerms(
  assembly: Assembly,
  factor: Factor,
  input: string,
  moved: Rotation | null,
): readonly StepTerm[] {
  if ("inner" in factor) return factor.inner.flatMap((way) => lastTerms(assembly, way, input));
  const operand = "block" in factor ? blockOperand(assembly, factor) : operandOf(assembly, factor);
  const atom = "block" in factor ? "blockdiag" : storedAs(factor, assembly.layout)[0];
  return [{ atom, operand: operand.name, input, inputPermutation: permutationOf(moved) }];
}

const permutationOf = (moved: Rotation | null): Step["outputPermutation"] =>
  moved === null ? null : { size: number(moved.size), stride: number(moved.stride) };

/** Blocks and diagonals read their input in any order. */
const readsInAnyOrder = (factor: Factor | undefined): boolean =>
  factor !== undefined && ("block" in factor || ("storage" in factor && factor.storage === "vector"));

/**
 * What lies between two factors of a term goes into the reading of the later one, or into the writing of the other: of
 * blocks with a lane an output, if it brings the same rows of neighbouring blocks beside each other.
 */
function movesBetween(layout: Layout, earlier: Factor | undefined, later: Factor | undefined) {
  const after = earlier !== undefined && "block" in earlier ? earlier.after : null;
  const before = later !== undefined && "block" in later ? later.before : null;
  const undone = after !== null && before !== null && after.stride * before.stride === after.size;
  const moves = undone ? [] : [after, before].filter((move) => move !== null);
  const read = readsInAnyOrder(later) ? (moves.pop() ?? null) : null;
  const [written = null] = moves;
  const joins =
    layout === "lane-output" &&
    read !== null &&
    written === null &&
    earlier !== undefined &&
    "block" in earlier &&
    read.size / read.stride === earlier.block.rows;
  return joins ? { read: null, written: read } : { read, written };
}

/** Steps for all factors of a term but the last to act; gives the terms of that one. */
function lastTerms(assembly: Assembly, way: Way, input: string): readonly StepTerm[] {
  const [last, ...before] = way;
  if (last === undefined) throw new Error("a term without factors");
  const read = before.reduceRight((current, factor, index) => {
    const moved = movesBetween(assembly.layout, before[index + 1], factor).read;
    const terms = factorTerms(assembly, factor, current, moved);
    const name = `t${assembly.steps.length}`;
    const outputPermutation = permutationOf(movesBetween(assembly.layout, factor, way[index]).written);
    assembly.activations.push({ name, width: number(factor.rows) });
    assembly.steps.push({ name, output: name, outputPermutation, accumulate: false, terms });
    return name;
  }, input);
  return factorTerms(assembly, last, read, movesBetween(assembly.layout, before[0], last).read);
}

/** Where the last factor of a term to act writes its output. */
const lastMove = (layout: Layout, [last]: Way): Step["outputPermutation"] =>
  permutationOf(movesBetween(layout, last, undefined).written);

/** Ways whose dense matrices next to x are one operand, by their indices. */
type Stacks = readonly (readonly number[])[];

/** Every set partition of a list. */
function partitionsOf(members: readonly number[]): readonly Stacks[] {
  const [first, ...others] = members;
  if (first === undefined) return [[]];
  return partitionsOf(others).flatMap((groups) => [
    [[first], ...groups],
    ...groups.map((group, at) => groups.with(at, [first, ...group])),
  ]);
}

const isMatrix = (factor: Factor | undefined): factor is Stored =>
  factor !== undefined && "storage" in factor;

/** Stacks hold matrices of one stage, and not whole terms alone; without any first. */
function stackingsOf(ways: readonly Way[]): readonly Stacks[] {
  const nextToInput = ways.map((way) => way.at(-1));
  const open = nextToInput.flatMap((factor, index) =>
    isMatrix(factor) && factor.storage === "dense" ? [index] : [],
  );
  const trained = (index: number): boolean => {
    const factor = nextToInput[index];
    return isMatrix(factor) && factor.trained;
  };
  return partitionsOf(open)
    .map((groups) => groups.filter((group) => group.length > 1))
    .filter((groups) =>
      groups.every(
        (group) =>
          new Set(group.map(trained)).size === 1 && group.some((index) => (ways[index]?.length ?? 0) > 1),
      ),
    );
}

/** The step of a stack; gives what is left of its ways, to be applied to a part of its output. */
function applyStack(assembly: Assembly, stack: readonly (readonly [number, Way])[]): Map<number, Rest> {
  const matrices = stack.flatMap(([, way]) => {
    const factor = way.at(-1);
    return isMatrix(factor) ? [factor] : [];
  });
  const rows = matrices.reduce((sum, matrix) => sum + matrix.rows, 0);
  const work = matrices.reduce((sum, matrix) => sum + matrix.work, 0);
  const name = matrices.map((matrix) => matrix.name).join("; ");
  const [first] = matrices;
  if (first === undefined) throw new Error("an empty stack");
  const whole: Stored = { ...first, rows, work, name, zeros: "dense", count: rows * first.columns };
  const terms = factorTerms(assembly, whole, "x", null);
  const output = `s${assembly.steps.length}`;
  assembly.activations.push({ name: output, width: number(rows) });
  assembly.steps.push({ name: output, output, outputPermutation: null, accumulate: false, terms });
  return new Map(
    stack.map(([index, way], at) => {
      const size = matrices[at]?.rows ?? 0;
      const part = `${output} ${at}`;
      assembly.activations.push({ name: part, width: number(size) });
      const moved: Stored = {
        ...first,
        rows: size,
        columns: size,
        work: 0,
        zeros: "diagonal",
        storage: "vector",
        trained: false,
      };
      return [index, { way: way.length > 1 ? way.slice(0, -1) : [moved], input: part }];
    }),
  );
}

/** Factors still to be applied, and to what. */
interface Rest {
  readonly way: Way;
  readonly input: string;
}

function priceOf(
  ways: readonly Way[],
  stacks: Stacks,
  layout: Layout,
  size: Size,
  machine: PricedMachine,
): readonly number[] {
  const activations: Activation[] = [
    { name: "x", width: number(size.columns) },
    { name: "y", width: number(size.rows) },
  ];
  const assembly: Assembly = { layout, operands: [], activations, steps: [] };
  const begun = new Map(
    stacks.flatMap((stack) => [
      ...applyStack(
        assembly,
        stack.map((index) => [index, ways[index] ?? []] as const),
      ),
    ]),
  );
  const written = ways.map((whole, index) => {
    const { way, input } = begun.get(index) ?? { way: whole, input: "x" };
    const terms = lastTerms(assembly, way, input);
    return { terms, shares: sharesStep(way), outputPermutation: lastMove(layout, way) };
  });
  const fused = written.flatMap(({ terms, shares }) => (shares ? terms : []));
  const writers = [...written.filter(({ shares }) => !shares), { terms: fused, outputPermutation: null }];
  writers
    .filter(({ terms }) => terms.length > 0)
    .forEach(({ terms, outputPermutation }, index) => {
      assembly.steps.push({
        name: `y${index}`,
        output: "y",
        outputPermutation,
        accumulate: index > 0,
        terms,
      });
    });
  const variant: PricedVariant = { layout, activations, steps: assembly.steps, merged: false };
  const found = new Map(assembly.operands.map((operand) => [operand.name, operand]));
  const find = (name: string): Operand => found.get(name) as Operand;
  const cost = callCost(variant, { find }, machine);
  return size.batches.map((batch) => evaluateNumber(cost, new Map([["batch", batch]])));
}

export interface Size {
  readonly rows: number;
  readonly columns: number;
  readonly batches: readonly number[];
}

/** The least price at each batch over everything but a weight of parts formed as a whole by the merge. */
export function bruteForce(formula: Formula, size: Size, machine: PricedMachine) {
  const everything = formula.kind === "sum" ? sumWays(formula.parts) : termWays(formula).map((way) => [way]);
  const isWhole = ([way, ...others]: readonly Way[]): boolean => {
    const [factor, ...rest] = way ?? [];
    if (!isMatrix(factor) || others.length + rest.length > 0) return false;
    return formula.kind !== "leaf" && isTrained(formula) && factor.storage === "dense";
  };
  const apart = everything.filter((ways) => !isWhole(ways));
  const prices = (["lane-output", "lane-token"] as const).flatMap((layout) =>
    apart.flatMap((ways) => stackingsOf(ways).map((stacks) => priceOf(ways, stacks, layout, size, machine))),
  );
  return {
    ways: prices.length,
    least: size.batches.map((_, index) =>
      prices.reduce((best, price) => Math.min(best, price[index] ?? Number.NaN), Number.POSITIVE_INFINITY),
    ),
  };
}
