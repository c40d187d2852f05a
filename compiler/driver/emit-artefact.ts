/** From loop programs to the files of an artefact, each naming the hash of the one before. */
import type { KernelLibrary } from "../../runtime/contract/manifest.ts";
import { openLibrary, readString } from "../../runtime/native/foreign-library.ts";
import { compileLibrary } from "../backend/llvm/compile-library.ts";
import type { CheckedModule } from "../check/checked-module.ts";
import { type ArtefactFile, sha256 } from "../emit/artefact-writer.ts";
import { buildManifest } from "../emit/manifest.ts";
import { manifestText } from "../emit/manifest-text.ts";
import type { LoopProgram } from "../loop/loop-node.ts";
import { allTargets } from "../targets/x86-targets.ts";
import { artefactNames, isHashedName, kernelsName, manifestName } from "./artefact-names.ts";
import type { Artefact, BuildProblem, CompileOptions } from "./compilation.ts";
import { emitCuda } from "./emit-cuda.ts";
import type { LoweredDevices } from "./lower-device.ts";
import type { LoweredTransform } from "./lower-transform.ts";
import { packageVersion } from "./package-version.ts";
import type { ProductPrograms } from "./product-programs.ts";
import type { SelectionPrograms } from "./selection-programs.ts";
import type { StageClock } from "./stage-clock.ts";
import type { UpdatePrograms } from "./update-programs.ts";

export interface EmittedKernels {
  readonly transforms: readonly LoweredTransform[];
  readonly programs: readonly LoopProgram[];
  /** What runs beside the plans. */
  readonly beside: {
    readonly products: ProductPrograms;
    readonly selections: SelectionPrograms;
    readonly updates: UpdatePrograms;
  };
  readonly devices: LoweredDevices;
}

export async function emitArtefact(
  module: CheckedModule,
  { transforms, programs, beside, devices }: EmittedKernels,
  clock: StageClock,
  options: CompileOptions,
): Promise<Artefact | BuildProblem> {
  const names = artefactNames(options.name);
  const foreign = { openLibrary, readString };
  const { products, selections, updates } = beside;
  const all = [...programs, ...Object.values(beside).flatMap((each) => each.programs)];
  const library = await compileLibrary(all, { foreign, keepIr: options.keepIr });
  if (library.kind === "failure") return { kind: "problem", problems: library.problems };
  for (const [stage, milliseconds] of Object.entries(library.timings)) clock.add(stage, milliseconds);
  const hash = sha256(library.bytes);
  const kernels: KernelLibrary = {
    file: kernelsName(options.name, hash),
    sha256: hash,
    bytes: library.bytes.byteLength,
    levels: allTargets
      .filter(({ name, base }) => name === base || all.some(({ level }) => level === name))
      .map(({ name, suffix, needs, base }) => ({ name, suffix, needs, ...(name === base ? {} : { base }) })),
    products: products.products,
    selections: selections.selections,
    updates: updates.updates,
  };
  const cuda = devices.programs.length === 0 ? null : await emitCuda(devices, clock, options);
  if (cuda?.kind === "problem") return cuda;
  const manifest = buildManifest({
    module,
    transforms: transforms.map((transform, index) => {
      const device = devices.plans[index];
      return device === undefined || device === null
        ? transform
        : { ...transform, cuda: device.plan, cudaDerived: device.derived };
    }),
    kernels,
    cuda: cuda?.library ?? null,
    compiler: packageVersion(),
    hashes: new Map(module.sources.map((source) => [source.file, sha256(source.text)])),
  });
  const printed = manifestText(manifest);
  const manifestHash = sha256(printed);
  const manifestFile = manifestName(options.name, manifestHash);
  // Loaded here because only a build pays for ts-morph's quarter of a second.
  const { writeTypeScriptModule } = await import("../emit/typescript-module.ts");
  const text = clock.time("module", () =>
    writeTypeScriptModule(manifest, {
      manifestFile,
      manifestHash,
      runtime: options.runtime,
    }),
  );
  // What carries its hash first, then the module: see artefact-writer.ts.
  const files: ArtefactFile[] = [
    { name: kernels.file, bytes: library.bytes },
    ...(cuda?.files ?? []),
    { name: manifestFile, bytes: printed },
    { name: names.javascript, bytes: text.javascript },
    { name: names.declarations, bytes: text.declarations },
    ...(options.keepIr ? [{ name: names.ir, bytes: library.ir }] : []),
  ];
  const kept = new Set(files.map(({ name }) => name));
  return {
    kind: "artefact",
    manifest,
    manifestFile,
    files,
    provider: library.provider.name,
    cudaProvider: cuda?.provider ?? null,
    replaces: (file) => isHashedName(options.name, file) && !kept.has(file),
  };
}
