/**
 * The interpreter of plans: runs a variant, or the merge, in float64 with dense matrices. Outputs start as NaN, so
 * a step that adds to what nobody wrote shows; an operand that its format could not hold is an error.
 */
import { type OperandSource, stackedParts } from "../../runtime/contract/matrix-source.ts";
import { evaluateNumber, type NumberExpression } from "../../runtime/contract/number-expression.ts";
import {
  addMatrices,
  blockDiagonal,
  type DenseMatrix,
  entryOf,
  identityMatrix,
  multiplyMatrices,
  stackMatrices,
  stridePermutationMatrix,
  transposeMatrix,
} from "../algebra/dense-matrix.ts";
import { applyDense } from "../algebra/evaluate-algebra.ts";
import { evaluateSource, type WeightValues } from "../algebra/evaluate-source.ts";
import type { CheckedTensor } from "../check/checked-module.ts";
import type { Activation, Operand, Plan, Step, StridePermutation, Variant } from "./plan.ts";

/** What the numbers of a plan are read from. */
export interface PlanScope {
  readonly plan: Plan;
  readonly tensors: readonly CheckedTensor[];
  readonly values: WeightValues;
}

export const sizeIn = (scope: PlanScope, expression: NumberExpression): number =>
  evaluateNumber(expression, scope.values.numbers);

/** Row-major entries that are nonzero, as [row, column]. */
function* nonzeros(matrix: DenseMatrix): Generator<readonly [number, number]> {
  for (let row = 0; row < matrix.rows; row++) {
    for (let column = 0; column < matrix.columns; column++)
      if (entryOf(matrix, row, column) !== 0) yield [row, column];
  }
}

/** Throws RangeError when the format has no room for an entry that is not zero. */
function checkFits(operand: Operand, matrix: DenseMatrix, scope: PlanScope): void {
  const { format } = operand;
  const counts = new Map<string, number>();
  for (const [row, column] of nonzeros(matrix)) {
    const outside =
      (format.name === "vector" && row !== column) ||
      (format.name === "blockdiag16" &&
        Math.floor(row / (matrix.rows / sizeIn(scope, format.blocks))) !==
          Math.floor(column / (matrix.columns / sizeIn(scope, format.blocks))));
    if (outside)
      throw new RangeError(`${operand.name} has an entry at (${row}, ${column}) outside its format`);
    if (format.name !== "nm-lanes" && format.name !== "nm-rows") continue;
    const group = `${row}:${Math.floor(column / format.m)}`;
    counts.set(group, (counts.get(group) ?? 0) + 1);
    if ((counts.get(group) ?? 0) > format.n)
      throw new RangeError(`${operand.name} has more than ${format.n} entries in group ${group}`);
  }
}

function operandNamed(name: string, scope: PlanScope): Operand {
  const operand = scope.plan.operands.find((candidate) => candidate.name === name);
  if (operand === undefined) throw new ReferenceError(`no operand \`${name}\``);
  return operand;
}

/** The map that an operand stands for, [rows, columns]. @throws ReferenceError, RangeError. */
function operandMatrix(name: string, scope: PlanScope): DenseMatrix {
  const operand = operandNamed(name, scope);
  const source = stackedParts(operand.source)
    .map((part) => evaluateSource(part, [...scope.tensors, ...scope.plan.derived], scope.values))
    .reduce(stackMatrices);
  const { format } = operand;
  const matrix =
    format.name === "blockdiag16" && format.repeated
      ? blockDiagonal(Array.from({ length: sizeIn(scope, format.blocks) }, () => source))
      : source;
  if (matrix.rows !== sizeIn(scope, operand.rows) || matrix.columns !== sizeIn(scope, operand.columns)) {
    throw new RangeError(`${name} is [${matrix.rows}, ${matrix.columns}], not as declared`);
  }
  checkFits(operand, matrix, scope);
  return matrix;
}

const permute = (permutation: StridePermutation | null, v: Float64Array, scope: PlanScope): Float64Array =>
  permutation === null
    ? v
    : applyDense(
        stridePermutationMatrix(sizeIn(scope, permutation.size), sizeIn(scope, permutation.stride)),
        v,
      );

/** The positions of the pattern in a source of `positions`, row by row, also where the weight is zero. */
function positionsOf(source: OperandSource, scope: PlanScope): readonly number[] {
  if (source.kind === "hadamard") {
    const pattern = source.factors[0];
    if (pattern === undefined) throw new RangeError("an elementwise product without factors");
    return positionsOf(pattern, scope);
  }
  if (source.kind === "stack") throw new RangeError("positions of more than one pattern");
  const matrix = evaluateSource(source, scope.tensors, scope.values);
  return [...nonzeros(matrix)].map(([row, column]) => row * matrix.columns + column);
}

