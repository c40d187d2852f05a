// Who may import whom, as data. A file belongs to the row with the longest matching prefix; it may import its own row's
// files and those of the rows that it names. Rows stand in the order in which the data flows.

export interface Layer {
  readonly prefix: string;
  /** Prefixes of rows whose values and types may be imported. */
  readonly may: readonly string[];
  /** Prefixes of rows of which only types may be imported. */
  readonly mayTypes?: readonly string[];
  /** Node's own modules: files, processes, the machine. What cannot name them is pure. */
  readonly node?: true;
}

const runtimeBase = ["runtime/contract/", "runtime/errors.ts"];
const runtimeValues = [...runtimeBase, "runtime/tensor/"];
const grammarTree = ["grammar/text/", "grammar/syntax/"];

export const layers: readonly Layer[] = [
  { prefix: "runtime/contract/", may: [] },
  { prefix: "runtime/errors.ts", may: [] },
  { prefix: "runtime/tensor/", may: runtimeBase },
  { prefix: "runtime/random/", may: runtimeValues },
  { prefix: "runtime/formats/", may: runtimeValues },
  { prefix: "runtime/native/", may: runtimeValues, node: true },
  { prefix: "runtime/checkpoint/", may: [...runtimeValues, "runtime/native/"], node: true },
  { prefix: "runtime/linalg/", may: [...runtimeValues, "runtime/random/"] },
  {
    prefix: "runtime/select/",
    may: [...runtimeValues, "runtime/random/", "runtime/linalg/", "runtime/formats/"],
  },
  {
    prefix: "runtime/device/",
    may: [...runtimeValues, "runtime/formats/", "runtime/native/"],
    node: true,
  },
  // Where an artefact's files are found and read; the rest of the runtime's top layer is handed what they hold.
  { prefix: "runtime/model/open-artefact.ts", may: ["runtime/"], node: true },
  { prefix: "runtime/model/read-manifest.ts", may: ["runtime/"], node: true },
  { prefix: "runtime/", may: ["runtime/"] },

  { prefix: "grammar/text/", may: ["runtime/contract/edit-distance.ts"] },
  { prefix: "grammar/syntax/", may: ["grammar/text/"] },
  { prefix: "grammar/parser/", may: grammarTree },
  { prefix: "grammar/printer/", may: grammarTree },
  { prefix: "grammar/editor/", may: ["grammar/"] },

  {
    // The catalogue gathers the codes of those who cannot import it.
    prefix: "compiler/diagnostics/",
    may: [
      "grammar/text/",
      "grammar/parser/syntax-problems.ts",
      "runtime/errors.ts",
      "runtime/contract/edit-distance.ts",
    ],
  },
  { prefix: "compiler/types/", may: ["grammar/text/", "runtime/contract/"] },
  { prefix: "compiler/host/", may: ["grammar/text/"] },
  { prefix: "compiler/targets/", may: ["compiler/types/", "runtime/contract/"] },
  { prefix: "compiler/fixes/", may: [...grammarTree, "compiler/diagnostics/"] },
  {
    prefix: "compiler/modules/",
    may: ["grammar/", "compiler/diagnostics/", "compiler/types/", "compiler/host/"],
  },
  {
    prefix: "compiler/check/",
    may: [
      ...grammarTree,
      "compiler/diagnostics/",
      "compiler/fixes/",
      "compiler/types/",
      "compiler/modules/",
      "compiler/host/",
      "runtime/contract/",
    ],
  },
  {
    prefix: "compiler/algebra/",
    may: ["grammar/text/", "compiler/diagnostics/", "compiler/types/", "runtime/contract/"],
    mayTypes: ["compiler/check/"],
  },
  {
    prefix: "compiler/plan/",
    may: [
      "compiler/algebra/",
      "compiler/diagnostics/",
      "compiler/types/",
      "compiler/targets/",
      "runtime/contract/",
      "grammar/text/",
    ],
    mayTypes: ["compiler/check/"],
  },
  {
    prefix: "compiler/explain/",
    may: ["compiler/plan/", "compiler/algebra/", "compiler/types/", "compiler/targets/", "runtime/contract/"],
    mayTypes: ["compiler/check/"],
  },
  {
    prefix: "compiler/loop/",
    may: ["compiler/types/", "compiler/targets/", "runtime/contract/"],
    mayTypes: ["compiler/plan/", "compiler/algebra/"],
  },
  {
    prefix: "compiler/device/",
    may: ["compiler/types/", "compiler/targets/", "compiler/loop/", "runtime/contract/"],
    mayTypes: ["compiler/plan/"],
  },
  {
    prefix: "compiler/backend/",
    may: [
      "compiler/loop/",
      "compiler/device/",
      "compiler/types/",
      "compiler/targets/",
      "compiler/host/",
      "runtime/contract/",
    ],
    node: true,
  },
  {
    // Interpreters run numbers of 16 bits as the runtime reads and writes them.
    prefix: "compiler/backend/reference/",
    may: [
      "compiler/backend/",
      "compiler/loop/",
      "compiler/device/",
      "runtime/contract/",
      "runtime/tensor/half-precision.ts",
    ],
  },
  {
    prefix: "compiler/emit/",
    may: ["grammar/text/", "compiler/types/", "runtime/contract/"],
    mayTypes: ["compiler/check/", "compiler/plan/", "compiler/algebra/"],
    node: true,
  },
  { prefix: "compiler/driver/", may: ["grammar/", "runtime/", "compiler/"], node: true },
  { prefix: "compiler/calibrate/", may: ["grammar/", "runtime/", "compiler/"], node: true },
  // Each command imports only the levels that it shows, so that `check` never loads what `build` needs.
  { prefix: "compiler/cli/", may: ["grammar/", "runtime/", "compiler/"], node: true },

  { prefix: "bench/", may: ["grammar/", "runtime/", "compiler/"], node: true },
];

/** Imports that run against the order of the data whatever the table says. */
export const neverAbove: readonly { readonly from: string; readonly never: readonly string[] }[] = [
  { from: "runtime/", never: ["grammar/", "compiler/"] },
  { from: "grammar/", never: ["compiler/"] },
  { from: "compiler/", never: ["bench/"] },
  { from: "compiler/driver/", never: ["compiler/cli/", "compiler/calibrate/"] },
  { from: "compiler/calibrate/", never: ["compiler/cli/"] },
];

/** Each third-party package has one importer, so that replacing it touches one place. */
export const packageImporters: Readonly<Record<string, string>> = {
  chevrotain: "grammar/parser/",
  koffi: "runtime/native/foreign-library.ts",
  "llvm-bindings": "compiler/backend/llvm/llvm-module.ts",
  "ts-morph": "compiler/emit/typescript-module.ts",
  picomatch: "compiler/",
  commander: "compiler/cli/",
  "cli-progress": "compiler/cli/",
};

/** Globals that read the machine, the clock or chance; pure files cannot name them either. */
export const impureGlobals =
  /\b(?:process\.\w+|Date\.now|new Date\b|Math\.random|performance\.\w+|setTimeout|setInterval|fetch\()/g;

export function layerOf(path: string): Layer | undefined {
  const matching = layers.filter((layer) => path.startsWith(layer.prefix));
  return matching.reduce<Layer | undefined>(
    (best, layer) => (best === undefined || layer.prefix.length > best.prefix.length ? layer : best),
    undefined,
  );
}
