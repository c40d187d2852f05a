/**
 * Device programs as CUDA C++: one file for an artefact, complete in itself, so that nvcc and NVRTC compile it alike.
 * Every node becomes what a programmer would have written for it; nothing is decided here.
 */
// size: one switch over expressions and one over statements, each case a line of C++.

import { cudaVersionSymbol } from "../../../runtime/contract/cuda.ts";
import { abiVersion } from "../../../runtime/contract/manifest.ts";
import { scalarOf } from "../../device/device-expression.ts";
import {
  type DeviceComparison,
  type DeviceElement,
  type DeviceExpression,
  type DeviceOperator,
  type DeviceProgram,
  type DeviceScalar,
  type DeviceStatement,
  dynamicBytes,
  elementBytes,
  type RegisterSpan,
} from "../../device/device-node.ts";
import { intrinsics, productName } from "./cuda-intrinsics.ts";

const scalarTypes: Readonly<Record<DeviceScalar, string>> = {
  f32: "float",
  i32: "int",
  u32: "unsigned",
  i64: "long long",
  bool: "bool",
};

const elementTypes: Readonly<Record<DeviceElement, string>> = {
  f32: "float",
  i32: "int",
  u32: "unsigned",
  u16: "unsigned short",
  u8: "unsigned char",
  i8: "signed char",
  bf16: "unsigned short",
  f16: "unsigned short",
};

const operators: Readonly<
  Record<Exclude<DeviceOperator, "min" | "max">, readonly [sign: string, level: number]>
> = {
  mul: ["*", 10],
  div: ["/", 10],
  rem: ["%", 10],
  add: ["+", 9],
  sub: ["-", 9],
  shl: ["<<", 8],
  shr: [">>", 8],
  and: ["&", 5],
  xor: ["^", 4],
  or: ["|", 3],
};

const comparisons: Readonly<Record<DeviceComparison, string>> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
};

/** What a kernel is printed with: its memories by name, and the intrinsics that it turned out to need. */
interface Scope {
  readonly elements: ReadonlyMap<string, DeviceElement>;
  readonly types: Map<string, DeviceScalar>;
  readonly uses: Set<string>;
}

const use = (scope: Scope, key: string): void => {
  scope.uses.add(key);
};

function literal(type: DeviceScalar, value: number): string {
  if (type === "f32") {
    if (Number.isFinite(value)) return Number.isInteger(value) ? `${value}.0f` : `${value}f`;
    return value > 0 ? "__int_as_float(0x7f800000)" : "__int_as_float(0xff800000)";
  }
  if (type === "bool") return value === 0 ? "false" : "true";
  if (type === "u32") return value > 9 ? `0x${value.toString(16)}u` : `${value}u`;
  return type === "i64" ? `${value}ll` : String(value);
}

function element(scope: Scope, memory: string): DeviceElement {
  const found = scope.elements.get(memory);
  if (found === undefined) throw new TypeError(`no memory ${memory}`);
  return found;
}

/** The expression; in parentheses when it binds less than `level`. */
function print(expression: DeviceExpression, scope: Scope, level = 0): string {
  const of = (inner: DeviceExpression, at = 0): string => print(inner, scope, at);
  const wrapped = (own: number, text: string): string => (own < level ? `(${text})` : text);
  const call = (name: string, ...values: DeviceExpression[]): string => {
    if (intrinsics.has(name)) use(scope, name);
    return `${name}(${values.map((value) => of(value)).join(", ")})`;
  };
  switch (expression.kind) {
    case "constant": {
      const text = literal(expression.type, expression.value);
      return expression.value < 0 && level > 9 ? `(${text})` : text;
    }
    case "parameter":
      return expression.name;
    case "position":
      return expression.of === "thread" ? "(int)threadIdx.x" : "(int)blockIdx.x";
    case "read":
      return expression.index === null ? expression.name : `${expression.name}[${of(expression.index)}]`;
    case "binary": {
      const { operator, left, right } = expression;
      const type = scalarOf(left);
      if (operator === "min" || operator === "max") {
        const name = type === "f32" ? (operator === "min" ? "fminf" : "fmaxf") : operator;
        return call(name, left, right);
      }
      if (type === "bool") {
        const [sign, own] = operator === "and" ? ["&&", 2] : ["||", 1];
        return wrapped(own as number, `${of(left, own as number)} ${sign} ${of(right, (own as number) + 1)}`);
      }
      const [sign, own] = operators[operator];
      // Mixed bit operators read better, and compile without warnings, with their parentheses.
      const inner = own <= 8 ? 11 : own;
      return wrapped(own, `${of(left, inner)} ${sign} ${of(right, own <= 8 ? 11 : own + 1)}`);
    }
    case "compare":
      return wrapped(
        6,
        `${of(expression.left, 7)} ${comparisons[expression.operator]} ${of(expression.right, 7)}`,
      );
    case "select":
      return wrapped(
        0.5,
        `${of(expression.condition, 1)} ? ${of(expression.whenTrue, 1)} : ${of(expression.whenFalse, 1)}`,
      );
    case "fma":
      return call("fmaf", expression.a, expression.b, expression.c);
    case "convert":
      return wrapped(11, `(${scalarTypes[expression.to]})${of(expression.value, 12)}`);
    case "pack":
      return call(`pack_${expression.element}`, expression.low, expression.high);
    case "unpack":
      return call(`${expression.half}_${expression.element}`, expression.value);
    case "round-tf32":
      return call("round_tf32", expression.value);
    case "popcount":
      return call("__popc", expression.value);
    case "reinterpret":
      return call("__uint_as_float", expression.value);
    case "permute-bytes":
      return call("__byte_perm", expression.low, expression.high, expression.selector);
    case "load": {
      const stored = element(scope, expression.memory);
      const text = `${expression.memory}[${of(expression.index)}]`;
      if (stored !== "bf16" && stored !== "f16") return text;
      use(scope, `low_${stored}`);
      return `low_${stored}(${text})`;
    }
  }
}

