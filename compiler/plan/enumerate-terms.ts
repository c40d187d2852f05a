import { number } from "../../runtime/contract/number-expression.ts";
import { nonEmpty } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { isTrainable } from "../algebra/structure.ts";
import { sharesStep, writesRanges } from "./arrange-stages.ts";
import { waysOfKron, waysOfKronChain, waysOfRotatedKron } from "./enumerate-kron.ts";
import {
  blocksFactor,
  firstCombinations,
  formedWays,
  part,
  permutation,
  runsOf,
  stageOf,
  type Way,
} from "./formed-ways.ts";
import type { AppliedSum, LinearFactor } from "./linear-factors.ts";

import { multiplyPieces, pieceOf } from "./matrix-operand.ts";

/** Enumerates the ways of a sum between other factors; see enumerate-sums.ts. */
export type SumWays = (term: Extract<Term, { kind: "sum" }>) => readonly AppliedSum[];

/** Ways side by side, the last acting first. */
const inSequence = (ways: readonly Way[]): Way => ({
  factors: ways.flatMap(({ factors }) => factors),
  parts: ways.flatMap(({ parts }) => parts),
  rules: ways.flatMap(({ rules }) => rules),
  traits: ways.flatMap(({ traits }) => traits),
});

/** The ways of a term without a scale. */
export function waysOfTerm(term: Term, sums: SumWays): readonly Way[] {
  return term.kind === "chain" ? waysOfChain(term.factors, sums) : waysOfFactor(term, sums);
}

const isWindow = (term: Term): boolean => term.kind === "window";
const isEmbedding = (term: Term): boolean => term.kind === "transpose" && isWindow(term.operand);
const isMove = (term: Term): boolean => term.kind === "permutation" || isWindow(term) || isEmbedding(term);

/**
 * Multiplying nothing but moves would turn what is free into a matrix; and a window makes a matrix smaller only when it
 * takes some of its rows, its transpose some of its columns.
 */
const isWorthForming = (run: readonly Term[]): boolean =>
  run.some((term) => !isMove(term)) &&
  run.every((left, index) => {
    const right = run[index + 1];
    return right === undefined || !(isEmbedding(left) || isWindow(right));
  });

/**
 * Most ways of one chain: more than any budget of a sum, so that what is left out is never reached, and few enough that
 * a long chain with sums in it, whose ways multiply, is not a matter of minutes.
 */
const mostWaysOfChain = 2048;

/** Whether a rotation stands apart from the Kronecker product that would end with it. */
const partsRotation = (runs: readonly (readonly Term[])[]): boolean =>
  runs.some((run, index) => {
    const [moved, next] = [run, runs[index + 1] ?? []];
    return moved.length === 1 && next.length === 1 && waysOfRotatedKron(moved[0], next[0]).length > 0;
  });

/** The plainest cut first. */
function waysOfChain(factors: readonly Term[], sums: SumWays): readonly Way[] {
  const single = new Map(factors.map((factor) => [factor, waysOfFactor(factor, sums)]));
  const ways: Way[] = [];
  for (const runs of runsOf(factors)) {
    if (ways.length >= mostWaysOfChain) break;
    if (!runs.every((run) => run.length === 1 || isWorthForming(run)) || partsRotation(runs)) continue;
    const lists = runs.map((run) => {
      const [only] = run;
      if (run.length === 1 && only !== undefined) return single.get(only) ?? [];
      const piece = multiplyPieces(nonEmpty(run.map(pieceOf)));
      return [
        ...(run.length === 2 ? waysOfRotatedKron(only, run[1]) : []),
        ...waysOfKronChain(run),
        ...formedWays(piece, { rules: [`product-at-${stageOf(piece)}`], traits: ["multiplied"] }),
      ];
    });
    ways.push(...firstCombinations(lists, mostWaysOfChain - ways.length).map(inSequence));
  }
  return ways;
}

/** The ways of one factor of a chain. */
function waysOfFactor(term: Term, sums: SumWays): readonly Way[] {
  const parts = [{ text: printTerm(term), trainable: isTrainable(term) }];
  const plain = { rules: [], traits: [] };
  switch (term.kind) {
    case "permutation":
      return [{ ...plain, factors: [permutation(term.rows, term.stride)], parts }];
    case "window":
    case "transpose":
      return isMove(term)
        ? [{ ...plain, factors: [windowFactor(term)], parts }]
        : formedWays(pieceOf(term), plain);
    case "identity":
      return [
        { ...plain, factors: [], parts },
        ...formedWays(pieceOf(term), plain).filter(({ traits }) => traits.length > 0),
      ];
    case "kron":
      return waysOfKron(term);
    case "blockdiag":
      return waysOfBlocks(term);
    case "sum":
      return waysOfInnerSum(term, sums);
    default:
      return formedWays(pieceOf(term), plain);
  }
}

function windowFactor(term: Term): LinearFactor {
  const window = term.kind === "transpose" ? term.operand : term;
  if (window.kind !== "window") throw new TypeError("no window");
  const range = { offset: window.offset, width: window.rows };
  return { kind: term === window ? "window" : "embedding", range, size: window.columns };
}

function waysOfBlocks(term: Extract<Term, { kind: "blockdiag" }>): readonly Way[] {
  const piece = pieceOf(term);
  const [first, ...rest] = nonEmpty(term.blocks);
  if (piece.structure.kind !== "blocks") {
    const note = `${piece.text} has blocks of different sizes and is stored dense`;
    return formedWays(piece, { rules: [], traits: [], note });
  }
  const formed = formedWays(piece, { rules: [], traits: [] });
  if (rest.some((block) => block !== first)) return formed;
  const blocks = number(term.blocks.length);
  return formed.map((way) =>
    way.factors.some(({ kind }) => kind === "blocks")
      ? { ...way, factors: [blocksFactor(pieceOf(first), blocks, true)] }
      : way,
  );
}

function waysOfInnerSum(term: Extract<Term, { kind: "sum" }>, sums: SumWays): readonly Way[] {
  const piece = pieceOf(term);
  const trainable = isTrainable(term);
  const applied = sums(term)
    .filter((sum) => sum.terms.length > 1 && (sum.terms.every(sharesStep) || writesRanges(sum)))
    .map(
      (sum): Way => ({
        factors: [{ kind: "sum", sum, trainable }],
        parts: [part(piece)],
        rules: sum.terms.flatMap(({ rules }) => rules),
        traits: sum.terms.flatMap(({ traits }) => traits),
      }),
    );
  const rules = [`sum-at-${stageOf(piece)}`];
  if (!trainable) return [...formedWays(piece, { rules, traits: [] }), ...applied.map(withTrait("summed"))];
  const note = `${piece.text} stands between other factors and is formed as one matrix`;
  const traits = applied.length > 0 ? ["grouped"] : [];
  return [...applied, ...formedWays(piece, { rules, traits, note })];
}

const withTrait =
  (trait: string) =>
  (way: Way): Way => ({ ...way, traits: [trait, ...way.traits] });
