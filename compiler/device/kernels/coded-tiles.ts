/**
 * Tiles of codes on matrix units: a lane turns its codes into 16-bit levels in registers, with no memory between, and
 * the products of a tile, which lies in one run of inputs, are added with the scale of each row in f32.
 */
import {
  type Code,
  name,
  put,
  type Registers,
  registers,
  set,
  store,
  unrolled,
  when,
} from "../device-builder.ts";
import {
  add,
  binary,
  bits,
  both,
  ceilDiv,
  compare,
  constant,
  div,
  fma,
  int,
  known,
  load,
  mul,
  pack,
  permuteBytes,
  reinterpret,
  rem,
  sub,
  thread,
  type Value,
  zero,
} from "../device-expression.ts";
import type { DeviceTerm } from "../device-step.ts";
import type { KernelParts } from "../kernel-parts.ts";
import {
  isAligned,
  loadFour,
  loadRegisters,
  multiply,
  type TensorType,
  type WordsAt,
  wordsOf,
} from "./tensor-lanes.ts";

const tileInputs = 32;
/** Scales of a tile: one for each row. */
export const tileScales = 16;

export interface CodedTiles {
  readonly bits: 4 | 8;
  readonly codes: string;
  readonly scales: string;
  /** On-chip memory of what each code of 4 bits stands for: four words of low bytes, four of high ones. */
  readonly levels: string | null;
  /** Runs of a row of the matrix, and tiles of one. */
  readonly runs: Value;
  readonly perRun: Value;
  /** Whether tiles follow one another without gaps between runs. */
  readonly isWhole: boolean;
}

export const isCodedTile = ({ format }: Pick<DeviceTerm, "format">): boolean => format.name === "code-tiles";

const levelWords = 8;

/** Null for a term of any other format. */
export function codedTiles(parts: KernelParts, term: DeviceTerm): CodedTiles | null {
  if (term.format.name !== "code-tiles") return null;
  const { code } = parts;
  const { bits: width } = term.format;
  const [codes, scales] = [term.buffer("codes"), term.buffer("scales")];
  const levels = width === 4 ? parts.onChip("levels", "u32", levelWords) : null;
  if (levels !== null) {
    const table = term.buffer("levels");
    when(code, compare("lt", thread, int(levelWords)), (body) =>
      store(body, levels, thread, load(table, thread, "u32")),
    );
    put(code, { kind: "barrier" });
  }
  const block = known(term.run);
  return {
    bits: width,
    codes,
    scales,
    levels,
    runs: name(code, "runs", div(term.columns, term.run)),
    perRun: name(code, "run_tiles", ceilDiv(term.run, tileInputs)),
    isWhole: block !== null && block % tileInputs === 0,
  };
}

/** Words of codes that a lane holds of a tile. */
export const wordsOfCodes = (width: 4 | 8): 2 | 4 => (width === 4 ? 2 : 4);

/** The first input of tile `at` of a row of tiles, and the first one that is no longer of its run. */
export function inputsOfCodes(
  code: Code,
  { perRun, isWhole }: CodedTiles,
  { run, columns }: DeviceTerm,
  at: Value,
): { readonly first: Value; readonly end: Value } {
  if (isWhole) return { first: mul(at, int(tileInputs)), end: columns };
  const number = name(code, "run", div(at, perRun));
  const start = name(code, "run_start", mul(number, run));
  const first = name(code, "first_input", add(start, mul(sub(at, mul(number, perRun)), int(tileInputs))));
  return { first, end: name(code, "run_end", add(start, run)) };
}

/** Whether 16 bytes of an activation can be read at once: runs have to begin on such a boundary, too. */
export function isCodedAligned(
  code: Code,
  { isWhole }: CodedTiles,
  term: DeviceTerm,
  type: TensorType,
): Value {
  const aligned = isAligned(code, term.input, type);
  if (isWhole) return aligned;
  return name(code, "runs_aligned", both(aligned, compare("eq", rem(term.run, int(type.perLane)), int(0))));
}

/** Index of the scales of tile `at` in row `row` of tiles, an i64. */
export const scalesPlace = ({ runs, perRun }: CodedTiles, row: Value, at: Value): Value =>
  mul(add(mul(row, runs), div(at, perRun)), int(tileScales));

