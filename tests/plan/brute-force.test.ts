/** The search finds the cheapest of all ways to apply a weight: generated weights of up to five parts against brute force. */
import { expect, it } from "vitest";
import { createTermFactory, nonEmpty, type TermFactory } from "../../compiler/algebra/algebra-graph.ts";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import type { CheckedPattern, CheckedTensor } from "../../compiler/check/checked-module.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { callCost, widestMachine } from "../../compiler/plan/cost-model.ts";
import { mergeCost } from "../../compiler/plan/merge-cost.ts";
import { lookupIn } from "../../compiler/plan/operand-table.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { createGridEvaluator } from "../../compiler/plan/price-grid.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { evaluateNumber, number } from "../../runtime/contract/number-expression.ts";
import { leaf, pattern, tensor, transformOf } from "../algebra/sample-transforms.ts";
import { createRandom, type Random } from "../sweep/random.ts";
import { bruteForce } from "./brute-force.ts";
import { columnsOf, type Formula, isTrained, kept, rowsOf } from "./every-forming.ts";

const machine = widestMachine(defaultRates);
const batches = [1, 4, 16, 256, 4096];
/** Thin, middling and wide sides, primes and multiples of 16. */
const sides = [8, 16, 61, 512, 2048];

/** How many weights; `SPX_BRUTE_FORCE=20000` asks for a longer run with the same beginning. */
const wanted = Number(process.env.SPX_BRUTE_FORCE ?? 500);

const blockSize = kept.height * kept.width;
/** Kinds of masks → what they keep. */
const shapes: Readonly<Record<string, CheckedPattern["shape"]>> = {
  masked: { kind: "unstructured" },
  nm: { kind: "nm", n: kept.n, m: kept.m, axis: "input" },
  block: { kind: "block", height: kept.height, width: kept.width },
};

type Draw = { readonly random: Random; count: number };

/** @param isBlock it stands in a Kronecker product. */
function drawLeaf(draw: Draw, rows: number, columns: number, isBlock: boolean): Formula {
  const { random } = draw;
  const kinds = isBlock
    ? (["dense", "dense", "masked", "sparse"] as const)
    : ([
        "dense",
        "dense",
        "masked",
        "sparse",
        ...(rows === columns ? (["diagonal"] as const) : []),
        ...(columns % kept.m === 0 ? (["nm"] as const) : []),
        ...(rows % kept.height === 0 && columns % kept.width === 0 ? (["block"] as const) : []),
      ] as const);
  const zeros = random.pick(kinds);
  const density = random.pick([0.01, 0.1, 0.5, 0.9]);
  const count =
    zeros === "dense"
      ? rows * columns
      : zeros === "diagonal"
        ? rows
        : zeros === "nm"
          ? (rows * columns * kept.n) / kept.m
          : zeros === "block"
            ? Math.max(1, Math.round((density * rows * columns) / blockSize)) * blockSize
            : Math.max(1, Math.round(density * rows * columns));
  const trained = zeros === "sparse" || (!(zeros in shapes) && random.below(2) === 0);
  // The transpose of groups along the input has them along the output, which is another storage.
  const turned = zeros !== "nm" && zeros !== "block" && random.below(4) === 0;
  return { kind: "leaf", name: `T${draw.count++}`, rows, columns, trained, zeros, count, turned };
}

const divisorsOf = (size: number): readonly number[] =>
  Array.from({ length: size }, (_, index) => index + 1).filter((each) => size % each === 0);

/** `count` numbers of which `size` is the product. */
function split({ random }: Draw, size: number, count: number): readonly number[] {
  if (count === 1) return [size];
  const first = random.pick(divisorsOf(size));
  return [first, ...split({ random, count: 0 }, size / first, count - 1)];
}

/** What may stand inside of each: neither what would be one with it, nor sums of Kronecker products' own. */
const innerKinds = {
  leaf: ["sum", "product", "kron"],
  sum: ["product", "kron"],
  product: ["sum", "kron"],
  kron: ["product"],
} as const;

