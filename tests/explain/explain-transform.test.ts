/** Explanations: every number is one of the plan's, the screen fits a screen, the page needs nothing but itself. */
import { describe, expect, it } from "vitest";
import { createTermFactory } from "../../compiler/algebra/algebra-graph.ts";
import { buildAlgebra } from "../../compiler/algebra/build-algebra.ts";
import { normalise } from "../../compiler/algebra/normalise.ts";
import { checkModule } from "../../compiler/check/check-module.ts";
import type { CheckedTransform } from "../../compiler/check/checked-module.ts";
import { explainTransform } from "../../compiler/explain/explain-transform.ts";
import type { Explanation } from "../../compiler/explain/explanation.ts";
import { htmlPage } from "../../compiler/explain/html-page.ts";
import { printBytes, printCount, printRanges, printTime } from "../../compiler/explain/print-quantity.ts";
import { printScreen } from "../../compiler/explain/print-screen.ts";
import { whyTerm } from "../../compiler/explain/why-term.ts";
import { widestMachine } from "../../compiler/plan/cost-model.ts";
import { costAt, lowerEnvelope } from "../../compiler/plan/envelope.ts";
import { costOn } from "../../compiler/plan/plan.ts";
import { defaultRates } from "../../compiler/targets/cpu-rates.ts";
import { priceError } from "../../runtime/contract/batch-intervals.ts";
import { number } from "../../runtime/contract/number-expression.ts";
import { samples, span } from "../algebra/sample-transforms.ts";
import { textHost } from "../check/text-host.ts";
import { planOf, sampleNamed, squareValues } from "../plan/sample-plans.ts";

const machine = widestMachine(defaultRates);

function stagesOf(checked: CheckedTransform) {
  const factory = createTermFactory(checked.tensors);
  return { checked, normal: normalise(buildAlgebra(checked, factory), factory), plan: planOf(checked) };
}

const explained = (checked: CheckedTransform, size = 1024): Explanation =>
  explainTransform(stagesOf(checked), squareValues(size), machine);

