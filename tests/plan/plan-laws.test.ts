import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AlgebraGraph } from "../../compiler/algebra/algebra-node.ts";
import { deriveGradients } from "../../compiler/algebra/derive-gradient.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { choosePlan } from "../../compiler/plan/choose-plan.ts";
import { interpretMerge, interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import type { Operand, Plan, Step, Variant } from "../../compiler/plan/plan.ts";
import { verifyPlan } from "../../compiler/plan/verify-plan.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { anyTerm, generatedValues, newFactory, patterns, tensors } from "../algebra/generated-terms.ts";
import { leaf, transformOf } from "../algebra/sample-transforms.ts";
import { smallIntegers } from "../algebra/sample-values.ts";
import { planOf, sampleNamed } from "./sample-plans.ts";

const [anyTensor] = tensors;
if (anyTensor === undefined) throw new Error("generated tensors");
const transform = transformOf("Generated", leaf(anyTensor), tensors, patterns);

describe("plans of generated weights", () => {
  it("are legal and give the weight exactly, in every variant and merged", () => {
    const values = generatedValues(21);
    const outcomes = { planned: 0, refused: 0 };
    fc.assert(
      fc.property(anyTerm(4), (recipe) => {
        const factory = newFactory();
        const root = recipe(factory);
        const graph: AlgebraGraph = normalise({ transform: "Generated", root, tensors, patterns }, factory);
        const { plan, diagnostics } = choosePlan(graph, transform, deriveGradients(graph.root, factory));
        if (plan === null) {
          outcomes.refused += 1;
          expect([graph.root.kind, ...diagnostics.map(({ code }) => code)]).toEqual(["zero", "SPX6001"]);
          return;
        }
        outcomes.planned += 1;
        expect(verifyPlan(plan)).toEqual([]);
        const weight = densify(root, values);
        const x = Float64Array.from({ length: 2 * weight.columns }, smallIntegers(4));
        const expected = [...applyDense(weight, x)].map((value) => value + 0);
        for (const variant of plan.variants) {
          const y = interpretVariant(plan, variant, tensors, values, x, 2);
          expect(
            [...y].map((value) => value + 0),
            variant.name,
          ).toEqual(expected);
        }
        const merged = interpretMerge(plan, tensors, values).values;
        expect([...merged].map((value) => value + 0)).toEqual([...weight.values].map((value) => value + 0));
      }),
      { numRuns: 300, seed: 12 },
    );
    expect(outcomes.planned).toBeGreaterThan(150);
    expect(outcomes.refused).toBeGreaterThan(0);
  }, 120_000);
});

describe("the verifier", () => {
  const plan = planOf(sampleNamed("DSEE"));
  const [first] = plan.variants;
  if (first === undefined) throw new Error("a variant");
  const [product, sum] = first.steps;
  if (product === undefined || sum === undefined) throw new Error("two steps");

  const withSteps = (...steps: readonly Step[]): Plan => ({
    ...plan,
    variants: [{ ...first, steps }, ...plan.variants.slice(1)],
  });
  const [base, left, sparse] = sum.terms;
  if (base === undefined || left === undefined || sparse === undefined) throw new Error("three terms");
  const permutation = { size: plan.rows, stride: number(2) };
  const broken: readonly (readonly [string, Plan])[] = [
    ["reads x or what an earlier step wrote", withSteps(sum, product)],
    ["ends by writing y", withSteps(product)],
    ["writes y without adding exactly once", withSteps(product, { ...sum, accumulate: true })],
    ["adds only to what was written", withSteps(product, { ...sum, accumulate: true })],
    ["overwrites nothing", withSteps(product, sum, { ...sum, name: "again" })],
    ["names its steps apart", withSteps(product, sum, { ...sum, accumulate: true })],
    [
      "has a term, or fills a whole activation with zeros",
      withSteps(product, { ...sum, terms: [], accumulate: true }),
    ],
    ["reads every intermediate activation", withSteps(product, { ...sum, terms: [base] })],
    ["reads operands that exist", withSteps(product, { ...sum, terms: [{ ...base, operand: "Q" }, left] })],
    [
      "has formats that its atoms read in this layout",
      withSteps(product, { ...sum, terms: [{ ...base, atom: "nm" }, left] }),
    ],
    [
      "permutes the input of block-diagonal and diagonal terms only",
      withSteps(product, { ...sum, terms: [{ ...base, inputPermutation: permutation }, left] }),
    ],
    [
      "fits its operands to its activations",
      withSteps(product, { ...sum, terms: [{ ...base, input: "t1" }, left] }),
    ],
    [
      "permutes whole activations",
      withSteps(product, { ...sum, outputPermutation: { ...permutation, size: number(3) } }),
    ],
    [
      "leaves block-diagonal and diagonal terms alone",
      withSteps(product, { ...sum, terms: [{ ...base, atom: "blockdiag" }, left] }),
    ],
    ["names its variants apart", { ...plan, variants: [...plan.variants, first] }],
    ["names its operands apart", { ...plan, operands: [...plan.operands, ...plan.operands] }],
    ["has a variant", { ...plan, variants: [] }],
    [
      "merges operands that exist, products of panels, or through a lane-output variant",
      {
        ...plan,
        merge: { method: "kernel", terms: [{ kind: "product", left: sparse.operand, right: left.operand }] },
      },
    ],
  ];

  const [formed] = plan.operands.filter(({ production }) => production === "merge");
  if (formed === undefined) throw new Error("a merged operand");
  const withFormed = (...operands: readonly Operand[]): Plan => ({
    ...plan,
    operands: [...plan.operands.filter((operand) => operand !== formed), ...operands],
  });
  const { name } = formed;
  const damagedForming: readonly (readonly [string, Plan])[] = [
    ["formed twice", withFormed(formed, { ...formed, name: "again" })],
    ["another format", withFormed({ ...formed, format: { name: "csr" } })],
    ["a part of the weight", withFormed({ ...formed, rows: number(3) })],
    ["once at load", withFormed({ ...formed, stage: "load" })],
    [
      "from itself",
      { ...plan, merge: { method: "kernel", terms: [{ kind: "operand", atom: "dense", operand: name }] } },
    ],
  ];

  it.each(damagedForming)("finds a merged operand that is formed wrongly: %s", (_, damaged) => {
    expect(verifyPlan(damaged).join("\n")).toContain("forms at most one operand by merging");
  });

  it("finds a merged variant that reads a packed weight", () => {
    expect(verifyPlan(withFormed({ ...formed, production: "pack" })).join("\n")).toContain(
      "reads nothing but the merged weight when it is merged",
    );
  });

  it.each(broken)("finds a plan that does not keep: %s", (sentence, damaged) => {
    expect(verifyPlan(damaged).join("\n")).toContain(sentence);
  });

  it("finds x and y of other widths", () => {
    const [x, y, ...rest] = first.activations;
    if (x === undefined || y === undefined) throw new Error("x and y");
    const variant: Variant = { ...first, activations: [{ ...x, width: number(5) }, y, ...rest] };
    expect(verifyPlan({ ...plan, variants: [variant] }).join("\n")).toContain(
      "has x and y as wide as the weight",
    );
    const twice: Variant = { ...first, activations: [x, y, ...rest, ...rest] };
    expect(verifyPlan({ ...plan, variants: [twice] }).join("\n")).toContain("names its activations apart");
  });

  it("finds nothing wrong with the plan itself", () => {
    expect(verifyPlan(plan)).toEqual([]);
  });
});
