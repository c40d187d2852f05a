/** The C libraries of this machine, and which of them offer something for a cell. */
import type { Cell } from "./cells.ts";
import type { Contestant } from "./contestant.ts";
import type { LoadedOperation } from "./load-operation.ts";
import { packedProduct, plainProduct } from "./peers/blas.ts";
import { type Blas, findBlas } from "./peers/blas-libraries.ts";
import { findGgml, type Ggml, ggmlProduct } from "./peers/ggml.ts";
import type { GgmlType } from "./peers/ggml-blocks.ts";
import { sparseProduct } from "./peers/mkl-sparse.ts";
import { type NativeProduct, nativeContestant } from "./peers/native-contestant.ts";
import { findOneDnn, type OneDnn, oneDnnProduct } from "./peers/onednn.ts";
import type { Problem } from "./problem.ts";

export interface NativePeers {
  readonly blas: readonly Blas[];
  readonly oneDnn: OneDnn | null;
  readonly ggml: Ggml | null;
  /** Name and version of each. */
  readonly names: readonly string[];
  /** Why the others are not there. */
  readonly missing: readonly string[];
}

/** @param level suffix of the level that spx's kernels are held to. */
export function findNativePeers(level: string): NativePeers {
  const { found: blas, missing } = findBlas();
  const [oneDnn, ggml] = [findOneDnn(), findGgml(level)];
  return {
    blas,
    oneDnn,
    ggml,
    names: [
      ...blas.map(({ name, version }) => `${name} (${version})`),
      ...(oneDnn === null ? [] : [`oneDNN ${oneDnn.version}`]),
      ...(ggml === null ? [] : [`llama.cpp (ggml for ${ggml.version})`]),
    ],
    missing: [
      ...missing,
      ...(oneDnn === null ? ["oneDNN: libdnnl.so.3 with OpenMP threads cannot be opened"] : []),
      ...(ggml === null ? ["llama.cpp: no libggml-cpu of this processor can be opened"] : []),
    ],
  };
}

function productsOf(
  { blas, oneDnn, ggml }: NativePeers,
  { operation: { peers }, batch }: Cell,
  problem: Problem,
  { entries }: LoadedOperation,
): readonly (() => NativeProduct)[] {
  const products: (() => NativeProduct)[] = blas.map((library) => () => plainProduct(library, problem));
  const mkl = blas.find(({ name }) => name === "MKL");
  if (mkl !== undefined && batch > 1) products.push(() => packedProduct(mkl, problem));
  if (mkl !== undefined && (peers === "sparse" || peers === "blocks"))
    products.push(() => sparseProduct(mkl, problem, entries()));
  if (oneDnn !== null) products.push(() => oneDnnProduct(oneDnn, problem, "f32"));
  if (oneDnn !== null && peers === "bf16") products.push(() => oneDnnProduct(oneDnn, problem, "bf16"));
  const block: GgmlType | null =
    peers === "bf16" || peers === "int8" || peers === "int4" || peers === "nf4" ? peers : null;
  if (ggml !== null && block !== null) products.push(() => ggmlProduct(ggml, problem, block));
  return products;
}

/** Those that refuse say why in `refused`. */
export function nativeContestants(
  peers: NativePeers,
  cell: Cell,
  problem: Problem,
  loaded: LoadedOperation,
  refused: string[],
): Contestant[] {
  if (cell.operation.pass !== "forward") return [];
  return productsOf(peers, cell, problem, loaded).flatMap((make) => {
    try {
      return [nativeContestant(problem, make())];
    } catch (failure) {
      refused.push(failure instanceof Error ? failure.message : String(failure));
      return [];
    }
  });
}