describe.each(samples)("explanation of $transform.name", ({ transform }) => {
  const stages = stagesOf(transform);
  const values = squareValues(1024);
  const explanation = explainTransform(stages, values, machine);

  it("has the intervals that the dispatch has", () => {
    const shown = explanation.variants
      .flatMap(({ name, intervals }) => intervals.map(({ from, to }) => ({ name, from, to })))
      .sort((a, b) => a.from - b.from);
    const dispatched = lowerEnvelope(stages.plan.variants, values);
    expect(shown).toEqual(dispatched.map(({ variant, from, to }) => ({ name: variant.name, from, to })));
  });

  it("accounts for every nanosecond, and for every rejected candidate", () => {
    for (const variant of explanation.variants) {
      const { parts, kernels, nanoseconds, batch, rejected, name } = variant;
      const found = stages.plan.variants.find((candidate) => candidate.name === name);
      if (found === undefined) throw new ReferenceError(name);
      const price = costAt(costOn(found.costs, machine.target), values, batch);
      expect(nanoseconds).toBe(price);
      expect(Object.values(parts).reduce((sum, part) => sum + part, 0) / price).toBeCloseTo(1, 9);
      expect(kernels.reduce((sum, kernel) => sum + kernel.nanoseconds, 0)).toBeCloseTo(parts.steps, 3);
      // What has no kernels was compared at other sizes; what has some is what the dispatch chose among.
      for (const { ratio, built } of rejected)
        if (built) expect(ratio * priceError).toBeGreaterThanOrEqual(1);
      const others = stages.plan.variants.length - 1 + stages.plan.search.rejected.length;
      expect(rejected).toHaveLength(Math.min(2, others));
    }
  });

  it("fits on a screen", () => {
    const lines = printScreen(explanation).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.length).toBeLessThanOrEqual(70);
  });

  it("survives JSON, and its page is closed and loads nothing", () => {
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
    const page = htmlPage([explanation]);
    expect(page).not.toMatch(/https?:|src=|@import|url\(|NaN|undefined|Infinity/);
    for (const tag of ["svg", "table", "section", "div", "figure", "ul", "code"]) {
      const opened = page.match(new RegExp(`<${tag}[ >]`, "g")) ?? [];
      const closed = page.match(new RegExp(`</${tag}>`, "g")) ?? [];
      expect(opened.length, tag).toBe(closed.length);
    }
    const drawn = page.match(/class="line line-\d(?: unbuilt)?" d="M/g) ?? [];
    expect(drawn).toHaveLength(explanation.curves.length);
  });

  it("says why of every tensor that the weight reads", () => {
    const read = transform.tensors.filter(({ role }) => role !== "source");
    for (const { name } of read) {
      const answer = whyTerm(stages, values, machine, name);
      expect(answer.kind).toBe("found");
      if (answer.kind !== "found") continue;
      expect(answer.text.split("\n")[0]).toMatch(new RegExp(`^${name} is a `));
      expect(answer.text).toMatch(/packed at (?:load|step)/);
    }
  });
});

describe("the screen", () => {
  const transform = {
    ...sampleNamed("DSEE"),
    requirements: [
      { condition: number(1), text: "r <= min(out, in)", code: "SPX4201", span, reason: "written so" },
      { condition: number(0), text: "in % 7 == 0", code: "SPX4201", span, reason: "written so" },
    ],
  };

  it("shows form, kernels, stage, format, merge, obligations, rules and the size of the search", () => {
    const text = printScreen(explained(transform));
    expect(text).toContain("y = (M .* W) x + ((alpha / r) * B) (A x) + ((alpha / r) * S) x");
    expect(text).toMatch(/^ {2}y = +\(M \.\* W\) x +panel16 +load +4\.0 MiB +1\.05M/m);
    expect(text).toMatch(/^ {2}not \S+: \d\.\d\d times, \w.* against /m);
    expect(text).toContain("merge     one kernel: W_panels + B_panels @ A_panels");
    expect(text).toContain("at load   r <= min(out, in); in % 7 == 0 (fails at these sizes)");
    expect(text).toMatch(/^rules {5}scale-sum, /m);
    expect(text).toMatch(/^search {4}\d+ candidates priced of \d+$/m);
    expect(text).toMatch(/default rates [0-9a-f]{8}, 2 threads, x86-64-v4/);
  });

  it("says what a term became when its factors are operands of their own", () => {
    const answer = whyTerm(stagesOf(transform), squareValues(1024), machine, "B @ A");
    expect(answer).toMatchObject({ kind: "found", text: expect.stringContaining("A_panels = A") });
    expect(whyTerm(stagesOf(transform), squareValues(1024), machine, "nothing")).toMatchObject({
      kind: "unknown",
      known: expect.arrayContaining(["W", "B", "A", "S", "M", "B @ A"]),
    });
  });
});

describe("estimates", () => {
  const text = `import { cubic } from "std/schedule"
import { nonzero } from "std/select"
transform T(W: frozen [out, in]) {
  schedule keep: ratio = cubic(1, 0.25, progress)
  mask M: unstructured = nonzero(W)
  param S: [out, in] = 0
  weight = keep * (M .* W) + S
}
`;
  const [checked] = checkModule("main.spx", textHost({ "main.spx": text })).module?.transforms ?? [];
  if (checked === undefined) throw new Error("the transform is well formed");
  const sizes = new Map([
    ["out", 100],
    ["in", 10],
  ]);

  it("stand in for what only data or the clocks know, and are said", () => {
    const { notes } = explainTransform(stagesOf(checked), sizes, machine);
    expect(notes).toContain("count(M) is measured at load; prices assume 500");
    expect(notes.filter((note) => /^keep follows the clocks; prices assume 0\.\d+$/.test(note))).toHaveLength(
      1,
    );
    expect(whyTerm(stagesOf(checked), sizes, machine, "M").kind).toBe("found");
  });

  it("give way to what is given", () => {
    const given = new Map([...sizes, ["count(M)", 20]]);
    const { notes, structure } = explainTransform(stagesOf(checked), given, machine);
    expect(notes.filter((note) => note.startsWith("count(M)"))).toEqual([]);
    expect(JSON.stringify(structure)).toContain("20 nonzeros");
  });
});

describe("quantities", () => {
  it("are short", () => {
    expect([0, 999, 1234, 45_678, 9.87e6, 1.5e9].map(printTime)).toEqual([
      "0 ns",
      "999 ns",
      "1.23 us",
      "45.7 us",
      "9.87 ms",
      "1.50 s",
    ]);
    expect([12, 2048, 300 * 1024, 64 * 1024 * 1024].map(printBytes)).toEqual([
      "12 B",
      "2.0 KiB",
      "300 KiB",
      "64 MiB",
    ]);
    expect([42, 12_345, 16.8e6].map(printCount)).toEqual(["42", "12.3k", "16.8M"]);
    expect(
      printRanges([
        { from: 1, to: 4 },
        { from: 5, to: 5 },
        { from: 6, to: null },
      ]),
    ).toBe("1 to 4, 5, 6 and more");
  });
});

describe("derived tensors", () => {
  const checked = checkModule("stdlib/dora.spx", textHost({})).module?.transforms[0] as CheckedTransform;
  const values = new Map([...squareValues(64), ["r", 4], ["alpha", 8]]);
  const stages = stagesOf(checked);

  it("stand with their formulas, and not in the price", () => {
    const explanation = explainTransform(stages, values, machine);
    const formulas = explanation.derived.map(({ name, text, sides, stage }) => [name, text, sides, stage]);
    expect(formulas).toEqual([
      ["n", "row_norm(W + (alpha / r) * (B @ A))", [64], "step"],
      ["quotient.m", "m ./ detach(n)", [64], "step"],
    ]);
    const screen = printScreen(explanation);
    expect(screen).toContain("derived   quotient.m = m ./ detach(n), [64], once a step");
    expect(screen).toContain("in no price");
    expect(htmlPage([explanation])).toContain("Derived tensors");
  });

  it("lead from what they are made of to the kernel that reads them", () => {
    const why = (asked: string): string => {
      const answer = whyTerm(stages, values, machine, asked);
      return answer.kind === "found" ? answer.text : "";
    };
    expect(why("n")).toContain("n is a derived tensor: n = row_norm(");
    for (const name of ["n", "m", "quotient.m"]) expect(why(name)).toContain("quotient.m_diagonal");
    expect(why("m")).toContain("m is a trained dense tensor");
  });
});
