/**
 * Few tokens on matrix units: the weight is read once, straight from memory into registers, in the order in which it is
 * packed. The warps of a block share the inputs of a few tiles of outputs, and add their sums in on-chip memory.
 */
import { loop, name, put, type Registers, registers, set, store, unrolled, when } from "../device-builder.ts";
import {
  add,
  binary,
  blockNumber,
  ceilDiv,
  compare,
  convert,
  div,
  int,
  load,
  min,
  mul,
  rem,
  sub,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceProgram } from "../device-node.ts";
import type { DeviceStep, DeviceTerm } from "../device-step.ts";
import { batchOf, type KernelParts, type KernelTitle, kernelProgram } from "../kernel-parts.ts";
import { rowOfSum, storeSum, type TensorType, tensorType, tokenOfSum, wordsOf } from "./tensor-lanes.ts";
import {
  isTileAligned,
  multiplyTile,
  readInputs,
  readTile,
  readyTile,
  tileTerm,
  wordsOfTiles,
} from "./tile-weights.ts";

export interface StreamShape {
  /** A multiple of 8. */
  readonly tokens: number;
  /** Tiles of 16 outputs that a block computes; the more of them, the fewer times x is read. */
  readonly rowTiles: number;
  readonly from: number;
  readonly to: number | null;
}

export const streamShapes: readonly StreamShape[] = [
  { tokens: 16, rowTiles: 1, from: 1, to: 16 },
  { tokens: 64, rowTiles: 2, from: 17, to: 64 },
];

const warps = 8;
/** Tiles of each row of tiles that a warp has on their way at once, for few tokens and for many. */
const tilesInFlight = (tokens: number): number => (tokens <= 16 ? 4 : 1);

interface StreamTile {
  readonly lane: Value;
  readonly warp: Value;
  readonly firstTile: Value;
  readonly firstToken: Value;
  readonly lastToken: Value;
  readonly shape: StreamShape;
  readonly type: TensorType;
}

/** Adds the products of a term; sums are [row tile][eight tokens][4]. */
function addTerm(parts: KernelParts, tile: StreamTile, term: DeviceTerm, sums: Registers): void {
  const { code } = parts;
  const { lane, warp, firstTile, firstToken, lastToken, shape, type } = tile;
  const { rowTiles } = shape;
  const eights = shape.tokens / 8;
  const atOnce = tilesInFlight(shape.tokens);
  const tiles = tileTerm(parts, term, type);
  const { across, lastTile } = tiles;
  const aligned = isTileAligned(code, tiles, type);
  const group = name(code, "lane_token", div(lane, int(4)));
  loop(code, "k", { from: warp, to: across, step: int(warps * atOnce) }, (body, k) => {
    const words = wordsOfTiles(body, tiles, atOnce * rowTiles);
    const b = wordsOf(body, "b", atOnce * eights * 4);
    unrolled(body, "u", atOnce, (inner, u) => {
      const at = name(inner, "tile", add(k, mul(u, int(warps))));
      when(inner, compare("lt", at, across), (there) => {
        unrolled(there, "m", rowTiles, (deep, m) => {
          const row = convert(min(add(firstTile, m), lastTile), "i64");
          readTile(deep, tiles, type, { row, at, lane }, words, add(mul(u, int(rowTiles)), m));
        });
        unrolled(there, "n", eights, (deep, n) => {
          const token = name(deep, "token", min(add(firstToken, mul(n, int(8)), group), lastToken));
          const word = mul(add(mul(u, int(eights)), n), int(4));
          readInputs(deep, tiles, type, aligned, { token, at, lane }, b, word);
        });
      });
    });
    unrolled(body, "u", atOnce, (inner, u) =>
      unrolled(inner, "m", rowTiles, (rows, m) => {
        const at = add(mul(u, int(rowTiles)), m);
        const ready = readyTile(rows, tiles, type, words, at);
        unrolled(rows, "n", eights, (deep, n) => {
          const sum = { registers: sums, at: mul(add(mul(m, int(eights)), n), int(4)) };
          const inputs = { registers: b, at: mul(add(mul(u, int(eights)), n), int(4)) };
          multiplyTile(deep, tiles, type, sum, words, at, ready, inputs);
        });
      }),
    );
  });
}

/** The program of a step of terms in tiles; `grid` is tiles of outputs by `rowTiles`, times tiles of tokens. */
export function streamKernel(
  parts: KernelParts,
  step: DeviceStep,
  shape: StreamShape,
  about: KernelTitle,
): DeviceProgram {
  const { code } = parts;
  const { rowTiles, tokens } = shape;
  const type = tensorType(about.elements);
  const batch = batchOf(parts);
  const lane = name(code, "lane", rem(thread, int(32)));
  const warp = name(code, "warp", div(thread, int(32)));
  const groups = name(code, "row_groups", ceilDiv(step.output.width, 16 * rowTiles));
  const firstTile = name(code, "first_tile", mul(rem(blockNumber, groups), int(rowTiles)));
  const firstToken = name(code, "first_token", mul(div(blockNumber, groups), int(tokens)));
  const lastToken = name(code, "last_token", sub(batch, int(1)));
  const eights = tokens / 8;
  const count = rowTiles * eights * 4;
  const sums = registers(code, "sums", zero, count);
  const tile: StreamTile = { lane, warp, firstTile, firstToken, lastToken, shape, type };
  for (const term of step.terms) addTerm(parts, tile, term, sums);
  const partial = parts.onChip("partial", "f32", warps * count * 32);
  unrolled(code, "i", count, (inner, i) =>
    store(inner, partial, add(mul(add(mul(warp, int(count)), i), int(32)), lane), sums.read(i)),
  );
  put(code, { kind: "barrier" });
  loop(code, "i", { from: warp, to: int(count), step: int(warps) }, (body, i) => {
    const total = registers(body, "total", zero);
    unrolled(body, "w", warps, (inner, w) => {
      const part = load(partial, add(mul(add(mul(w, int(count)), i), int(32)), lane), "f32");
      set(inner, total, binary("add", total.read(), part));
    });
    const index = name(body, "index", rem(i, int(4)));
    const eight = name(body, "eight", rem(div(i, int(4)), int(eights)));
    const rowTile = name(body, "row_tile", add(firstTile, div(i, int(4 * eights))));
    const row = name(body, "row", add(mul(rowTile, int(16)), rowOfSum(lane, index)));
    const token = name(body, "token", add(firstToken, mul(eight, int(8)), tokenOfSum(lane, index)));
    storeSum(body, step.output, step.accumulate, batch, { row, token }, total.read());
  });
  return kernelProgram(parts, about, { threads: warps * 32, blocksPerProcessor: 1 });
}