/** Reads the codes of a lane from `index` on. */
export const loadCodes = (
  code: Code,
  { bits: width }: CodedTiles,
  target: WordsAt,
  memory: string,
  index: Value,
  streamed = false,
): void => loadRegisters(code, target.registers, target.at, wordsOfCodes(width), memory, index, streamed);

/** Reads the scales of the two rows of a lane; `index` is that of the tile's. */
export const loadScales = (code: Code, target: WordsAt, memory: string, index: Value, lane: Value): void =>
  loadRegisters(code, target.registers, target.at, 2, memory, add(index, mul(div(lane, int(4)), int(2))));

/** Sets the eight words of levels of a tile whose codes are `given`. */
export function decodeTile(
  code: Code,
  coded: CodedTiles,
  { half }: TensorType,
  given: WordsAt,
  { registers: words, at }: WordsAt,
): void {
  if (half === null) throw new TypeError("codes are multiplied as numbers of 16 bits");
  const levels = coded.levels === null ? null : wordsOf(code, "levels", levelWords);
  if (levels !== null && coded.levels !== null)
    for (const first of [int(0), int(4)]) loadFour(code, levels, first, coded.levels, first);
  unrolled(code, "c", 2, (step, c) => {
    if (levels !== null) {
      const four = name(step, "eight_codes", given.registers.read(add(given.at, c)));
      unrolled(step, "h", 2, (inner, h) => {
        const shift = { kind: "convert", value: mul(h, int(16)), to: "u32" } as const;
        const codes = name(inner, "codes", binary("shr", four, shift));
        tableLevels(inner, levels, codes, words, add(at, mul(c, int(4)), mul(h, int(2))));
      });
      return;
    }
    unrolled(step, "h", 2, (inner, h) => {
      const word = name(inner, "codes", given.registers.read(add(given.at, mul(c, int(2)), h)));
      const first = add(at, mul(c, int(4)), mul(h, int(2)));
      for (const pair of [0, 1] as const) {
        const low = wholeLevel(word, 2 * pair);
        set(inner, words, pack(half, low, wholeLevel(word, 2 * pair + 1)), add(first, int(pair)));
      }
    });
  });
}

/**
 * Levels of the four codes in the low half of a word: the three lower bits of a code choose a byte among the first eight
 * levels and one among the last, its highest bit which of the two it is, for low and for high bytes.
 */
function tableLevels(code: Code, levels: Registers, codes: Value, words: Registers, first: Value): void {
  const lower = name(code, "lower", binary("and", codes, bits(0x7777)));
  const highest = binary("shr", binary("and", codes, bits(0x8888)), bits(1));
  const side = name(code, "side", binary("or", highest, bits(0x3210)));
  const bytes = ([0, 4] as const).map((word) => {
    const among = (at: number): Value =>
      permuteBytes(levels.read(int(word + at)), levels.read(int(word + at + 1)), lower);
    return name(code, word === 0 ? "low_bytes" : "high_bytes", permuteBytes(among(0), among(2), side));
  });
  const [low, high] = [bytes[0] ?? zero, bytes[1] ?? zero];
  set(code, words, permuteBytes(low, high, bits(0x5140)), first);
  set(code, words, permuteBytes(low, high, bits(0x7362)), add(first, int(1)));
}

/** Byte `byte` of a word less 127: put below the exponent of 2^23, it is that much more than 2^23. */
function wholeLevel(word: Value, byte: number): Value {
  const raised = reinterpret(permuteBytes(word, bits(0x4b000000), bits(0x7540 | byte)));
  return binary("sub", raised, constant("f32", 2 ** 23 + 127));
}

/** Adds the products of a tile of levels, each row times its scale, to four sums. */
export function multiplyCoded(
  code: Code,
  type: TensorType,
  sums: WordsAt,
  levels: WordsAt,
  scales: WordsAt,
  inputs: WordsAt,
): void {
  const products = registers(code, "products", zero, 4);
  unrolled(code, "s", 2, (inner, s) =>
    multiply(
      inner,
      type,
      { registers: products, at: int(0) },
      { registers: levels.registers, at: add(levels.at, mul(s, int(4))) },
      { registers: inputs.registers, at: add(inputs.at, mul(s, int(2))) },
    ),
  );
  unrolled(code, "i", 4, (inner, i) => {
    const scale = scales.registers.read(add(scales.at, div(i, int(2))));
    const at = add(sums.at, i);
    set(inner, sums.registers, fma(scale, products.read(i), sums.registers.read(at)), at);
  });
}
