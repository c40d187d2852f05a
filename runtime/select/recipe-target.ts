/** What a recipe is evaluated for, with its numbers known. */
import type { ParameterManifest, PatternManifest } from "../contract/manifest.ts";
import { evaluateNumber, type SymbolLookup } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import type { Pattern } from "./pattern.ts";

export interface PatternTarget {
  readonly kind: "pattern";
  readonly name: string;
  readonly shape: PatternManifest["shape"];
  readonly rows: number;
  readonly columns: number;
  /** Null when only the data know it. */
  readonly count: number | null;
}

export interface ParameterTarget {
  readonly kind: "parameter";
  readonly name: string;
  readonly structure: ParameterManifest["structure"];
  /** As the author wrote it: [rows, columns] for sparse and block-diagonal. */
  readonly dimensions: readonly number[];
  /** How the values are stored: [count] for sparse, [blocks, rows / blocks, columns / blocks] for block-diagonal. */
  readonly stored: readonly number[];
  /** The positions of a sparse parameter. */
  readonly support: Pattern | null;
}

export type RecipeTarget = PatternTarget | ParameterTarget;

/** @throws SpxError SPX8407 when the size of a pattern is no whole number or its count exceeds it. */
export function patternTarget(manifest: PatternManifest, symbols: SymbolLookup): PatternTarget {
  const { name, shape } = manifest;
  const rows = dimension(name, evaluateNumber(manifest.rows, symbols));
  const columns = dimension(name, evaluateNumber(manifest.columns, symbols));
  const base = { kind: "pattern", name, shape, rows, columns } as const;
  if (manifest.measured !== null) return { ...base, count: null };
  const count = evaluateNumber(manifest.count, symbols);
  if (!Number.isInteger(count) || count < 0 || count > rows * columns) {
    throw new SpxError("SPX8407", `\`${name}\` would keep ${count} of ${rows * columns} entries`, {
      facts: { pattern: name, count, rows, columns },
      help: `choose a count from 0 to ${rows * columns}`,
    });
  }
  return { ...base, count };
}

/** @throws SpxError SPX8407 for dimensions that are no whole numbers. */
export function parameterTarget(
  manifest: Omit<ParameterManifest, "recipe" | "drawn" | "shared">,
  symbols: SymbolLookup,
  pattern: (name: string) => Pattern,
): ParameterTarget {
  const { name, structure } = manifest;
  const dimensions = manifest.dimensions.map((size) => dimension(name, evaluateNumber(size, symbols)));
  const support = manifest.support === null ? null : pattern(manifest.support);
  return { kind: "parameter", name, structure, dimensions, stored: storedShape(), support };

  function storedShape(): number[] {
    if (structure === "sparse") return [support?.count ?? 0];
    if (structure !== "blockdiag") return dimensions;
    const blocks = manifest.blocks === null ? 1 : dimension(name, evaluateNumber(manifest.blocks, symbols));
    const [rows = 0, columns = 0] = dimensions;
    return [blocks, dimension(name, rows / blocks), dimension(name, columns / blocks)];
  }
}

function dimension(name: string, size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new SpxError("SPX8407", `a dimension of \`${name}\` is ${size}, not a whole number`, {
    facts: { name, size: String(size) },
    help: "check the arguments that the dimension is computed from",
  });
}

/** The shape that a distribution fills for this target. */
export const shapeOfTarget = (target: RecipeTarget): readonly number[] =>
  target.kind === "pattern" ? [target.rows, target.columns] : target.stored;