/** (A x B) (C x D) whose factors fit one by one. */
function drawKronChain(draw: Draw, rows: number, columns: number): Formula {
  const sizes = [rows, draw.random.pick(sides), columns].map((size) => split(draw, size, 2));
  const parts = [0, 1].map((at): Formula => {
    const [above = [], below = []] = [sizes[at], sizes[at + 1]];
    return {
      kind: "kron",
      parts: [0, 1].map((axis) => drawLeaf(draw, above[axis] ?? 1, below[axis] ?? 1, true)),
    };
  });
  return { kind: "product", parts };
}

/** A formula of `parts` leaves; sums hold no sums and products no products, as in normal form. */
function drawFormula(
  draw: Draw,
  rows: number,
  columns: number,
  parts: number,
  outer: Formula["kind"],
  inKron = false,
): Formula {
  if (parts === 1) return drawLeaf(draw, rows, columns, inKron);
  const { random } = draw;
  const kind = random.pick(innerKinds[outer]);
  if (kind === "product" && parts === 4 && !inKron && random.below(2) === 0)
    return drawKronChain(draw, rows, columns);
  const first = 1 + random.below(parts - 1);
  const cuts =
    kind === "sum" || random.below(2) === 0
      ? [first, parts - first]
      : [first, ...Array.from({ length: parts - first }, () => 1)];
  const count = cuts.length;
  const [heights, widths] =
    kind === "kron" ? [split(draw, rows, count), split(draw, columns, count)] : [[], []];
  const inner = cuts.slice(1).map(() => random.pick(sides));
  const members = cuts.map((size, index) => {
    if (kind === "sum") return drawFormula(draw, rows, columns, size, kind, inKron);
    if (kind === "kron")
      return drawFormula(draw, heights[index] ?? rows, widths[index] ?? columns, size, kind, true);
    return drawFormula(draw, inner[index - 1] ?? rows, inner[index] ?? columns, size, kind, inKron);
  });
  return { kind, parts: members.flatMap((member) => (member.kind === kind ? member.parts : [member])) };
}

const leavesOf = (formula: Formula): readonly (Formula & { kind: "leaf" })[] =>
  formula.kind === "leaf" ? [formula] : formula.parts.flatMap(leavesOf);

const hasKron = (formula: Formula): boolean =>
  formula.kind !== "leaf" && (formula.kind === "kron" || formula.parts.some(hasKron));

function declarations(formula: Formula) {
  const patterns: CheckedPattern[] = [];
  const tensors = leavesOf(formula).map((drawn): CheckedTensor => {
    const { name, trained, zeros, count, turned } = drawn;
    const [rows, columns] = turned ? [drawn.columns, drawn.rows] : [drawn.rows, drawn.columns];
    const role = trained ? "param" : "frozen";
    if (zeros === "diagonal") return tensor(name, role, [rows], { structure: "diag" });
    if (zeros === "dense") return tensor(name, role, [rows, columns]);
    patterns.push(
      pattern(`${name}_at`, shapes[zeros] ?? { kind: "unstructured" }, rows, columns, number(count)),
    );
    return zeros in shapes
      ? tensor(name, role, [rows, columns])
      : tensor(name, role, [rows, columns], {
          structure: "sparse",
          support: `${name}_at`,
          count: number(count),
        });
  });
  return { tensors, patterns };
}

function termOf(formula: Formula, factory: TermFactory, given: ReturnType<typeof declarations>): Term {
  if (formula.kind !== "leaf") {
    const parts = nonEmpty(formula.parts.map((member) => termOf(member, factory, given)));
    const whole =
      formula.kind === "sum"
        ? factory.sum(parts)
        : formula.kind === "kron"
          ? factory.kron(parts)
          : factory.chain(parts);
    // Turned twice and scaled: the normal form takes both to the leaves, where neither costs anything.
    return formula.parts.length % 2 === 0
      ? factory.scale(number(3), factory.transpose(factory.transpose(whole)))
      : whole;
  }
  const declared = given.tensors.find(({ name }) => name === formula.name);
  const mask = given.patterns.find(({ name }) => name === `${formula.name}_at`);
  if (declared === undefined) throw new ReferenceError(formula.name);
  const term = factory.leaf(declared, null);
  const masked = formula.zeros in shapes && mask !== undefined ? factory.mask(mask, term) : term;
  return formula.turned ? factory.transpose(masked) : masked;
}

