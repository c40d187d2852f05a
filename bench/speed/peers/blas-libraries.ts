/** The BLAS libraries of this machine: opened, asked for their version, and their fp32 products declared. */
import type {
  ForeignFunction,
  ForeignLibrary,
  ForeignSignature,
  ForeignType,
  Pointer,
} from "../../../runtime/native/foreign-library.ts";
import { openFirst } from "./open-library.ts";

export interface Blas {
  readonly name: string;
  readonly version: string;
  readonly library: ForeignLibrary;
  setThreads(threads: number): void;
  /** y [batch, out] = x [batch, in] times the transposed w [out, in]; a matrix-vector product for one token. */
  multiply(x: Pointer, w: Pointer, y: Pointer, sizes: ProductSizes): void;
}

export interface ProductSizes {
  readonly batch: number;
  readonly out: number;
  readonly inputs: number;
}

interface Candidate {
  readonly name: string;
  readonly files: readonly string[];
  readonly threads: { readonly name: string; readonly type: ForeignType };
  readonly version: (library: ForeignLibrary) => string;
}

const textOf =
  (name: string) =>
  (library: ForeignLibrary): string =>
    String(library.declare({ name, result: "string", parameters: [] })());

function mklVersion(library: ForeignLibrary): string {
  const text = new Uint8Array(200);
  library.declare({ name: "MKL_Get_Version_String", result: "void", parameters: ["pointer", "int32"] })(
    text,
    text.length,
  );
  return new TextDecoder().decode(text).split("\0")[0]?.trim() ?? "";
}

const candidates: readonly Candidate[] = [
  {
    name: "MKL",
    files: ["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"],
    threads: { name: "MKL_Set_Num_Threads", type: "int32" },
    version: mklVersion,
  },
  {
    name: "OpenBLAS",
    files: ["libopenblas.so.0", "libopenblas.so"],
    threads: { name: "openblas_set_num_threads", type: "int32" },
    version: textOf("openblas_get_config"),
  },
  {
    name: "BLIS",
    files: ["libblis.so.4", "libblis.so"],
    threads: { name: "bli_thread_set_num_threads", type: "int64" },
    version: textOf("bli_info_get_version_str"),
  },
];

/** CBLAS constants: row-major storage, no transpose, transpose; which operand is packed. */
export const cblas = {
  rowMajor: 101,
  noTranspose: 111,
  transpose: 112,
  packed: 151,
  operandB: 162,
} as const;

const int: ForeignType = "int32";
const real: ForeignType = "float32";
const pointer: ForeignType = "pointer";

/** (order, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) */
const sgemm: ForeignSignature = {
  name: "cblas_sgemm",
  result: "void",
  parameters: [int, int, int, int, int, int, real, pointer, int, pointer, int, real, pointer, int],
};

/** (order, trans, m, n, alpha, a, lda, x, incx, beta, y, incy) */
const sgemv: ForeignSignature = {
  name: "cblas_sgemv",
  result: "void",
  parameters: [int, int, int, int, real, pointer, int, pointer, int, real, pointer, int],
};

/** The libraries that can be opened here, and why the others cannot. */
export function findBlas(): { readonly found: Blas[]; readonly missing: string[] } {
  const found: Blas[] = [];
  const missing: string[] = [];
  for (const candidate of candidates) {
    const library = openFirst(candidate.files);
    if (library === null) missing.push(`${candidate.name}: ${candidate.files.join(", ")} cannot be opened`);
    else found.push(blasOf(candidate, library));
  }
  return { found, missing };
}

function blasOf({ name, threads, version }: Candidate, library: ForeignLibrary): Blas {
  const set = library.declare({ name: threads.name, result: "void", parameters: [threads.type] });
  const gemm = library.declare(sgemm);
  const gemv = library.declare(sgemv);
  return {
    name,
    version: version(library),
    library,
    setThreads: (count) => void set(count),
    multiply: productWith(gemm, gemv),
  };
}

function productWith(gemm: ForeignFunction, gemv: ForeignFunction): Blas["multiply"] {
  const { rowMajor, noTranspose, transpose } = cblas;
  return (x, w, y, { batch, out, inputs }) => {
    if (batch === 1) gemv(rowMajor, noTranspose, out, inputs, 1, w, inputs, x, 1, 0, y, 1);
    else gemm(rowMajor, noTranspose, transpose, batch, out, inputs, 1, x, inputs, w, inputs, 0, y, out);
  };
}
