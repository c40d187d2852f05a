/** What a warp of the kernel for many tokens multiplies of a stage: a quarter of its outputs and tokens, by kind of term. */
import { type Code, name, put, type Registers, registers, set, unrolled } from "../device-builder.ts";
import { add, div, int, load, mul, rem, type Value, zero } from "../device-expression.ts";
import { type CodedTiles, loadCodes, loadScales, tileScales, wordsOfCodes } from "./coded-tiles.ts";
import { loadFour, multiply, wordsOf } from "./tensor-lanes.ts";
import { stageOfKept, stageOfScale, type TileScene, turnedPiece } from "./tile-stages.ts";
import { keptPlace, multiplyTile, readyTile, type TileKind, wordsOfTiles } from "./tile-weights.ts";

/** Lane, and which rows of tiles and which half of the tokens a warp has. */
export interface TileWarp {
  readonly lane: Value;
  readonly rows: Value;
  readonly tokens: Value;
}

/** What the products of a stage of a term without picked inputs want of x: [eight tokens][4]. */
function stagedInputs(
  code: Code,
  { type, inputs }: TileScene,
  { lane, tokens }: TileWarp,
  home: Value,
): Registers {
  const { perLane } = type;
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
  return b;
}

/** The products of a stage of a dense term: 4 tiles of outputs times 8 eights of tokens for each warp. */
function multiplyDense(code: Code, scene: TileScene, warp: TileWarp, home: Value, sums: Registers): void {
  const { type, weights } = scene;
  const { perLane } = type;
  const { lane, rows } = warp;
  const b = stagedInputs(code, scene, warp, home);
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

/** The same for a term with 2 of every 4 inputs: one product where a dense term has two. */
function multiplyPicked(
  code: Code,
  scene: TileScene,
  { lane, rows, tokens }: TileWarp,
  home: Value,
  sums: Registers,
): void {
  const { type, weights, inputs, kept } = scene;
  const { perLane } = type;
  const kind = { picks: true, coded: null };
  const words = wordsOfTiles(code, kind, 4);
  unrolled(code, "m", 4, (body, m) => {
    const tile = name(body, "tile", add(mul(rows, int(4)), m));
    const index = add(home, mul(add(mul(tile, int(32)), lane), int(perLane)));
    loadFour(body, words.weights, mul(m, int(4)), weights, index);
    const place = add(div(home, int(stageOfKept(perLane))), keptPlace(tile, lane));
    if (words.kept !== null) set(body, words.kept, load(kept, place, "u32"), m);
  });
  const row = name(code, "row", add(mul(tokens, int(64)), rem(lane, int(8))));
  unrolled(code, "n", 8, (body, n) => {
    const b = wordsOf(body, "b", 4);
    const turned = turnedPiece(add(row, mul(n, int(8))), div(lane, int(8)));
    const index = add(home, mul(turned, int(perLane)));
    put(body, { kind: "load-matrices", target: b.span(int(0)), memory: inputs, index });
    unrolled(body, "m", 4, (inner, m) => {
      const sum = { registers: sums, at: mul(add(mul(m, int(8)), n), int(4)) };
      const ready = readyTile(inner, kind, type, words, m);
      multiplyTile(inner, kind, type, sum, words, m, ready, { registers: b, at: int(0) });
    });
  });
}

/** The same for a term that stores codes: a tile is decoded once for all tokens of a warp. */
function multiplyCodes(
  code: Code,
  scene: TileScene,
  coded: CodedTiles,
  warp: TileWarp,
  home: Value,
  sums: Registers,
): void {
  const { type, weights, scales } = scene;
  const { lane, rows } = warp;
  const kind = { picks: false, coded };
  const b = stagedInputs(code, scene, warp, home);
  unrolled(code, "m", 4, (body, m) => {
    const words = wordsOfTiles(body, kind, 1);
    const tile = name(body, "tile", add(mul(rows, int(4)), m));
    const wordElements = 4 / type.bytes;
    const each = wordsOfCodes(coded.bits) * wordElements;
    const index = add(home, mul(add(mul(tile, int(32)), lane), int(each)));
    loadCodes(body, coded, { registers: words.weights, at: int(0) }, weights, index);
    const first = add(div(home, int(stageOfScale(type.perLane))), mul(tile, int(tileScales)));
    if (words.scales !== null) loadScales(body, { registers: words.scales, at: int(0) }, scales, first, lane);
    const ready = readyTile(body, kind, type, words, int(0));
    unrolled(body, "n", 8, (inner, n) => {
      const sum = { registers: sums, at: mul(add(mul(m, int(8)), n), int(4)) };
      multiplyTile(inner, kind, type, sum, words, int(0), ready, { registers: b, at: mul(n, int(4)) });
    });
  });
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
