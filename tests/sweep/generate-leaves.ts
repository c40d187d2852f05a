/** Leaves of generated programs: tensors of every role and structure. */
import { sameDimension } from "../../compiler/types/dimension.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import { bare, type Draft, declare, freshName, isNumber, mayDivide, type Place, sameShape } from "./draft.ts";
import { matrixFormula, namedFormula, scoreTensor } from "./generate-formulas.ts";
import { moveWith, operandPattern, support } from "./generate-patterns.ts";
import type { Decomposition, Expression, TensorDeclaration } from "./program.ts";

export type LeafKind =
  | "frozen"
  | "computed"
  | "param"
  | "sparse"
  | "blockdiag"
  | "stacked"
  | "diagonal"
  | "identity"
  | "indicator";

export const leafOf = (tensor: TensorDeclaration, slice: number | string | null = null): Expression =>
  tensor.structure === "vector"
    ? { kind: "diag", tensor, rows: tensor.rows, columns: tensor.columns }
    : { kind: "tensor", tensor, slice, rows: tensor.rows, columns: tensor.columns };

/** A frozen argument or a dense parameter, an old one now and then. */
export function plainLeaf(draft: Draft, place: Place): Expression {
  const known = draft.tensors.filter(
    (tensor) =>
      sameShape(tensor, place) &&
      tensor.stack === null &&
      tensor.role !== "source" &&
      tensor.role !== "let" &&
      tensor.structure !== "vector",
  );
  if (known.length > 0 && draft.random.chance(0.35)) return leafOf(draft.random.pick(known));
  return tensorLeaf(draft, place, draft.random.chance(0.5) ? "frozen" : "param");
}

/** A matrix rounded to a grid, of one scale a row or a block. */
export function quantizedLeaf(draft: Draft, place: Place): Expression {
  const { random } = draft;
  const { rows, columns } = place;
  const blocks = [1, 2, 4, 8, 32].filter((by) => mayDivide(columns, by));
  const grid = {
    kind: random.pick(["int8", "int4", "nf4", "nf3", "nf2"] as const),
    block: random.chance(0.4) ? null : random.pick(blocks),
  };
  const left = declare(draft, { role: "source", structure: "dense", rows, columns, ...bare }, "X");
  const formula = leafOf(left);
  return leafOf(
    declare(draft, { role: "computed", structure: "dense", rows, columns, ...bare, formula, grid }, "Q"),
  );
}

/** B @ A of two parameters that start as the factors of a matrix. */
export function decomposedProduct(draft: Draft, { rows, columns }: Place): Expression {
  const { random } = draft;
  const rank = random.pick([
    number(1),
    apply("min", symbol("r"), rows, columns),
    apply("min", number(2), rows, columns),
  ]);
  const names = [freshName(draft, "B"), freshName(draft, "A")] as const;
  const decomposed: Decomposition = {
    name: random.chance(0.7) ? "truncated_svd" : "trailing_svd",
    of: scoreTensor(draft, { rows, columns }),
    rank,
    names,
  };
  const factors = [
    { rows, columns: rank },
    { rows: rank, columns },
  ].map((shape, index) => {
    const made = { role: "param", structure: "dense", ...shape, ...bare, decomposed } as const;
    const tensor = { ...made, name: names[index] ?? "" };
    draft.tensors.push(tensor);
    return leafOf(tensor);
  });
  return { kind: "product", factors, rows, columns };
}

/** The permutation of a matrix's rows by their norm. */
export function sortedLeaf(draft: Draft, size: NumberExpression): Expression {
  const by = scoreTensor(draft, { rows: size, columns: number(draft.random.pick([1, 3, 8])) });
  return { kind: "sorted", by, rows: size, columns: size };
}

/** A leaf of one kind, or of any. */
export function tensorLeaf(draft: Draft, place: Place, kind?: LeafKind | Place): Expression {
  const { random } = draft;
  const { rows, columns } = place;
  const square = sameDimension(rows, columns);
  const any: LeafKind = random.pick([
    "frozen",
    "frozen",
    "param",
    "param",
    "sparse",
    "sparse",
    "blockdiag",
    "stacked",
    "indicator",
    "computed",
    ...(place.loops.length > 0 ? (["stacked", "stacked"] as const) : []),
    ...(square ? (["diagonal", "diagonal"] as const) : []),
    // The size of an identity is one name or number wherever it stands.
    ...(square ? (["identity"] as const) : []),
  ]);
  const chosen = typeof kind === "string" ? kind : any;
  switch (chosen) {
    case "frozen":
      return leafOf(declare(draft, { role: "frozen", structure: "dense", rows, columns, ...bare }, "W"));
    case "param": {
      const start = random.chance(0.08) ? { start: namedFormula(draft, place) } : {};
      return leafOf(
        declare(draft, { role: "param", structure: "dense", rows, columns, ...bare, ...start }, "A"),
      );
    }
    case "computed": {
      if (random.chance(0.15)) {
        const formula = random.pick([2, -1, 0.5]);
        const made = { role: "computed", structure: "dense", rows, columns, ...bare, formula } as const;
        return leafOf(declare(draft, { ...made, isShared: random.chance(0.7) }, "F"));
      }
      const formula = matrixFormula(draft, place);
      const grid = random.chance(0.3) ? { grid: { kind: "bf16", block: null } as const } : {};
      const made = {
        role: "computed",
        structure: "dense",
        rows,
        columns,
        ...bare,
        formula,
        ...grid,
      } as const;
      return leafOf(declare(draft, made, "F"));
    }
    case "indicator":
      return { kind: "indicator", pattern: operandPattern(draft, place, true), rows, columns };
    case "identity":
      return { kind: "identity", bare: false, rows, columns };
    case "diagonal": {
      const structure = random.chance(0.5) ? "vector" : "diag";
      const role = structure === "vector" && random.chance(0.4) ? "frozen" : "param";
      return leafOf(declare(draft, { role, structure, rows, columns: rows, ...bare }, "d"));
    }
    case "sparse": {
      const on = support(draft, place);
      const made = { role: "param", structure: "sparse", rows, columns, ...bare, support: on } as const;
      const tensor = declare(draft, made, "S");
      moveWith(draft, on, tensor);
      return leafOf(tensor);
    }
    case "blockdiag": {
      const choices = [2, 3, 4].filter((count) => [rows, columns].every((side) => mayDivide(side, count)));
      const named = choices.includes(2) && !isNumber(rows) && !isNumber(columns) && random.chance(0.4);
      const blocks = named ? symbol("b") : number(choices.length === 0 ? 1 : random.pick(choices));
      return leafOf(
        declare(draft, { role: "param", structure: "blockdiag", rows, columns, ...bare, blocks }, "L"),
      );
    }
    case "stacked": {
      const inside = place.loops.at(-1);
      const count = inside?.count ?? number(random.pick([1, 2, 3]));
      const role = random.chance(0.7) ? "param" : "frozen";
      const tensor = declare(draft, { role, structure: "dense", rows, columns, ...bare, stack: count }, "T");
      const last = isNumber(count) ? count.value : 1;
      return leafOf(tensor, inside?.variable ?? random.below(last));
    }
  }
}
