/**
 * Packed operand formats: the bytes that kernels read. Packers (runtime/formats) and kernel templates
 * (compiler/loop) meet here and nowhere else. N = rows (outputs), K = columns (inputs); all values fp32;
 * panels hold 16 outputs and are padded with zeros; every buffer starts on a 64-byte boundary.
 */
import type { NumberExpression } from "./number-expression.ts";

export type OperandFormat =
  /** Dense. `values` f32 [ceil(N/16)][K][16]: one 64-byte line per input, lane = output. */
  | { readonly name: "panel16" }
  /**
   * N:M along the input, m <= 16, K % m == 0. A window is groups = floor(16/m) groups, m*groups inputs wide;
   * windows = ceil(K / (m*groups)); lines = n*groups per window (missing groups hold zeros).
   * `values` f32 [ceil(N/16)][windows][lines][16];
   * `indices` u32 [ceil(N/16)][ceil(windows*lines/8)][16]: 4-bit input index inside the window; within a
   * panel, line number L = window*lines + line sits in bits 4*(L%8) of word L/8 of its lane.
   */
  | { readonly name: "nm-lanes"; readonly n: number; readonly m: number }
  /**
   * N:M along the input, any m <= 256, rows one after the other for lane = token.
   * `values` f32 [N][(K/m)*n]; `indices` u8 [N][(K/m)*n]: index inside the group, ascending.
   */
  | { readonly name: "nm-rows"; readonly n: number; readonly m: number }
  /**
   * Unstructured, lane = output: panels of 16 outputs, windows of 16 inputs, empty windows left out.
   * `panelLines` i32 [ceil(N/16)+1]: first line of each panel; `windows` u16 [lines]: window number of each line,
   * ascending in a panel, several lines for a window of which a row has several entries; `values` f32 [lines][16];
   * `indices` u8 [lines][16]: input index inside the window (0 with value 0 for padding). K <= 1048576.
   */
  | { readonly name: "window-ell" }
  /**
   * Unstructured, lane = token. `rowStarts` i32 [N+1]; `columns` u16 [nnz] ascending in a row;
   * `values` f32 [nnz]. K <= 65536.
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
   * Whole numbers from -127 to 127, lane = output; K % block == 0. `codes` u8 [ceil(N/16)][K][16]: the number plus
   * 127; `scales` as in `table4-panel16`.
   */
  | { readonly name: "int8-panel16"; readonly block: NumberExpression }
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

/** Element type and order of the buffers of each format; this order is the order in a kernel's frame. */
export const formatBuffers: Readonly<
  Record<
    FormatName,
    readonly { readonly name: string; readonly element: "f32" | "i32" | "u32" | "u16" | "u8" }[]
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
    { name: "windows", element: "u16" },
    { name: "values", element: "f32" },
    { name: "indices", element: "u8" },
  ],
  csr: [
    { name: "rowStarts", element: "i32" },
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
    { name: "codes", element: "u8" },
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
