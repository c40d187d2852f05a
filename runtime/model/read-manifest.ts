/**
 * Reads a manifest and checks that it is one: its hash where the emitted module names it, its kind, its contract
 * version, and the outline of its records. What is inside a record is the compiler's word.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cudaPlanProblems } from "../contract/check-cuda.ts";
import { abiVersion, type Manifest, type TransformManifest } from "../contract/manifest.ts";
import { isOperator } from "../contract/number-expression.ts";
import { isClock } from "../contract/time.ts";
import { isConditionCode, SpxError } from "../errors.ts";

/**
 * @throws SpxError SPX8101 when the file cannot be read, SPX8103 when its hash is not `sha256`, SPX8102 when it is
 *   no manifest, SPX8201 when it follows another contract version.
 */
export function readManifest(path: string, sha256: string | null): Manifest {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new SpxError("SPX8101", `the manifest \`${path}\` cannot be read`, {
      facts: { file: path },
      help: "keep the files of an artefact in one folder, or build it again",
      cause,
    });
  }
  const found = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== null && found !== sha256) {
    throw new SpxError("SPX8103", `the manifest \`${path}\` is not the one that its module was written for`, {
      facts: { file: path, expected: sha256, found },
      help: "build the artefact again; its files belong together",
    });
  }
  return checkManifest(parseJson(bytes.toString("utf8"), path), path);
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(path, "it is no JSON", cause);
  }
}