const spanText = ({ name, start }: RegisterSpan, scope: Scope): string => {
  const first = print(start, scope, 9);
  return first === "0" ? name : `${name} + ${first}`;
};

function printAll(statements: readonly DeviceStatement[], scope: Scope, indent: string): string[] {
  return statements.flatMap((statement) => printStatement(statement, scope, indent));
}

function printStatement(statement: DeviceStatement, scope: Scope, indent: string): string[] {
  const of = (expression: DeviceExpression, level = 0): string => print(expression, scope, level);
  const line = (text: string): string[] => [`${indent}${text}`];
  const place = (memory: string, index: DeviceExpression): string => `&${memory}[${of(index)}]`;
  switch (statement.kind) {
    case "comment":
      return line(`// ${statement.text}`);
    case "let": {
      const type = scalarOf(statement.value);
      scope.types.set(statement.name, type);
      return line(`const ${scalarTypes[type]} ${statement.name} = ${of(statement.value)};`);
    }
    case "register": {
      const type = scalarOf(statement.initial);
      scope.types.set(statement.name, type);
      const { name, count } = statement;
      const initial = of(statement.initial);
      if (count === null) return line(`${scalarTypes[type]} ${name} = ${initial};`);
      const zeros = statement.initial.kind === "constant" && statement.initial.value === 0;
      if (zeros) return line(`${scalarTypes[type]} ${name}[${count}] = {};`);
      return [
        ...line(`${scalarTypes[type]} ${name}[${count}];`),
        ...line("#pragma unroll"),
        ...line(`for (int i = 0; i < ${count}; i++) ${name}[i] = ${initial};`),
      ];
    }
    case "set": {
      const target = statement.index === null ? statement.name : `${statement.name}[${of(statement.index)}]`;
      return line(`${target} = ${of(statement.value)};`);
    }
    case "for": {
      const { variable, from, to, step, unroll } = statement;
      scope.types.set(variable, scalarOf(from));
      const advance =
        step.kind === "constant" && step.value === 1 ? `${variable}++` : `${variable} += ${of(step)}`;
      return [
        ...(unroll ? line("#pragma unroll") : []),
        ...line(
          `for (${scalarTypes[scalarOf(from)]} ${variable} = ${of(from)}; ${variable} < ${of(to, 7)}; ${advance}) {`,
        ),
        ...printAll(statement.body, scope, `${indent}  `),
        ...line("}"),
      ];
    }
    case "if":
      return [
        ...line(`if (${of(statement.condition)}) {`),
        ...printAll(statement.body, scope, `${indent}  `),
        ...(statement.otherwise.length === 0
          ? []
          : [...line("} else {"), ...printAll(statement.otherwise, scope, `${indent}  `)]),
        ...line("}"),
      ];
    case "store": {
      const stored = element(scope, statement.memory);
      const target = `${statement.memory}[${of(statement.index)}]`;
      if (stored === "bf16" || stored === "f16") {
        use(scope, `pack_${stored}`);
        return line(`${target} = (unsigned short)pack_${stored}(${of(statement.value)}, 0.0f);`);
      }
      return line(`${target} = ${of(statement.value)};`);
    }
    case "atomic-add":
      return line(`atomicAdd(${place(statement.memory, statement.index)}, ${of(statement.value)});`);
    case "load-vector": {
      const name = `load_${statement.streamed ? "streamed_" : ""}${statement.registers * 4}`;
      use(scope, `${name}_${scalarTypes[scope.types.get(statement.target.name) ?? "u32"]}`);
      return line(
        `${name}(${spanText(statement.target, scope)}, ${place(statement.memory, statement.index)});`,
      );
    }
    case "store-vector": {
      const name = `store_${statement.registers * 4}`;
      use(scope, `${name}_${scalarTypes[scope.types.get(statement.source.name) ?? "u32"]}`);
      return line(
        `${name}(${place(statement.memory, statement.index)}, ${spanText(statement.source, scope)});`,
      );
    }
    case "barrier":
      return line("__syncthreads();");
    case "warp-barrier":
      return line("__syncwarp();");
    case "shuffle-xor":
      return line(
        `${statement.target} = __shfl_xor_sync(0xffffffffu, ${of(statement.value)}, ${statement.mask});`,
      );
    case "copy-async": {
      use(scope, `copy_async_${statement.bytes}`);
      const valid = statement.valid === null ? String(statement.bytes) : of(statement.valid);
      const [to, from] = [place(statement.to, statement.toIndex), place(statement.from, statement.fromIndex)];
      return line(`copy_async_${statement.bytes}(${to}, ${from}, ${valid});`);
    }
    case "commit":
      use(scope, "commit_copies");
      return line("commit_copies();");
    case "wait":
      use(scope, "wait_copies");
      return line(`wait_copies<${statement.pending}>();`);
    case "load-matrices":
      use(scope, "load_matrices");
      return line(
        `load_matrices(${spanText(statement.target, scope)}, ${place(statement.memory, statement.index)});`,
      );
    case "matrix-product": {
      const name = productName(statement.shape, statement.element);
      use(scope, name);
      const spans = [statement.sums, statement.a, statement.b].map((span) => spanText(span, scope));
      const metadata = statement.metadata === null ? [] : [of(statement.metadata)];
      return line(`${name}(${[...spans, ...metadata].join(", ")});`);
    }
  }
}

