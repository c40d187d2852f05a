/** What a warp of the kernel for many tokens multiplies of a stage: a quarter of its outputs and tokens, by kind of term. */
import { type Code, name, put, type Registers, registers, set, unrolled } from "../device-builder.ts";
import { add, div, int, load, mul, rem, type Value, zero } from "../device-expression.ts";
import {
  type CodedTiles,
  decodeTile,
  loadCodes,
  loadScales,
  multiplyCoded,
  tileScales,
  wordsOfCodes,
} from "./coded-tiles.ts";
import { loadFour, multiply, wordsOf } from "./tensor-lanes.ts";
import { stageOfKept, stageOfScale, type TileScene, turnedPiece } from "./tile-stages.ts";
import { keptPlace, multiplyTile, readyTile, type TileKind, wordsOfTiles } from "./tile-weights.ts";

/** Tiles of outputs and eights of tokens of a warp. */
export interface WarpShape {
  readonly rowTiles: 2 | 4;
  readonly eights: 8;
}

/** A quarter of 128 outputs by 128 tokens, as square as can be, so that least is read from on-chip memory. */
export const squareWarps: WarpShape = { rowTiles: 4, eights: 8 };
/** A quarter of the outputs and all of 64 tokens: each tile is decoded by one warp alone, and levels fit the registers. */
export const wideWarps: WarpShape = { rowTiles: 2, eights: 8 };

/** Lane, its shape, and which rows of tiles and which part of the tokens a warp has. */
export interface TileWarp {
  readonly shape: WarpShape;
  readonly lane: Value;
  readonly rows: Value;
  readonly tokens: Value;
}

/** Number of the first tile of outputs of a warp in its block, and of its first token. */
export const firstTileOf = ({ rows, shape }: Pick<TileWarp, "rows" | "shape">): Value =>
  mul(rows, int(shape.rowTiles));
export const firstTokenOf = ({ tokens, shape }: Pick<TileWarp, "tokens" | "shape">): Value =>
  mul(tokens, int(8 * shape.eights));

/** Number of the first sum of tile `m` and eight `n` of a warp. */
const sumOf = ({ eights }: WarpShape, m: Value, n: Value): Value => mul(add(mul(m, int(eights)), n), int(4));

