/** Ways to break what a pass gives, for faults that the sweep has to find: nothing else changes. */
import { nonEmpty } from "../../compiler/algebra/algebra-graph.ts";
import type { Term } from "../../compiler/algebra/algebra-node.ts";
import type { Gradients } from "../../compiler/algebra/derive-gradient.ts";
import type { WeightExpression } from "../../compiler/check/checked-module.ts";
import type { LoopExpression, LoopProgram, LoopStatement } from "../../compiler/loop/loop-node.ts";
import type { LoweredKernel } from "../../compiler/loop/lower-variant.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import type { TransformManifest } from "../../runtime/contract/manifest.ts";
import { apply, number } from "../../runtime/contract/number-expression.ts";
import type { Recipe } from "../../runtime/contract/recipe.ts";
import { type Road, road } from "./road.ts";

/** The same statements with every loop that runs by more than one stopping one short. */
export const withoutLastTile = (program: LoopProgram): LoopProgram => ({
  ...program,
  phases: program.phases.map((phase) => ({ ...phase, tiles: lessOne(phase.tiles) })),
});

const lessOne = (count: LoopExpression): LoopExpression => ({
  kind: "binary",
  operator: "sub",
  left: count,
  right: { kind: "constant", type: { scalar: "i64", lanes: 1 }, value: 1 },
});

type Store = Extract<LoopStatement, { kind: "store" }>;

/** The same statement with other stores. */
function withStores(statement: LoopStatement, change: (store: Store) => Store): LoopStatement {
  const inside = (inner: LoopStatement): LoopStatement => withStores(inner, change);
  switch (statement.kind) {
    case "store":
      return change(statement);
    case "for":
      return { ...statement, body: statement.body.map(inside) };
    case "if":
      return {
        ...statement,
        // biome-ignore lint/suspicious/noThenProperty: the branch of a loop statement, never awaited.
        then: statement.then.map(inside),
        otherwise: statement.otherwise.map(inside),
      };
    default:
      return statement;
  }
}

const changeStores = (program: LoopProgram, change: (store: Store) => Store): LoopProgram => ({
  ...program,
  phases: program.phases.map((phase) => ({
    ...phase,
    body: phase.body.map((statement) => withStores(statement, change)),
  })),
});

/** Stores that touch only some elements touch one fewer. */
export const inTails = (kernel: LoweredKernel): LoweredKernel => ({
  ...kernel,
  program: changeStores(kernel.program, (store) =>
    store.count === null ? store : { ...store, count: lessOne(store.count) },
  ),
});

/** Everything that is stored is twice what it should be. */
export const doubled = (program: LoopProgram): LoopProgram =>
  changeStores(program, (store) => ({
    ...store,
    value: { kind: "binary", operator: "add", left: store.value, right: store.value },
  }));

/** Every step reads its terms' operands in the reverse order. */
export const swapOperands = (plan: Plan): Plan => ({
  ...plan,
  variants: plan.variants.map((variant) => ({
    ...variant,
    steps: variant.steps.map((step) => {
      const dense = step.terms.filter(({ atom }) => atom === "dense").map(({ operand }) => operand);
      return {
        ...step,
        terms: step.terms.map((term) =>
          term.atom === "dense" ? { ...term, operand: dense.pop() ?? term.operand } : term,
        ),
      };
    }),
  })),
});

export const dropMinus = (weight: WeightExpression): WeightExpression => {
  if (weight.kind === "scale" && weight.factor.kind === "number" && weight.factor.value === -1)
    return dropMinus(weight.operand);
  if (weight.kind === "sum") return { ...weight, terms: weight.terms.map(dropMinus) };
  return weight;
};

export const twice = ({ leaves, ...gradients }: Gradients): Gradients => ({
  ...gradients,
  leaves: leaves.map((leaf) => ({
    ...leaf,
    pairs: nonEmpty(leaf.pairs.map((pair) => ({ ...pair, scale: apply("*", pair.scale, number(2)) }))),
  })),
});

export const withoutScale = (term: Term): Term => (term.kind === "scale" ? term.operand : term);

/** What is packed is what stands under the scale. */
export const withoutScales = (transform: TransformManifest): TransformManifest => ({
  ...transform,
  plan: {
    ...transform.plan,
    operands: transform.plan.operands.map((operand) =>
      operand.source.kind === "scale" ? { ...operand, source: operand.source.of } : operand,
    ),
  },
});

type RecipeCall = Extract<Recipe, { kind: "call" }>;

/** Tensors start, and are frozen, by other recipes. */
export function changedRecipes(change: (call: RecipeCall) => RecipeCall): Partial<Road> {
  const changed = (recipe: Recipe): Recipe => {
    if (recipe.kind === "output") return { ...recipe, of: changed(recipe.of) };
    if (recipe.kind !== "call") return recipe;
    const operands = Object.entries(recipe.operands).map(([name, operand]) => [name, changed(operand)]);
    return change({ ...recipe, operands: Object.fromEntries(operands) });
  };
  const tensors = <Tensor extends { readonly recipe: Recipe }>(all: readonly Tensor[]): Tensor[] =>
    all.map((tensor) => ({ ...tensor, recipe: changed(tensor.recipe) }));
  return {
    initialState: (transform, ...given) => {
      const { frozen, parameters } = transform;
      return road.initialState(
        { ...transform, frozen: tensors(frozen), parameters: tensors(parameters) },
        ...given,
      );
    },
  };
}
