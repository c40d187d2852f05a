/** MKL's inspector-executor sparse products: compressed rows and blocks, analysed once before they are timed. */
import type { ForeignType } from "../../../runtime/native/foreign-library.ts";
import type { Problem, SparseEntries } from "../problem.ts";
import type { Blas } from "./blas-libraries.ts";
import type { NativeProduct } from "./native-contestant.ts";

const int: ForeignType = "int32";
const real: ForeignType = "float32";
const pointer: ForeignType = "pointer";

const noTranspose = 10;
const columnMajor = 102;
const generalMatrix = 20n;
/** `struct matrix_descr { int type, mode, diag; }` by value: two words. */
const description = [generalMatrix, 0n] as const;
const expectedCalls = 100_000;

/** @throws Error with the status that MKL gives. */
function checked(what: string, status: unknown): void {
  if (status !== 0) throw new Error(`MKL refuses ${what}: status ${String(status)}`);
}

/** y = x Wᵀ as W Xᵀ, whose column-major operands are x and y as they lie. */
export function sparseProduct(mkl: Blas, problem: Problem, entries: SparseEntries): NativeProduct {
  const { out, inputs, batch, x, threads, compactCopies } = problem;
  const { library } = mkl;
  mkl.setThreads(threads);
  const create = library.declare({
    name: "mkl_sparse_s_create_csr",
    result: int,
    parameters: [pointer, int, int, int, pointer, pointer, pointer, pointer],
  });
  const hint = library.declare({
    name: "mkl_sparse_set_mm_hint",
    result: int,
    parameters: ["uint64", int, "uint64", "uint64", int, int, int],
  });
  const vectorHint = library.declare({
    name: "mkl_sparse_set_mv_hint",
    result: int,
    parameters: ["uint64", int, "uint64", "uint64", int],
  });
  const optimise = library.declare({ name: "mkl_sparse_optimize", result: int, parameters: ["uint64"] });
  const destroy = library.declare({ name: "mkl_sparse_destroy", result: int, parameters: ["uint64"] });
  const product = library.declare({
    name: "mkl_sparse_s_mm",
    result: int,
    parameters: [int, real, "uint64", "uint64", "uint64", int, pointer, int, int, real, pointer, int],
  });
  const vector = library.declare({
    name: "mkl_sparse_s_mv",
    result: int,
    parameters: [int, real, "uint64", "uint64", "uint64", pointer, real, pointer],
  });
  // Kept here: MKL reads the arrays as long as the handle lives.
  const kept: SparseEntries[] = [];
  const handles = Array.from({ length: compactCopies }, () => {
    const own = {
      starts: entries.starts.slice(),
      columns: entries.columns.slice(),
      values: entries.values.slice(),
    };
    kept.push(own);
    const handle = new BigUint64Array(1);
    const ends = own.starts.subarray(1);
    checked("the matrix", create(handle, 0, out, inputs, own.starts, ends, own.columns, own.values));
    const value = handle[0] ?? 0n;
    if (batch === 1) vectorHint(value, noTranspose, ...description, expectedCalls);
    else hint(value, noTranspose, ...description, columnMajor, batch, expectedCalls);
    checked("to optimise", optimise(value));
    return value;
  });
  return {
    name: "MKL sparse rows",
    kind: "structured",
    copies: compactCopies,
    call: (copy, y) => {
      const handle = handles[copy] ?? 0n;
      if (batch === 1) vector(noTranspose, 1, handle, ...description, x, 0, y);
      else product(noTranspose, 1, handle, ...description, columnMajor, x, batch, inputs, 0, y, out);
    },
    free: () => {
      for (const handle of handles) destroy(handle);
      kept.length = 0;
    },
  };
}
