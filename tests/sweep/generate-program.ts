/**
 * Programs from a seed, directed by shape: a production is tried only where it is well typed, so the checker has to
 * accept every program. The table of productions is the coverage of the sweep.
 */
import { sameDimension } from "../../compiler/types/dimension.ts";
import { apply, type NumberExpression, number, symbol } from "../../runtime/contract/number-expression.ts";
import {
  type Draft,
  dimensionNames,
  freshName,
  isNumber,
  mayDivide,
  numberArguments,
  type Place,
  quotient,
  scaleFactor,
} from "./draft.ts";
import { childrenOf } from "./expression-parts.ts";
import { derivedProduction } from "./generate-derived.ts";
import { callProduction } from "./generate-functions.ts";
import { decomposedProduct, plainLeaf, sortedLeaf, tensorLeaf } from "./generate-leaves.ts";
import { hasSize, maskProduction, selectorPattern } from "./generate-patterns.ts";
import { generatePins } from "./generate-pins.ts";
import { scheduledFactor } from "./generate-time.ts";
import type { Expression, Program, Shape } from "./program.ts";
import { createRandom, type Random } from "./random.ts";

const literals = [1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 31, 32, 33, 40];

/** An inner dimension: a rank, a dimension of the weight, or a number. */
function innerDimension({ random }: Draft, { rows, columns }: Shape): NumberExpression {
  const choice = random.below(10);
  if (choice < 3) return symbol("r");
  if (choice < 4) return rows;
  if (choice < 5) return columns;
  if (choice < 6) return symbol(random.pick(dimensionNames));
  if (choice < 7)
    return random.pick([apply("*", symbol("r"), number(2)), symbol("c"), apply("+", symbol("q"), number(1))]);
  return number(random.pick([1, 2, 3, 5, 8, 16, 17]));
}

const isSquare = ({ rows, columns }: Shape): boolean => sameDimension(rows, columns);

type Production = (draft: Draft, place: Place) => Expression | null;

const deeper = (place: Place, shape: Shape = place): Place => ({
  ...place,
  rows: shape.rows,
  columns: shape.columns,
  depth: place.depth - 1,
});

const turned = ({ rows, columns }: Shape): Shape => ({ rows: columns, columns: rows });

function sum(draft: Draft, place: Place): Expression {
  const terms = Array.from({ length: 2 + draft.random.below(3) }, () =>
    generateExpression(draft, deeper(place)),
  );
  if (isSquare(place) && draft.random.chance(0.15))
    terms.push({
      kind: "identity",
      bare: draft.random.chance(0.5),
      rows: place.rows,
      columns: place.columns,
    });
  return {
    kind: "sum",
    terms,
    minus: terms.map(() => draft.random.chance(0.2)),
    rows: place.rows,
    columns: place.columns,
  };
}

function product(draft: Draft, place: Place): Expression {
  const inner = Array.from({ length: draft.random.chance(0.25) ? 2 : 1 }, () => innerDimension(draft, place));
  const sides = [place.rows, ...inner, place.columns];
  const made = inner.concat(place.columns).map((columns, index) => {
    const rows = sides[index] ?? place.rows;
    return generateExpression(draft, deeper(place, { rows, columns }));
  });
  return { kind: "product", factors: made, rows: place.rows, columns: place.columns };
}

/** P(b) L P(b)ᵀ R, and what it looks like with its factors left out. */
function shuffled(draft: Draft, place: Place): Expression | null {
  if (!isSquare(place)) return null;
  const { random } = draft;
  const { rows, columns } = place;
  const fixed = [1, 2, 3, 4].filter((by) => mayDivide(rows, by));
  const stride =
    !isNumber(rows) && mayDivide(rows, 2) && random.chance(0.5) ? symbol("b") : number(random.pick(fixed));
  const shuffle: Expression = { kind: "permutation", stride, rows, columns };
  const factors: Expression[] = [
    ...(random.chance(0.7) ? [shuffle] : []),
    tensorLeaf(draft, place, "blockdiag"),
    ...(random.chance(0.7) ? [{ kind: "transpose" as const, operand: shuffle, rows, columns }] : []),
    ...(random.chance(0.7) ? [tensorLeaf(draft, place, random.chance(0.7) ? "blockdiag" : "diagonal")] : []),
  ];
  return factors.length === 1 ? (factors[0] ?? null) : { kind: "product", factors, rows, columns };
}

