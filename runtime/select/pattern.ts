/** Patterns: which entries of a matrix exist. A bitmap, row-major; compressed rows are made on demand and kept. */

export interface Pattern {
  readonly rows: number;
  readonly columns: number;
  /** Entries kept. */
  readonly count: number;
  /** Bit `row * columns + column`, lowest bit of a word first. */
  readonly bits: Uint32Array;
}

/** The entries of a pattern by row, columns ascending. */
export interface PatternRows {
  readonly rowStarts: Uint32Array;
  readonly columnIndices: Uint32Array;
}

export const emptyBits = (rows: number, columns: number): Uint32Array =>
  new Uint32Array(Math.ceil((rows * columns) / 32));

export function setBit(bits: Uint32Array, position: number): void {
  const word = Math.floor(position / 32);
  bits[word] = (bits[word] ?? 0) | (1 << (position % 32));
}

export const hasBit = (bits: Uint32Array, position: number): boolean =>
  (((bits[Math.floor(position / 32)] ?? 0) >>> (position % 32)) & 1) === 1;

/** The pattern of the given positions (`row * columns + column`), each at most once. */
export function patternOfPositions(rows: number, columns: number, positions: ArrayLike<number>): Pattern {
  const bits = emptyBits(rows, columns);
  for (let index = 0; index < positions.length; index++) setBit(bits, positions[index] ?? 0);
  return { rows, columns, count: positions.length, bits };
}

/** Visits the positions whose bits are set, ascending. */
export function forPositions(bits: Uint32Array, visit: (position: number) => void): void {
  for (let index = 0; index < bits.length; index++)
    for (let rest = bits[index] ?? 0; rest !== 0; rest &= rest - 1)
      visit(index * 32 + (31 - Math.clz32(rest & -rest)));
}

const compressedRows = new WeakMap<Pattern, PatternRows>();

/** Compressed rows of `pattern`, computed once. */
export function rowsOfPattern(pattern: Pattern): PatternRows {
  const known = compressedRows.get(pattern);
  if (known !== undefined) return known;
  const { rows, columns, count, bits } = pattern;
  const rowStarts = new Uint32Array(rows + 1);
  const columnIndices = new Uint32Array(count);
  let entry = 0;
  let row = 0;
  forPositions(bits, (position) => {
    const target = Math.floor(position / columns);
    while (row < target) rowStarts[++row] = entry;
    columnIndices[entry++] = position - target * columns;
  });
  while (row < rows) rowStarts[++row] = entry;
  const compressed = { rowStarts, columnIndices };
  compressedRows.set(pattern, compressed);
  return compressed;
}

/** Row-major positions, ascending. Doubles, because rows * columns may be above 2^32. */
export function positionsOf(pattern: Pattern): Float64Array {
  const { rowStarts, columnIndices } = rowsOfPattern(pattern);
  const positions = new Float64Array(pattern.count);
  for (let row = 0; row < pattern.rows; row++) {
    const end = rowStarts[row + 1] ?? 0;
    for (let entry = rowStarts[row] ?? 0; entry < end; entry++) {
      positions[entry] = row * pattern.columns + (columnIndices[entry] ?? 0);
    }
  }
  return positions;
}

/** 1 where the pattern keeps an entry, 0 elsewhere; row-major. */
export function indicatorOf(pattern: Pattern): Float32Array {
  const values = new Float32Array(pattern.rows * pattern.columns);
  for (const position of positionsOf(pattern)) values[position] = 1;
  return values;
}
