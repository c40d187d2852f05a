/**
 * Packed operand formats: the bytes that kernels read. Packers (runtime/formats) and kernel templates
 * (compiler/loop) meet here and nowhere else. N = rows (outputs), K = columns (inputs); all values fp32;
 * panels hold 16 outputs and are padded with zeros; every buffer starts on a 64-byte boundary.
 */
import { apply, type NumberExpression, number } from "./number-expression.ts";

export type OperandFormat =
  /** Dense. `values` f32 [ceil(N/16)][K][16]: one 64-byte line per input, lane = output. */
  | { readonly name: "panel16" }
  /**
   * N:M along the input, m <= 16, K % m == 0. A window is groups = floor(table/m) groups, m*groups inputs wide, where
   * table is 4 if m divides 4, else 16; windows = ceil(K / (m*groups)); lines = n*groups per window (missing groups
   * hold zeros). `values` f32 [ceil(N/16)][windows][lines][16]; `indices` u32 [ceil(N/16)][ceil(windows*lines*bits/32)][16]:
   * input index inside the window in bits = 2 or 4; within a panel, line number L = window*lines + line sits from bit
   * bits*L % 32 on of word bits*L / 32 of its lane.
   */
  | { readonly name: "nm-lanes"; readonly n: number; readonly m: number }
  /**
   * N:M along the input, any m <= 256, rows one after the other for lane = token.
   * `values` f32 [N][(K/m)*n]; `indices` u8 [N][(K/m)*n]: index inside the group, ascending.
   */
  | { readonly name: "nm-rows"; readonly n: number; readonly m: number }
  /**
   * Unstructured, lane = output: panels of 16 outputs; a line holds at most one entry of each lane, all of them from a
   * window of 16 inputs that starts anywhere. `panelLines` i32 [ceil(N/16)+1]: first line of each panel, even;
   * `starts` i32 [lines]: first input of each line's window, ascending in a panel, at most max(0, K - 16);
   * `values` f32 [lines][16]; `indices` u8 [lines/2][16]: input index inside the window, of an even line in the low
   * four bits and of the odd one after it in the high ones (0 with value 0 for padding).
   */
  | { readonly name: "window-ell" }
  /**
   * Unstructured, lane = output: a panel of 16 outputs is held as lines of windows, in the buffers of `window-ell`, or,
   * where those would hold fewer than `entriesWorthLine` entries each, as quads: lines of four rows, each entry with its
   * own input. The rows of such a panel are ordered by their number of entries, the longest first, so that few slots
   * stay empty. `quadLines` i32 [4*ceil(N/16) + 1]: first line of each quad; `order` u8 [ceil(N/16)][16]: in the low four
   * bits the place of that output among the ordered ones, in the high four the output at that place; `columns` u16
   * [quad lines][4]: inputs (0 with weight 0 for padding); `weights` f32 [quad lines][4]. A matrix of more than
   * `quadColumns` inputs has windows alone. A panel without entries has neither.
   */
  | { readonly name: "mixed-ell" }
  /**
   * Unstructured, lane = token: compressed rows, cut into tiles of 128 rows by `width` i32 [1] inputs, so that the
   * activations that a tile reads stay in the nearest cache while its rows pass. Tiles of the same rows follow one
   * another; the rows inside a tile come in the order of their number of entries. `order` u8: of each part (a row
   * inside a tile) the row, counted from the first one of the tile; `starts` i32 [parts + 1]: its first entry;
   * `columns` u16 [nnz]: input counted from the first one of the tile, ascending in a part; `values` f32 [nnz].
   */
  | { readonly name: "csr" }
  /**
   * Blocks of `height` outputs x `width` inputs, lane = token; N % height == 0, K % width == 0.
   * `stripStarts` i32 [N/height + 1]; `blockColumns` u16 [blocks]: first input / width, ascending in a strip;
   * `values` f32 [blocks][width][height].
   */
  | { readonly name: "block-strips"; readonly height: number; readonly width: number }
  /**
   * Block-diagonal, equal blocks of blockRows = N/blocks by blockColumns = K/blocks.
   * `values` f32 [stored][ceil(blockRows/16)][blockColumns][16]; stored = blocks, or 1 when `repeated`
   * (every block the same matrix, as in I ⊗ A, whose source is A itself).
   */
  | { readonly name: "blockdiag16"; readonly blocks: NumberExpression; readonly repeated: boolean }
  /**
   * Codes of 4 bits, lane = output; K % block == 0. `codes` u32 [ceil(N/16)][ceil(K/8)][16]: input k sits in bits
   * 4*(k%8) of word k/8 of its lane; `levels` f32 [16]: what a code stands for; `scales` f32
   * [ceil(N/16)][K/block][16], 0 in missing lanes. An entry is its level times its scale.
   */
  | { readonly name: "table4-panel16"; readonly block: NumberExpression }
  /**
   * Whole numbers from -127 to 127, lane = output; K % block == 0. `codes` i8 [ceil(N/16)][K][16]; `scales` as in
   * `table4-panel16`.
   */
  | { readonly name: "int8-panel16"; readonly block: NumberExpression }
  /**
   * Numbers of 16 bits, the upper half of those of a float32, lane = output. `values` u32 [ceil(N/16)][ceil(K/2)][16]:
   * input k sits in bits 16*(k%2) of word k/2 of its lane.
   */
  | { readonly name: "bf16-panel16" }
  /**
   * Dense, for matrix units of devices: tiles of 16 outputs by 32 inputs. `values` u16, bits of `element`,
   * [ceil(N/16)][ceil(K/32)][2][32][8], zeros beyond N and K. Lane 4g + t holds in step s at place 4h + 2o + e row
   * g + 8o and input 8t + 4s + 2h + e of its tile: its registers of a product with the inputs 8t to 8t + 7.
   */
  | { readonly name: "half-tiles"; readonly element: "bf16" | "f16" }
  /**
   * The same with factors rounded to tf32, tiles of 16 outputs by 16 inputs. `values` u32 [ceil(N/16)][ceil(K/16)][2][32][4]:
   * lane 4g + t holds in step s at place 2h + o row g + 8o and input 4t + 2s + h.
   */
  | { readonly name: "tf32-tiles" }
  /**
   * At most 2 of every 4 inputs, for the sparse products of matrix units: tiles of 16 outputs by 32 inputs. `values` u16,
   * bits of `element`, [ceil(N/16)][ceil(K/32)][32][8]: lane 4g + t holds at place 4h + 2o + e the kept entry e of row
   * g + 8o and inputs 16h + 4t to 16h + 4t + 3. `kept` u32 [ceil(N/16)][ceil(K/32)][8][2]: word (g, h) has for group j
   * of the inputs 16h to 16h + 15 the places of its two entries, ascending, in bits 4j to 4j + 3, of row g in the low
   * half and of row g + 8 in the high one. Entries that are not there are zeros.
   */
  | { readonly name: "nm-tiles"; readonly element: "bf16" | "f16" }
  /**
   * Any pattern, for matrix units and few tokens: tiles as of `half-tiles`, of which only entries are stored. `masks` u32
   * [tiles][16]: bit L of word 8s + i says whether lane L has an entry at place i of step s; `starts` i32 [tiles + 1]:
   * first value of each tile; `values` u16, bits of `element`, [nnz]: of a tile the words one after the other, of a word
   * the lanes ascending.
   */
  | { readonly name: "bitmap-tiles"; readonly element: "bf16" | "f16" }
  /**
   * Codes, for matrix units: tiles of 16 outputs by 32 inputs, none of them in two runs of `block` inputs; K % block == 0,
   * with T = ceil(block/32) tiles to a run, zeros beyond its end. `codes` u32 [ceil(N/16)][K/block][T][32][2][bits/4]: lane
   * L holds in step s the code of place i of `half-tiles` in bits bits*i of its words. `levels` u32 [8], of 4 bits: what
   * each code stands for, bits of `element`, the low bytes of all 16 and then the high ones; codes of 8 bits stand for
   * themselves less 127. `scales` f32 [ceil(N/16)][K/block][8][2]: of row g + 8o at place (g, o).
   */
  | {
      readonly name: "code-tiles";
      readonly element: "bf16" | "f16";
      readonly bits: 4 | 8;
      readonly block: NumberExpression;
    }
  /** A diagonal. `values` f32 [N]. */
  | { readonly name: "vector" }
  /**
   * Positions of a matrix, row by row, for gradients that exist there alone. `rows`, `columns` i32 [nnz];
   * `weights` f32 [nnz]: what the gradient at each position is multiplied by.
   */
  | { readonly name: "positions" }
  /** Dense and not padded, for elementwise factors of gradients. `values` f32 [N][K]. */
  | { readonly name: "row-major" };

