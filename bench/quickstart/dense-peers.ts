/**
 * Dense fp32 matrix products of libraries installed on this machine, called in this process through the
 * same foreign-function interface as spx's kernels: y[batch, out] = x[batch, in] W[out, in] transposed.
 */
import {
  type ForeignLibrary,
  type ForeignSignature,
  openLibrary,
} from "../../runtime/native/foreign-library.ts";

export interface DensePeer {
  readonly name: string;
  readonly multiply: (x: Float32Array, w: Float32Array, y: Float32Array, sizes: ProductSizes) => void;
}

export interface ProductSizes {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
}

interface Candidate {
  readonly name: string;
  readonly files: readonly string[];
  /** The function that sets the number of threads. */
  readonly setThreads: ForeignSignature;
  /** The function that describes the build, or null. */
  readonly version: ForeignSignature | null;
}

const candidates: readonly Candidate[] = [
  {
    name: "OpenBLAS",
    files: ["libopenblas.so.0", "libopenblas.so"],
    setThreads: { name: "openblas_set_num_threads", result: "void", parameters: ["int32"] },
    version: { name: "openblas_get_config", result: "string", parameters: [] },
  },
  {
    name: "MKL",
    files: ["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"],
    setThreads: { name: "MKL_Set_Num_Threads", result: "void", parameters: ["int32"] },
    version: null,
  },
  {
    name: "BLIS",
    files: ["libblis.so.4", "libblis.so"],
    setThreads: { name: "bli_thread_set_num_threads", result: "void", parameters: ["int64"] },
    version: null,
  },
];

/** (order, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) */
const sgemm: ForeignSignature = {
  name: "cblas_sgemm",
  result: "void",
  parameters: [
    "int32",
    "int32",
    "int32",
    "int32",
    "int32",
    "int32",
    "float32",
    "pointer",
    "int32",
    "pointer",
    "int32",
    "float32",
    "pointer",
    "int32",
  ],
};

/** (order, trans, m, n, alpha, a, lda, x, incx, beta, y, incy) */
const sgemv: ForeignSignature = {
  name: "cblas_sgemv",
  result: "void",
  parameters: [
    "int32",
    "int32",
    "int32",
    "int32",
    "float32",
    "pointer",
    "int32",
    "pointer",
    "int32",
    "float32",
    "pointer",
    "int32",
  ],
};

/** CBLAS constants: row-major storage, no transpose, transpose. */
const rowMajor = 101;
const noTranspose = 111;
const transpose = 112;

/**
 * Idle threads of a library go on spinning for tens of milliseconds unless told otherwise, on the cores that whoever is
 * timed next needs. Some 25 microseconds are enough to stay awake from one call of a sample to the next.
 */
const idleSpinning: Readonly<Record<string, string>> = {
  OPENBLAS_THREAD_TIMEOUT: "16",
  KMP_BLOCKTIME: "25us",
};

/** Every dense library that can be opened here, set to `threads` threads. Settings of the user's own are kept. */
export function findDensePeers(threads: number): DensePeer[] {
  for (const [name, value] of Object.entries(idleSpinning)) process.env[name] ??= value;
  return candidates.flatMap((candidate) => {
    const library = openFirst(candidate.files);
    return library === null ? [] : [blasPeer(candidate, library, threads)];
  });
}

function openFirst(files: readonly string[]): ForeignLibrary | null {
  for (const file of files) {
    try {
      return openLibrary(file);
    } catch {
      // Not installed under this name: the next one may be.
    }
  }
  return null;
}

function blasPeer(candidate: Candidate, library: ForeignLibrary, threads: number): DensePeer {
  library.declare(candidate.setThreads)(threads);
  const gemm = library.declare(sgemm);
  const gemv = library.declare(sgemv);
  const version = candidate.version === null ? "" : ` (${String(library.declare(candidate.version)())})`;
  return {
    name: `${candidate.name}${version}`,
    multiply: (x, w, y, { batch, rows, columns }) => {
      if (batch === 1) gemv(rowMajor, noTranspose, rows, columns, 1, w, columns, x, 1, 0, y, 1);
      else
        gemm(rowMajor, noTranspose, transpose, batch, rows, columns, 1, x, columns, w, columns, 0, y, rows);
    },
  };
}
