/**
 * Lowers a backward plan to a loop program: x and dy into panels, then one phase for each step; those that only dx
 * needs have no tiles in a call that does not ask for it.
 */
import { wantsDx } from "../../runtime/contract/manifest.ts";
import {
  apply,
  type NumberExpression,
  number,
  symbol as numberSymbol,
} from "../../runtime/contract/number-expression.ts";
import type { BackwardPlan, GradientInput, GradientStep, Plan, Variant } from "../plan/plan.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { lowerEntryGradient } from "./entry-gradient.ts";
import type { GradientSide, ResolvedGradient } from "./gradient-node.ts";
import { batch, mul } from "./loop-expression.ts";
import type { BufferDeclaration, LoopPhase, LoopProgram } from "./loop-node.ts";
import {
  addWorkspace,
  type LoweredKernel,
  type LoweringOptions,
  lowerTokenStep,
  type Workspace,
} from "./lower-variant.ts";
import { lowerMatrixGradient } from "./matrix-gradient.ts";
import { createProgramParts, type ProgramParts, partPlace, resolveStep } from "./program-parts.ts";
import type { Place } from "./step-node.ts";
import { strideMap } from "./stride-map.ts";
import { panelsPhase } from "./transpose-panels.ts";

/** A buffer of an operand under the program's name. */
function bufferOf(parts: ProgramParts, operand: string, buffer: string): string {
  const name = parts.operand(operand).buffers.get(buffer);
  if (name === undefined) throw new Error(`operand ${operand} has no buffer ${buffer}`);
  return name;
}

function resolveSide(parts: ProgramParts, side: GradientInput, place: Place): GradientSide {
  return {
    place,
    map: strideMap(parts.symbols.dimension, side.permutation, "input"),
    offset: parts.symbols.dimension(side.offset),
    stride: parts.symbols.dimension(side.stride),
  };
}

function lowerGradient(parts: ProgramParts, step: GradientStep, resolved: ResolvedGradient): LoopPhase {
  const dimension = (expression: NumberExpression) => parts.symbols.dimension(expression);
  const { shape } = step;
  switch (shape.kind) {
    case "matrix": {
      const { weights } = shape;
      return lowerMatrixGradient(resolved, {
        blocks: dimension(shape.blocks),
        rows: dimension(shape.rows),
        columns: dimension(shape.columns),
        weights: weights === null ? null : bufferOf(parts, weights, "values"),
      });
    }
    case "positions": {
      const read = (buffer: string): string => bufferOf(parts, shape.operand, buffer);
      return lowerEntryGradient(resolved, {
        entries: dimension(shape.entries),
        positions: { rows: read("rows"), columns: read("columns"), weights: read("weights") },
        columns: shape.columns === null ? null : dimension(shape.columns),
      });
    }
    case "diagonal":
      return lowerEntryGradient(resolved, { entries: dimension(shape.size), positions: null, columns: null });
  }
}

/** The dimensions of a backward pass, as those of a variant, for the names of the program. */
const asVariant = ({ activations, steps, cost, rules }: BackwardPlan): Variant => ({
  name: "backward",
  form: "",
  layout: "lane-token",
  activations,
  steps: steps.flatMap((step) => (step.kind === "apply" ? [step.step] : [])),
  merged: false,
  cost,
  costs: { "x86-64-v4": cost, "x86-64-v3": cost },
  rules,
});

/** @throws Error when the plan names an operand or activation that it does not have. */
export function lowerBackward(
  plan: Plan,
  backward: BackwardPlan,
  target: X86Target,
  { name, constants }: LoweringOptions,
): LoweredKernel {
  const parts = createProgramParts(plan, [asVariant(backward)], constants);
  const { symbols, names } = parts;
  const workspace: Workspace = { buffers: [], bytes: [] };
  const widths = new Map(backward.activations.map((activation) => [activation.name, activation.width]));
  const widthOf = (activation: string): NumberExpression => {
    const width = widths.get(activation);
    if (width === undefined) throw new Error(`the backward pass has no activation ${activation}`);
    return width;
  };
  const rowsOf = (buffer: string, activation: string): Place => ({
    buffer,
    width: symbols.dimension(widthOf(activation)),
    form: "rows",
  });
  const dx = rowsOf(names.fresh("dx"), "dx");
  const given = new Map([
    ["x", rowsOf("x", "x")],
    ["dy", rowsOf(names.fresh("dy"), "dy")],
  ]);
  const results = new Map(
    [...backward.parameters, ...backward.intermediates].map(
      ({ name: parameter, count }): [string, BufferDeclaration] => [
        parameter,
        {
          name: names.fresh(`gradient_${parameter}`),
          element: "f32",
          space: "result",
          length: symbols.dimension(count),
        },
      ],
    ),
  );
  const wanted = symbols.dimension(numberSymbol(wantsDx));
  const phases: LoopPhase[] = [];
  const forDx = (phase: LoopPhase): LoopPhase => ({ ...phase, tiles: mul(wanted, phase.tiles) });

  const places = new Map<string, Place>([["dx", dx]]);
  const placeOf = (activation: string): Place => {
    const known = places.get(activation);
    if (known !== undefined) return known;
    const part = backward.activations.find((candidate) => candidate.name === activation && candidate.part);
    if (part?.part !== undefined) return partPlace(symbols, placeOf(part.part.of), part);
    const from = given.get(activation);
    const hint = from === undefined ? activation : `${activation}_panels`;
    const place = addWorkspace(parts, workspace, hint, widthOf(activation), "panels");
    if (from !== undefined) phases.push(panelsPhase(names, from, place));
    places.set(activation, place);
    return place;
  };

  for (const step of backward.steps) {
    if (step.kind === "gradient") {
      const result = results.get(step.parameter);
      if (result === undefined) throw new Error(`the backward pass has no parameter ${step.parameter}`);
      const resolved: ResolvedGradient = {
        name: step.name,
        names,
        target,
        left: resolveSide(parts, step.left, placeOf(step.left.activation)),
        right: resolveSide(parts, step.right, placeOf(step.right.activation)),
        copies: symbols.dimension(step.copies),
        scale: step.scale === null ? null : bufferOf(parts, step.scale, "values"),
        output: result.name,
        start: symbols.dimension(step.start),
      };
      phases.push(lowerGradient(parts, step, resolved));
      continue;
    }
    for (const { input } of step.step.terms) placeOf(input);
    const scratch = { parts, workspace, width: widthOf(step.step.output) };
    const lowered = lowerTokenStep(step.step, placeOf(step.step.output), scratch, (output) =>
      resolveStep(parts, plan, step.step, target, { output, inputOf: placeOf }),
    );
    phases.push(...(step.dxOnly ? lowered.map(forDx) : lowered));
  }

  const program: LoopProgram = {
    name,
    level: target.name,
    buffers: [
      ...parts.buffers,
      { name: "x", element: "f32", space: "input", length: mul(batch, symbols.dimension(widthOf("x"))) },
      {
        name: given.get("dy")?.buffer ?? "dy",
        element: "f32",
        space: "cotangent",
        length: mul(batch, symbols.dimension(widthOf("dy"))),
      },
      { name: dx.buffer, element: "f32", space: "result", length: mul(wanted, mul(batch, dx.width)) },
      ...results.values(),
      ...workspace.buffers,
      ...parts.scratchBuffers(),
    ],
    symbols: symbols.list.map((one) => one.name),
    phases,
  };
  return {
    program,
    buffers: parts.operandBuffers,
    symbols: symbols.list,
    workspace: workspace.bytes.length === 0 ? number(0) : apply("+", ...workspace.bytes),
  };
}
