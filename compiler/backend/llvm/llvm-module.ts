/**
 * The road through llvm-bindings, and the only importer of that package: the modules of the kernels and of the
 * thread pool are parsed, linked, verified and written as bitcode. The package reports a failed parse as
 * a module object that crashes the process when touched, so that texts must have passed a provider's `check` first.
 */
import { thrownText } from "./backend-problem.ts";

/** The part of llvm-bindings used here; spelled out so that type checking needs no package that may be absent. */
interface Bindings {
  readonly LLVMContext: new () => object;
  readonly SMDiagnostic: new () => object;
  readonly Linker: { linkModules(destination: object, source: object): boolean };
  parseIRFile(file: string, diagnostic: object, context: object): object;
  verifyModule(module: object): boolean;
  WriteBitcodeToFile(module: object, file: string): void;
}

const packageName: string = "llvm-bindings";

export type LoadedBindings = { readonly bindings: Bindings } | { readonly error: string };

/** Loads the package on first use: `spxc check` and the runtime never pay for it. */
export async function loadBindings(): Promise<LoadedBindings> {
  try {
    const loaded = (await import(packageName)) as { readonly default: Bindings };
    return { bindings: loaded.default };
  } catch (thrown) {
    return { error: thrownText(thrown) };
  }
}

export interface ModuleFiles {
  /** Checked IR texts; the first one is the module the others are linked into. */
  readonly texts: readonly string[];
  readonly bitcode: string;
}

/** Writes the linked bitcode; returns LLVM's complaint, or null when all went well. */
export function linkModules(bindings: Bindings, files: ModuleFiles): string | null {
  const context = new bindings.LLVMContext();
  const modules = files.texts.map((text) => bindings.parseIRFile(text, new bindings.SMDiagnostic(), context));
  const [kernels, ...others] = modules;
  if (kernels === undefined) return "no module was given";
  for (const other of others) {
    if (bindings.Linker.linkModules(kernels, other)) return "the modules do not link";
  }
  if (bindings.verifyModule(kernels)) return "the linked module does not verify";
  bindings.WriteBitcodeToFile(kernels, files.bitcode);
  return null;
}
