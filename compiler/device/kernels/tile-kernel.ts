/**
 * Many tokens on matrix units: a block computes 128 outputs of 128 tokens from tiles that asynchronous copies bring into
 * on-chip memory several steps ahead. The terms of the step are one chain of tiles after the other, so that a low-rank
 * term is a few more of them and no kernel of its own.
 */
import { type Code, comment, loop, name, put, registers, store, unrolled, when } from "../device-builder.ts";
import {
  add,
  blockNumber,
  ceilDiv,
  compare,
  convert,
  div,
  int,
  load,
  max,
  min,
  mul,
  rem,
  select,
  sub,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceProgram } from "../device-node.ts";
import { type DeviceStep, type DeviceTerm, rowOf } from "../device-step.ts";
import { batchOf, type KernelParts, type KernelTitle, kernelProgram } from "../kernel-parts.ts";
import {
  isAligned,
  loadFour,
  multiply,
  rowOfSum,
  storeSum,
  type TensorType,
  tensorType,
  tokenOfSum,
  wordsOf,
} from "./tensor-lanes.ts";

/** Outputs and tokens of a block; four warps hold a quarter of them each. */
export const tileSide = 128;
/** Batches from which on tiles pay. */
export const tileFrom = 65;
const threads = 128;
/** Tiles of inputs that are on their way or being used. */
const stages = 4;
/** Pieces of 16 bytes of a stage, of weights and of x each: 128 rows of 64 bytes. */
const pieces = (tileSide * 64) / 16;

interface TileSegment {
  readonly term: DeviceTerm;
  readonly values: string;
  readonly aligned: Value;
  readonly across: Value;
  readonly lastTile: Value;
  /** Number of the first tile of the term in the chain of all, and of the first one after it. */
  readonly begin: Value;
  readonly end: Value;
}

interface TileScene {
  readonly type: TensorType;
  readonly weights: string;
  readonly inputs: string;
  readonly firstTile: Value;
  readonly firstToken: Value;
  readonly lastToken: Value;
}

/** Begins to bring tile `at` of a term into a stage. */
function bring(code: Code, scene: TileScene, segment: TileSegment, at: Value, home: Value): void {
  const { type, weights, inputs } = scene;
  const { term, values, aligned, across, lastTile } = segment;
  const { perLane } = type;
  unrolled(code, "i", pieces / threads, (body, i) => {
    const piece = name(body, "piece", add(mul(i, int(threads)), thread));
    const to = name(body, "to", add(home, mul(piece, int(perLane))));
    const row = convert(min(add(scene.firstTile, div(piece, int(64))), lastTile), "i64");
    const start = mul(add(mul(row, across), at), int(64 * perLane));
    const from = add(start, mul(rem(piece, int(64)), int(perLane)));
    put(body, {
      kind: "copy-async",
      to: weights,
      toIndex: to,
      from: values,
      fromIndex: from,
      bytes: 16,
      valid: null,
    });
    const token = min(add(scene.firstToken, div(piece, int(4))), scene.lastToken);
    const input = name(body, "input", add(mul(at, int(type.inputs)), mul(rem(piece, int(4)), int(perLane))));
    const base = name(body, "x_start", add(rowOf(term.input, token), input));
    when(
      body,
      aligned,
      (inner) => {
        const left = mul(sub(term.columns, input), int(type.bytes));
        const valid = min(max(left, int(0)), int(16));
        const memory = term.input.memory;
        put(inner, {
          kind: "copy-async",
          to: inputs,
          toIndex: to,
          from: memory,
          fromIndex: base,
          bytes: 16,
          valid,
        });
      },
      (inner) =>
        unrolled(inner, "j", perLane, (deep, j) => {
          const isThere = compare("lt", add(input, j), term.columns);
          store(
            deep,
            inputs,
            add(to, j),
            select(isThere, load(term.input.memory, add(base, j), "f32"), zero),
          );
        }),
    );
  });
}

/** Brings tile number `number` of the chain, if there is one, and closes the group in any case. */
function bringFromChain(code: Code, scene: TileScene, segments: readonly TileSegment[], number: Value): void {
  const home = name(code, "home", mul(rem(number, int(stages)), int(pieces * scene.type.perLane)));
  const from = (inner: Code, [segment, ...rest]: readonly TileSegment[]): void => {
    if (segment === undefined) return;
    when(
      inner,
      compare("lt", number, segment.end),
      (body) => bring(body, scene, segment, name(body, "tile", sub(number, segment.begin)), home),
      rest.length === 0 ? undefined : (body) => from(body, rest),
    );
  };
  from(code, segments);
  put(code, { kind: "commit" });
}

