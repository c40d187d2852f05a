// Variants of several terms and steps against plain loops in float64, and kernels specialised for constants.
import { describe, expect, it } from "vitest";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { printLoop } from "../../compiler/loop/print-loop.ts";
import { x86Targets } from "../../compiler/targets/x86-targets.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { interestingBatches, interestingSizes } from "./atom-cases.ts";
import { checkAgainstPlainLoops } from "./run-reference.ts";
import { stepFamilies, tokenStepFamilies } from "./step-cases.ts";
import { createRandom } from "./weight-cases.ts";

const both = stepFamilies.flatMap((family) =>
  (["lane-output", "lane-token"] as const).map((layout) => ({ ...family, layout })),
);
const families = [
  ...both,
  ...tokenStepFamilies.map((family) => ({ ...family, layout: "lane-token" as const })),
];

describe.each(x86Targets)("$name", (target) => {
  it.each(families)("$name, $layout", ({ make, layout, name }) => {
    const random = createRandom(name.length * 13 + target.vectorBits);
    const any = (from: readonly number[]): number => from[random(from.length)] ?? 1;
    for (let run = 0; run < 13; run++) {
      const weight = make(layout, any(interestingSizes), any(interestingSizes), run);
      const batch = interestingBatches[run % interestingBatches.length] ?? 1;
      const all = Object.fromEntries(weight.symbols);
      try {
        checkAgainstPlainLoops(weight, { target, batch, seed: run, constants: run % 3 === 0 ? all : {} });
      } catch (thrown) {
        const sizes = `${weight.weight.rows} x ${weight.weight.columns}, batch ${batch}, run ${run}`;
        throw new Error(`${name}, ${layout}: ${sizes}`, { cause: thrown });
      }
    }
  });
});

describe.each(x86Targets)("few panels and many tokens on $name", (target) => {
  const [family] = stepFamilies;
  if (family === undefined) throw new Error("no families");
  const weight = family.make("lane-output", 20, 150, 3);

  it.each([1, 3, 4, 5, 27, 28, 29, 33, 64])("are dealt out by tokens, batch %i", (batch) => {
    checkAgainstPlainLoops(weight, { target, batch, seed: batch, constants: {} });
  });

  it("count their tiles from the batch", () => {
    const { program } = lowerVariant(weight.plan, weight.variant, target, { name: "kernel", constants: {} });
    for (const { tiles } of program.phases) {
      const printed = JSON.stringify(tiles);
      expect(printed).toContain('"name":"batch"');
    }
  });
});

describe.each(x86Targets)("more tokens than pages stay translated on $name", (level) => {
  // The least stretch, 64 tokens, whatever a token reads.
  const target = { ...level, translatedPages: 1 };
  it.each(stepFamilies.map(({ name, make }) => [name, make] as const))("%s", (_, make) => {
    const weight = make("lane-output", 17, 12, 7);
    for (const batch of [24, 64, 65, 129])
      checkAgainstPlainLoops(weight, { target, batch, seed: batch, constants: {} });
  });
});

describe("specialised kernels", () => {
  const [target] = x86Targets;
  const [family] = stepFamilies;
  if (target === undefined || family === undefined) throw new Error("no targets");
  const weight = family.make("lane-output", 40, 40, 5);
  const lower = (constants: Readonly<Record<string, number>>) =>
    lowerVariant(weight.plan, weight.variant, target, { name: "kernel", constants });

  it("keep no symbol for what the constants decide", () => {
    const rank = weight.symbols.get("r") ?? 0;
    expect(lower({}).symbols.map(({ name }) => name)).toContain("r");
    const special = lower({ r: rank });
    expect(special.symbols.map(({ name }) => name)).not.toContain("r");
    expect(printLoop(special.program)).not.toMatch(/\br\b/);
    expect(special.program.symbols).toEqual(special.symbols.map(({ name }) => name));
  });

  it("refuse constants that make a dimension negative or broken", () => {
    expect(() => lower({ r: 2.5 })).toThrow(RangeError);
    expect(() => lower({ r: -1 })).toThrow(RangeError);
  });

  it("ask for the workspace that the program declares", () => {
    const kernel = lower({});
    const rank = weight.symbols.get("r") ?? 0;
    for (const batch of [0, 1, 7, 33]) {
      const bytes = evaluateNumber(kernel.workspace, new Map([...weight.symbols, ["batch", batch]]));
      expect(bytes).toBe(Math.ceil((batch * rank * 4) / 64) * 64);
    }
  });
});
