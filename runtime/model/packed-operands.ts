/**
 * The packed operands of a layer: each is evaluated and packed, or merged by kernels, when the first call needs it,
 * and again after parameters changed, into new memory, because calls in flight still read the old.
 */
import type { OperandManifest, PlanManifest } from "../contract/manifest.ts";
import type { OperandSource } from "../contract/matrix-source.ts";
import { evaluateNumber } from "../contract/number-expression.ts";
import { SpxError } from "../errors.ts";
import { packHalfPanels } from "../formats/bf16-panels.ts";
import { packCodeTiles } from "../formats/code-tiles.ts";
import { columnsOf, type MatrixValue, rowsOf } from "../formats/matrix-value.ts";
import { packOperand } from "../formats/pack-operand.ts";
import type { Allocate, PackedOperand } from "../formats/packed-operand.ts";
import { packQuantizedPanels } from "../formats/quantized-panels.ts";
import type { HalfMatrix } from "../tensor/half-matrix.ts";
import type { QuantizedMatrix } from "../tensor/quantized-matrix.ts";
import { evaluateParts, type SourceLeaves } from "./evaluate-source.ts";
import type { LayerState } from "./initial-state.ts";

export interface PackedOperands {
  /** @throws SpxError when the operand cannot be packed. */
  get(name: string): PackedOperand;
  isStep(name: string): boolean;
  /** The merged weight, if a call has needed it since parameters last changed. */
  merged(): PackedOperand | null;
  /** Forgets the operands that follow from parameters and gives back what was packed. */
  dropSteps(): PackedOperand[];
  /** Forgets all and gives back what was packed. */
  dropAll(): PackedOperand[];
}

/** `mergeWeight` gives the whole weight in `panel16`, computed by kernels from other operands. */
export function createPackedOperands(
  plan: Pick<PlanManifest, "operands">,
  state: LayerState,
  leaves: SourceLeaves,
  allocate: Allocate,
  mergeWeight: () => PackedOperand,
): PackedOperands {
  const manifests = new Map(plan.operands.map((operand) => [operand.name, operand]));
  const packed = new Map<string, PackedOperand>();
  const drop = (which: (operand: OperandManifest) => boolean): PackedOperand[] => {
    const dropped = [...packed].filter(([name]) => {
      const manifest = manifests.get(name);
      return manifest !== undefined && which(manifest);
    });
    for (const [name] of dropped) packed.delete(name);
    return dropped.map(([, operand]) => operand);
  };
  const pack = (manifest: OperandManifest): PackedOperand => {
    const { name } = manifest.format;
    if (name === "table4-panel16" || name === "int8-panel16") {
      const { matrix, factor } = codesOf(manifest.name, manifest.source, state);
      return packQuantizedPanels(name, matrix, factor, allocate);
    }
    if (manifest.format.name === "code-tiles") {
      const { matrix, factor } = codesOf(manifest.name, manifest.source, state);
      return packCodeTiles(manifest.format, matrix, factor, allocate);
    }
    if (name === "bf16-panel16")
      return packHalfPanels(halvesOf(manifest.name, manifest.source, state), allocate);
    const parts = evaluateParts(manifest.source, leaves);
    checkShape(manifest, parts, state);
    return packOperand(manifest.format, parts, state.symbols, allocate);
  };
  return {
    get(name) {
      const known = packed.get(name);
      if (known !== undefined) return known;
      const manifest = manifests.get(name);
      if (manifest === undefined) throw broken(name, "the plan has no such operand");
      const operand = manifest.production === "merge" ? mergeWeight() : pack(manifest);
      packed.set(name, operand);
      return operand;
    },
    isStep: (name) => manifests.get(name)?.stage === "step",
    merged() {
      const merged = plan.operands.find(({ production }) => production === "merge");
      return merged === undefined ? null : (packed.get(merged.name) ?? null);
    },
    dropSteps: () => drop(({ stage }) => stage === "step"),
    dropAll: () => drop(() => true),
  };
}

/** The quantized tensor that a source is, or a multiple of which it is. @throws SpxError SPX8102 for any other. */
export function codesOf(
  operand: string,
  source: OperandSource,
  state: LayerState,
): { readonly matrix: QuantizedMatrix; readonly factor: number } {
  if (source.kind === "scale") {
    const { matrix, factor } = codesOf(operand, source.of, state);
    return { matrix, factor: factor * evaluateNumber(source.factor, state.symbols) };
  }
  const frozen = source.kind === "leaf" ? state.frozen.get(source.name) : undefined;
  if (frozen?.kind === "quantized") return { matrix: frozen.matrix, factor: 1 };
  throw broken(operand, "it is not held as codes");
}

/** The tensor of bfloat16 that a source is. @throws SpxError SPX8102 for any other. */
export function halvesOf(operand: string, source: OperandSource, state: LayerState): HalfMatrix {
  const frozen = source.kind === "leaf" ? state.frozen.get(source.name) : undefined;
  if (frozen?.kind === "half") return frozen.matrix;
  throw broken(operand, "it is not held as bfloat16");
}

/** A repeated block is given once, stacked matrices together; every other operand has the manifest's shape. */
function checkShape(
  { name, format, rows, columns }: OperandManifest,
  parts: readonly MatrixValue[],
  { symbols }: LayerState,
): void {
  const copies =
    format.name === "blockdiag16" && format.repeated ? evaluateNumber(format.blocks, symbols) : 1;
  const expected = [evaluateNumber(rows, symbols), evaluateNumber(columns, symbols)];
  const height = copies * parts.reduce((sum, part) => sum + rowsOf(part), 0);
  const widths = [...new Set(parts.map((part) => copies * columnsOf(part)))];
  if (height === expected[0] && widths.length === 1 && widths[0] === expected[1]) return;
  throw broken(name, `it is [${height}, ${widths.join(" or ")}], expected [${expected.join(", ")}]`);
}

function broken(name: string, reason: string): SpxError {
  return new SpxError("SPX8102", `the operand \`${name}\` cannot be packed: ${reason}`, {
    facts: { operand: name },
    help: "build the artefact again; if it stays, report it with the .spx file",
  });
}
