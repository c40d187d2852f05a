/**
 * The intrinsics that choose positions, one row each. A selection may stand inside another, so that it brings its own
 * count; the target gives shape, granularity and, where nothing else does, the count.
 */
import type { SelectionName } from "../contract/recipe.ts";
import { SpxError } from "../errors.ts";
import { matrixOf } from "./intrinsic.ts";
import {
  checkCount,
  type Keys,
  largestEntries,
  magnitudeKeys,
  requireFinite,
  valueKeys,
} from "./largest-entries.ts";
import { largestOfPools, poolsIn } from "./line-pools.ts";
import {
  type NamedMatrix,
  selectMagnitude,
  selectMagnitudeBlocks,
  selectMagnitudeGroups,
} from "./magnitude.ts";
import type { Pattern } from "./pattern.ts";
import {
  complementOf,
  diagonalPattern,
  fullPattern,
  intersectionOf,
  orderingOf,
  patternOfColumns,
  patternOfRows,
  patternWhere,
  selectorOf,
  unionOf,
} from "./pattern-algebra.ts";
import { randomKeys, selectRandom } from "./random-support.ts";
import type { PatternTarget } from "./recipe-target.ts";
import type { Call } from "./recipe-value.ts";
import { regrow } from "./regrow.ts";
import { selectTopk } from "./topk.ts";
import { vectorOf } from "./vector-operand.ts";

/** Where a selection stands: the shape of what it chooses from. */
type Place = PatternTarget;

type Selection = (call: Call, place: Place) => Pattern;

/** The count that the call states, or else that of the target. */
function countOf({ optionalNumber }: Call, { name, count }: Place): number {
  const known = optionalNumber("count") ?? count;
  if (known !== null) return known;
  throw broken(`a selection of \`${name}\` does not say how many positions it keeps`);
}

const single =
  (name: string, select: Selection): Selection =>
  (call, place) => {
    if (place.shape.kind === "unstructured") return select(call, place);
    throw broken(
      `\`${name}\` selects single entries, not those of a pattern of kind \`${place.shape.kind}\``,
    );
  };

const finite = (matrix: NamedMatrix): NamedMatrix => {
  requireFinite(matrix.name, matrix.values, matrix.columns);
  return matrix;
};

/** Keys of a selection by rank: the larger, the sooner a position is kept. One for each position. */
export const rankingKeys: Readonly<
  Record<"magnitude" | "topk" | "random", (call: Call, place: Place) => Keys>
> = {
  magnitude: ({ tensor }) => magnitudeKeys(finite(matrixOf(tensor("weight"))).values),
  topk: ({ tensor }) => valueKeys(finite(matrixOf(tensor("score"))).values),
  random: ({ stream }, { rows, columns }) => randomKeys(stream(), rows * columns),
};

function selectByMagnitude(call: Call, place: Place): Pattern {
  const weight = matrixOf(call.tensor("weight"));
  const { shape } = place;
  if (shape.kind === "nm") return selectMagnitudeGroups(weight, shape, call.select());
  const count = countOf(call, place);
  if (shape.kind === "block") return selectMagnitudeBlocks(weight, shape.height, shape.width, count);
  if (call.pool === null) return selectMagnitude(weight, count, call.select());
  const pools = poolsIn("magnitude", call.pool, weight.rows, weight.columns);
  return largestOfPools("magnitude", magnitudeKeys(finite(weight).values), weight, call.pool, count / pools);
}

function selectByScore(call: Call): Pattern {
  const score = matrixOf(call.tensor("score"));
  const count = call.number("count");
  if (call.pool === null) return selectTopk(score, count, call.select());
  return largestOfPools("topk", valueKeys(finite(score).values), score, call.pool, count);
}

function selectAtRandom(call: Call, place: Place): Pattern {
  const { rows, columns, shape } = place;
  const count = shape.kind === "nm" ? 0 : countOf(call, place);
  if (call.pool === null) return selectRandom(place, count, call.stream());
  const each = count / poolsIn("random", call.pool, rows, columns);
  return largestOfPools("random", randomKeys(call.stream(), rows * columns), place, call.pool, each);
}

const compared =
  (keeps: (value: number, threshold: number) => boolean): Selection =>
  ({ tensor, number }) => {
    const { rows, columns, values } = finite(matrixOf(tensor("score")));
    const threshold = number("threshold");
    return patternWhere(rows, columns, values, (value) => keeps(value, threshold));
  };

/** The numbers of the `count` largest of a vector of scores, ascending. */
function largestLines(what: string, call: Call): number[] {
  const { name, values } = vectorOf(call.tensor("score"));
  requireFinite(name, values, 0);
  const count = call.number("count");
  checkCount(what, count, values.length);
  return linesOf(largestEntries(valueKeys(values), 1, values.length, count));
}

function randomLines(what: string, call: Call, size: number): number[] {
  const count = call.number("count");
  checkCount(what, count, size);
  const line = { name: what, shape: { kind: "unstructured" }, rows: 1, columns: size } as const;
  return linesOf(selectRandom(line, count, call.stream()));
}

const linesOf = ({ columns, bits }: Pattern): number[] =>
  Array.from({ length: columns }, (_, index) => index).filter(
    (index) => (((bits[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1,
  );

export const selections: Readonly<Record<SelectionName, Selection>> = {
  magnitude: selectByMagnitude,
  topk: single("topk", selectByScore),
  random_support: selectAtRandom,
  random: selectAtRandom,
  above: single(
    "above",
    compared((value, threshold) => value > threshold),
  ),
  below: single(
    "below",
    compared((value, threshold) => value < threshold),
  ),
  nonzero: single("nonzero", ({ tensor }) => {
    const { rows, columns, values } = matrixOf(tensor("of"));
    return patternWhere(rows, columns, values, (value) => value !== 0);
  }),
  all: (_call, { rows, columns }) => fullPattern(rows, columns),
  diagonal: single("diagonal", (_call, { rows, columns }) => diagonalPattern(rows, columns)),
  top_rows: single("top_rows", (call, { rows, columns }) =>
    patternOfRows(rows, columns, largestLines("top_rows", call)),
  ),
  top_columns: single("top_columns", (call, { rows, columns }) =>
    patternOfColumns(rows, columns, largestLines("top_columns", call)),
  ),
  random_rows: single("random_rows", (call, { rows, columns }) =>
    patternOfRows(rows, columns, randomLines("random_rows", call, rows)),
  ),
  random_columns: single("random_columns", (call, { rows, columns }) =>
    patternOfColumns(rows, columns, randomLines("random_columns", call, columns)),
  ),
  regrow: ({ pattern, tensor, number }) =>
    regrow(
      pattern("of"),
      { keep: matrixOf(tensor("keep")), grow: matrixOf(tensor("grow")) },
      number("fraction"),
    ),
  complement: ({ pattern }) => complementOf(pattern("of")),
  intersection: ({ pattern }) => intersectionOf(pattern("left"), pattern("right")),
  union: ({ pattern }) => unionOf(pattern("left"), pattern("right")),
  permutation: (call) => {
    const { name, values } = vectorOf(call.tensor("score"));
    requireFinite(name, values, 0);
    return orderingOf(values);
  },
  row_selector: ({ pattern }) => selectorOf(pattern("of"), "row"),
  column_selector: ({ pattern }) => selectorOf(pattern("of"), "column"),
};

const broken = (reason: string): SpxError =>
  new SpxError("SPX8102", reason, {
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
