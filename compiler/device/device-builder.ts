/** Construction of device statements: fresh names, blocks that collect statements, loops and branches. */
import { int, known, scalarOf, type Value } from "./device-expression.ts";
import type { DeviceScalar, DeviceStatement, RegisterSpan } from "./device-node.ts";

/** Where statements are collected; names are unique within a kernel. */
export interface Code {
  readonly statements: DeviceStatement[];
  readonly fresh: (hint: string) => string;
}

export function createCode(reserved: Iterable<string> = []): Code {
  const taken = new Set(reserved);
  return {
    statements: [],
    fresh(hint) {
      let name = hint;
      for (let count = 2; taken.has(name); count++) name = `${hint}_${count}`;
      taken.add(name);
      return name;
    },
  };
}

const nested = (code: Code): Code => ({ statements: [], fresh: code.fresh });

export const put = (code: Code, ...statements: readonly DeviceStatement[]): void => {
  code.statements.push(...statements);
};

/** Names a value, so that it is computed once and reads well; constants and names stand for themselves. */
export function name(code: Code, hint: string, value: Value): Value {
  if (["constant", "parameter", "position"].includes(value.kind)) return value;
  if (value.kind === "read" && value.index === null) return value;
  const given = code.fresh(hint);
  put(code, { kind: "let", name: given, value });
  return { kind: "read", name: given, type: scalarOf(value), index: null };
}

/** Mutable registers: one, or `count` of them. */
export interface Registers {
  readonly name: string;
  readonly read: (index?: Value) => Value;
  readonly span: (start: Value) => RegisterSpan;
}

export function registers(code: Code, hint: string, initial: Value, count: number | null = null): Registers {
  const given = code.fresh(hint);
  const type: DeviceScalar = scalarOf(initial);
  put(code, { kind: "register", name: given, count, initial });
  return {
    name: given,
    read: (index) => ({ kind: "read", name: given, type, index: index ?? null }),
    span: (start) => ({ name: given, start }),
  };
}

export const set = (code: Code, target: Registers, value: Value, index: Value | null = null): void =>
  put(code, { kind: "set", name: target.name, index, value });

export interface Range {
  readonly from?: Value;
  readonly to: Value;
  readonly step?: Value;
}

type Body = (inner: Code, variable: Value) => void;

function forLoop(code: Code, hint: string, range: Range, unroll: boolean, body: Body): void {
  const { from = int(0), to, step = int(1) } = range;
  const variable = code.fresh(hint);
  const inner = nested(code);
  body(inner, { kind: "read", name: variable, type: scalarOf(from), index: null });
  put(code, { kind: "for", variable, from, to, step, unroll, body: inner.statements });
}

export const loop = (code: Code, hint: string, range: Range, body: Body): void =>
  forLoop(code, hint, range, false, body);

/** A loop of known turns that the compiler writes out; a single turn leaves its body. */
export function unrolled(code: Code, hint: string, turns: number, body: Body): void {
  if (turns === 1) body(code, int(0));
  else if (turns > 1) forLoop(code, hint, { to: int(turns) }, true, body);
}

export function when(
  code: Code,
  condition: Value,
  then: (inner: Code) => void,
  otherwise?: (inner: Code) => void,
): void {
  const number = condition.kind === "constant" ? condition.value : known(condition);
  if (number !== null) {
    if (number !== 0) then(code);
    else otherwise?.(code);
    return;
  }
  const [body, rest] = [nested(code), nested(code)];
  then(body);
  otherwise?.(rest);
  put(code, { kind: "if", condition, body: body.statements, otherwise: rest.statements });
}

export const store = (code: Code, memory: string, index: Value, value: Value): void =>
  put(code, { kind: "store", memory, index, value });

export const comment = (code: Code, text: string): void => put(code, { kind: "comment", text });