export type FormatName = OperandFormat["name"];

/**
 * Entries that a line of a window holds on average where windows are worth their bytes: a line takes 76 bytes and some
 * two cycles a token, an entry of a quad 6.5 bytes and one cycle.
 */
export const entriesWorthLine = 4;
/** Inputs that 16-bit columns can name. */
export const quadColumns = 65536;

/** Rows of a tile of `csr`. */
export const csrTileRows = 128;
/** Inputs of a tile of `csr`, at least: four panels of 16 tokens fill seven eighths of 32 KiB. */
const csrTileLeast = 112;
/** Entries of a part below which going from part to part costs more than what a nearer cache saves. */
const csrPartEntries = 16;
/** As many as 16-bit columns can name. */
const csrTileMost = 65536;

/** Inputs of a tile of `csr`, the last ones excepted, for `count` entries spread over the matrix; reads what they read. */
export const csrTileInputs = (
  rows: NumberExpression,
  columns: NumberExpression,
  count: NumberExpression,
): NumberExpression => {
  const filled = apply(
    "/",
    apply("*", number(csrPartEntries), rows, columns),
    apply("max", number(1), count),
  );
  const wanted = apply("max", number(csrTileLeast), apply("ceil", filled));
  return apply("max", number(1), apply("min", columns, number(csrTileMost), wanted));
};