/** A matrix between diagonals, permutations or block-diagonal maps. */
function sandwich(draft: Draft, place: Place): Expression {
  const { random } = draft;
  const structured = (size: NumberExpression): Expression => {
    const shape = { rows: size, columns: size };
    if (random.chance(0.15)) {
      const sorted = sortedLeaf(draft, size);
      return random.chance(0.5) ? { kind: "transpose", operand: sorted, ...shape } : sorted;
    }
    if (random.chance(0.35)) {
      const fixed = [1, 2, 3, 4, 5].filter((by) => mayDivide(size, by));
      const stride =
        mayDivide(size, 2) && !isNumber(size) && random.chance(0.4)
          ? symbol("b")
          : number(random.pick(fixed));
      const shuffle: Expression = { kind: "permutation", stride, ...shape };
      return random.chance(0.4) ? { kind: "transpose", operand: shuffle, ...shape } : shuffle;
    }
    return tensorLeaf(draft, { ...place, ...shape }, random.chance(0.5) ? "diagonal" : "blockdiag");
  };
  const middle = generateExpression(draft, deeper(place));
  const made = [
    ...(random.chance(0.6) ? [structured(place.rows)] : []),
    middle,
    ...(random.chance(0.6) ? [structured(place.columns)] : []),
  ];
  if (made.length === 1) return middle;
  return { kind: "product", factors: made, rows: place.rows, columns: place.columns };
}

function scale(draft: Draft, place: Place): Expression {
  const { random } = draft;
  const operand = generateExpression(draft, deeper(place));
  const { rows, columns } = place;
  if (random.chance(0.2)) return { kind: "negative", operand, rows, columns };
  const counted = draft.patterns.filter(hasSize);
  if (counted.length > 0 && random.chance(0.15)) {
    const factor = apply("min", symbol(`count(${random.pick(counted).name})`), number(3));
    return { kind: "scale", factor, side: "left", operand, rows, columns };
  }
  if (draft.followsClocks && random.chance(0.5))
    return { kind: "scale", factor: scheduledFactor(draft), side: "left", operand, rows, columns };
  const around = place.loops.at(-1);
  if (around !== undefined && random.chance(0.4)) {
    const factor = apply("+", symbol(around.variable), number(random.below(3)));
    return { kind: "scale", factor, side: "left", operand, rows, columns };
  }
  if (random.chance(0.2)) {
    const factor = random.chance(0.5) ? symbol("q") : number(random.pick([2, 4, 0.5]));
    return { kind: "scale", factor, side: "divide", operand, rows, columns };
  }
  return {
    kind: "scale",
    factor: scaleFactor(random),
    side: random.pick(["left", "left", "right"]),
    operand,
    rows,
    columns,
  };
}

const transpose: Production = (draft, place) => ({
  kind: "transpose",
  operand: generateExpression(draft, deeper(place, turned(place))),
  rows: place.rows,
  columns: place.columns,
});

const hadamard: Production = (draft, place) => ({
  kind: "hadamard",
  factors: [generateExpression(draft, deeper(place)), generateExpression(draft, deeper(place))],
  rows: place.rows,
  columns: place.columns,
});

function kronecker(draft: Draft, place: Place): Expression | null {
  const [up, across] = [draft.random.pick([1, 2, 3, 4]), draft.random.pick([1, 2, 2, 3])];
  const [rows, columns] = [quotient(place.rows, up), quotient(place.columns, across)];
  if (rows === null || columns === null) return null;
  const small = deeper(place, { rows: number(up), columns: number(across) });
  const square = up === across && draft.random.chance(0.3);
  const parts: Expression[] = [
    square
      ? { kind: "identity", bare: false, rows: number(up), columns: number(up) }
      : generateExpression(draft, small),
    generateExpression(draft, deeper(place, { rows, columns })),
  ];
  if (draft.random.chance(0.3)) parts.reverse();
  return { kind: "kron", factors: parts, rows: place.rows, columns: place.columns };
}

