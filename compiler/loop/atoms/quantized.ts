/**
 * Quantized panels of 16 outputs: codes become numbers in registers, level times scale as dequantizing gives them, and
 * go on as lines of a dense panel. Lane = output only: with a lane a token each code would be decoded by itself.
 */
import { assign, type Block, define, loop, when } from "../loop-builder.ts";
import {
  add,
  binary,
  ceilDiv,
  compare,
  constant,
  convert,
  div,
  f32,
  f32x16,
  fma,
  i32x16,
  int,
  load,
  mul,
  permute,
  rem,
  splat,
  sub,
} from "../loop-expression.ts";
import type { LoopExpression } from "../loop-node.ts";
import { bufferOf, type ResolvedTerm } from "../step-node.ts";
import { type OutputTile, rowBases } from "../tile-node.ts";
import { shiftedWord } from "./nm.ts";

/** Codes of one word. */
const perWord = 8;

/** acc[token][chain] += level[code] * scale * x, run by run. */
export function accumulateQuantizedLanes(
  block: Block,
  term: ResolvedTerm,
  panel: LoopExpression,
  tile: OutputTile,
): void {
  const { columns, run } = term;
  const runs = define(block, "runs", div(columns, run));
  const scales = bufferOf(term, "scales");
  const codes = bufferOf(term, "codes");
  const bases = rowBases(block, term.input, tile);
  const scaleStart = define(block, "scale_start", mul(mul(panel, runs), int(16)));
  const isTable = term.format.name === "table4-panel16";
  const lines = isTable ? ceilDiv(columns, perWord) : columns;
  const codeStart = define(block, "code_start", mul(mul(panel, lines), int(16)));
  const levels = isTable ? define(block, "levels", load(bufferOf(term, "levels"), int(0), f32x16)) : null;

  const useLine = (
    body: Block,
    k: LoopExpression,
    level: LoopExpression,
    scale: LoopExpression,
    chain: number,
  ): void => {
    const weight = define(body, "w", binary("mul", level, scale));
    for (const [token, base] of bases.entries()) {
      const sum = tile.sums[token]?.[chain % tile.chains];
      if (sum === undefined) continue;
      assign(body, sum, fma(weight, splat(load(term.input.buffer, add(base, k), f32)), sum.read));
    }
  };
  /** The level of a code in the lowest bits of each lane. */
  const levelOf = (body: Block, word: LoopExpression): LoopExpression =>
    levels === null ? word : define(body, "level", permute(levels, word));
  const wholeAt = (at: LoopExpression): LoopExpression =>
    binary("sub", convert(load(codes, at, i32x16), "f32"), constant(f32x16, 127));

  loop(block, "run", { from: int(0), to: runs }, (inner, number) => {
    const scale = define(inner, "scale", load(scales, add(scaleStart, mul(number, int(16))), f32x16));
    const first = define(inner, "first", mul(number, run));
    const end = define(inner, "end", add(first, run));
    const oneByOne = (body: Block, from: LoopExpression): void =>
      loop(body, "k", { from, to: end }, (each, k) => {
        const level = isTable
          ? levelOf(each, define(each, "code", shiftedWord(codes, codeStart, k)))
          : define(each, "level", wholeAt(add(codeStart, mul(k, int(16)))));
        useLine(each, k, level, scale, 0);
      });
    if (!isTable) {
      const even = define(inner, "even", sub(end, rem(run, int(tile.chains))));
      loop(inner, "k", { from: first, to: even, step: tile.chains }, (body, k) => {
        for (let chain = 0; chain < tile.chains; chain++) {
          const at = add(codeStart, mul(add(k, int(chain)), int(16)));
          useLine(body, add(k, int(chain)), define(body, "level", wholeAt(at)), scale, chain);
        }
      });
      if (tile.chains > 1) oneByOne(inner, even);
      return;
    }
    // Runs of whole words, the usual case, take each word apart by constant shifts.
    when(
      inner,
      compare("eq", rem(run, int(perWord)), int(0)),
      (body) =>
        loop(body, "k", { from: first, to: end, step: perWord }, (words, k) => {
          const start = add(codeStart, mul(div(k, int(perWord)), int(16)));
          const word = define(words, "word", load(codes, start, i32x16));
          for (let place = 0; place < perWord; place++) {
            const code =
              place === 0 ? word : define(words, "code", binary("shr", word, constant(i32x16, 4 * place)));
            useLine(words, add(k, int(place)), levelOf(words, code), scale, place);
          }
        }),
      (body) => oneByOne(body, first),
    );
  });
}
