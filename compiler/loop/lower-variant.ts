/**
 * Lowers a variant of a plan to a loop program: one phase for each step, in order, and phases that change the
 * layout of x and y where lane = token needs them. The dimensions that are not constants become frame symbols.
 */
import type { FrameSymbol } from "../../runtime/contract/manifest.ts";
import {
  apply,
  type NumberExpression,
  number,
  symbol as numberSymbol,
} from "../../runtime/contract/number-expression.ts";
import type { Plan, Step, Variant } from "../plan/plan.ts";
import { withTile, type X86Target } from "../targets/x86-targets.ts";
import { lowerLaneOutputStep } from "./lane-output-step.ts";
import { lowerLaneTokenStep } from "./lane-token-step.ts";
import { batch, ceilDiv, int, mul } from "./loop-expression.ts";
import type { BufferDeclaration, LoopPhase, LoopProgram } from "./loop-node.ts";
import { isPaired, pairedInput, pairsPhase } from "./paired-inputs.ts";
import { createProgramParts, type ProgramParts, partPlace, resolveStep } from "./program-parts.ts";
import { lowerSparseTokenPhase } from "./sparse-token-phase.ts";
import type { Place, ResolvedStep } from "./step-node.ts";
import { panelsPhase, rowsPhase } from "./transpose-panels.ts";

export interface LoweredKernel {
  readonly program: LoopProgram;
  /** The packed buffers whose addresses open the frame, in order. */
  readonly buffers: readonly { readonly operand: string; readonly buffer: string }[];
  /** The symbols that follow them, in order. */
  readonly symbols: readonly FrameSymbol[];
  /** Bytes of workspace that a call needs; reads dimensions and `batch`. */
  readonly workspace: NumberExpression;
}

export interface LoweringOptions {
  /** Symbol of the kernel. */
  readonly name: string;
  /** Values of integer arguments and dimensions that the kernel is specialised for. */
  readonly constants: Readonly<Record<string, number>>;
}

/** Elements of an activation, rounded up to whole cache lines, in bytes. */
const activationBytes = (width: NumberExpression, form: Place["form"]): NumberExpression => {
  const tokens = numberSymbol("batch");
  return form === "panels"
    ? apply("*", number(64), apply("ceil", apply("/", tokens, number(16))), width)
    : apply("*", number(64), apply("ceil", apply("/", apply("*", tokens, width), number(16))));
};

/** Scratch buffers of a program, and the bytes of each. */
export interface Workspace {
  readonly buffers: BufferDeclaration[];
  readonly bytes: NumberExpression[];
}

export function addWorkspace(
  parts: ProgramParts,
  workspace: Workspace,
  hint: string,
  widthExpression: NumberExpression,
  form: Place["form"],
): Place {
  const width = parts.symbols.dimension(widthExpression);
  const name = parts.names.fresh(hint);
  const length = form === "panels" ? mul(mul(ceilDiv(batch, 16), width), int(16)) : mul(batch, width);
  workspace.buffers.push({ name, element: "f32", space: "workspace", length });
  workspace.bytes.push(activationBytes(parts.symbols.specialize(widthExpression), form));
  return { buffer: name, width, form };
}

/** Scratch memory for a step's output of `width` features. */
interface StepScratch {
  readonly parts: ProgramParts;
  readonly workspace: Workspace;
  readonly width: NumberExpression;
}

/**
 * The phases of a lane = token step that writes to `output`. Permuted outputs would scatter over row-major memory
 * element by element; panels take them row by row, and a second phase transposes those.
 */
export function lowerTokenStep(
  step: Step,
  output: Place,
  scratch: StepScratch,
  resolve: (output: Place) => ResolvedStep,
): readonly LoopPhase[] {
  if (output.form === "panels" || step.outputPermutation === null)
    return tokenPhases(resolve(output), scratch);
  const { parts, workspace, width } = scratch;
  const panels = addWorkspace(parts, workspace, `${output.buffer}_panels`, width, "panels");
  const phases = tokenPhases({ ...resolve(panels), accumulate: false }, scratch);
  return [...phases, rowsPhase(parts.names, panels, output, step.accumulate)];
}

/** Unstructured terms have tiles of their own: their sums go through memory to the phase of the other terms. */
function tokenPhases(step: ResolvedStep, { parts, workspace, width }: StepScratch): readonly LoopPhase[] {
  const { output, outputMap, accumulate } = step;
  const sparse = step.terms.filter(({ format }) => format.name === "csr");
  const others = step.terms.filter(({ format }) => format.name !== "csr");
  if (sparse.length === 0) return [lowerLaneTokenStep(step)];
  const alone = others.length === 0 && outputMap === null;
  if (alone && output.form === "panels") return [lowerSparseTokenPhase(step)];
  const sums = addWorkspace(parts, workspace, `${step.name}_sums`, width, "panels");
  const phase = lowerSparseTokenPhase({
    ...step,
    terms: sparse,
    output: sums,
    outputMap: null,
    accumulate: false,
  });
  if (alone) return [phase, rowsPhase(parts.names, sums, output, accumulate)];
  return [phase, lowerLaneTokenStep({ ...step, terms: others, start: sums })];
}

