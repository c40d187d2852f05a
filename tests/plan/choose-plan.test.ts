import { describe, expect, it } from "vitest";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { applyDense, densify } from "../../compiler/algebra/evaluate-algebra.ts";
import { interpretMerge, interpretVariant } from "../../compiler/plan/interpret-plan.ts";
import { isBackwardOnly } from "../../compiler/plan/print-backward.ts";
import { verifyPlan } from "../../compiler/plan/verify-plan.ts";
import { samples } from "../algebra/sample-transforms.ts";
import { smallIntegers, valuesFor } from "../algebra/sample-values.ts";
import { planOf, sampleNamed } from "./sample-plans.ts";

/** -0 becomes 0, so that equality means equal numbers. */
const plain = (values: Float64Array): readonly number[] => [...values].map((value) => value + 0);

describe.each(samples)("plan of $transform.name", ({ transform, sizes }) => {
  const plan = planOf(transform, "all");

  it("keeps every law, with candidates in both layouts", () => {
    expect(verifyPlan(plan)).toEqual([]);
    expect(new Set(plan.variants.map(({ layout }) => layout))).toEqual(
      new Set(["lane-output", "lane-token"]),
    );
  });

  it("builds at most six of them and says of the others why not", () => {
    const built = planOf(transform);
    expect(verifyPlan(built)).toEqual([]);
    expect(built.variants.length).toBeLessThanOrEqual(6);
    const names = plan.variants.map(({ name }) => name);
    const kept = built.variants.map(({ name }) => name);
    expect(kept).toEqual(names.filter((name) => kept.includes(name)));
    for (const variant of plan.variants.filter(({ name }) => !kept.includes(name))) {
      const left = built.search.rejected.find(({ name }) => name === variant.name);
      expect(left).toMatchObject({ form: variant.form, cost: variant.cost, rules: variant.rules });
      expect(left?.reason).toMatch(/the cheapest at \d+ sampled sizes, batches, arguments and levels/);
    }
  });

  it.each(sizes)("applies and merges the weight exactly at %o", (given) => {
    const values = valuesFor(transform, given, 11);
    const weight = densify(buildAlgebra(transform).root, values);
    const batch = 3;
    const x = Float64Array.from({ length: batch * weight.columns }, smallIntegers(5));
    const expected = plain(applyDense(weight, x));
    expect(expected.some((value) => value !== 0)).toBe(true);
    for (const variant of plan.variants) {
      const y = interpretVariant(plan, variant, transform.tensors, values, x, batch);
      expect(plain(y), variant.name).toEqual(expected);
    }
    expect(plain(interpretMerge(plan, transform.tensors, values).values)).toEqual(plain(weight.values));
  });
});

describe("choices", () => {
  const formats = (name: string, variant: string): readonly string[] => {
    const plan = planOf(sampleNamed(name), "all");
    const found = plan.variants.find((candidate) => candidate.name === variant);
    const used = found?.steps.flatMap(({ terms }) => terms.map(({ operand }) => operand)) ?? [];
    return used.map(
      (operand) => plan.operands.find(({ name: known }) => known === operand)?.format.name ?? "",
    );
  };

  it("pack a pattern in the format of its layout", () => {
    expect(formats("SemiStructured", "separate/lane-output")).toEqual(["nm-lanes"]);
    expect(formats("SemiStructured", "separate/lane-token")).toEqual(["nm-rows"]);
    expect(formats("SemiStructured", "unpacked/lane-token")).toEqual(["panel16"]);
    expect(formats("WideGroups", "separate/lane-output")).toEqual(["mixed-ell"]);
    expect(formats("UprightGroups", "separate/lane-token")).toEqual(["csr"]);
    expect(formats("BlockSparse", "separate/lane-token")).toEqual(["block-strips"]);
    expect(formats("BlockSparse", "separate/lane-output")).toEqual(["mixed-ell"]);
    expect(formats("DSEE", "sparse/lane-token")).toEqual(["panel16", "csr", "panel16", "csr"]);
  });

  it("turn the pattern with its matrix under a transpose", () => {
    const plan = planOf(sampleNamed("BlockSparseTransposed"));
    expect(plan.operands.map(({ format }) => format)).toContainEqual({
      name: "block-strips",
      height: 1,
      width: 4,
    });
  });

  it("form frozen sums once at load and keep what is trained apart", () => {
    const [separate] = planOf(sampleNamed("FrozenSum")).variants;
    expect(separate?.form).toBe("y = (V + E + B @ A) x + S x");
    expect(
      planOf(sampleNamed("FrozenSum")).operands.find(({ name }) => name === "weight_panels")?.stage,
    ).toBe("load");
  });

  it("fuse a low-rank product into its base and fold the scale into its left factor", () => {
    const plan = planOf(sampleNamed("DSEE"));
    const [separate] = plan.variants;
    expect(separate?.steps.map(({ terms }) => terms.map(({ atom, input }) => `${atom} ${input}`))).toEqual([
      ["dense x"],
      ["dense x", "dense t1", "sparse x"],
    ]);
    expect(
      plan.operands
        .filter(({ stage, name }) => stage === "load" && !isBackwardOnly(plan, name))
        .map(({ description }) => description),
    ).toEqual(["M .* W", "M .* W", "M .* W"]);
    expect(plan.operands.map(({ description }) => description)).toContain("(alpha / r) * B");
    expect(plan.merge).toEqual({
      method: "kernel",
      terms: [
        { kind: "operand", atom: "dense", operand: "W_panels" },
        { kind: "product", left: "B_panels", right: "A_panels" },
        { kind: "operand", atom: "sparse", operand: "S_windows" },
      ],
    });
    expect(plan.specializations).toEqual([{ symbol: "r", value: 16 }]);
  });

  it("compute a factor that several terms share once", () => {
    const { variants } = planOf(sampleNamed("SharedFactor"), "all");
    const separate = variants.find(({ name }) => name === "separate/lane-token");
    expect(separate?.steps.filter(({ output }) => output !== "y")).toHaveLength(2);
    expect(separate?.rules).toContain("common-factor");
  });

  it("write y first from what is structured and add the rest", () => {
    const [separate] = planOf(sampleNamed("MonarchDelta")).variants;
    expect(separate?.steps.map(({ output, accumulate }) => [output, accumulate])).toEqual([
      ["t1", false],
      ["y", false],
      ["y", true],
    ]);
  });

  it("try every product of a frozen chain and say what is left out", () => {
    const plan = planOf(sampleNamed("FrozenChain"));
    const forms = [...plan.variants.map(({ form }) => form), ...plan.search.rejected.map(({ form }) => form)];
    expect(new Set(forms)).toEqual(
      new Set(["y = B (A (C x))", "y = (B @ A) (C x)", "y = B ((A @ C) x)", "y = (B @ A @ C) x"]),
    );
  });

  it("do not take what a permutation has moved for a matrix of few entries", () => {
    const { operands } = planOf(sampleNamed("Monarch"), "all");
    const moved = operands.filter(({ description }) => description.includes("P("));
    expect(moved.length).toBeGreaterThan(3);
    expect(new Set(moved.map(({ format }) => format.name))).toEqual(new Set(["panel16"]));
  });

  it("say when a structure has no packed form of its own", () => {
    expect(planOf(sampleNamed("StructuredSumInChain"), "all").notes.join()).toContain(
      "is formed as one matrix",
    );
    expect(planOf(sampleNamed("UprightGroups")).notes.join()).toContain(
      "2:4 along the output runs as unstructured entries",
    );
  });
});
