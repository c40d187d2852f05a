/** Prices count tiles exactly as the lowering cuts them: the two are held against each other on every sample. */
import { describe, expect, it } from "vitest";
import { int } from "../../compiler/loop/loop-expression.ts";
import type { LoopExpression } from "../../compiler/loop/loop-node.ts";
import { lowerVariant } from "../../compiler/loop/lower-variant.ts";
import { featuresPerTile } from "../../compiler/loop/transpose-panels.ts";
import { lookupIn } from "../../compiler/plan/operand-table.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { stepPhases } from "../../compiler/plan/step-phases.ts";
import { transposedFeatures } from "../../compiler/plan/thread-cost.ts";
import { phaseGeometry } from "../../compiler/plan/tile-geometry.ts";
import { tileTokens, withTile, type X86Target, x86Targets } from "../../compiler/targets/x86-targets.ts";
import { evaluateNumber, number } from "../../runtime/contract/number-expression.ts";
import { samples } from "../algebra/sample-transforms.ts";
import { planOf, sampleNamed, squareValues } from "./sample-plans.ts";

const batches = [1, 2, 3, 4, 5, 16, 17, 33, 48, 49, 300, 1500];

/** The value of index arithmetic. */
function evaluate(node: LoopExpression, values: ReadonlyMap<string, number>): number {
  if (node.kind === "constant") return node.value;
  if (node.kind === "symbol") {
    const value = values.get(node.name);
    if (value === undefined) throw new ReferenceError(node.name);
    return value;
  }
  if (node.kind !== "binary") throw new TypeError(node.kind);
  const [left, right] = [evaluate(node.left, values), evaluate(node.right, values)];
  const operations: Record<string, number> = {
    add: left + right,
    sub: left - right,
    mul: left * right,
    div: Math.floor(left / right),
    rem: left % right,
    min: Math.min(left, right),
    max: Math.max(left, right),
  };
  return operations[node.operator] ?? Number.NaN;
}

/** Compares every phase of every step of every variant; gives how many numbers were compared. */
function compareTiles(plan: Plan, level: X86Target): number {
  const target = plan.tile === undefined ? level : withTile(level, plan.tile);
  let compared = 0;
  for (const variant of plan.variants) {
    const { program, symbols } = lowerVariant(plan, variant, level, { name: "tiles", constants: {} });
    for (const values of [64, 768, 4096].map(squareValues)) {
      const remaining = [...program.phases];
      const frame = symbols.map(({ name, value }) => [name, evaluateNumber(value, values)] as const);
      for (const step of variant.steps) {
        const priced = stepPhases(step, variant.layout, lookupIn(plan.operands));
        const lowered = priced.flatMap(
          () =>
            remaining.splice(
              remaining.findIndex(({ name }) => name === step.name),
              1,
            )[0] ?? [],
        );
        expect(lowered.map(({ name }) => name)).toEqual(priced.map(() => step.name));
        const width = variant.activations.find(({ name }) => name === step.output)?.width ?? number(0);
        for (const [index, phase] of priced.entries()) {
          const { tiles } = phaseGeometry(phase, width, variant.layout, lookupIn(plan.operands), target);
          for (const batch of batches) {
            const count = evaluate(lowered[index]?.tiles ?? int(-1), new Map([...frame, ["batch", batch]]));
            const expected = evaluateNumber(tiles, new Map([...values, ["batch", batch]]));
            expect(expected, `${variant.name} ${step.name} ${values.get("out")} @${batch}`).toBe(count);
            compared += 1;
          }
        }
      }
    }
  }
  return compared;
}

describe.each(x86Targets)("tiles of $name", (target) => {
  it.each(samples.map(({ transform }) => [transform.name, transform] as const))("%s", (_, transform) => {
    const plan = planOf(transform, "all");
    const least = plan.variants.length * batches.length * 3;
    expect(compareTiles(plan, target)).toBeGreaterThanOrEqual(least);
  });

  it.each([...tileTokens["lane-output"], ...tileTokens["lane-token"]])("of %i pinned tokens", (tile) => {
    for (const name of ["DSEE", "SemiStructuredLoRA", "Monarch"]) {
      const plan = planOf(sampleNamed(name), "all");
      const layout = tile < 16 ? "lane-output" : "lane-token";
      const variants = plan.variants.filter((variant) => variant.layout === layout);
      expect(compareTiles({ ...plan, variants, tile }, target)).toBeGreaterThan(0);
    }
  });
});

it("deals out whole tokens where outputs are scattered, from two tokens on", () => {
  const plan = planOf(sampleNamed("PermutedBlocks"), "all");
  const [target] = x86Targets;
  const variant = plan.variants.find(({ name }) => name === "separate/lane-output");
  const step = variant?.steps.find(({ outputPermutation }) => outputPermutation !== null);
  if (target === undefined || variant === undefined || step === undefined)
    throw new ReferenceError("PermutedBlocks");
  const operands = lookupIn(plan.operands);
  const [phase] = stepPhases(step, "lane-output", operands);
  if (phase === undefined) throw new ReferenceError(step.name);
  const width = variant.activations.find(({ name }) => name === step.output)?.width ?? number(0);
  const { groups } = phaseGeometry(phase, width, "lane-output", operands, target);
  const at = (batch: number): number =>
    evaluateNumber(groups, new Map([...squareValues(4096), ["batch", batch]]));
  expect([1, 2, 3, 8, 16, 64].map(at)).toEqual([1, 2, 2, 2, 4, 8]);
});

it("transposes as many features in a tile as prices take for it", () => {
  expect(transposedFeatures).toBe(featuresPerTile);
});
