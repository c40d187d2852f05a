/**
 * Parameters on disk and in records: what a layer saves, and what a layer restores. The file says which transform,
 * arguments and seed it belongs to, and a sparse parameter brings its positions, so that restoring is exact.
 */

import { suggestNames } from "../checkpoint/nearest-names.ts";
import { type Checkpoint, openCheckpoint } from "../checkpoint/read-safetensors.ts";
import { namedTensor, type TensorToWrite, writeSafetensors } from "../checkpoint/write-safetensors.ts";
import type { TransformManifest } from "../contract/manifest.ts";
import type { Clocks } from "../contract/time.ts";
import { SpxError } from "../errors.ts";
import { type Pattern, patternOfPositions, positionsOf } from "../select/pattern.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";
import type { LayerParameter } from "./parameter-values.ts";
import { checkClocks } from "./scheduled-numbers.ts";

/** A parameter as records bring it. */
export interface SavedParameter {
  readonly values: Float32Array;
  /** Row-major positions, ascending; of sparse parameters. */
  readonly positions?: ArrayLike<number>;
}

/** What was saved beside the values. */
export interface SavedIdentity {
  readonly transform: string;
  /** sha256 of the entry source file. */
  readonly source: string;
  readonly arguments: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly name: string;
  /** Where on the clocks of training the layer stood; empty when nothing follows them. */
  readonly clocks: Clocks;
}

/** Positions of a pattern that layers chose together, as records bring them. */
export interface SavedPattern {
  readonly positions: ArrayLike<number>;
}

export interface SavedParameters {
  readonly parameters: ReadonlyMap<string, SavedParameter>;
  /** Positions of the patterns that cannot be chosen again, and that no parameter brings. */
  readonly patterns: ReadonlyMap<string, ArrayLike<number>>;
  /** Null for a record, which says nothing of where it comes from. */
  readonly identity: SavedIdentity | null;
}

const positionsSuffix = ".positions";
const largestI32 = 2 ** 31 - 1;

/**
 * Patterns that recipes would choose differently: those that layers chose together, and refreshed ones. Those of
 * sparse parameters are saved with these.
 */
export function patternsToSave({ patterns, parameters, time }: TransformManifest): string[] {
  const refreshed = new Set(time?.refreshes.map(({ pattern }) => pattern));
  return patterns
    .filter(({ name, pool }) => pool !== null || refreshed.has(name))
    .filter(({ name }) => parameters.every(({ support }) => support !== name))
    .map(({ name }) => name);
}

/** Writes the parameters, `patterns` and the identity; atomic. @throws SpxError SPX8020, SPX8021. */
export async function saveParameters(
  path: string,
  parameters: ReadonlyMap<string, LayerParameter>,
  patterns: ReadonlyMap<string, Pattern>,
  identity: SavedIdentity,
): Promise<void> {
  const tensors: TensorToWrite[] = [];
  for (const [name, { target, values }] of parameters) {
    tensors.push(namedTensor(name, tensor("f32", target.stored, values)));
    if (target.support !== null)
      tensors.push(namedTensor(name + positionsSuffix, positionsTensor(target.support)));
  }
  for (const [name, pattern] of patterns)
    tensors.push(namedTensor(name + positionsSuffix, positionsTensor(pattern)));
  await writeSafetensors(path, tensors, {
    "spx.transform": identity.transform,
    "spx.source": identity.source,
    "spx.arguments": JSON.stringify(identity.arguments),
    "spx.seed": String(identity.seed),
    "spx.name": identity.name,
    ...(Object.keys(identity.clocks).length === 0 ? {} : { "spx.clocks": JSON.stringify(identity.clocks) }),
  });
}

function positionsTensor(pattern: Pattern): Tensor {
  const positions = positionsOf(pattern);
  const shape = [positions.length];
  if (pattern.rows * pattern.columns <= largestI32) return tensor("i32", shape, Int32Array.from(positions));
  return tensor(
    "i64",
    shape,
    BigInt64Array.from(positions, (position) => BigInt(position)),
  );
}

/**
 * Reads what `saveParameters` wrote for `transform`.
 * @throws SpxError of the checkpoint; SPX8601 when it was saved from another transform; SPX8410 for a tensor that is
 *   no parameter of it; SPX8014 for one that is missing; SPX8603 for other metadata than a layer writes.
 */
export async function readSavedParameters(
  path: string,
  transform: TransformManifest,
): Promise<SavedParameters> {
  const checkpoint = await openCheckpoint(path);
  try {
    const identity = readIdentity(checkpoint, transform);
    const known = transform.parameters.flatMap(({ name, structure }) =>
      structure === "sparse" ? [name, name + positionsSuffix] : [name],
    );
    const chosen = patternsToSave(transform);
    known.push(...chosen.map((name) => name + positionsSuffix));
    checkKnown(checkpoint.names, known, transform, path);
    const patterns = new Map<string, ArrayLike<number>>();
    for (const name of chosen) patterns.set(name, await readPositions(checkpoint, name));
    const parameters = new Map<string, SavedParameter>();
    for (const { name, structure } of transform.parameters) {
      const values = await readValues(checkpoint, name);
      const saved =
        structure === "sparse" ? { values, positions: await readPositions(checkpoint, name) } : { values };
      parameters.set(name, saved);
    }
    return { parameters, patterns, identity };
  } finally {
    await checkpoint.close();
  }
}

