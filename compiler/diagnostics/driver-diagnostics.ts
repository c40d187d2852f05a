/**
 * Codes of what lies outside the checker: files, the planner, the tools of a build, the compiler's own faults. The
 * places that raise them may not import this folder's tables or need no spans; a test finds a code without a row.
 */

export interface DriverDiagnostic {
  readonly code: string;
  readonly name: string;
  readonly summary: string;
  /** Whether `explanations/` has a page. */
  readonly page: boolean;
}

const row = (code: string, name: string, summary: string, page: boolean): DriverDiagnostic => ({
  code,
  name,
  summary,
  page,
});

export const driverDiagnostics: readonly DriverDiagnostic[] = [
  row("SPX0101", "file-unreadable", "a file that a command names cannot be read", true),
  row("SPX0201", "output-unwritable", "a file or folder cannot be written; nothing was changed", true),
  row(
    "SPX0202",
    "file-changed",
    "a file was changed by something else while a command worked on it; nothing was written",
    true,
  ),
  row(
    "SPX0301",
    "not-calibrated",
    "a command asks for this machine's rates, which were never measured",
    true,
  ),
  row("SPX0302", "rates-unreadable", "a file that `--rates` names holds no table of rates", true),
  row("SPX0401", "lock-missing", "`--locked` finds no lock for the file", true),
  row("SPX0402", "lock-unreadable", "`spx.lock` holds no lock that this compiler reads", true),
  row("SPX0403", "lock-stale", "the source has changed since it was locked", true),
  row("SPX0404", "plan-differs", "the compiler chooses another plan than the locked one", true),
  row("SPX6001", "weight-is-zero", "the weight of a transform is zero whatever its parameters hold", true),
  row("SPX6301", "pin-is-no-part", "a pinned expression is no sum of terms of the weight", true),
  row("SPX6302", "pins-impossible", "no way to apply the weight meets all its pins", true),
  row("SPX6303", "pin-tile", "no kernel takes as many tokens at once as a pin says", true),
  row("SPX7001", "bindings-missing", "the package llvm-bindings cannot be loaded, which a build needs", true),
  row("SPX7002", "llvm-missing", "neither the library nor the programs of LLVM 14 were found", true),
  row("SPX7003", "linker-missing", "no linker was found", true),
  row("SPX7004", "module-malformed", "LLVM refuses the generated module: a fault of the compiler", false),
  row(
    "SPX7005",
    "code-not-generated",
    "LLVM cannot compile the generated module: a fault of the compiler",
    false,
  ),
  row("SPX7006", "not-linked", "the linker could not make a shared object of the kernels", false),
  row("SPX7007", "work-folder-unusable", "the folder for intermediate files cannot be used", true),
  row(
    "SPX7008",
    "device-code-not-generated",
    "nvcc cannot compile the generated kernels: a fault of the compiler",
    false,
  ),
  row(
    "SPX9001",
    "verifier-refused",
    "a verifier refuses what a pass produced: a fault of the compiler",
    false,
  ),
];
