/** The parts that every lowering collects: names, frame symbols and the packed buffers of the operands it reads. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { apply } from "../../runtime/contract/number-expression.ts";
import { formatBuffers, isScaled, type OperandFormat } from "../../runtime/contract/operand-format.ts";
import type { Activation, Operand, Plan, Step, StepTerm, Variant } from "../plan/plan.ts";
import type { X86Target } from "../targets/x86-targets.ts";
import { outputOrder } from "../types/output-order.ts";
import { windowShape } from "./atoms/nm.ts";
import { createFrameSymbols, type FrameSymbols, symbolNames } from "./from-number-expression.ts";
import { createNames, type Names } from "./loop-builder.ts";
import { ceilDiv, int, mul } from "./loop-expression.ts";
import type { BufferDeclaration, LoopExpression } from "./loop-node.ts";
import type { Place, ResolvedStep, ResolvedTerm } from "./step-node.ts";
import { strideMap } from "./stride-map.ts";

export interface ProgramParts {
  readonly names: Names;
  readonly symbols: FrameSymbols;
  /** The `constant` buffers declared so far, in the order of the frame. */
  readonly buffers: readonly BufferDeclaration[];
  readonly operandBuffers: readonly { readonly operand: string; readonly buffer: string }[];
  /** The `local` buffers asked for so far. */
  scratchBuffers(): readonly BufferDeclaration[];
  /** The name of the local buffer of `hint`, of at least `length` numbers. */
  scratch(hint: string, length: number): string;
  /**
   * An operand with its buffers, declared on first use.
   * @throws Error when the plan has no such operand.
   */
  operand(name: string): { readonly operand: Operand; readonly buffers: ReadonlyMap<string, string> };
}

/** Every dimension that a plan's operands and the given variants mention. */
function dimensionsOf(plan: Plan, variants: readonly Variant[]): NumberExpression[] {
  const permutations = variants.flatMap((variant) =>
    variant.steps.flatMap((step) => [
      step.outputPermutation,
      ...step.terms.map((term) => term.inputPermutation),
    ]),
  );
  return [
    plan.rows,
    plan.columns,
    ...plan.operands.flatMap(({ rows, columns, format }) =>
      format.name === "blockdiag16"
        ? [rows, columns, format.blocks]
        : isScaled(format)
          ? [rows, columns, format.block]
          : [rows, columns],
    ),
    ...variants.flatMap((variant) =>
      variant.activations.flatMap(({ width, part }) => (part === undefined ? [width] : [width, part.offset])),
    ),
    ...permutations.flatMap((permutation) =>
      permutation === null ? [] : [permutation.size, permutation.stride],
    ),
  ];
}

export function createProgramParts(
  plan: Plan,
  variants: readonly Variant[],
  constants: Readonly<Record<string, number>>,
): ProgramParts {
  // `batch`, `x` and `y` belong to the call, so a dimension of that name gets another one in the program.
  const reserved = new Set(["batch", "x", "y"]);
  const plain = new Set([...symbolNames(dimensionsOf(plan, variants))].filter((name) => !reserved.has(name)));
  const names = createNames([...reserved, ...plain]);
  const symbols = createFrameSymbols(names, plain, constants);
  const buffers: BufferDeclaration[] = [];
  const operandBuffers: { operand: string; buffer: string }[] = [];
  const declared = new Map<string, ReadonlyMap<string, string>>();
  const scratch = new Map<string, { readonly name: string; readonly length: number }>();

  return {
    names,
    symbols,
    buffers,
    operandBuffers,
    scratchBuffers: () =>
      [...scratch.values()].map(({ name, length }) => ({
        name,
        element: "f32",
        space: "local",
        length: int(length),
      })),
    scratch(hint, length) {
      const known = scratch.get(hint);
      const name = known?.name ?? names.fresh(hint);
      scratch.set(hint, { name, length: Math.max(length, known?.length ?? 0) });
      return name;
    },
    operand(name) {
      const operand = plan.operands.find((candidate) => candidate.name === name);
      if (operand === undefined) throw new Error(`the plan has no operand ${name}`);
      const known = declared.get(name);
      if (known !== undefined) return { operand, buffers: known };
      const lengths = bufferLengths(symbols, operand);
      const given = new Map<string, string>();
      for (const { name: buffer, element } of formatBuffers[operand.format.name]) {
        const programName = names.fresh(`${name}_${buffer}`);
        given.set(buffer, programName);
        buffers.push({ name: programName, element, space: "constant", length: lengths[buffer] ?? int(0) });
        operandBuffers.push({ operand: name, buffer });
      }
      declared.set(name, given);
      return { operand, buffers: given };
    },
  };
}

