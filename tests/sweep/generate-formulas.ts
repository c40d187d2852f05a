/** Matrices that are computed at load from given ones: what selections, frozen statements and initial values read. */
import { sameDimension } from "../../compiler/types/dimension.ts";
import { number, symbol } from "../../runtime/contract/number-expression.ts";
import { bare, type Draft, declare, quotient, sameShape } from "./draft.ts";
import type { Expression, Shape, TensorDeclaration } from "./program.ts";

/** A given matrix, or one that is computed from such. */
export function scoreTensor(draft: Draft, shape: Shape): TensorDeclaration {
  if (draft.random.chance(0.15)) return namedFormula(draft, shape);
  return givenTensor(draft, shape, () => true);
}

/** A formula under a name of its own. */
export const namedFormula = (draft: Draft, { rows, columns }: Shape): TensorDeclaration =>
  declare(
    draft,
    {
      ...{ role: "let", structure: "dense", rows, columns },
      ...bare,
      formula: matrixFormula(draft, { rows, columns }),
    },
    "Y",
  );

/** A frozen tensor, or one that is not part of the weight; an old one now and then. */
function givenTensor(
  draft: Draft,
  { rows, columns }: Shape,
  admits: (known: TensorDeclaration) => boolean,
): TensorDeclaration {
  const known = draft.tensors.filter(
    (tensor) =>
      tensor.role !== "param" &&
      tensor.structure === "dense" &&
      tensor.stack === null &&
      sameShape(tensor, { rows, columns }) &&
      admits(tensor),
  );
  if (known.length > 0 && draft.random.chance(0.6)) return draft.random.pick(known);
  return declare(draft, { role: "source", structure: "dense", rows, columns, ...bare }, "X");
}

/** Sums of products of two given matrices at most: float32 holds their entries exactly. */
export function matrixFormula(draft: Draft, shape: Shape): Expression {
  const { random } = draft;
  const { rows, columns } = shape;
  const given = (sides: Shape): Expression => {
    const tensor = givenTensor(draft, sides, ({ formula }) => formula === null);
    return { kind: "tensor", tensor, slice: null, rows: sides.rows, columns: sides.columns };
  };
  const plus = (terms: readonly Expression[]): Expression => ({
    ...{ kind: "sum", terms, minus: terms.map((_, index) => index > 0 && random.chance(0.5)) },
    ...{ rows, columns },
  });
  const scaled = (operand: Expression): Expression => ({
    ...{ kind: "scale", factor: random.pick([number(2), number(-1), number(0.5), symbol("q")]) },
    ...{ side: "left", operand, rows: operand.rows, columns: operand.columns },
  });
  const choices: readonly (() => Expression | null)[] = [
    () => ({ kind: "map", function: "abs", operand: given(shape), rows, columns }),
    () => plus([given(shape), scaled(given(shape))]),
    () => plus([given(shape), scaled(given(shape))]),
    () => {
      const inner = random.pick([number(1), number(3), symbol("r")]);
      const factors = [given({ rows, columns: inner }), given({ rows: inner, columns })];
      const product: Expression = { kind: "product", factors, rows, columns };
      return random.chance(0.5) ? product : plus([given(shape), product]);
    },
    () => ({ kind: "hadamard", factors: [given(shape), given(shape)], rows, columns }),
    () => ({ kind: "transpose", operand: given({ rows: columns, columns: rows }), rows, columns }),
    () => {
      const stack = number(random.pick([2, 3]));
      const tensor = declare(
        draft,
        { role: "source", structure: "dense", rows, columns, ...bare, stack },
        "X",
      );
      const slice = (index: number): Expression => ({ kind: "tensor", tensor, slice: index, rows, columns });
      return plus([slice(1), slice(0)]);
    },
    () => kronOfGiven(draft, shape, given),
    () => (sameDimension(rows, columns) ? plus([given(shape), scaled(identityOf(shape))]) : null),
    () => (sameDimension(rows, columns) ? plus([identityOf(shape), given(shape)]) : null),
    () => {
      const tensor = declare(
        draft,
        { role: "source", structure: "vector", rows, columns: rows, ...bare },
        "d",
      );
      const diagonal: Expression = { kind: "diag", tensor, rows, columns: rows };
      return { kind: "product", factors: [diagonal, given(shape)], rows, columns };
    },
  ];
  return random.pick(choices)() ?? given(shape);
}

const identityOf = ({ rows, columns }: Shape): Expression => ({
  kind: "identity",
  bare: false,
  rows,
  columns,
});

function kronOfGiven(
  { random }: Draft,
  { rows, columns }: Shape,
  given: (sides: Shape) => Expression,
): Expression | null {
  const [up, across] = random.chance(0.5) ? [2, 2] : [random.pick([1, 2, 3]), random.pick([1, 2, 3])];
  const [height, width] = [quotient(rows, up), quotient(columns, across)];
  if (height === null || width === null) return null;
  const small = { rows: number(up), columns: number(across) };
  const factors = [
    up === across && random.chance(0.5) ? identityOf(small) : given(small),
    given({ rows: height, columns: width }),
  ];
  if (random.chance(0.4)) factors.reverse();
  return { kind: "kron", factors, rows, columns };
}
