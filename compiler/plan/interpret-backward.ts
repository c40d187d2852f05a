/**
 * The interpreter of backward plans: dx and gradients in float64, as the parameters store their values. What
 * intermediates got is taken on by reverse mode on dense matrices (pull-dense.ts).
 */
import { stridePermutationMatrix } from "../algebra/dense-matrix.ts";
import { applyDense } from "../algebra/evaluate-algebra.ts";
import { pullDense } from "../algebra/pull-dense.ts";
import { createStepInterpreter, type PlanScope, sizeIn } from "./interpret-plan.ts";
import type { BackwardPlan, GradientInput, GradientStep } from "./plan.ts";
import { addEntries, writeOut } from "./stored-entries.ts";

export interface BackwardResult {
  readonly dx: Float64Array;
  readonly gradients: ReadonlyMap<string, Float64Array>;
}

/** x [batch, in] and dy [batch, out], row-major. @throws ReferenceError, RangeError. */
export function interpretBackward(
  backward: BackwardPlan,
  scope: PlanScope,
  x: Float64Array,
  dy: Float64Array,
  batch: number,
): BackwardResult {
  const { dx, gradients: formed } = interpretBackwardSteps(backward, scope, x, dy, batch);
  const gradients = new Map(formed);
  for (const { name, tensor, formula } of backward.intermediates) {
    const given = writeOut(tensor, gradients.get(name) ?? new Float64Array(), scope.values);
    pullDense(formula, given, tensor.derivation?.reads ?? [], scope.values, (read, slice, gradient) => {
      const stored = gradients.get(read.name);
      if (stored !== undefined) addEntries(read, slice, gradient, stored, scope.values);
    });
    gradients.delete(name);
  }
  return { dx, gradients };
}

/** What the kernel does: gradients of intermediates stand beside those of parameters and go no further. */
export function interpretBackwardSteps(
  backward: BackwardPlan,
  scope: PlanScope,
  x: Float64Array,
  dy: Float64Array,
  batch: number,
): BackwardResult {
  const interpreter = createStepInterpreter(scope, backward.activations, batch);
  interpreter.set("x", x);
  interpreter.set("dy", dy);
  const gradients = new Map(
    [...backward.parameters, ...backward.intermediates].map(({ name, count }) => [
      name,
      new Float64Array(sizeIn(scope, count)),
    ]),
  );
  for (const step of backward.steps) {
    if (step.kind === "apply") interpreter.run(step.step);
    else addGradient(step, scope, interpreter, gradients, batch);
  }
  return { dx: interpreter.read("dx"), gradients };
}

type Interpreter = ReturnType<typeof createStepInterpreter>;

/** feature(token, copy, index) of one side. */
function readSide(side: GradientInput, scope: PlanScope, interpreter: Interpreter, batch: number) {
  const plain = interpreter.read(side.activation);
  const { permutation } = side;
  const values =
    permutation === null
      ? plain
      : applyDense(
          stridePermutationMatrix(sizeIn(scope, permutation.size), sizeIn(scope, permutation.stride)),
          plain,
        );
  const [width, offset, stride] = [
    values.length / batch,
    sizeIn(scope, side.offset),
    sizeIn(scope, side.stride),
  ];
  return (token: number, copy: number, index: number): number =>
    values[token * width + copy * stride + offset + index] ?? Number.NaN;
}

function addGradient(
  step: GradientStep,
  scope: PlanScope,
  interpreter: Interpreter,
  gradients: ReadonlyMap<string, Float64Array>,
  batch: number,
): void {
  const values = gradients.get(step.parameter);
  if (values === undefined) throw new ReferenceError(`no parameter \`${step.parameter}\``);
  const left = readSide(step.left, scope, interpreter, batch);
  const right = readSide(step.right, scope, interpreter, batch);
  const scale = step.scale === null ? 1 : (interpreter.operand(step.scale).values[0] ?? Number.NaN);
  const copies = sizeIn(scope, step.copies);
  const start = sizeIn(scope, step.start);
  const add = (place: number, weight: number, row: number, column: number): void => {
    let sum = 0;
    for (let token = 0; token < batch; token++) {
      for (let copy = 0; copy < copies; copy++) sum += left(token, copy, row) * right(token, copy, column);
    }
    if (start + place >= values.length) throw new RangeError(`${step.name} writes beyond ${step.parameter}`);
    values[start + place] = (values[start + place] ?? 0) + scale * weight * sum;
  };
  const { shape } = step;
  if (shape.kind === "diagonal") {
    for (let index = 0; index < sizeIn(scope, shape.size); index++) add(index, 1, index, index);
    return;
  }
  if (shape.kind === "positions") {
    const map = interpreter.operand(shape.operand);
    let entry = 0;
    for (const position of interpreter.positions(shape.operand)) {
      const [row, column] = [Math.floor(position / map.columns), position % map.columns];
      const place = shape.columns === null ? entry : row * sizeIn(scope, shape.columns) + column;
      add(place, map.values[position] ?? Number.NaN, row, column);
      entry += 1;
    }
    if (entry !== sizeIn(scope, shape.entries)) throw new RangeError(`${step.name} has ${entry} positions`);
    return;
  }
  const [blocks, rows, columns] = [
    sizeIn(scope, shape.blocks),
    sizeIn(scope, shape.rows),
    sizeIn(scope, shape.columns),
  ];
  const weights = shape.weights === null ? null : interpreter.operand(shape.weights).values;
  for (let block = 0; block < blocks; block++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const place = (block * rows + row) * columns + column;
        add(
          place,
          weights === null ? 1 : (weights[place] ?? Number.NaN),
          block * rows + row,
          block * columns + column,
        );
      }
    }
  }
}