/** Elements of each buffer; left out where only the pattern tells how many there are. */
function bufferLengths(symbols: FrameSymbols, operand: Operand): Readonly<Record<string, LoopExpression>> {
  const rows = symbols.dimension(operand.rows);
  const columns = symbols.dimension(operand.columns);
  const panels = ceilDiv(rows, 16);
  const { format } = operand;
  switch (format.name) {
    case "panel16":
      return { values: mul(mul(panels, columns), int(16)) };
    case "table4-panel16":
    case "int8-panel16": {
      const runs = symbols.dimension(apply("/", operand.columns, format.block));
      const lines = format.name === "int8-panel16" ? columns : ceilDiv(columns, 8);
      return {
        codes: mul(mul(panels, lines), int(16)),
        levels: int(16),
        scales: mul(mul(panels, runs), int(16)),
      };
    }
    case "bf16-panel16":
      return { values: mul(mul(panels, ceilDiv(columns, 2)), int(16)) };
    case "nm-lanes": {
      const { span, lines: perWindow, bits } = windowShape(format.n, format.m);
      const lines = mul(ceilDiv(columns, span), int(perWindow));
      return {
        values: mul(mul(panels, lines), int(16)),
        indices: mul(mul(panels, ceilDiv(lines, 32 / bits)), int(16)),
      };
    }
    case "nm-rows": {
      const entries = mul(
        mul(rows, symbols.dimension(apply("/", operand.columns, { kind: "number", value: format.m }))),
        int(format.n),
      );
      return { values: entries, indices: entries };
    }
    case "vector":
      return { values: rows };
    case "row-major":
      return { values: mul(rows, columns) };
    default:
      return {};
  }
}

/** A part of the activation that lies at `whole`. */
export function partPlace(symbols: FrameSymbols, whole: Place, { width, part }: Activation): Place {
  const offset = part === undefined ? int(0) : symbols.dimension(part.offset);
  return { ...whole, width: symbols.dimension(width), within: { stride: whole.width, offset } };
}

const blocksOf = (symbols: FrameSymbols, format: OperandFormat): LoopExpression =>
  format.name === "blockdiag16" ? symbols.dimension(format.blocks) : int(1);

function resolveTerm(parts: ProgramParts, term: StepTerm, input: Place): ResolvedTerm {
  const { operand, buffers } = parts.operand(term.operand);
  const { format } = operand;
  return {
    format,
    buffers,
    rows: parts.symbols.dimension(operand.rows),
    columns: parts.symbols.dimension(operand.columns),
    blocks: blocksOf(parts.symbols, format),
    run: isScaled(format) ? parts.symbols.dimension(format.block) : int(1),
    transposed: term.transposed ?? false,
    input,
    inputMap: strideMap(parts.symbols.dimension, term.inputPermutation, "input"),
  };
}

/**
 * The step with every name resolved.
 * @throws Error when it mixes a block-diagonal operand with other terms, or permutes where no kernel does.
 */
export function resolveStep(
  parts: ProgramParts,
  plan: Plan,
  step: Step,
  target: X86Target,
  places: { readonly output: Place; inputOf(activation: string): Place },
): ResolvedStep {
  const terms = step.terms.map((term) => resolveTerm(parts, term, places.inputOf(term.input)));
  if (terms.length > 1 && terms.some((term) => term.format.name === "blockdiag16")) {
    throw new Error(`step ${step.name} of ${plan.transform} adds something to a block-diagonal term`);
  }
  const permuted = terms.find(
    (term) => term.inputMap !== null && !["blockdiag16", "vector"].includes(term.format.name),
  );
  if (permuted !== undefined)
    throw new Error(`step ${step.name} permutes the input of a ${permuted.format.name} term`);
  return {
    name: step.name,
    names: parts.names,
    target,
    output: places.output,
    outputMap: strideMap(parts.symbols.dimension, step.outputPermutation, "output"),
    order: outputOrder(
      step.outputPermutation,
      plan.operands.find(({ name }) => name === step.terms[0]?.operand),
    ),
    accumulate: step.accumulate,
    start: null,
    terms,
    scratch: parts.scratch,
  };
}