/** The products of a stage: 4 tiles of outputs times 8 eights of tokens for each warp. */
function multiplyStage(
  code: Code,
  scene: TileScene,
  warp: { readonly lane: Value; readonly rows: Value; readonly tokens: Value },
  home: Value,
  sums: ReturnType<typeof registers>,
): void {
  const { type, weights, inputs } = scene;
  const { perLane } = type;
  const { lane, rows, tokens } = warp;
  const b = wordsOf(code, "b", 32);
  unrolled(code, "n", 8, (body, n) => {
    const token = add(mul(tokens, int(64)), mul(n, int(8)), div(lane, int(4)));
    const index = add(home, mul(add(mul(token, int(4)), rem(lane, int(4))), int(perLane)));
    if (type.half !== null) {
      loadFour(body, b, mul(n, int(4)), inputs, index);
      return;
    }
    const xs = registers(body, "xs", zero, 4);
    loadFour(body, xs, int(0), inputs, index);
    unrolled(body, "i", 4, (inner, i) =>
      put(inner, {
        kind: "set",
        name: b.name,
        index: add(mul(n, int(4)), i),
        value: { kind: "round-tf32", value: xs.read(i) },
      }),
    );
  });
  unrolled(code, "s", 2, (body, s) => {
    const a = wordsOf(body, "a", 16);
    unrolled(body, "m", 4, (inner, m) => {
      const tile = add(mul(rows, int(4)), m);
      const index = add(home, mul(add(mul(add(mul(tile, int(2)), s), int(32)), lane), int(perLane)));
      loadFour(inner, a, mul(m, int(4)), weights, index);
    });
    unrolled(body, "m", 4, (inner, m) =>
      unrolled(inner, "n", 8, (deep, n) =>
        multiply(
          deep,
          type,
          { registers: sums, at: mul(add(mul(m, int(8)), n), int(4)) },
          { registers: a, at: mul(m, int(4)) },
          { registers: b, at: add(mul(n, int(4)), mul(s, int(2))) },
        ),
      ),
    );
  });
}

function segmentsOf(code: Code, step: DeviceStep, type: TensorType): readonly TileSegment[] {
  let begin: Value = int(0);
  return step.terms.map((term) => {
    const across = name(code, "tiles_across", ceilDiv(term.columns, type.inputs));
    const end = name(code, "chain_end", add(begin, across));
    const segment: TileSegment = {
      term,
      values: term.buffer("values"),
      aligned: isAligned(code, term.input, type),
      across,
      lastTile: name(code, "last_tile", sub(ceilDiv(term.rows, 16), int(1))),
      begin,
      end,
    };
    begin = end;
    return segment;
  });
}

/** The program of a step of dense terms; `grid` is outputs by 128 times tokens by 128. */
export function tileKernel(parts: KernelParts, step: DeviceStep, about: KernelTitle): DeviceProgram {
  const { code } = parts;
  const type = tensorType(about.elements);
  const batch = batchOf(parts);
  const lane = name(code, "lane", rem(thread, int(32)));
  const warp = name(code, "warp", div(thread, int(32)));
  const rows = name(code, "warp_rows", div(warp, int(2)));
  const tokens = name(code, "warp_tokens", rem(warp, int(2)));
  const across = name(code, "blocks_across", ceilDiv(step.output.width, tileSide));
  const scene: TileScene = {
    type,
    weights: parts.onChip("weights", type.tiles, stages * pieces * type.perLane),
    inputs: parts.onChip("inputs", type.activation, stages * pieces * type.perLane),
    firstTile: name(code, "first_tile", mul(rem(blockNumber, across), int(tileSide / 16))),
    firstToken: name(code, "first_token", mul(div(blockNumber, across), int(tileSide))),
    lastToken: name(code, "last_token", sub(batch, int(1))),
  };
  const segments = segmentsOf(code, step, type);
  const total = segments.at(-1)?.end ?? int(0);
  const sums = registers(code, "sums", zero, 128);
  comment(code, "the first stages are on their way before the first product");
  unrolled(code, "ahead", stages - 1, (body, ahead) => bringFromChain(body, scene, segments, ahead));
  loop(code, "k", { to: total }, (body, k) => {
    put(body, { kind: "wait", pending: stages - 2 }, { kind: "barrier" });
    bringFromChain(body, scene, segments, name(body, "next", add(k, int(stages - 1))));
    const home = name(body, "home", mul(rem(k, int(stages)), int(pieces * type.perLane)));
    multiplyStage(body, scene, { lane, rows, tokens }, home, sums);
  });
  const firstRow = mul(add(scene.firstTile, mul(rows, int(4))), int(16));
  unrolled(code, "m", 4, (body, m) =>
    unrolled(body, "n", 8, (inner, n) =>
      unrolled(inner, "i", 4, (deep, i) => {
        const row = name(deep, "row", add(firstRow, mul(m, int(16)), rowOfSum(lane, i)));
        const first = add(scene.firstToken, mul(tokens, int(64)), mul(n, int(8)));
        const token = name(deep, "token", add(first, tokenOfSum(lane, i)));
        const sum = sums.read(add(mul(add(mul(m, int(8)), n), int(4)), i));
        storeSum(deep, step.output, step.accumulate, batch, { row, token }, sum);
      }),
    ),
  );
  return kernelProgram(parts, about, { threads, blocksPerProcessor: 2 });
}