function planOf(formula: Formula): Plan {
  const given = declarations(formula);
  const factory = createTermFactory(given.tensors);
  const root = termOf(formula, factory, given);
  const graph = normalise({ transform: "Generated", root, ...given }, factory);
  const [first] = given.tensors;
  if (first === undefined) throw new Error("a tensor");
  const transform = { ...transformOf("Generated", leaf(first), given.tensors, given.patterns) };
  const { plan, diagnostics } = choosePlan(graph, transform, deriveGradients(graph.root, factory), "all");
  if (plan === null) throw new Error(JSON.stringify(diagnostics));
  return plan;
}

/** What the merge of the whole weight costs, by the primitives. */
function mergedPrices(plan: Plan): readonly number[] {
  const operands = lookupIn(plan.operands);
  const { merge } = plan;
  const through = plan.variants.find(
    (variant) => merge.method === "identity" && variant.name === merge.variant,
  );
  const [first] = plan.variants;
  if (first === undefined) throw new Error("a variant");
  const merging = mergeCost(merge, through ?? first, operands, machine);
  return batches.map((batch) => {
    const at = new Map([["batch", batch]]);
    const whole = plan.variants.filter(({ merged }) => merged);
    return Math.min(
      ...whole.map(
        (variant) => evaluateNumber(callCost(variant, operands, machine), at) + evaluateNumber(merging, at),
      ),
    );
  });
}

it("finds what brute force finds for weights of up to five parts", {
  timeout: 600_000 + 100 * wanted,
}, () => {
  const random = createRandom(5);
  const counts = { formulas: 0, ways: 0, several: 0, cut: 0, krons: 0, mixed: 0 };
  while (counts.formulas < wanted) {
    const draw: Draw = { random, count: 0 };
    const formula = drawFormula(draw, random.pick(sides), random.pick(sides), 1 + random.below(5), "leaf");
    const plan = planOf(formula);
    // Five terms with three ways each are more than the budget; then nothing cheaper than the cheapest may be found.
    const isWhole = plan.search.priced === plan.search.total;
    counts.cut += isWhole ? 0 : 1;
    const size = { rows: rowsOf(formula), columns: columnsOf(formula), batches };
    const { ways, least } = bruteForce(formula, size, machine);
    const merged = isTrained(formula) ? mergedPrices(plan) : batches.map(() => Number.POSITIVE_INFINITY);
    const grid = createGridEvaluator(batches.map((each) => new Map([["batch", each]])));
    const prices = plan.variants.map(({ cost }) => grid.valuesOf(cost));
    for (const [index, batch] of batches.entries()) {
      const found = Math.min(...prices.map((price) => price[index] ?? Number.NaN));
      const expected = Math.min(least[index] ?? Number.NaN, merged[index] ?? Number.NaN);
      const about = JSON.stringify({ formula, batch });
      if (isWhole) expect(found / expected, about).toBeCloseTo(1, 9);
      else expect(found / expected, about).toBeGreaterThan(1 - 1e-9);
    }
    counts.formulas += 1;
    counts.ways += ways;
    counts.krons += hasKron(formula) ? 1 : 0;
    counts.mixed += plan.variants.some(({ rules }) => rules.includes("kron-mixed-product")) ? 1 : 0;
    if (plan.search.priced > 4) counts.several += 1;
  }
  expect(counts.cut).toBeLessThan(wanted / 25);
  expect(counts.krons).toBeGreaterThan(wanted / 5);
  expect(counts.mixed).toBeGreaterThan(wanted / 100);
  expect(counts.several).toBeGreaterThan(wanted / 4);
  expect(counts.ways).toBeGreaterThan(10 * wanted);
});
