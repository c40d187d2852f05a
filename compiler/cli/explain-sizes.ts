/** The sizes and arguments that a plan is explained at, from `--out`, `--in`, `-a name=value` and `--name value`. */
import { evaluateNumber, type SymbolValues } from "../../runtime/contract/number-expression.ts";
import type { CheckedTransform } from "../check/checked-module.ts";

export interface GivenSizes {
  readonly out: string;
  readonly in: string;
  readonly argument?: readonly string[];
}

/**
 * `--r 8 --keep=0.2` as `r=8`, `keep=0.2`: what the command line leaves over, since arguments are named by the file.
 * Null when something else is left over.
 */
export function namedArguments(rest: readonly string[]): readonly string[] | null {
  const given: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const [, name, value] = /^--([A-Za-z_]\w*)(?:=(.+))?$/.exec(rest[index] ?? "") ?? [];
    if (name === undefined) return null;
    const next = value ?? rest[++index];
    if (next === undefined) return null;
    given.push(`${name}=${next}`);
  }
  return given;
}

/** Values of all dimensions and number arguments, or what is wrong with the ones given. */
export function sizesOf(transform: CheckedTransform, options: GivenSizes): SymbolValues | string {
  const given = readGiven(options);
  if (typeof given === "string") return given;
  const values = new Map<string, number>();
  const { rows, columns } = transform.weight;
  if (rows.kind === "symbol") values.set(rows.name, Number(options.out));
  if (columns.kind === "symbol") values.set(columns.name, Number(options.in));
  const names = new Set([...values.keys(), ...transform.arguments.map((argument) => argument.name)]);
  for (const argument of transform.arguments) {
    if (argument.kind !== "tensor") continue;
    for (const dimension of argument.dimensions) if (dimension.kind === "symbol") names.add(dimension.name);
  }
  for (const [name, value] of given) {
    if (!names.has(name)) return `\`${transform.name}\` has no argument or dimension \`${name}\``;
    values.set(name, value);
  }
  for (const argument of transform.arguments) {
    if (argument.kind !== "number" || values.has(argument.name)) continue;
    if (argument.defaultValue === null)
      return `give \`${argument.name}\` of \`${transform.name}\`: -a ${argument.name}=VALUE`;
    values.set(argument.name, evaluateNumber(argument.defaultValue, values));
  }
  const missing = [...names].filter(
    (name) => !values.has(name) && !transform.tensors.some((tensor) => tensor.name === name),
  );
  return missing.length === 0
    ? values
    : `give the size of \`${missing.join("`, `")}\`: -a ${missing[0]}=VALUE`;
}

function readGiven(options: GivenSizes): Map<string, number> | string {
  const given = new Map<string, number>();
  for (const size of [options.out, options.in]) {
    if (!/^\d+$/.test(size)) return `\`${size}\` is no number of features`;
  }
  for (const text of options.argument ?? []) {
    const [, name, value] = /^([A-Za-z_]\w*)=(.+)$/.exec(text) ?? [];
    const parsed = value === "true" ? 1 : value === "false" ? 0 : Number(value);
    if (name === undefined || Number.isNaN(parsed)) return `\`${text}\` is not of the form name=number`;
    given.set(name, parsed);
  }
  return given;
}
