/**
 * CUDA C++ to machine code by nvcc: PTX once, for whatever comes later too, and from it machine code for sm_90a and sm_80,
 * in this order in the manifest.
 */
import { execFile, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { CudaImage } from "../../../runtime/contract/cuda.ts";
import { type BackendProblem, backendProblem, thrownText } from "../llvm/backend-problem.ts";
import { hopperGuard } from "./print-cuda.ts";

export interface CudaCompiler {
  readonly path: string;
  /** Such as `nvcc 13.0`. */
  readonly version: string;
}

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
    const parsed = await compileTo("ptx", "sm_80", source, folder, compiler);
    if (parsed.failed) return deviceCodeFailure(parsed);
    // What only Hopper has is not in that PTX; a file without it is parsed and optimised once for all.
    const forHopper = text.includes(hopperGuard) ? source : parsed.output;
    const cubins = await Promise.all([
      compileTo("cubin", "sm_90a", forHopper, folder, compiler),
      compileTo("cubin", "sm_80", parsed.output, folder, compiler),
    ]);
    const broken = cubins.find(({ failed }) => failed);
    if (broken !== undefined) return deviceCodeFailure(broken);
    const runs = [...cubins, parsed];
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

interface CompiledImage extends Pick<CudaImage, "kind" | "architecture"> {
  readonly failed: boolean;
  readonly said: string;
  readonly output: string;
}

const deviceCodeFailure = ({ said }: CompiledImage): CompiledCuda => ({
  kind: "failure",
  problems: [backendProblem("deviceCode", said)],
});

/** An image of CUDA C++ or of PTX. */
async function compileTo(
  kind: CudaImage["kind"],
  architecture: CudaImage["architecture"],
  input: string,
  folder: string,
  { path }: CudaCompiler,
): Promise<CompiledImage> {
  const output = join(folder, `${architecture}.${kind}`);
  const target = kind === "ptx" ? architecture.replace("sm", "compute") : architecture;
  const options = ["-std=c++17", "-Xptxas", "-v", `-${kind}`, `-arch=${target}`, input, "-o", output];
  return { kind, architecture, output, ...(await runNvcc(path, options)) };
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
