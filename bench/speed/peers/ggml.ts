/**
 * llama.cpp's products (ggml) with weights of 4 and 8 bits and bf16, in the layout that its processor library repacks
 * them into. Tokens are rounded to 8 bits there, which the error shows.
 */
import {
  type ForeignLibrary,
  type ForeignType,
  openLibrary,
} from "../../../runtime/native/foreign-library.ts";
import type { Problem } from "../problem.ts";
import { encodeBlocks, type GgmlType, ggmlTypes } from "./ggml-blocks.ts";
import type { NativeProduct } from "./native-contestant.ts";
import { openFirst } from "./open-library.ts";

export interface Ggml {
  readonly version: string;
  readonly base: ForeignLibrary;
  readonly processor: ForeignLibrary;
}

const int: ForeignType = "int32";
const long: ForeignType = "int64";
const pointer: ForeignType = "pointer";
/** Addresses that ggml gives. */
const handle: ForeignType = "uint64";

/** For each level of kernels, widest first; each library says itself whether it runs here. */
const processors: Readonly<Record<string, readonly string[]>> = {
  v4: ["sapphirerapids", "zen4", "cooperlake", "icelake", "cascadelake", "skylakex"],
  v3: ["alderlake", "haswell"],
};

/** The library of the widest kind that runs here and is not above `level`; null when there is none. */
export function findGgml(level: string): Ggml | null {
  const base = openFirst(["libggml-base.so"]);
  if (base === null) return null;
  const kinds = [...(processors[level] ?? []), ...(level === "v4" ? (processors.v3 ?? []) : [])];
  for (const kind of kinds) {
    const processor = openFirst([`libggml-cpu-${kind}.so`]);
    const score = processor?.declare({ name: "ggml_backend_score", result: int, parameters: [] });
    if (processor === null || score === undefined || Number(score()) <= 0) continue;
    silence(base);
    return { version: kind, base, processor };
  }
  return null;
}

/** ggml tells of every weight that it repacks: what it tells goes to a function of the C library that does nothing with it. */
function silence(base: ForeignLibrary): void {
  const lookUp = openLibrary(null).declare({
    name: "dlsym",
    result: handle,
    parameters: [pointer, "string"],
  });
  const set = base.declare({ name: "ggml_log_set", result: "void", parameters: [handle, pointer] });
  set(lookUp(null, "abs") as bigint, null);
}

/** `struct ggml_init_params { size_t mem_size; void *mem_buffer; bool no_alloc; }` by value: on the stack, behind six registers. */
const byValue: readonly ForeignType[] = [long, long, long, long, long, long, "size", pointer, long];
const unused = [0, 0, 0, 0, 0, 0] as const;
/** `struct ggml_threadpool_params` is smaller than this. */
const poolBytes = 2048;

function interfaceOf({ base, processor }: Ggml) {
  const from =
    (library: ForeignLibrary) => (name: string, result: ForeignType, parameters: readonly ForeignType[]) =>
      library.declare({ name, result, parameters });
  const [basic, own] = [from(base), from(processor)];
  return {
    context: basic("ggml_init", handle, byValue),
    freeContext: basic("ggml_free", "void", [handle]),
    matrix: basic("ggml_new_tensor_2d", handle, [handle, int, long, long]),
    product: basic("ggml_mul_mat", handle, [handle, handle, handle]),
    graph: basic("ggml_new_graph", handle, [handle]),
    expand: basic("ggml_build_forward_expand", "void", [handle, handle]),
    allocate: basic("ggml_backend_alloc_ctx_tensors_from_buft", handle, [handle, handle]),
    freeBuffer: basic("ggml_backend_buffer_free", "void", [handle]),
    write: basic("ggml_backend_tensor_set", "void", [handle, pointer, "size", "size"]),
    read: basic("ggml_backend_tensor_get", "void", [handle, pointer, "size", "size"]),
    compute: basic("ggml_backend_graph_compute", int, [handle, handle]),
    plainMemory: basic("ggml_backend_cpu_buffer_type", handle, []),
    freeBackend: basic("ggml_backend_free", "void", [handle]),
    poolSettings: basic("ggml_threadpool_params_init", "void", [pointer, int]),
    repackedMemory: own("_Z35ggml_backend_cpu_repack_buffer_typev", handle, []),
    backend: own("ggml_backend_cpu_init", handle, []),
    setThreads: own("ggml_backend_cpu_set_n_threads", "void", [handle, int]),
    setPool: own("ggml_backend_cpu_set_threadpool", "void", [handle, handle]),
    pool: own("ggml_threadpool_new", handle, [pointer]),
    freePool: own("ggml_threadpool_free", "void", [handle]),
    pause: own("ggml_threadpool_pause", "void", [handle]),
    resume: own("ggml_threadpool_resume", "void", [handle]),
  };
}

/** y = x Wᵀ with W in blocks of `type`. */
export function ggmlProduct(ggml: Ggml, problem: Problem, type: GgmlType): NativeProduct {
  const { out, inputs, batch, x, threads, compactCopies } = problem;
  const calls = interfaceOf(ggml);
  const { id, repacked, name } = ggmlTypes[type];
  const bytes = encodeBlocks(problem, type);
  const backend = calls.backend() as bigint;
  calls.setThreads(backend, threads);
  const settings = new Uint8Array(poolBytes);
  calls.poolSettings(settings, threads);
  const pool = calls.pool(settings) as bigint;
  calls.setPool(backend, pool);
  calls.pause(pool);
  const opened: bigint[] = [];
  const buffers: bigint[] = [];
  const context = (): bigint => {
    const made = calls.context(...unused, 1 << 20, null, 1) as bigint;
    opened.push(made);
    return made;
  };
  const graphs = Array.from({ length: compactCopies }, () => {
    const [weights, work] = [context(), context()];
    const w = calls.matrix(weights, id, inputs, out) as bigint;
    const memory = (repacked ? calls.repackedMemory() : calls.plainMemory()) as bigint;
    buffers.push(calls.allocate(weights, memory) as bigint);
    calls.write(w, bytes, 0, bytes.byteLength);
    const tokens = calls.matrix(work, ggmlTypes.f32.id, inputs, batch) as bigint;
    const y = calls.product(work, w, tokens) as bigint;
    const graph = calls.graph(work) as bigint;
    calls.expand(graph, y);
    buffers.push(calls.allocate(work, calls.plainMemory() as bigint) as bigint);
    calls.write(tokens, x, 0, x.byteLength);
    return { graph, y };
  });
  return {
    name,
    kind: "structured",
    copies: compactCopies,
    begin: () => calls.resume(pool),
    end: () => calls.pause(pool),
    call: (copy) => {
      const status = calls.compute(backend, graphs[copy]?.graph ?? 0n);
      if (status !== 0) throw new Error(`ggml refuses to run: status ${String(status)}`);
    },
    finish: (y) => calls.read(graphs[0]?.y ?? 0n, y, 0, y.byteLength),
    free: () => {
      calls.freeBackend(backend);
      calls.freePool(pool);
      for (const buffer of buffers) calls.freeBuffer(buffer);
      for (const made of opened) calls.freeContext(made);
    },
  };
}
