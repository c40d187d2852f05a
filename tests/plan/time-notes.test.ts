/** What follows the clocks is packed at every step, is priced at a usual time, and is told in the notes of the plan. */
import { expect, test } from "vitest";
import { planFile } from "../../compiler/driver/compile.ts";
import { StageClock } from "../../compiler/driver/stage-clock.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { textHost } from "../check/text-host.ts";

function planOf(statements: string): Plan {
  const text = `import { magnitude } from "std/select"
transform T(W: frozen [out, in], V: frozen [out, in]) {
${statements}
}
`;
  const { transforms, diagnostics } = planFile("case.spx", textHost({ "case.spx": text }), new StageClock());
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const [first] = transforms;
  if (first?.plan === undefined || first.plan === null) throw new Error("no plan");
  return first.plan;
}

const stages = ({ operands }: Plan): ReadonlySet<string> =>
  new Set(operands.map(({ description, stage }) => `${description} at ${stage}`));

test("a scheduled factor and a refreshed mask make their operands follow the steps, others stay", () => {
  const plan = planOf(`
  schedule s: ratio = 1 - progress
  mask M: unstructured = magnitude(W, 0.1)
  refresh M every 10 while progress < 0.5
  param B: [out, 2] = 0
  param A: [2, in] = 1
  weight = s * V + M .* W + B @ A`);
  const found = stages(plan);
  for (const description of [...found].filter((text) => /M|s \*/.test(text)))
    expect(description).toMatch(/ at step$/);
  expect(plan.notes).toContain("schedule s follows progress: 1 - progress");
  expect(plan.notes).toContain("M is chosen again every 10 steps while progress < 0.5");
  const again = plan.notes.find((note) => note.startsWith("packed again when the clocks move: "));
  const named = again?.split(": ")[1]?.split(", ") ?? [];
  expect(named.length).toBeGreaterThan(0);
  for (const { name, description } of plan.operands)
    expect(named.includes(name), description).toBe(/M|s \*/.test(description));
});

test("without clocks nothing changes", () => {
  const plan = planOf(`
  mask M: unstructured = magnitude(W, 0.1)
  weight = 0.5 * V + M .* W`);
  expect([...stages(plan)].every((text) => text.endsWith(" at load"))).toBe(true);
  expect(plan.notes.filter((note) => /follows|again/.test(note))).toEqual([]);
});
