/** The CUDA files of an artefact: the source always, machine code and PTX where nvcc is found. */
import type { CudaImage, CudaLibrary } from "../../runtime/contract/cuda.ts";
import { type CudaCompiler, compileCuda, findCudaCompiler } from "../backend/cuda/compile-cuda.ts";
import { printCuda } from "../backend/cuda/print-cuda.ts";
import { type ArtefactFile, sha256 } from "../emit/artefact-writer.ts";
import { cudaName } from "./artefact-names.ts";
import type { BuildProblem, CompileOptions } from "./compilation.ts";
import type { LoweredDevices } from "./lower-device.ts";
import { packageVersion } from "./package-version.ts";
import type { StageClock } from "./stage-clock.ts";

export interface EmittedCuda {
  readonly kind: "emitted";
  readonly library: CudaLibrary;
  readonly files: readonly ArtefactFile[];
  readonly provider: string;
}

export async function emitCuda(
  { programs, elements }: LoweredDevices,
  clock: StageClock,
  { name }: Pick<CompileOptions, "name">,
  compiler: CudaCompiler | null = findCudaCompiler(),
): Promise<EmittedCuda | BuildProblem> {
  const text = printCuda(`Kernels of ${name}.spx, written by spxc ${packageVersion()}.`, programs);
  const hash = sha256(text);
  const fileOf = (ending: string, bytes: string | Uint8Array) => ({
    file: cudaName(name, hash, ending),
    sha256: sha256(bytes),
    bytes: Buffer.byteLength(bytes),
  });
  const source = fileOf("cu", text);
  const began = performance.now();
  const compiled = compiler === null ? null : await compileCuda(text, compiler);
  if (compiled?.kind === "failure") return { kind: "problem", problems: compiled.problems };
  clock.add("nvcc", performance.now() - began);
  const images = (compiled?.images ?? []).map(({ kind, architecture, bytes }) => {
    const image: CudaImage = { kind, architecture, ...fileOf(`${architecture}.${kind}`, bytes) };
    return { image, bytes };
  });
  return {
    kind: "emitted",
    library: {
      source,
      images: images.map(({ image }) => image),
      compiler: compiler?.version ?? null,
      options: ["--std=c++17"],
      elements,
    },
    files: [
      { name: source.file, bytes: text },
      ...images.map(({ image, bytes }) => ({ name: image.file, bytes })),
    ],
    provider:
      compiler === null
        ? "no nvcc found: compiled on the device's machine at the first load"
        : compiler.version,
  };
}
