/**
 * The backward pass of Kronecker products against brute force, written from the definition: every order of the factors
 * for dx, and for each gradient every choice of the other factors that act on x, the rest of them acting on dy, in every
 * order. Steps that agree are computed once. Only the cost primitives are those of the compiler.
 */
import { expect, it } from "vitest";
import { createTermFactory, nonEmpty } from "../../compiler/algebra/algebra-graph.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { backwardCost } from "../../compiler/plan/choose-backward.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { widestMachine } from "../../compiler/plan/cost-model.ts";
import { packedBytes } from "../../compiler/plan/packed-size.ts";
import type { Activation, BackwardStep, Operand, StepTerm } from "../../compiler/plan/plan.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { evaluateNumber, number } from "../../runtime/contract/number-expression.ts";
import { leaf, tensor, transformOf } from "../algebra/sample-transforms.ts";
import { createRandom, type Random } from "../sweep/random.ts";
import { type Rotation, rotation } from "./every-kron.ts";

interface Factor {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly trained: boolean;
}

const machine = widestMachine(defaultRates);
/** What backward passes are compared at. */
const tokens = new Map([["batch", 128]]);
const sides = [2, 3, 4, 8, 16, 61, 256];

const drawFactors = (random: Random, count: number): readonly Factor[] => {
  const trained = random.below(count);
  return Array.from({ length: count }, (_, index) => ({
    name: `T${index}`,
    rows: random.pick(sides),
    columns: random.pick(sides),
    trained: index === trained || random.below(3) > 0,
  }));
};

function planned(factors: readonly Factor[]) {
  const tensors = factors.map(({ name, rows, columns, trained }) =>
    tensor(name, trained ? "param" : "frozen", [rows, columns]),
  );
  const factory = createTermFactory(tensors);
  const root = factory.kron(nonEmpty(tensors.map((each) => factory.leaf(each, null))));
  const graph = normalise({ transform: "Generated", root, tensors, patterns: [] }, factory);
  const transform = transformOf("Generated", leaf(tensors[0] as (typeof tensors)[0]), tensors, []);
  const { plan } = choosePlan(graph, transform, deriveGradients(graph.root, factory));
  if (plan === null) throw new Error("no plan");
  return plan.backward;
}

/** A block for each line of one axis, read through a rotation. */
interface Move {
  readonly operand: Operand;
  readonly rows: number;
  readonly before: Rotation | null;
}

/** Blocks in the order in which they act, and the rotation after the last; without blocks the input itself. */
interface Path {
  readonly input: "x" | "dy";
  readonly moves: readonly Move[];
  readonly after: Rotation | null;
}

const productOf = (numbers: readonly number[]): number => numbers.reduce((all, one) => all * one, 1);

function orders(members: readonly number[]): readonly (readonly number[])[] {
  if (members.length === 0) return [[]];
  return members.flatMap((one) =>
    orders(members.filter((other) => other !== one)).map((rest) => [one, ...rest]),
  );
}

const subsets = (members: readonly number[]): readonly (readonly number[])[] =>
  members.reduce<readonly (readonly number[])[]>(
    (found, one) => found.flatMap((some) => [some, [...some, one]]),
    [[]],
  );

function createOperands() {
  const known = new Map<string, Operand>();
  /** The factor for each line of its axis. */
  const block = ({ name, rows, columns }: Factor, lines: number): Operand => {
    const key = `${name} ${rows}x${columns} ${lines}`;
    const shape = { rows: number(rows * lines), columns: number(columns * lines) };
    const format = { name: "blockdiag16", blocks: number(lines), repeated: true } as const;
    const multiplies = number(rows * columns * lines);
    const operand: Operand = known.get(key) ?? {
      ...shape,
      name: key,
      format,
      source: { kind: "leaf", name, slice: null },
      stage: "load",
      production: "pack",
      bytes: packedBytes(shape, format, multiplies),
      multiplies,
      work: number(0),
      description: name,
    };
    known.set(key, operand);
    return operand;
  };
  return { block, find: (name: string): Operand => known.get(name) as Operand };
}

type Operands = ReturnType<typeof createOperands>;

/** Factors act on the axes of `order`, one after the other; then axis `end` is last. */
function pathOf(
  input: Path["input"],
  factors: readonly Factor[],
  order: readonly number[],
  end: number,
  operands: Operands,
): Path {
  const sizes = factors.map(({ columns }) => columns);
  let at = sizes.length - 1;
  const moves = order.map((axis): Move => {
    const factor = factors[axis] as Factor;
    const before = rotation(sizes, at, axis);
    const operand = operands.block(factor, productOf(sizes) / factor.columns);
    sizes[axis] = factor.rows;
    at = axis;
    return { operand, rows: productOf(sizes), before };
  });
  return { input, moves, after: rotation(sizes, at, end) };
}

const permutationOf = (moved: Rotation | null) =>
  moved === null ? null : { size: number(moved.size), stride: number(moved.stride) };

