/** Dense fp32 products of BLAS libraries, plain and, where there is such a call, with the weight packed beforehand. */
import {
  type ForeignLibrary,
  type ForeignType,
  openLibrary,
} from "../../../runtime/native/foreign-library.ts";
import { allocate } from "../../../runtime/native/native-memory.ts";
import type { Problem } from "../problem.ts";
import type { NativeProduct } from "./native-contestant.ts";

export interface Blas {
  readonly name: string;
  readonly version: string;
  readonly library: ForeignLibrary;
  setThreads(threads: number): void;
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
    files: ["libmkl_rt.so.3", "libmkl_rt.so.2"],
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

/** The libraries that can be opened here, and why the others cannot. */
export function findBlas(): { readonly found: Blas[]; readonly missing: string[] } {
  const found: Blas[] = [];
  const missing: string[] = [];
  for (const { name, files, threads, version } of candidates) {
    const library = firstOf(files);
    if (library === null) {
      missing.push(`${name}: ${files.join(", ")} cannot be opened`);
      continue;
    }
    const set = library.declare({ name: threads.name, result: "void", parameters: [threads.type] });
    found.push({ name, version: version(library), library, setThreads: (count) => void set(count) });
  }
  return { found, missing };
}

function firstOf(files: readonly string[]): ForeignLibrary | null {
  for (const file of files) {
    try {
      return openLibrary(file);
    } catch {
      // Not under this name; the caller says so when it is under none.
    }
  }
  return null;
}

/** CBLAS constants: row-major storage, no transpose, transpose; which operand is packed. */
const rowMajor = 101;
const noTranspose = 111;
const transpose = 112;
const operandB = 162;

const int: ForeignType = "int32";
const real: ForeignType = "float32";
const pointer: ForeignType = "pointer";

/** Copies of the weight in memory of their own. */
function copiesOf(weight: Float32Array, copies: number) {
  const blocks = Array.from({ length: copies }, () => allocate(weight.byteLength));
  for (const block of blocks) block.float32().set(weight);
  return {
    addresses: blocks.map(({ address }) => address),
    free: () => {
      for (const block of blocks) block.free();
    },
  };
}

/** y = x Wᵀ by gemm, or gemv for one token. */
export function plainProduct(blas: Blas, problem: Problem): NativeProduct {
  const { out, inputs, batch, x, threads } = problem;
  const gemm = blas.library.declare({
    name: "cblas_sgemm",
    result: "void",
    parameters: [int, int, int, int, int, int, real, pointer, int, pointer, int, real, pointer, int],
  });
  const gemv = blas.library.declare({
    name: "cblas_sgemv",
    result: "void",
    parameters: [int, int, int, int, real, pointer, int, pointer, int, real, pointer, int],
  });
  blas.setThreads(threads);
  const { addresses, free } = copiesOf(problem.weight, problem.copies);
  return {
    name: batch === 1 ? `${blas.name} sgemv` : `${blas.name} sgemm`,
    kind: "dense",
    copies: problem.copies,
    call: (copy, y) => {
      const weight = addresses[copy] ?? null;
      if (batch === 1) gemv(rowMajor, noTranspose, out, inputs, 1, weight, inputs, x, 1, 0, y, 1);
      else
        gemm(rowMajor, noTranspose, transpose, batch, out, inputs, 1, x, inputs, weight, inputs, 0, y, out);
    },
    free,
  };
}

/** MKL's product with Wᵀ packed once, as spx packs it once. */
export function packedProduct(mkl: Blas, problem: Problem): NativeProduct {
  const { out, inputs, batch, x, weight, threads, copies } = problem;
  mkl.setThreads(threads);
  const size = mkl.library.declare({
    name: "cblas_sgemm_pack_get_size",
    result: "size",
    parameters: [int, int, int, int],
  });
  const pack = mkl.library.declare({
    name: "cblas_sgemm_pack",
    result: "void",
    parameters: [int, int, int, int, int, int, real, pointer, int, pointer],
  });
  const compute = mkl.library.declare({
    name: "cblas_sgemm_compute",
    result: "void",
    parameters: [int, int, int, int, int, int, pointer, int, pointer, int, real, pointer, int],
  });
  const packed = 151;
  const blocks = Array.from({ length: copies }, () => allocate(Number(size(operandB, batch, out, inputs))));
  for (const block of blocks)
    pack(rowMajor, operandB, transpose, batch, out, inputs, 1, weight, inputs, block.address);
  return {
    name: "MKL packed sgemm",
    kind: "dense",
    copies: problem.copies,
    call: (copy, y) => {
      const block = blocks[copy]?.address ?? null;
      compute(rowMajor, noTranspose, packed, batch, out, inputs, x, inputs, block, inputs, 0, y, out);
    },
    free: () => {
      for (const block of blocks) block.free();
    },
  };
}