/** Widths by activation; `x` and `y` are those of the plan. */
function activationWidths(plan: Plan, variant: Variant): ReadonlyMap<string, NumberExpression> {
  return new Map([
    ["x", plan.columns],
    ["y", plan.rows],
    ...variant.activations.map(({ name, width }) => [name, width] as const),
  ]);
}

/**
 * Lowers `variant` for `level`, with the tile of the plan if it has one.
 * @throws Error when the variant names an operand or activation that the plan does not have.
 */
export function lowerVariant(
  plan: Plan,
  variant: Variant,
  level: X86Target,
  { name, constants }: LoweringOptions,
): LoweredKernel {
  const target = plan.tile === undefined ? level : withTile(level, plan.tile);
  const parts = createProgramParts(plan, [variant], constants);
  const workspace: Workspace = { buffers: [], bytes: [] };
  const widths = activationWidths(plan, variant);
  const widthOf = (activation: string): NumberExpression => {
    const width = widths.get(activation);
    if (width === undefined) throw new Error(`variant ${variant.name} has no activation ${activation}`);
    return width;
  };
  const tokens = variant.layout === "lane-token";
  const form: Place["form"] = tokens ? "panels" : "rows";
  const x: Place = { buffer: "x", width: parts.symbols.dimension(plan.columns), form: "rows" };
  const y: Place = { buffer: "y", width: parts.symbols.dimension(plan.rows), form: "rows" };
  const phases: LoopPhase[] = [];

  const inputs = variant.steps.flatMap(({ terms }) => terms.map(({ input }) => input));
  const partsOfX = variant.activations.filter(({ part }) => part?.of === "x").map(({ name }) => name);
  const places = new Map<string, Place>([["y", y]]);
  const placeOf = (activation: string): Place => {
    const known = places.get(activation);
    if (known !== undefined) return known;
    const part = variant.activations.find((candidate) => candidate.name === activation && candidate.part);
    if (part?.part !== undefined) return partPlace(parts.symbols, placeOf(part.part.of), part);
    const place = addWorkspace(parts, workspace, activation, widthOf(activation), form);
    places.set(activation, place);
    return place;
  };
  if (!tokens) places.set("x", x);
  else if (inputs.some((input) => input === "x" || partsOfX.includes(input))) {
    const panels = addWorkspace(parts, workspace, "x_panels", plan.columns, "panels");
    places.set("x", panels);
    phases.push(panelsPhase(parts.names, x, panels));
  }

  const paired = new Map<string, Place>();
  /** The step with the rounded forms of its inputs, made before it if no step before had them. */
  const withPairs = (step: Step, resolved: ResolvedStep): ResolvedStep => {
    if (target.pairedOutputTokens === null) return resolved;
    const terms = resolved.terms.map((term, index) => {
      const input = step.terms[index]?.input;
      if (input === undefined || !isPaired(term)) return term;
      const known = paired.get(input);
      if (known !== undefined) return { ...term, pairs: known };
      const { place, buffer, bytes } = pairedInput(parts.names, term.input, widthOf(input));
      workspace.buffers.push(buffer);
      workspace.bytes.push(parts.symbols.specialize(bytes));
      phases.push(pairsPhase(parts.names, term.input, place));
      paired.set(input, place);
      return { ...term, pairs: place };
    });
    return { ...resolved, terms };
  };
  const lowerStep = (step: Step): readonly LoopPhase[] => {
    const inner = placeOf(step.output);
    if (!tokens) {
      const resolved = resolveStep(parts, plan, step, target, { output: inner, inputOf: placeOf });
      return [lowerLaneOutputStep(withPairs(step, resolved))];
    }
    const detour = { parts, workspace, width: widthOf(step.output) };
    return lowerTokenStep(step, inner, detour, (output) =>
      resolveStep(parts, plan, step, target, { output, inputOf: placeOf }),
    );
  };
  for (const step of variant.steps) phases.push(...lowerStep(step));

  const program: LoopProgram = {
    name,
    level: target.name,
    buffers: [
      ...parts.buffers,
      { name: "x", element: "f32", space: "input", length: mul(batch, x.width) },
      { name: "y", element: "f32", space: "output", length: mul(batch, y.width) },
      ...workspace.buffers,
      ...parts.scratchBuffers(),
    ],
    symbols: parts.symbols.list.map((given) => given.name),
    phases,
  };
  return {
    program,
    buffers: parts.operandBuffers,
    symbols: parts.symbols.list,
    workspace: workspace.bytes.length === 0 ? number(0) : apply("+", ...workspace.bytes),
  };
}