/** One way of everything: the pair of each trained factor, and dx. */
interface Pass {
  readonly gradients: readonly {
    readonly factor: Factor;
    readonly copies: number;
    readonly pair: readonly Path[];
  }[];
  readonly dx: Path;
}

function priceOf({ gradients, dx }: Pass, factors: readonly Factor[], operands: Operands): number {
  const columns = productOf(factors.map((factor) => factor.columns));
  const activations: Activation[] = [
    { name: "x", width: number(columns) },
    { name: "dy", width: number(productOf(factors.map(({ rows }) => rows))) },
    { name: "dx", width: number(columns) },
  ];
  const steps: BackwardStep[] = [];
  const written = new Map<string, string>();
  const termOf = (operand: Operand, input: string, before: Rotation | null): StepTerm => ({
    atom: "blockdiag",
    operand: operand.name,
    input,
    inputPermutation: permutationOf(before),
  });
  const write = (output: string, terms: readonly StepTerm[], after: Rotation | null): void => {
    const step = { name: output, output, outputPermutation: permutationOf(after), accumulate: false, terms };
    steps.push({ kind: "apply", step, dxOnly: false });
  };
  const move = (input: string, { operand, rows, before }: Move): string => {
    const terms = [termOf(operand, input, before)];
    const known = written.get(JSON.stringify(terms));
    if (known !== undefined) return known;
    const output = `t${activations.length}`;
    activations.push({ name: output, width: number(rows) });
    written.set(JSON.stringify(terms), output);
    write(output, terms, null);
    return output;
  };
  for (const { factor, copies, pair } of gradients) {
    const [left, right] = pair.map(({ input, moves, after }) => ({
      activation: moves.reduce(move, input as string),
      permutation: permutationOf(after),
      offset: number(0),
      stride: number(0),
    }));
    if (left === undefined || right === undefined) throw new Error("a pair");
    const shape = {
      kind: "matrix",
      blocks: number(1),
      rows: number(factor.rows),
      columns: number(factor.columns),
      weights: null,
    } as const;
    const about = { name: factor.name, parameter: factor.name, start: number(0), scale: null };
    steps.push({ kind: "gradient", ...about, shape, left, right, copies: number(copies) });
  }
  const last = dx.moves.at(-1) as Move;
  const input = dx.moves.slice(0, -1).reduce(move, "dy");
  write("dx", [termOf(last.operand, input, last.before)], dx.after);
  return evaluateNumber(backwardCost({ activations, steps }, operands, machine), tokens);
}

/** The least price of all passes of a product of trained and frozen dense factors. */
function bruteForce(factors: readonly Factor[]): { readonly passes: number; readonly least: number } {
  const operands = createOperands();
  const axes = factors.map((_, index) => index);
  const turned = factors.map((factor) => ({ ...factor, rows: factor.columns, columns: factor.rows }));
  const gradients = axes.flatMap((own) => {
    const factor = factors[own] as Factor;
    if (!factor.trained) return [];
    const others = axes.filter((axis) => axis !== own);
    const ways = subsets(others).flatMap((onX) => {
      const onDy = others.filter((axis) => !onX.includes(axis));
      const copies = productOf(
        others.map((axis) => factors[axis]?.[onX.includes(axis) ? "rows" : "columns"] ?? 1),
      );
      return orders(onDy).flatMap((first) =>
        orders(onX).map((second) => ({
          factor,
          // What acts on dy leaves the columns of those factors; what acts on x leaves their rows.
          copies,
          pair: [pathOf("dy", turned, first, own, operands), pathOf("x", factors, second, own, operands)],
        })),
      );
    });
    return [ways];
  });
  const ofDx = orders(axes).map((order) => pathOf("dy", turned, order, axes.length - 1, operands));
  const chosen = gradients.reduce<readonly Pass["gradients"][]>(
    (found, ways) => found.flatMap((before) => ways.map((way) => [...before, way])),
    [[]],
  );
  const prices = chosen.flatMap((each) =>
    ofDx.map((dx) => priceOf({ gradients: each, dx }, factors, operands)),
  );
  return { passes: prices.length, least: Math.min(...prices) };
}

it("finds what brute force finds, for products of two and of three factors", () => {
  const random = createRandom(7);
  const counts = { passes: 0, equal: 0, cheaper: 0 };
  for (let index = 0; index < 36; index++) {
    const factors = drawFactors(random, index % 3 === 0 ? 3 : 2);
    const { passes, least } = bruteForce(factors);
    const found = evaluateNumber(planned(factors).cost, tokens);
    counts.passes += passes;
    if (found < least * (1 - 1e-9)) counts.cheaper += 1;
    else {
      expect(found / least, JSON.stringify(factors)).toBeCloseTo(1, 9);
      counts.equal += 1;
    }
  }
  // Brute force multiplies nothing ahead, which is seldom cheaper.
  expect(counts.equal).toBeGreaterThan(30);
  expect(counts.passes).toBeGreaterThan(1000);
});
