/** CUDA C++ to machine code by nvcc: sm_80, sm_90a, and PTX for whatever comes later. */
import { execFile, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { CudaImage } from "../../../runtime/contract/cuda.ts";
import { type BackendProblem, backendProblem, thrownText } from "../llvm/backend-problem.ts";

export interface CudaCompiler {
  readonly path: string;
  /** Such as `nvcc 13.0`. */
  readonly version: string;
}

/** What nvcc is asked for; in this order the images stand in the manifest. */
export const cudaImageTargets: readonly (Pick<CudaImage, "kind" | "architecture"> & {
  readonly options: readonly string[];
})[] = [
  { kind: "cubin", architecture: "sm_90a", options: ["-cubin", "-arch=sm_90a"] },
  { kind: "cubin", architecture: "sm_80", options: ["-cubin", "-arch=sm_80"] },
  { kind: "ptx", architecture: "sm_80", options: ["-ptx", "-arch=compute_80"] },
];

/** nvcc of `SPX_NVCC` (empty: none), of the path, or of where toolkits are installed. */
export function findCudaCompiler(
  named: string | undefined = process.env.SPX_NVCC,
  searchPath: string = process.env.PATH ?? "",
): CudaCompiler | null {
  const folders = [...searchPath.split(delimiter), "/usr/local/cuda/bin"].filter((folder) => folder !== "");
  const candidates = named === undefined ? folders.map((folder) => join(folder, "nvcc")) : [named];
  const path = candidates.find(isExecutable);
  if (path === undefined) return null;
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  const [, version] = /release (\d+\.\d+)/.exec(stdout ?? "") ?? [];
  return status === 0 && version !== undefined ? { path, version: `nvcc ${version}` } : null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return path !== "";
  } catch {
    return false;
  }
}

export type CompiledCuda =
  | {
      readonly kind: "compiled";
      readonly images: readonly (Pick<CudaImage, "kind" | "architecture"> & { readonly bytes: Uint8Array })[];
      /** What ptxas said of each kernel's registers and memories. */
      readonly report: string;
    }
  | { readonly kind: "failure"; readonly problems: readonly BackendProblem[] };

/** All images, or why there are none. */
export async function compileCuda(text: string, compiler: CudaCompiler): Promise<CompiledCuda> {
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), "spx-cuda-"));
  } catch (thrown) {
    return { kind: "failure", problems: [backendProblem("workFolder", thrownText(thrown))] };
  }
  try {
    const source = join(folder, "kernels.cu");
    writeFileSync(source, text);
    const runs = await Promise.all(
      cudaImageTargets.map(async ({ kind, architecture, options }) => {
        const output = join(folder, `${architecture}.${kind}`);
        const all = ["-std=c++17", "-Xptxas", "-v", ...options, source, "-o", output];
        const { failed, said } = await runNvcc(compiler.path, all);
        return { kind, architecture, failed, said, output };
      }),
    );
    const broken = runs.find(({ failed }) => failed);
    if (broken !== undefined)
      return { kind: "failure", problems: [backendProblem("deviceCode", broken.said)] };
    return {
      kind: "compiled",
      images: runs.map(({ kind, architecture, output }) => ({
        kind,
        architecture,
        bytes: readFileSync(output),
      })),
      report: runs.map(({ said }) => said).join("\n"),
    };
  } catch (thrown) {
    return { kind: "failure", problems: [backendProblem("workFolder", thrownText(thrown))] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runNvcc(
  path: string,
  options: readonly string[],
): Promise<{ readonly failed: boolean; readonly said: string }> {
  return new Promise((resolve) => {
    execFile(path, options, { encoding: "utf8", maxBuffer: 1 << 26 }, (error, output, complaint) => {
      resolve({ failed: error !== null, said: `${output}${complaint}`.trim() || (error?.message ?? "") });
    });
  });
}
