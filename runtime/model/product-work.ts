/**
 * Computations that hand out the dense products they need and go on with the values: whoever runs one decides what forms
 * the products, and whether its caller waits. Everything that multiplies matrices of formulas is written this way.
 */
import type { DenseMatrix } from "../formats/matrix-value.ts";

export interface DenseProduct {
  readonly left: DenseMatrix;
  readonly right: DenseMatrix;
}

/** Yields products of equal inner sizes, is given their values, returns T. */
export type Work<T> = Generator<DenseProduct, T, DenseMatrix>;

export type FormProduct = (product: DenseProduct) => DenseMatrix;

/** Runs `work` to its end. */
export function perform<T>(work: Work<T>, form: FormProduct): T {
  let step = work.next();
  while (step.done !== true) step = work.next(form(step.value));
  return step.value;
}

/** The same beside the event loop, as far as `form` is. */
export async function performLater<T>(
  work: Work<T>,
  form: (product: DenseProduct) => Promise<DenseMatrix>,
): Promise<T> {
  let step = work.next();
  while (step.done !== true) step = work.next(await form(step.value));
  return step.value;
}

/** One work after the other. */
export function* each<Item, T>(items: readonly Item[], work: (item: Item) => Work<T>): Work<T[]> {
  const results: T[] = [];
  for (const item of items) results.push(yield* work(item));
  return results;
}
