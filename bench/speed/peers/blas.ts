/** Dense fp32 products of BLAS libraries, plain and, where there is such a call, with the weight packed beforehand. */
import type { ForeignType } from "../../../runtime/native/foreign-library.ts";
import { allocate } from "../../../runtime/native/native-memory.ts";
import type { Problem } from "../problem.ts";
import { type Blas, cblas } from "./blas-libraries.ts";
import { copiesOf, type NativeProduct } from "./native-contestant.ts";

/** y = x Wᵀ by gemm, or gemv for one token. */
export function plainProduct(blas: Blas, problem: Problem): NativeProduct {
  const { batch, x, threads } = problem;
  blas.setThreads(threads);
  const { addresses, free } = copiesOf(problem.weight, problem.copies);
  return {
    name: batch === 1 ? `${blas.name} sgemv` : `${blas.name} sgemm`,
    kind: "dense",
    copies: problem.copies,
    call: (copy, y) => blas.multiply(x, addresses[copy] ?? null, y, problem),
    free,
  };
}

const int: ForeignType = "int32";
const real: ForeignType = "float32";
const pointer: ForeignType = "pointer";

/** MKL's product with Wᵀ packed once, as spx packs it once. */
export function packedProduct(mkl: Blas, problem: Problem): NativeProduct {
  const { out, inputs, batch, x, weight, threads, copies } = problem;
  const { rowMajor, noTranspose, transpose, packed, operandB } = cblas;
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
