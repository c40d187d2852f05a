/**
 * Binds what the caller gives to what a transform takes: dimension symbols from the shapes of tensors, numbers with
 * their defaults, and the requirements between them.
 */

import { suggestNames } from "../checkpoint/nearest-names.ts";
import type { ArgumentManifest, TransformManifest } from "../contract/manifest.ts";
import {
  evaluateNumber,
  type NumberExpression,
  printNumber,
  symbolsOf,
} from "../contract/number-expression.ts";
import { type ConditionCode, SpxError } from "../errors.ts";
import type { DenseTensor } from "../select/dense-tensor.ts";
import { checkClocks, scheduledNumbers, zeroClocks } from "./scheduled-numbers.ts";

/** A number as the caller gives it, or as an expression over dimensions, as rules of a model give it. */
export type GivenNumber = number | boolean | NumberExpression;

export interface GivenArguments {
  readonly tensors: ReadonlyMap<string, DenseTensor>;
  readonly numbers: ReadonlyMap<string, GivenNumber>;
}

export interface BoundArguments {
  /** Constants, dimensions and number arguments. */
  readonly symbols: ReadonlyMap<string, number>;
  readonly tensors: ReadonlyMap<string, DenseTensor>;
  /** The number arguments alone, in order of declaration. */
  readonly numbers: ReadonlyMap<string, number>;
}

type TensorArgument = ArgumentManifest & { kind: "tensor" };
type NumberArgument = ArgumentManifest & { kind: "number" };

/**
 * @throws SpxError SPX8401 for a missing argument, SPX8402 for an unknown one, SPX8405 for shapes that disagree,
 *   SPX8403 and SPX8407 for numbers of a wrong type or range; for a requirement that does not hold its own code.
 */
export function bindArguments(transform: TransformManifest, given: GivenArguments): BoundArguments {
  checkNames(transform, given);
  const symbols = new Map(Object.entries(transform.constants));
  const boundBy = new Map<string, string>();
  const tensors = transform.arguments.filter((argument) => argument.kind === "tensor");
  for (const argument of tensors) bindDimensions(transform, argument, given, symbols, boundBy);
  const numbers = new Map<string, number>();
  for (const argument of transform.arguments) {
    if (argument.kind !== "number") continue;
    const value = bindNumber(transform, argument, given.numbers.get(argument.name), symbols, boundBy);
    symbols.set(argument.name, value);
    numbers.set(argument.name, value);
  }
  for (const argument of tensors) checkDimensions(argument, given, symbols);
  const start = scheduledNumbers(transform, symbols, checkClocks(transform, zeroClocks));
  for (const [name, value] of start) symbols.set(name, value);
  checkRequirements(transform, symbols, new Set());
  return { symbols, tensors: given.tensors, numbers };
}

function checkNames(transform: TransformManifest, { tensors, numbers }: GivenArguments): void {
  const known = new Map(transform.arguments.map(({ name, kind }) => [name, kind]));
  for (const [name, found] of [
    ...[...tensors.keys()].map((key) => [key, "tensor"] as const),
    ...[...numbers.keys()].map((key) => [key, "number"] as const),
  ]) {
    const kind = known.get(name);
    if (kind === found) continue;
    if (kind !== undefined) {
      throw new SpxError(
        "SPX8403",
        `\`${name}\` of \`${transform.name}\` is a ${kind}, a ${found} was given`,
        {
          facts: { transform: transform.name, argument: name, expected: kind, found },
          help: kind === "tensor" ? "give a tensor: { data, shape }" : "give a number",
        },
      );
    }
    if (found === "number" && transform.constants[name] !== undefined) {
      checkConstant(transform, name, numbers.get(name), transform.constants[name]);
      continue;
    }
    throw unknownArgument(transform, name);
  }
}

/** SPX8402 for a name that the transform does not take. */
export function unknownArgument(transform: TransformManifest, name: string): SpxError {
  const known = transform.arguments.map((argument) => argument.name);
  return new SpxError("SPX8402", `\`${transform.name}\` has no argument \`${name}\``, {
    facts: { transform: transform.name, argument: name, known },
    help: suggestNames(name, [...known, ...loadOptionNames], "argument"),
  });
}

/** What `load` takes beside the arguments of the transform. */
export const loadOptionNames = ["seed", "name", "threads", "parameters", "device", "elements"] as const;

function checkConstant(
  transform: TransformManifest,
  name: string,
  given: GivenNumber | undefined,
  built: number,
): void {
  if (Number(given) === built) return;
  throw new SpxError(
    "SPX8407",
    `\`${name}\` of \`${transform.name}\` was built as ${built}, ${String(given)} was given`,
    {
      facts: { transform: transform.name, argument: name, built },
      help: `leave \`${name}\` out, or build an instance with another value`,
    },
  );
}

