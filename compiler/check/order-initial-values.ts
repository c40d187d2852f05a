/** The order in which patterns and initial values can be computed: each after what its recipe reads. */
import type { Diagnostic } from "../../grammar/text/diagnostic.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { report } from "../diagnostics/define-diagnostic.ts";
import { initialValueCycle } from "../diagnostics/training-diagnostics.ts";
import type { CheckedPattern, CheckedTensor } from "./checked-module.ts";

/** Names of tensors and patterns that a recipe reads. */
export function namesRead(recipe: Recipe): string[] {
  switch (recipe.kind) {
    case "number":
      return [];
    case "tensor":
    case "pattern":
      return [recipe.name];
    case "call":
      return Object.values(recipe.operands).flatMap(namesRead);
    case "output":
      return namesRead(recipe.of);
  }
}

export function orderInitialValues(
  tensors: readonly CheckedTensor[],
  patterns: readonly CheckedPattern[],
): { readonly order: readonly string[] } | { readonly cycle: Diagnostic } {
  // The dense value of a param of which a mask leaves some entries is known before that mask: its recipe is read instead.
  const drawnDense = new Map(
    tensors.flatMap(({ name, drawn, recipe }) =>
      drawn === "dense" && recipe !== null ? [[name, recipe]] : [],
    ),
  );
  const readBy = (recipe: Recipe, through: readonly string[] = []): string[] =>
    namesRead(recipe).flatMap((name) => {
      const dense = drawnDense.get(name);
      return dense === undefined || through.includes(name) ? [name] : readBy(dense, [...through, name]);
    });
  const needs = new Map<string, readonly string[]>();
  for (const { name, recipe } of patterns) needs.set(name, readBy(recipe));
  for (const { name, recipe, support } of tensors) {
    if (recipe !== null) needs.set(name, [...(support === null ? [] : [support]), ...readBy(recipe)]);
  }
  const spans = new Map([...patterns, ...tensors].map(({ name, span }) => [name, span]));
  const order: string[] = [];
  const path: string[] = [];
  const visit = (name: string): Diagnostic | null => {
    if (order.includes(name) || !needs.has(name)) return null;
    if (path.includes(name)) {
      const names = [...path.slice(path.indexOf(name)), name].map((step) => `\`${step}\``).join(" → ");
      return report(initialValueCycle, spans.get(name) ?? null, { names });
    }
    path.push(name);
    for (const needed of needs.get(name) ?? []) {
      const cycle = visit(needed);
      if (cycle !== null) return cycle;
    }
    path.pop();
    order.push(name);
    return null;
  };
  for (const name of needs.keys()) {
    const cycle = visit(name);
    if (cycle !== null) return { cycle };
  }
  return { order };
}