type Check = (value: unknown) => boolean;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const isNullOr =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const isList =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const hasFields =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const hasFieldsAnd =
  (whole: Check, fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    hasFields(fields)(value) && whole(value);

const kernel = hasFields({
  symbol: isText,
  level: isText,
  guard: isNullOr(isRecord),
  buffers: isList(hasFields({ operand: isText, buffer: isText })),
  symbols: isList(hasFields({ name: isText, value: isRecord })),
  workspace: isRecord,
});

const operands = isList(
  hasFields({
    name: isText,
    format: isRecord,
    source: isRecord,
    stage: isText,
    production: isText,
    bytes: isRecord,
  }),
);

const cudaCall = {
  elements: isText,
  sequences: isList(
    hasFields({
      architecture: isText,
      guard: isNullOr(isRecord),
      workspace: isRecord,
      steps: isList(hasFields({ kind: isText, condition: isNullOr(isRecord) })),
    }),
  ),
  cost: isRecord,
  lines: isList(isText),
};

const cudaPlan = hasFields({
  operands,
  variants: isList(hasFields({ name: isText, form: isText, ...cudaCall })),
  backward: isList(hasFields(cudaCall)),
  notes: isList(isText),
  rates: hasFields({ name: isText, id: isText }),
});

const cudaFile = { file: isText, sha256: isText, bytes: isNumber };

const cudaLibrary = hasFields({
  source: hasFields(cudaFile),
  images: isList(hasFields({ kind: isText, architecture: isText, ...cudaFile })),
  compiler: isNullOr(isText),
  options: isList(isText),
  elements: isList(isText),
});

const plan = hasFields({
  operands,
  variants: isList(hasFields({ name: isText, form: isText, kernels: isList(kernel), costs: isRecord })),
  rates: hasFields({ name: isText, id: isText, threads: isNumber }),
  merge: isRecord,
  derived: isList(hasFields({ name: isText, formula: isRecord, stage: isText })),
  backward: hasFields({
    kernels: isList(kernel),
    intermediates: isList(hasFields({ name: isText, structure: isText, count: isRecord, formula: isRecord })),
  }),
  cuda: isNullOr(cudaPlan),
});

const isClockName: Check = (value) => typeof value === "string" && isClock(value);

/** Null, or what follows the clocks; a refresh names a pattern that there is. */
const timeOf = (transform: unknown): boolean => {
  if (!isRecord(transform) || transform.time === null) return isRecord(transform);
  const outlined = hasFields({
    clocks: isList(isClockName),
    numbers: isList(hasFields({ kind: isText, name: isText, value: isNumberExpression })),
    refreshes: isList(
      hasFields({
        pattern: isText,
        every: isNumberExpression,
        condition: isNullOr(isNumberExpression),
        recipe: isRecord,
        count: isNullOr(isNumberExpression),
      }),
    ),
  })(transform.time);
  if (!outlined || !isRecord(transform.time) || !Array.isArray(transform.patterns)) return false;
  const names = transform.patterns.map((pattern) => isRecord(pattern) && pattern.name);
  return (transform.time.refreshes as { pattern: string }[]).every(({ pattern }) => names.includes(pattern));
};

/** An expression of known operators. */
function isNumberExpression(value: unknown): boolean {
  if (!isRecord(value)) return false;
  if (value.kind === "number") return isNumber(value.value);
  if (value.kind === "symbol") return isText(value.name);
  return value.kind === "apply" && isOperator(value.operator) && isList(isNumberExpression)(value.operands);
}

/** The outline that every manifest has: field → check. */
const outline: Readonly<Record<string, Check>> = {
  compiler: isText,
  sources: isList(hasFields({ file: isText, sha256: isText })),
  kernels: hasFields({
    file: isText,
    sha256: isText,
    bytes: isNumber,
    levels: isList(hasFields({ name: isText, suffix: isText, needs: isList(isText) })),
    products: isList(hasFields({ element: isText, level: isText, symbol: isText })),
    updates: isList(hasFields({ rule: isText, level: isText, symbol: isText })),
    selections: isList(
      hasFields({ pass: isText, order: isText, m: isNumber, level: isText, symbol: isText }),
    ),
  }),
  cuda: isNullOr(cudaLibrary),
  transforms: isList(
    hasFieldsAnd(timeOf, {
      name: isText,
      arguments: isList(hasFields({ kind: isText, name: isText })),
      constants: isRecord,
      requirements: isList(hasFields({ condition: isRecord, text: isText, code: isConditionCode })),
      patterns: isList(
        hasFields({
          name: isText,
          shape: isRecord,
          recipe: isRecord,
          measured: isNullOr(isText),
          pool: isNullOr(isRecord),
        }),
      ),
      parameters: isList(hasFields({ name: isText, dimensions: Array.isArray, recipe: isRecord })),
      frozen: isList(hasFields({ name: isText, dimensions: Array.isArray, recipe: isRecord })),
      order: isList(isText),
      rows: isRecord,
      columns: isRecord,
      trainable: isRecord,
      plan,
    }),
  ),
  models: isList(
    hasFields({ name: isText, rules: isList(hasFields({ kind: isText, glob: isText, pattern: isText })) }),
  ),
};

/** @throws SpxError SPX8102, SPX8201; `path` is for the message. */
export function checkManifest(value: unknown, path: string): Manifest {
  if (!isRecord(value) || value.kind !== "spx-manifest")
    throw malformed(path, "its `kind` is not `spx-manifest`");
  if (value.abi !== abiVersion) {
    throw new SpxError(
      "SPX8201",
      `the artefact \`${path}\` follows contract version ${value.abi}, this runtime ${abiVersion}`,
      {
        facts: { file: path, found: String(value.abi), expected: abiVersion },
        help: "build the artefact again with the spxc of this package",
      },
    );
  }
  for (const [field, check] of Object.entries(outline)) {
    if (!check(value[field])) throw malformed(path, `\`${field}\` is missing or not what it should be`);
  }
  // The outline has been checked; the rest is the compiler's, which shares this type.
  const manifest = value as unknown as Manifest;
  const [problem] = manifest.transforms.flatMap(launchProblems);
  if (problem !== undefined) throw malformed(path, problem);
  return manifest;
}

/** What is launched is checked beyond its outline: a wrong launch writes where it must not. */
function launchProblems({
  name,
  plan: { cuda, backward },
  parameters,
}: TransformManifest): readonly string[] {
  if (cuda === null) return [];
  const gradients = new Set([...parameters, ...backward.intermediates].map((tensor) => tensor.name));
  return cudaPlanProblems(cuda, { gradients }).map((text) => `\`${name}\` on CUDA: ${text}`);
}

function malformed(path: string, reason: string, cause?: unknown): SpxError {
  return new SpxError("SPX8102", `\`${path}\` is not a manifest: ${reason}`, {
    facts: { file: path, reason },
    help: "build the artefact again",
    cause,
  });
}