function blocks(draft: Draft, place: Place): Expression | null {
  const count = draft.random.pick([2, 2, 3]);
  const [rows, columns] = [quotient(place.rows, count), quotient(place.columns, count)];
  if (rows === null || columns === null) {
    if (!isNumber(place.rows) || !isNumber(place.columns)) return null;
    if (place.rows.value < 2 || place.columns.value < 2) return null;
    const [top, left] = [
      1 + draft.random.below(place.rows.value - 1),
      1 + draft.random.below(place.columns.value - 1),
    ];
    const first = { rows: number(top), columns: number(left) };
    const rest = { rows: number(place.rows.value - top), columns: number(place.columns.value - left) };
    const made = [first, rest].map((shape) => generateExpression(draft, deeper(place, shape)));
    return { kind: "blockdiag", blocks: made, rows: place.rows, columns: place.columns };
  }
  const made = Array.from({ length: count }, () =>
    generateExpression(draft, deeper(place, { rows, columns })),
  );
  return { kind: "blockdiag", blocks: made, rows: place.rows, columns: place.columns };
}

/** Two sides that make up one, or three. */
function parted({ random }: Draft, side: NumberExpression): NumberExpression[] | null {
  if (isNumber(side)) {
    if (side.value < 2) return null;
    const first = 1 + random.below(side.value - 1);
    return [number(first), number(side.value - first)];
  }
  const [left, right] = side.kind === "apply" && side.operator === "+" ? side.operands : [];
  if (left !== undefined && right !== undefined && random.chance(0.7)) return [left, right];
  const count = random.pick([2, 2, 3]);
  const part = quotient(side, count);
  return part === null ? null : Array.from({ length: count }, () => part);
}

/** Matrices above each other or side by side, at most one of them zero or an identity. */
function concatenation(draft: Draft, place: Place): Expression | null {
  const { random } = draft;
  const { rows, columns } = place;
  const kind = random.pick(["rows", "columns"] as const);
  const sides = parted(draft, kind === "rows" ? rows : columns);
  if (sides === null) return null;
  const shapes = sides.map(
    (side): Shape => (kind === "rows" ? { rows: side, columns } : { rows, columns: side }),
  );
  const bare = random.chance(0.3) ? random.below(shapes.length) : -1;
  const parts = shapes.map((shape, index): Expression => {
    if (index !== bare) return generateExpression(draft, deeper(place, shape));
    return isSquare(shape) && random.chance(0.5)
      ? { kind: "identity", bare: false, ...shape }
      : { kind: "zeros", ...shape };
  });
  return { kind, parts, rows, columns };
}

function loop(draft: Draft, place: Place): Expression | null {
  const variable = ["i", "j"][place.loops.length];
  if (variable === undefined) return null;
  const count = draft.random.chance(0.5) ? symbol("c") : number(draft.random.pick([1, 2, 3]));
  const inside = { ...deeper(place), loops: [...place.loops, { variable, count }] };
  const body = generateExpression(draft, inside);
  const operator = isSquare(place) && draft.random.chance(0.4) ? "product" : "sum";
  return { kind: "loop", operator, variable, count, body, rows: place.rows, columns: place.columns };
}

function named(draft: Draft, place: Place): Expression | null {
  if (place.loops.length > 0) return null;
  const known = draft.lets.filter(
    (held) => sameDimension(held.rows, place.rows) && sameDimension(held.columns, place.columns),
  );
  if (known.length > 0 && draft.random.chance(0.5)) return draft.random.pick(known);
  const value = generateExpression(draft, deeper(place));
  const made = {
    kind: "let" as const,
    name: freshName(draft, "let"),
    value,
    rows: place.rows,
    columns: place.columns,
  };
  draft.lets.push(made);
  return made;
}

const call: Production = (draft, place) =>
  callProduction(
    draft,
    place,
    (shape) => generateExpression(draft, deeper(place, shape)),
    innerDimension(draft, place),
  );

