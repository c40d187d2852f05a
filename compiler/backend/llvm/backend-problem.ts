/** What can go wrong between a loop program and a shared object, as data for the driver's diagnostics. */

export interface BackendProblem {
  /** SPX70nn. */
  readonly code: string;
  readonly message: string;
  /** What to do about it. */
  readonly help: string;
}

const installHelp =
  "run `npm run setup`, or on Debian and Ubuntu: apt-get install -y build-essential cmake llvm-14-dev, then npm rebuild llvm-bindings";

/** One row a problem; `detail` is the underlying message, as LLVM, the linker or Node wrote it. */
const catalogue = {
  bindingsMissing: { code: "SPX7001", what: "the package llvm-bindings cannot be loaded", help: installHelp },
  llvmMissing: {
    code: "SPX7002",
    what: "neither libLLVM-14.so.1 nor the programs opt-14 and llc-14 were found",
    help: "install LLVM 14; on Debian and Ubuntu: apt-get install -y llvm-14",
  },
  linkerMissing: {
    code: "SPX7003",
    what: "no linker was found: ld, gcc or cc",
    help: "install binutils; on Debian and Ubuntu: apt-get install -y binutils",
  },
  malformedModule: {
    code: "SPX7004",
    what: "LLVM rejects the generated module",
    help: "this is a bug of spx; `spxc print --stage llvm` shows the module",
  },
  codeGeneration: {
    code: "SPX7005",
    what: "LLVM could not compile the generated module",
    help: "this is a bug of spx; `spxc print --stage llvm` shows the module",
  },
  linking: {
    code: "SPX7006",
    what: "the kernels could not be linked into a shared object",
    help: "check the linker with `spxc doctor`",
  },
  workFolder: {
    code: "SPX7007",
    what: "the folder for intermediate files cannot be used",
    help: "set TMPDIR to a writable folder with free space",
  },
  deviceCode: {
    code: "SPX7008",
    what: "nvcc could not compile the generated kernels",
    help: "this is a bug of spx; the source is what `spxc print --stage cuda` shows",
  },
} as const;

export type BackendProblemKind = keyof typeof catalogue;

export function backendProblem(kind: BackendProblemKind, detail = ""): BackendProblem {
  const { code, what, help } = catalogue[kind];
  const trimmed = detail.trim();
  return { code, message: trimmed === "" ? what : `${what}: ${trimmed}`, help };
}

/** The text of whatever was thrown. */
export function thrownText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