async function readValues(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const { elementType, data } = await checkpoint.read(name);
  if (elementType === "f32" && data instanceof Float32Array) return data;
  throw new SpxError(
    "SPX8404",
    `${checkpoint.path}: the parameter \`${name}\` is ${elementType}, expected f32`,
    {
      facts: { file: checkpoint.path, parameter: name, found: elementType, expected: "f32" },
      help: "restore from a file that a layer saved",
    },
  );
}

async function readPositions(checkpoint: Checkpoint, name: string): Promise<Float64Array> {
  const { data } = await checkpoint.read(name + positionsSuffix);
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

function readIdentity({ path, metadata }: Checkpoint, transform: TransformManifest): SavedIdentity {
  const saved = metadata["spx.transform"];
  if (saved !== transform.name) {
    throw new SpxError(
      "SPX8601",
      `${path}: saved from ${saved === undefined ? "no transform" : `\`${saved}\``}, expected \`${transform.name}\``,
      {
        facts: { file: path, found: saved ?? null, expected: transform.name },
        help: "restore from a file that a layer of this transform saved",
      },
    );
  }
  const seedText = metadata["spx.seed"] ?? "";
  const seed = Number(seedText);
  if (seedText === "" || !Number.isSafeInteger(seed))
    throw malformed(path, "spx.seed", seedText, "whole number");
  const given = parseNumbers(path, "spx.arguments", metadata["spx.arguments"] ?? "{}");
  const clocks = parseNumbers(path, "spx.clocks", metadata["spx.clocks"] ?? "{}");
  return {
    transform: saved,
    source: metadata["spx.source"] ?? "",
    arguments: given,
    seed,
    name: metadata["spx.name"] ?? saved,
    clocks: checkClocks(transform, clocks),
  };
}

function parseNumbers(path: string, field: string, text: string): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (
      typeof parsed === "object" &&
      parsed !== null &&
      Object.values(parsed).every((value) => typeof value === "number")
    ) {
      return parsed as Record<string, number>;
    }
  } catch {
    // Reported below: text that is no JSON is as little a list of numbers as JSON of another kind.
  }
  throw malformed(path, field, text, "list of numbers");
}

function malformed(path: string, field: string, found: string, expected: string): SpxError {
  return new SpxError("SPX8603", `${path}: \`${field}\` of the metadata is no ${expected}`, {
    facts: { file: path, field, found: found.slice(0, 80), expected },
    help: "restore from a file that a layer saved",
  });
}

/** The parameters of a record. @throws SpxError SPX8410, SPX8014. */
export function recordParameters(
  record: Readonly<Record<string, SavedParameter | SavedPattern | Float32Array>>,
  transform: TransformManifest,
): SavedParameters {
  const names = [...transform.parameters.map(({ name }) => name), ...patternsToSave(transform)];
  checkKnown(Object.keys(record), names, transform, "the record");
  const parameters = new Map<string, SavedParameter>();
  const patterns = new Map<string, ArrayLike<number>>();
  for (const [name, value] of Object.entries(record)) {
    if (value instanceof Float32Array) parameters.set(name, { values: value });
    else if ("values" in value) parameters.set(name, value);
    else patterns.set(name, value.positions);
  }
  return { parameters, patterns, identity: null };
}

function checkKnown(
  found: readonly string[],
  known: readonly string[],
  transform: TransformManifest,
  where: string,
): void {
  const unknown = found.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SpxError("SPX8410", `${where}: \`${transform.name}\` has no parameter \`${unknown}\``, {
      facts: { transform: transform.name, parameter: unknown, known },
      help: suggestNames(unknown, known, "parameter"),
    });
  }
  const missing = known.find((name) => !found.includes(name));
  if (missing === undefined) return;
  throw new SpxError(
    "SPX8014",
    `${where}: the parameter \`${missing}\` of \`${transform.name}\` is missing`,
    {
      facts: { transform: transform.name, parameter: missing, found },
      help: "give all parameters, or none",
    },
  );
}

/**
 * A pattern from the positions that were saved with `owner`.
 * @throws SpxError SPX8407 unless they are ascending whole numbers inside the matrix.
 */
export function restoredPattern(
  owner: string,
  positions: ArrayLike<number>,
  rows: number,
  columns: number,
): Pattern {
  let last = -1;
  for (let index = 0; index < positions.length; index++) {
    const position = positions[index] ?? Number.NaN;
    if (!(Number.isSafeInteger(position) && position > last && position < rows * columns)) {
      throw new SpxError(
        "SPX8407",
        `position ${index} of \`${owner}\` is ${position}, after ${last} in [${rows}, ${columns}]`,
        {
          facts: { parameter: owner, index, position: String(position), rows, columns },
          help: "positions are row * columns + column, ascending, each once",
        },
      );
    }
    last = position;
  }
  return patternOfPositions(rows, columns, positions);
}
