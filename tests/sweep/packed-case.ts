/** The operands of a plan as the runtime packs them for a case, each compared with its source in float64. */
import { blockDiagonal, stackMatrices } from "../../compiler/algebra/dense-matrix.ts";
import { evaluateSource as evaluateDense } from "../../compiler/algebra/evaluate-source.ts";
import type { Plan } from "../../compiler/plan/plan.ts";
import { stackedParts } from "../../runtime/contract/matrix-source.ts";
import { evaluateNumber } from "../../runtime/contract/number-expression.ts";
import { packHalfPanels } from "../../runtime/formats/bf16-panels.ts";
import { unpackOperand } from "../../runtime/formats/pack-operand.ts";
import type { MemoryBlock, PackedOperand } from "../../runtime/formats/packed-operand.ts";
import { packQuantizedPanels } from "../../runtime/formats/quantized-panels.ts";
import { evaluateParts } from "../../runtime/model/evaluate-source.ts";
import { createLayerLeaves, type LayerLeaves } from "../../runtime/model/formula-scope.ts";
import { codesOf, halvesOf } from "../../runtime/model/packed-operands.ts";
import { demandEqual, within32 } from "./demand-equal.ts";
import type { LoadedCase } from "./loaded-case.ts";
import { atLevel, type Road } from "./road.ts";
import type { Stages } from "./stages.ts";

export const allocate = (bytes: number): MemoryBlock => ({
  address: 0n,
  view: new ArrayBuffer(bytes),
  free: () => undefined,
});

/** @throws LevelFault at "pack". */
export function packOperands(
  plan: Plan,
  { checked }: Stages,
  loaded: LoadedCase,
  road: Road,
): ReadonlyMap<string, PackedOperand> {
  const { state, compilerValues } = loaded;
  const { symbols } = state;
  const leaves = leavesOf(plan, loaded);
  return new Map(
    plan.operands.map((operand) => {
      const { name, format, source } = operand;
      const packed = atLevel("pack", () => {
        if (format.name === "bf16-panel16") return packHalfPanels(halvesOf(name, source, state), allocate);
        if (format.name !== "table4-panel16" && format.name !== "int8-panel16")
          return road.packOperand(format, evaluateParts(source, leaves), symbols, allocate);
        const { matrix, factor } = codesOf(name, source, state);
        return packQuantizedPanels(format.name, matrix, factor, allocate);
      });
      const found = atLevel("pack", () => unpackOperand(format, packed, symbols));
      const expected = stackedParts(source)
        .map((part) => evaluateDense(part, [...checked.tensors, ...plan.derived], compilerValues))
        .reduce(stackMatrices);
      const copies =
        format.name === "blockdiag16" && format.repeated ? evaluateNumber(format.blocks, symbols) : 1;
      const whole = blockDiagonal(Array.from({ length: copies }, () => expected));
      demandEqual("pack", `${name} as ${format.name}`, found, whole.values, within32(loaded));
      return [name, packed];
    }),
  );
}

/** What formulas of the plan read of the layer. */
export const leavesOf = ({ derived }: Plan, { state }: LoadedCase): LayerLeaves =>
  createLayerLeaves(
    derived.flatMap(({ name, derivation }) =>
      derivation === undefined ? [] : [{ name, formula: derivation.formula, stage: derivation.stage }],
    ),
    state,
  );