/** What the products of a stage of a term without picked inputs want of x: [eight tokens][4]. */
function stagedInputs(code: Code, { type, inputs }: TileScene, warp: TileWarp, home: Value): Registers {
  const { perLane } = type;
  const { lane, shape } = warp;
  const b = wordsOf(code, "b", 4 * shape.eights);
  unrolled(code, "n", shape.eights, (body, n) => {
    const token = add(firstTokenOf(warp), mul(n, int(8)), div(lane, int(4)));
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
  return b;
}

/** The products of a stage of a dense term. */
function multiplyDense(code: Code, scene: TileScene, warp: TileWarp, home: Value, sums: Registers): void {
  const { type, weights } = scene;
  const { perLane } = type;
  const { lane, shape } = warp;
  const { rowTiles } = shape;
  const b = stagedInputs(code, scene, warp, home);
  unrolled(code, "s", 2, (body, s) => {
    const a = wordsOf(body, "a", 4 * rowTiles);
    unrolled(body, "m", rowTiles, (inner, m) => {
      const tile = add(firstTileOf(warp), m);
      const index = add(home, mul(add(mul(add(mul(tile, int(2)), s), int(32)), lane), int(perLane)));
      loadFour(inner, a, mul(m, int(4)), weights, index);
    });
    unrolled(body, "m", rowTiles, (inner, m) =>
      unrolled(inner, "n", shape.eights, (deep, n) =>
        multiply(
          deep,
          type,
          { registers: sums, at: sumOf(shape, m, n) },
          { registers: a, at: mul(m, int(4)) },
          { registers: b, at: add(mul(n, int(4)), mul(s, int(2))) },
        ),
      ),
    );
  });
}

/** The same for a term with 2 of every 4 inputs: one product where a dense term has two. */
function multiplyPicked(code: Code, scene: TileScene, warp: TileWarp, home: Value, sums: Registers): void {
  const { type, weights, inputs, kept } = scene;
  const { perLane } = type;
  const { lane, shape } = warp;
  const kind = { picks: true, coded: null };
  const words = wordsOfTiles(code, kind, shape.rowTiles);
  unrolled(code, "m", shape.rowTiles, (body, m) => {
    const tile = name(body, "tile", add(firstTileOf(warp), m));
    const index = add(home, mul(add(mul(tile, int(32)), lane), int(perLane)));
    loadFour(body, words.weights, mul(m, int(4)), weights, index);
    const place = add(div(home, int(stageOfKept(perLane))), keptPlace(tile, lane));
    if (words.kept !== null) set(body, words.kept, load(kept, place, "u32"), m);
  });
  const row = name(code, "row", add(firstTokenOf(warp), rem(lane, int(8))));
  unrolled(code, "n", shape.eights, (body, n) => {
    const b = wordsOf(body, "b", 4);
    const turned = turnedPiece(add(row, mul(n, int(8))), div(lane, int(8)));
    const index = add(home, mul(turned, int(perLane)));
    put(body, { kind: "load-matrices", target: b.span(int(0)), memory: inputs, index });
    unrolled(body, "m", shape.rowTiles, (inner, m) => {
      const sum = { registers: sums, at: sumOf(shape, m, n) };
      const ready = readyTile(inner, kind, type, words, m);
      multiplyTile(inner, kind, type, sum, words, m, ready, { registers: b, at: int(0) });
    });
  });
}

/** The same for a term that stores codes: the tiles of a warp are decoded once for all of its tokens. */
function multiplyCodes(
  code: Code,
  scene: TileScene,
  coded: CodedTiles,
  warp: TileWarp,
  home: Value,
  sums: Registers,
): void {
  const { type, weights, scales: staged } = scene;
  const { lane, shape } = warp;
  const { rowTiles } = shape;
  const levels = wordsOf(code, "a", 8 * rowTiles);
  const scales = registers(code, "scales", zero, 2 * rowTiles);
  const each = (wordsOfCodes(coded.bits) * 4) / type.bytes;
  unrolled(code, "m", rowTiles, (body, m) => {
    const codes = { registers: wordsOf(body, "codes", wordsOfCodes(coded.bits)), at: int(0) };
    const tile = name(body, "tile", add(firstTileOf(warp), m));
    loadCodes(body, coded, codes, weights, add(home, mul(add(mul(tile, int(32)), lane), int(each))));
    const place = add(div(home, int(stageOfScale(type.perLane))), mul(tile, int(tileScales)));
    loadScales(body, { registers: scales, at: mul(m, int(2)) }, staged, place, lane);
    decodeTile(body, coded, type, codes, { registers: levels, at: mul(m, int(8)) });
  });
  const b = stagedInputs(code, scene, warp, home);
  unrolled(code, "m", rowTiles, (body, m) =>
    unrolled(body, "n", shape.eights, (inner, n) =>
      multiplyCoded(
        inner,
        type,
        { registers: sums, at: sumOf(shape, m, n) },
        { registers: levels, at: mul(m, int(8)) },
        { registers: scales, at: mul(m, int(2)) },
        { registers: b, at: mul(n, int(4)) },
      ),
    ),
  );
}

/** Adds the products of a stage to the sums of a warp, [row of tiles][eight tokens][4]. */
export function multiplyStage(
  code: Code,
  scene: TileScene,
  { picks, coded }: TileKind,
  warp: TileWarp,
  home: Value,
  sums: Registers,
): void {
  if (coded !== null) multiplyCodes(code, scene, coded, warp, home, sums);
  else (picks ? multiplyPicked : multiplyDense)(code, scene, warp, home, sums);
}
