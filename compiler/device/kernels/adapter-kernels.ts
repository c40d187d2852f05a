/**
 * Low-rank products where each token has its own factors: a tile holds tokens of one adapter, so that factors are read
 * once for all of them. Tiles come from a table that the host makes for each call. Sums are f32, whatever is stored.
 */
import {
  adapterRank,
  adapterTiles,
  adapterTileTokens,
  type CudaPointer,
} from "../../../runtime/contract/cuda.ts";
import { type NumberExpression, symbol } from "../../../runtime/contract/number-expression.ts";
import { type Code, loop, name, put, registers, set, store, unrolled, when } from "../device-builder.ts";
import {
  add,
  binary,
  blockNumber,
  both,
  ceilDiv,
  compare,
  constant,
  convert,
  div,
  fma,
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
import type { DeviceElement, DeviceProgram } from "../device-node.ts";
import { type KernelParts, type KernelTitle, kernelProgram } from "../kernel-parts.ts";

/** Rows of A that a block multiplies, outputs that one adds to. */
export const adapterRanks = 4;
export const adapterOutputs = 128;

const tokens = adapterTileTokens;
const warps = 8;
const sumsOfBlock = adapterRanks * tokens;

/** y [batch, rows] += up.T t, t = down x [batch, columns]; `thin` holds t, f32 by slot. */
export interface ThinProduct {
  readonly rows: NumberExpression;
  readonly columns: NumberExpression;
  readonly thin: CudaPointer;
  readonly element: DeviceElement;
}

/** A tile of the table: where its factors begin, their rank, its slots. */
interface AdapterTile {
  readonly table: string;
  readonly firstRow: Value;
  readonly rank: Value;
  readonly slot: Value;
  readonly count: Value;
}

function adapterTile(parts: KernelParts, tile: Value): AdapterTile {
  const { code } = parts;
  const table = parts.buffer({ kind: "adapters", of: "table" }, "table", "i32", "read");
  const entry = (hint: string, at: number): Value =>
    name(code, hint, load(table, add(mul(tile, int(4)), int(at)), "i32"));
  return {
    table,
    firstRow: entry("first_row", 0),
    rank: entry("rank", 1),
    slot: entry("slot", 2),
    count: entry("count", 3),
  };
}

/** Slot `t` of the tile, or its last one. */
const slotOf = ({ slot, count }: AdapterTile, t: Value): Value => add(slot, min(t, sub(count, int(1))));

const tokenAt = (parts: KernelParts, { table }: AdapterTile, slot: Value): Value =>
  load(table, add(mul(parts.dimension(adapterTiles), int(4)), slot), "i32");

/** Index of row `row` of a matrix with so many columns, an i64. */
const rowStart = (row: Value, columns: Value): Value => mul(convert(row, "i64"), columns);

const factors = (parts: KernelParts, of: "down" | "up", element: DeviceElement): string =>
  parts.buffer({ kind: "adapters", of }, of, element, "read");

/** Sums over the inputs that each thread has, for every row and token of the block. */
function sumInputs(
  code: Code,
  memory: { readonly down: string; readonly x: string },
  columns: Value,
  rowStarts: readonly Value[],
  tokenStarts: (t: Value) => Value,
) {
  const sums = registers(code, "sums", zero, sumsOfBlock);
  const numbers = registers(code, "numbers", zero, tokens);
  loop(code, "k", { from: thread, to: columns, step: int(32 * warps) }, (body, k) => {
    unrolled(body, "t", tokens, (inner, t) =>
      set(inner, numbers, load(memory.x, add(tokenStarts(t), k), "f32"), t),
    );
    rowStarts.forEach((start, row) => {
      const weight = name(body, "weight", load(memory.down, add(start, k), "f32"));
      unrolled(body, "t", tokens, (inner, t) => {
        const at = add(t, int(row * tokens));
        set(inner, sums, fma(weight, numbers.read(t), sums.read(at)), at);
      });
    });
  });
  return sums;
}

/** The program of t = A x: tiles times groups of `adapterRanks` rows, the inputs dealt out to all threads of a block. */
export function thinAdapters(parts: KernelParts, product: ThinProduct, about: KernelTitle): DeviceProgram {
  const { code } = parts;
  const { element, thin: pointer } = product;
  const columns = parts.dimension(product.columns);
  const most = parts.dimension(symbol(adapterRank));
  const down = factors(parts, "down", element);
  const x = parts.buffer({ kind: "input" }, "x", element, "read");
  const thin = parts.buffer(pointer, "t", "f32", "write");
  const partial = parts.onChip("partial", "f32", warps * sumsOfBlock);
  const groups = name(code, "groups", ceilDiv(most, adapterRanks));
  const tile = adapterTile(parts, name(code, "tile", div(blockNumber, groups)));
  const first = name(code, "first", mul(rem(blockNumber, groups), int(adapterRanks)));
  const isThere = both(compare("gt", tile.count, int(0)), compare("lt", first, tile.rank));
  when(code, isThere, (body) => {
    const lane = name(body, "lane", rem(thread, int(32)));
    const warp = name(body, "warp", div(thread, int(32)));
    const starts = registers(body, "token_start", constant("i64", 0), tokens);
    unrolled(body, "t", tokens, (inner, t) =>
      set(inner, starts, rowStart(tokenAt(parts, tile, slotOf(tile, t)), columns), t),
    );
    const lastRow = sub(tile.rank, int(1));
    const rowStarts = Array.from({ length: adapterRanks }, (_, row) => {
      const own = min(add(first, int(row)), lastRow);
      return name(body, "row_start", rowStart(add(tile.firstRow, own), columns));
    });
    const sums = sumInputs(body, { down, x }, columns, rowStarts, (t) => starts.read(t));
    unrolled(body, "i", sumsOfBlock, (inner, i) => {
      const total = registers(inner, "total", sums.read(i));
      const other = registers(inner, "other", zero);
      for (const mask of [16, 8, 4, 2, 1]) {
        put(inner, { kind: "shuffle-xor", target: other.name, value: total.read(), mask });
        set(inner, total, binary("add", total.read(), other.read()));
      }
      when(inner, compare("eq", lane, i), (deep) =>
        store(deep, partial, add(mul(warp, int(sumsOfBlock)), i), total.read()),
      );
    });
    put(body, { kind: "barrier" });
    const [row, t] = [add(first, div(thread, int(tokens))), rem(thread, int(tokens))];
    const isSum = both(
      compare("lt", thread, int(sumsOfBlock)),
      both(compare("lt", row, tile.rank), compare("lt", t, tile.count)),
    );
    when(body, isSum, (inner) => {
      const total = registers(inner, "total", zero);
      unrolled(inner, "w", warps, (deep, w) =>
        set(
          deep,
          total,
          binary("add", total.read(), load(partial, add(mul(w, int(sumsOfBlock)), thread), "f32")),
        ),
      );
      store(inner, thin, add(rowStart(add(tile.slot, t), most), row), total.read());
    });
  });
  return kernelProgram(parts, about, { threads: 32 * warps, blocksPerProcessor: 1 });
}

/** The program of y += scale B t: tiles times groups of `adapterOutputs` outputs, a lane an output. */
export function addAdapters(parts: KernelParts, product: ThinProduct, about: KernelTitle): DeviceProgram {
  const { code } = parts;
  const { element, thin: pointer } = product;
  const rows = parts.dimension(product.rows);
  const most = parts.dimension(symbol(adapterRank));
  const up = factors(parts, "up", element);
  const thin = parts.buffer(pointer, "t", "f32", "read");
  const y = parts.buffer({ kind: "output" }, "y", element, "update");
  const groups = name(code, "groups", ceilDiv(rows, adapterOutputs));
  const tile = adapterTile(parts, name(code, "tile", div(blockNumber, groups)));
  const row = name(code, "row", add(mul(rem(blockNumber, groups), int(adapterOutputs)), thread));
  when(code, both(compare("gt", tile.count, int(0)), compare("lt", row, rows)), (body) => {
    const sums = registers(body, "sums", zero, tokens);
    const starts = registers(body, "slot_start", constant("i64", 0), tokens);
    unrolled(body, "t", tokens, (inner, t) => set(inner, starts, rowStart(slotOf(tile, t), most), t));
    loop(body, "j", { to: tile.rank }, (inner, j) => {
      const at = add(rowStart(add(tile.firstRow, j), rows), row);
      const weight = name(inner, "weight", load(up, at, "f32"));
      unrolled(inner, "t", tokens, (deep, t) =>
        set(deep, sums, fma(weight, load(thin, add(starts.read(t), j), "f32"), sums.read(t)), t),
      );
    });
    unrolled(body, "t", tokens, (inner, t) =>
      when(inner, compare("lt", t, tile.count), (deep) => {
        const token = tokenAt(parts, tile, add(tile.slot, t));
        const at = name(deep, "at", add(rowStart(token, rows), row));
        store(deep, y, at, binary("add", load(y, at, "f32"), sums.read(t)));
      }),
    );
  });
  return kernelProgram(parts, about, { threads: adapterOutputs, blocksPerProcessor: 1 });
}