/** Runs steps over activations that start as NaN. */
export function createStepInterpreter(scope: PlanScope, activations: readonly Activation[], batch: number) {
  const buffers = new Map<string, Float64Array>(
    activations
      .filter(({ part }) => part === undefined)
      .map(({ name, width }) => [name, new Float64Array(batch * sizeIn(scope, width)).fill(Number.NaN)]),
  );
  const memory = (name: string): Float64Array => {
    const buffer = buffers.get(name);
    if (buffer === undefined) throw new ReferenceError(`no activation \`${name}\``);
    return buffer;
  };
  const partNamed = (name: string): (Activation & Required<Pick<Activation, "part">>) | undefined => {
    const found = activations.find((activation) => activation.name === name);
    return found?.part === undefined ? undefined : { ...found, part: found.part };
  };
  /** Index in the memory of a part for each of its values. */
  const placesOf = ({
    width,
    part,
  }: {
    readonly width: NumberExpression;
    readonly part: { readonly of: string; readonly offset: NumberExpression };
  }) => {
    const [inner, first, outer] = [
      sizeIn(scope, width),
      sizeIn(scope, part.offset),
      memory(part.of).length / batch,
    ];
    return Array.from(
      { length: batch * inner },
      (_, index) => Math.floor(index / inner) * outer + first + (index % inner),
    );
  };
  const read = (name: string): Float64Array => {
    const found = partNamed(name);
    if (found === undefined) return memory(name);
    const whole = memory(found.part.of);
    return Float64Array.from(placesOf(found), (place) => whole[place] ?? Number.NaN);
  };
  const write = (name: string, values: Float64Array): void => {
    const found = partNamed(name);
    if (found === undefined) {
      buffers.set(name, values);
      return;
    }
    const whole = memory(found.part.of).slice();
    placesOf(found).forEach((place, index) => {
      whole[place] = values[index] ?? Number.NaN;
    });
    buffers.set(found.part.of, whole);
  };
  const run = (step: Step): void => {
    const sum = new Float64Array(read(step.output).length);
    for (const term of step.terms) {
      const operand = operandMatrix(term.operand, scope);
      const product = applyDense(
        term.transposed === true ? transposeMatrix(operand) : operand,
        permute(term.inputPermutation, read(term.input), scope),
      );
      if (product.length !== sum.length)
        throw new RangeError(
          `${step.name}: ${term.operand} gives ${product.length} values for ${sum.length}`,
        );
      product.forEach((value, index) => {
        sum[index] = (sum[index] ?? 0) + value;
      });
    }
    const written = permute(step.outputPermutation, sum, scope);
    const held = read(step.output);
    write(
      step.output,
      step.accumulate ? written.map((value, index) => value + (held[index] ?? Number.NaN)) : written,
    );
  };
  return {
    run,
    read,
    set: (name: string, values: Float64Array): void => void buffers.set(name, values),
    operand: (name: string): DenseMatrix => operandMatrix(name, scope),
    positions: (name: string): readonly number[] => positionsOf(operandNamed(name, scope).source, scope),
  };
}

/** y [batch, rows] for x [batch, columns], both row-major. */
export function interpretVariant(
  plan: Plan,
  variant: Variant,
  tensors: readonly CheckedTensor[],
  values: WeightValues,
  x: Float64Array,
  batch: number,
): Float64Array {
  const interpreter = createStepInterpreter({ plan, tensors, values }, variant.activations, batch);
  interpreter.set("x", x);
  variant.steps.forEach(interpreter.run);
  return interpreter.read("y");
}

/** The dense weight [rows, columns] as the merge plan forms it. */
export function interpretMerge(
  plan: Plan,
  tensors: readonly CheckedTensor[],
  values: WeightValues,
): DenseMatrix {
  const scope: PlanScope = { plan, tensors, values };
  const { merge } = plan;
  if (merge.method === "kernel") {
    return merge.terms
      .map((term) =>
        term.kind === "operand"
          ? operandMatrix(term.operand, scope)
          : multiplyMatrices(operandMatrix(term.left, scope), operandMatrix(term.right, scope)),
      )
      .reduce(addMatrices);
  }
  const variant = plan.variants.find(({ name }) => name === merge.variant);
  if (variant === undefined) throw new ReferenceError(`no variant \`${merge.variant}\``);
  const columns = sizeIn(scope, plan.columns);
  const y = interpretVariant(plan, variant, tensors, values, identityMatrix(columns).values, columns);
  return transposeMatrix({ rows: columns, columns: sizeIn(scope, plan.rows), values: y });
}