/** Bare symbols take the size they meet first; a later one has to agree. */
function bindDimensions(
  transform: TransformManifest,
  argument: TensorArgument,
  given: GivenArguments,
  symbols: Map<string, number>,
  boundBy: Map<string, string>,
): void {
  const { name, dimensions } = argument;
  const shape = given.tensors.get(name)?.shape;
  const wanted = `[${dimensions.map((dimension) => printNumber(dimension)).join(", ")}]`;
  if (shape === undefined) {
    throw new SpxError("SPX8401", `\`${transform.name}\` needs the tensor \`${name}\` ${wanted}`, {
      facts: { transform: transform.name, argument: name },
      help: `give \`${name}: { data, shape }\` or a tensor of a checkpoint`,
    });
  }
  if (shape.length !== dimensions.length) {
    throw new SpxError("SPX8405", `\`${name}\` is [${shape.join(", ")}], expected ${wanted}`, {
      facts: { argument: name, found: shape, expected: wanted },
      help: `give a tensor with ${dimensions.length} dimensions`,
    });
  }
  dimensions.forEach((dimension, axis) => {
    if (dimension.kind !== "symbol") return;
    const size = shape[axis] ?? 0;
    const known = symbols.get(dimension.name);
    if (known === undefined) {
      symbols.set(dimension.name, size);
      boundBy.set(dimension.name, `\`${name}\` [${shape.join(", ")}]`);
    } else if (known !== size) {
      const other = boundBy.get(dimension.name) ?? "a constant of the build";
      throw new SpxError(
        "SPX8405",
        `\`${dimension.name}\` is ${known} by ${other} and ${size} by \`${name}\` [${shape.join(", ")}]`,
        {
          facts: { dimension: dimension.name, expected: known, found: size, argument: name },
          help: `the dimension \`${dimension.name}\` has to be the same everywhere`,
        },
      );
    }
  });
}

/** Dimensions that are expressions: checked once every symbol is known. */
function checkDimensions(
  argument: TensorArgument,
  given: GivenArguments,
  symbols: ReadonlyMap<string, number>,
): void {
  const shape = given.tensors.get(argument.name)?.shape ?? [];
  argument.dimensions.forEach((dimension, axis) => {
    const expected = evaluateNumber(dimension, symbols);
    if (shape[axis] === expected) return;
    const text = printNumber(dimension);
    throw new SpxError(
      "SPX8405",
      `\`${argument.name}\` is [${shape.join(", ")}], its dimension \`${text}\` should be ${expected}`,
      {
        facts: { argument: argument.name, axis, expected, found: shape[axis] ?? null },
        help: `\`${text}\` follows from the other arguments: ${valuesText(dimension, symbols)}`,
      },
    );
  });
}

function bindNumber(
  transform: TransformManifest,
  argument: NumberArgument,
  given: GivenNumber | undefined,
  symbols: ReadonlyMap<string, number>,
  boundBy: ReadonlyMap<string, string>,
): number {
  const { name, type, defaultValue } = argument;
  const known = symbols.get(name);
  let value: number;
  if (given !== undefined) value = typeof given === "object" ? evaluateNumber(given, symbols) : Number(given);
  else if (known !== undefined) value = known;
  else if (defaultValue !== null) value = evaluateNumber(defaultValue, symbols);
  else {
    throw new SpxError("SPX8401", `\`${transform.name}\` needs the number \`${name}\` (${type})`, {
      facts: { transform: transform.name, argument: name, type },
      help: `give \`${name}\`, it has no default`,
    });
  }
  const range = numberRanges[type];
  if (!range.holds(value)) {
    throw new SpxError(
      "SPX8407",
      `\`${name}\` of \`${transform.name}\` is ${value}, expected ${range.text}`,
      {
        facts: { transform: transform.name, argument: name, found: String(value), type },
        help: `give ${range.text}`,
      },
    );
  }
  if (known !== undefined && known !== value) {
    throw new SpxError(
      "SPX8405",
      `\`${name}\` is ${known} by ${boundBy.get(name) ?? "the build"} and ${value} as given`,
      {
        facts: { argument: name, expected: known, found: value },
        help: `leave \`${name}\` out: the tensor decides it`,
      },
    );
  }
  return value;
}

const numberRanges: Readonly<
  Record<NumberArgument["type"], { text: string; holds: (value: number) => boolean }>
> = {
  int: { text: "a whole number", holds: Number.isSafeInteger },
  real: { text: "a finite number", holds: Number.isFinite },
  ratio: { text: "a number from 0 to 1", holds: (value) => value >= 0 && value <= 1 },
  bool: { text: "true or false", holds: (value) => value === 0 || value === 1 },
};

/**
 * Checks the requirements whose symbols are all known, except those that were known `before`. What reads a measured
 * count waits until the positions have been chosen.
 * @throws SpxError the code of a requirement that does not hold.
 */
export function checkRequirements(
  transform: TransformManifest,
  symbols: ReadonlyMap<string, number>,
  before: ReadonlySet<string>,
): void {
  for (const { condition, text, code, location } of transform.requirements) {
    const read = symbolsOf(condition);
    const waits = read.some((name) => !symbols.has(name));
    const done = before.size > 0 && read.every((name) => before.has(name));
    if (waits || done) continue;
    if (evaluateNumber(condition, symbols) === 1) continue;
    const values = valuesText(condition, symbols);
    // That it is such a code was checked when the manifest was read.
    throw new SpxError(
      code as ConditionCode,
      `\`${transform.name}\` requires \`${text}\`, which does not hold${values === "" ? "" : ` for ${values}`}`,
      {
        facts: { transform: transform.name, requirement: text, ...location },
        help: `it is written at ${location.file}:${location.line}:${location.column}: change the arguments, or leave this tensor out`,
      },
    );
  }
}

const valuesText = (expression: NumberExpression, symbols: ReadonlyMap<string, number>): string =>
  symbolsOf(expression)
    .map((name) => `${name} = ${symbols.get(name)}`)
    .join(", ");