function printMemories(program: DeviceProgram): string[] {
  const dynamic = dynamicBytes(program) > 0;
  let offset = 0;
  const lines = program.memories.map(({ name, element: type, length }) => {
    const at = offset;
    offset += Math.ceil((elementBytes[type] * length) / 128) * 128;
    return dynamic
      ? `  ${elementTypes[type]}* const ${name} = (${elementTypes[type]}*)(on_chip + ${at});`
      : `  __shared__ __align__(128) ${elementTypes[type]} ${name}[${length}];`;
  });
  return dynamic ? ["  extern __shared__ __align__(128) unsigned char on_chip[];", ...lines] : lines;
}

function printKernel(program: DeviceProgram, uses: Set<string>): string {
  const parameters = program.parameters.map((parameter) =>
    parameter.kind === "number"
      ? `const ${scalarTypes[parameter.type]} ${parameter.name}`
      : `${parameter.access === "read" ? "const " : ""}${elementTypes[parameter.element]}* __restrict__ ${parameter.name}`,
  );
  const buffers = program.parameters.flatMap((parameter) => (parameter.kind === "buffer" ? [parameter] : []));
  const scope: Scope = {
    elements: new Map([...buffers, ...program.memories].map(({ name, element: type }) => [name, type])),
    types: new Map(),
    uses,
  };
  return [
    ...program.purpose.map((text) => `// ${text}`),
    `extern "C" __global__ void __launch_bounds__(${program.threads}, ${program.blocksPerProcessor})`,
    `${program.name}(${parameters.join(",\n    ")}) {`,
    ...printMemories(program),
    ...printAll(program.body, scope, "  "),
    "}",
  ].join("\n");
}

/** Stands before each kernel that needs `sm_90a`. */
export const hopperGuard = "#if defined(__CUDA_ARCH_FEAT_SM90_ALL)";

/** All programs as one file. Those that need `sm_90a` are left out where the compiler is asked for anything else. */
export function printCuda(title: string, programs: readonly DeviceProgram[]): string {
  const uses = new Set<string>();
  const kernels = programs.map((program) => {
    const text = printKernel(program, uses);
    return program.architecture === "sm_90a" ? `${hopperGuard}\n${text}\n#endif` : text;
  });
  const needed = [...intrinsics].filter(([key]) => uses.has(key)).map(([, text]) => text);
  return `${[
    `// ${title}`,
    `extern "C" __device__ const int ${cudaVersionSymbol} = ${abiVersion};`,
    ...needed,
    ...kernels,
  ].join("\n\n")}\n`;
}
