/** oneDNN's matrix product through its C interface, with the weight in the layout that oneDNN asks for. */
import { addressOf, type ForeignLibrary, type ForeignType } from "../../../runtime/native/foreign-library.ts";
import { allocate, type NativeBlock } from "../../../runtime/native/native-memory.ts";
import type { Problem } from "../problem.ts";
import type { NativeProduct } from "./native-contestant.ts";
import { openFirst } from "./open-library.ts";

export interface OneDnn {
  readonly version: string;
  readonly library: ForeignLibrary;
  setThreads(threads: number): void;
}

const int: ForeignType = "int32";
const pointer: ForeignType = "pointer";
/** Handles are addresses that oneDNN gives. */
const handle: ForeignType = "uint64";

/** From `dnnl_types.h`. */
const elements = { f32: 3, bf16: 2 } as const;
const constants = { cpu: 1, inOrder: 1, plainMatrix: 3, anyLayout: 1, weightsLayout: 131 } as const;
const argument = { source: 1n, weights: 33n, target: 17n, from: 1n, to: 17n } as const;

/** Null when there is none whose threads are OpenMP's. */
export function findOneDnn(): OneDnn | null {
  const library = openFirst(["libdnnl.so.3"]);
  // Linked with the first; where MKL has loaded the second before, its functions of the same names are the ones called.
  const openmp = ["libgomp.so.1", "libiomp5.so"].flatMap((file) => openFirst([file]) ?? []);
  if (library === null || openmp.length === 0) return null;
  const sets = openmp.map((found) =>
    found.declare({ name: "omp_set_num_threads", result: "void", parameters: [int] }),
  );
  const engine = new BigUint64Array(1);
  const create = library.declare({
    name: "dnnl_engine_create",
    result: int,
    parameters: [pointer, int, "size"],
  });
  // The builds for SYCL have no device here.
  if (create(engine, constants.cpu, 0) !== 0) return null;
  return {
    version: versionOf(library),
    library,
    setThreads: (threads) => sets.forEach((set) => void set(threads)),
  };
}

function versionOf(library: ForeignLibrary): string {
  const packed = Number(library.declare({ name: "dnnl_version", result: handle, parameters: [] })());
  const copy = openFirst(["libc.so.6"])?.declare({
    name: "memcpy",
    result: "void",
    parameters: [pointer, handle, "size"],
  });
  const numbers = new Int32Array(3);
  copy?.(numbers, BigInt(packed), numbers.byteLength);
  return numbers.join(".");
}

function demand(what: string, status: unknown): void {
  if (status !== 0) throw new Error(`oneDNN refuses ${what}: status ${String(status)}`);
}

/** Calls of oneDNN, each of which makes a handle. */
function interfaceOf(library: ForeignLibrary) {
  const make =
    (name: string, parameters: readonly ForeignType[]) =>
    (...values: (bigint | number | BigInt64Array | null)[]): bigint => {
      const made = new BigUint64Array(1);
      const call = library.declare({ name, result: int, parameters: [pointer, ...parameters] });
      demand(name, call(made, ...values));
      return made[0] ?? 0n;
    };
  return {
    engine: make("dnnl_engine_create", [int, "size"]),
    stream: make("dnnl_stream_create", [handle, int]),
    matrix: make("dnnl_memory_desc_create_with_tag", [int, pointer, int, int]),
    strided: make("dnnl_memory_desc_create_with_strides", [int, pointer, int, pointer]),
    memory: make("dnnl_memory_create", [handle, handle, handle]),
    matmul: make("dnnl_matmul_primitive_desc_create", [handle, handle, handle, handle, handle, handle]),
    reorder: make("dnnl_reorder_primitive_desc_create", [handle, handle, handle, handle, handle]),
    primitive: make("dnnl_primitive_create", [handle]),
    query: library.declare({
      name: "dnnl_primitive_desc_query_md",
      result: handle,
      parameters: [handle, int, int],
    }),
    size: library.declare({ name: "dnnl_memory_desc_get_size", result: "size", parameters: [handle] }),
    execute: library.declare({
      name: "dnnl_primitive_execute",
      result: int,
      parameters: [handle, handle, int, pointer],
    }),
    wait: library.declare({ name: "dnnl_stream_wait", result: int, parameters: [handle] }),
  };
}