/** A thin matrix put at chosen columns or rows. */
const selected: Production = (draft, place) => {
  const { rows, columns } = place;
  const axis = draft.random.pick(["row", "column"] as const);
  const size = axis === "row" ? rows : columns;
  const count = draft.random.pick([number(1), apply("min", number(2), size), size]);
  const selector: Expression = {
    kind: "selector",
    axis,
    pattern: selectorPattern(draft, axis, size, count),
    rows: count,
    columns: size,
  };
  const thin = axis === "row" ? { rows: count, columns } : { rows, columns: count };
  const leaf = tensorLeaf(draft, { ...place, ...thin }, "param");
  const factors: Expression[] =
    axis === "row"
      ? [{ kind: "transpose", operand: selector, rows, columns: count }, leaf]
      : [leaf, selector];
  return { kind: "product", factors, rows, columns };
};

const mask: Production = (draft, place) =>
  maskProduction(draft, place, generateExpression(draft, deeper(place)));

/** Float32 is exact without these: they are for the programs that may round. */
const derived: Production = (draft, place) =>
  draft.mayRound ? derivedProduction(draft, place, () => generateExpression(draft, deeper(place))) : null;

/** How often each production is tried. */
const productions: readonly (readonly [number, Production])[] = [
  [5, tensorLeaf],
  [6, sum],
  [5, product],
  [3, sandwich],
  [2, shuffled],
  [1, selected],
  [1, decomposedProduct],
  [4, scale],
  [2, transpose],
  [2, hadamard],
  [5, mask],
  [2, kronecker],
  [2, blocks],
  [3, concatenation],
  [2, loop],
  [2, named],
  [3, call],
  [12, derived],
];
const wheel = productions.flatMap(([weight, production]) => Array.from({ length: weight }, () => production));

/** A well-typed expression of the shape of `place`. */
export function generateExpression(draft: Draft, place: Place): Expression {
  draft.budget -= 1;
  if (place.depth <= 0 || draft.budget <= 0) return plainLeaf(draft, place);
  for (let attempt = 0; attempt < 5; attempt++) {
    const made = draft.random.pick(wheel)(draft, place);
    if (made !== null) return made;
  }
  return plainLeaf(draft, place);
}

function weightShape(random: Random): Shape {
  const [m, n] = [symbol("m"), symbol("n")];
  const sides: readonly (() => Shape)[] = [
    () => ({ rows: m, columns: n }),
    () => ({ rows: m, columns: n }),
    () => ({ rows: n, columns: n }),
    () => ({ rows: n, columns: n }),
    () => ({ rows: number(random.pick(literals)), columns: number(random.pick(literals)) }),
    () => ({ rows: apply("*", number(random.pick([2, 3])), m), columns: n }),
    () => ({ rows: m, columns: apply("*", number(random.pick([2, 4])), n) }),
    () => ({ rows: m, columns: number(random.pick(literals)) }),
    () => ({ rows: apply("*", number(2), n), columns: n }),
    () => ({ rows: n, columns: symbol("r") }),
    () => ({ rows: apply("*", m, symbol("q")), columns: n }),
    () => ({ rows: apply("+", m, number(1)), columns: n }),
    () => ({ rows: m, columns: apply("+", m, n) }),
    () => ({ rows: apply("*", number(random.pick([17, 33])), m), columns: apply("*", number(16), n) }),
    () => ({ rows: symbol("c"), columns: n }),
  ];
  return random.pick(sides)();
}

/** The program of `seed`. Its sizes are chosen apart, because not every choice meets its conditions. */
export function generateProgram(seed: number, name: string): Program {
  const random = createRandom(seed);
  const shape = weightShape(random);
  const draft: Draft = {
    random,
    weight: shape,
    tensors: [],
    patterns: [],
    lets: [],
    schedules: [],
    mayRound: random.chance(0.45),
    followsClocks: random.chance(0.5),
    budget: 8 + random.below(22),
    names: 0,
  };
  const place = { ...shape, depth: 1 + random.below(4), loops: [] };
  let weight = generateExpression(draft, place);
  // A weight of one tensor says little.
  for (let again = 0; again < 3 && childrenOf(weight).length === 0; again++) {
    for (const made of [draft.tensors, draft.patterns, draft.lets, draft.schedules]) made.length = 0;
    weight = generateExpression(draft, place);
  }
  const { schedules } = draft;
  const stated = random.chance(0.6);
  const pins = generatePins(random, weight);
  return { name, weight, numbers: numberArguments, dimensions: dimensionNames, schedules, pins, stated };
}