/** Inputs that an index of `nm-lanes` chooses among. */
export const nmTable = (m: number): 4 | 16 => (4 % m === 0 ? 4 : 16);

/** Panels with runs that share a scale. */
export type ScaledFormat = Extract<OperandFormat, { readonly name: "table4-panel16" | "int8-panel16" }>;
/** Panels of numbers in fewer bits than float32. */
export type CodedFormat = ScaledFormat | Extract<OperandFormat, { readonly name: "bf16-panel16" }>;

export const isScaled = (format: OperandFormat): format is ScaledFormat =>
  format.name === "table4-panel16" || format.name === "int8-panel16";
export const isCoded = (format: OperandFormat): format is CodedFormat =>
  isScaled(format) || format.name === "bf16-panel16";

/** Element type and order of the buffers of each format; this order is the order in a kernel's frame. */
export const formatBuffers: Readonly<
  Record<
    FormatName,
    readonly { readonly name: string; readonly element: "f32" | "i32" | "u32" | "u16" | "u8" | "i8" }[]
  >
> = {
  panel16: [{ name: "values", element: "f32" }],
  "nm-lanes": [
    { name: "values", element: "f32" },
    { name: "indices", element: "u32" },
  ],
  "nm-rows": [
    { name: "values", element: "f32" },
    { name: "indices", element: "u8" },
  ],
  "window-ell": [
    { name: "panelLines", element: "i32" },
    { name: "starts", element: "i32" },
    { name: "values", element: "f32" },
    { name: "indices", element: "u8" },
  ],
  "mixed-ell": [
    { name: "panelLines", element: "i32" },
    { name: "starts", element: "i32" },
    { name: "values", element: "f32" },
    { name: "indices", element: "u8" },
    { name: "quadLines", element: "i32" },
    { name: "order", element: "u8" },
    { name: "columns", element: "u16" },
    { name: "weights", element: "f32" },
  ],
  csr: [
    { name: "width", element: "i32" },
    { name: "order", element: "u8" },
    { name: "starts", element: "i32" },
    { name: "columns", element: "u16" },
    { name: "values", element: "f32" },
  ],
  "block-strips": [
    { name: "stripStarts", element: "i32" },
    { name: "blockColumns", element: "u16" },
    { name: "values", element: "f32" },
  ],
  blockdiag16: [{ name: "values", element: "f32" }],
  "table4-panel16": [
    { name: "codes", element: "u32" },
    { name: "levels", element: "f32" },
    { name: "scales", element: "f32" },
  ],
  "int8-panel16": [
    { name: "codes", element: "i8" },
    { name: "scales", element: "f32" },
  ],
  "bf16-panel16": [{ name: "values", element: "u32" }],
  "half-tiles": [{ name: "values", element: "u16" }],
  "tf32-tiles": [{ name: "values", element: "u32" }],
  "nm-tiles": [
    { name: "values", element: "u16" },
    { name: "kept", element: "u32" },
  ],
  "bitmap-tiles": [
    { name: "masks", element: "u32" },
    { name: "starts", element: "i32" },
    { name: "values", element: "u16" },
  ],
  "code-tiles": [
    { name: "codes", element: "u32" },
    { name: "levels", element: "u32" },
    { name: "scales", element: "f32" },
  ],
  vector: [{ name: "values", element: "f32" }],
  positions: [
    { name: "rows", element: "i32" },
    { name: "columns", element: "i32" },
    { name: "weights", element: "f32" },
  ],
  "row-major": [{ name: "values", element: "f32" }],
};