/** `dnnl_exec_arg_t`s: a number and a memory, 16 bytes each. */
const argumentsOf = (pairs: readonly (readonly [bigint, bigint])[]): BigUint64Array =>
  BigUint64Array.from(pairs.flat());

/** y = x Wᵀ with weights, and tokens, of the element type; y is f32. */
export function oneDnnProduct(
  { library, setThreads }: OneDnn,
  problem: Problem,
  element: keyof typeof elements,
): NativeProduct {
  const { out, inputs, batch, x, weight, threads } = problem;
  const copies = element === "f32" ? problem.copies : problem.compactCopies;
  setThreads(threads);
  const dnnl = interfaceOf(library);
  const engine = dnnl.engine(constants.cpu, 0);
  const stream = dnnl.stream(engine, constants.inOrder);
  const kept: NativeBlock[] = [];
  const block = (bytes: number): NativeBlock => {
    const made = allocate(bytes);
    kept.push(made);
    return made;
  };
  const dimensions = (rows: number, columns: number) => BigInt64Array.of(BigInt(rows), BigInt(columns));
  const plain = (rows: number, columns: number, type: number) =>
    dnnl.matrix(2, dimensions(rows, columns), type, constants.plainMatrix);
  const run = (primitive: bigint, pairs: readonly (readonly [bigint, bigint])[]): void => {
    const list = argumentsOf(pairs);
    demand("to run", dnnl.execute(primitive, stream, pairs.length, list));
    demand("to wait", dnnl.wait(stream));
  };
  const reordered = (from: bigint, memory: bigint, to: bigint, bytes: number): bigint => {
    const target = dnnl.memory(to, engine, block(bytes).address);
    const primitive = dnnl.primitive(dnnl.reorder(from, engine, to, engine, 0n));
    run(primitive, [
      [argument.from, memory],
      [argument.to, target],
    ]);
    return target;
  };
  const givenType = plain(batch, inputs, elements.f32);
  const tokens = plain(batch, inputs, elements[element]);
  const anyWeight = dnnl.matrix(2, dimensions(inputs, out), elements[element], constants.anyLayout);
  const result = plain(batch, out, elements.f32);
  const description = dnnl.matmul(engine, tokens, anyWeight, 0n, result, 0n);
  const packed = BigInt(dnnl.query(description, constants.weightsLayout, 0) as bigint | number);
  const bytes = Number(dnnl.size(packed));
  const source = block(weight.byteLength);
  source.float32().set(weight);
  // W as [in, out]: the same numbers, read column by column.
  const turned = dnnl.strided(2, dimensions(inputs, out), elements.f32, BigInt64Array.of(1n, BigInt(inputs)));
  const whole = dnnl.memory(turned, engine, source.address);
  const weights = Array.from({ length: copies }, () => reordered(turned, whole, packed, bytes));
  // In arrays as everybody has them, in small pages, not in large ones like weights; the problem outlives the product.
  const y = new Float32Array(batch * out);
  const plainTokens = dnnl.memory(givenType, engine, addressOf(x));
  const memory = element === "f32" ? plainTokens : reordered(givenType, plainTokens, tokens, 2 * x.length);
  const target = dnnl.memory(result, engine, addressOf(y));
  const primitive = dnnl.primitive(description);
  const lists = weights.map((packedWeight) =>
    argumentsOf([
      [argument.source, memory],
      [argument.weights, packedWeight],
      [argument.target, target],
    ]),
  );
  return {
    name: element === "f32" ? "oneDNN packed" : "oneDNN bf16",
    kind: element === "f32" ? "dense" : "structured",
    copies,
    y,
    call: (copy) => {
      dnnl.execute(primitive, stream, 3, lists[copy] ?? null);
      dnnl.wait(stream);
    },
    free: () => {
      for (const made of kept) made.free();
    },
  };
}
