/** A variant on its way: the steps and activations found so far, and the ways in which steps write to them. */
import type { NumberExpression } from "../../runtime/contract/number-expression.ts";
import { addNumbers } from "../algebra/algebra-graph.ts";
import { partOf, type Range, tilingOf } from "./activation-parts.ts";
import type { Embedding } from "./arrange-stages.ts";
import type { OperandTable } from "./operand-table.ts";
import type { Activation, Layout, Step, StepTerm, Variant } from "./plan.ts";

/** A variant before its cost is known. */
export interface VariantDraft extends Omit<Variant, "cost" | "costs"> {
  readonly notes: readonly string[];
}

/** Steps and activations as they are found. */
export interface Draft {
  /** The activation that the steps complete. */
  readonly target: string;
  readonly layout: Layout;
  readonly operands: OperandTable;
  readonly activations: Activation[];
  readonly steps: Step[];
  /** Activations by what their step computes. */
  readonly written: Map<string, string>;
  readonly rules: Set<string>;
  readonly notes: Set<string>;
}

/** @param given the activations that exist from the start. */
export function createDraft(
  target: string,
  given: readonly Activation[],
  layout: Layout,
  operands: OperandTable,
  rules: readonly string[],
): Draft {
  return {
    target,
    layout,
    operands,
    activations: [...given],
    steps: [],
    written: new Map(),
    rules: new Set(rules),
    notes: new Set(),
  };
}

/** A step that writes to a target, or to a range of it. */
export interface Writer extends Pick<Step, "terms" | "outputPermutation"> {
  readonly range: Range | null;
}

/** A new activation of `width` features. */
export function freshActivation(draft: Draft, width: NumberExpression): string {
  const taken = new Set(draft.activations.map(({ name }) => name));
  let count = 1;
  while (taken.has(`t${count}`)) count += 1;
  draft.activations.push({ name: `t${count}`, width });
  return `t${count}`;
}

/** The writer seen from outside an embedding. */
export function inside(writer: Writer, embedding: Embedding | null): Writer {
  if (embedding === null) return writer;
  const { range } = writer;
  if (range === null) return { ...writer, range: embedding.range };
  return { ...writer, range: { ...range, offset: addNumbers(embedding.range.offset, range.offset) } };
}

/**
 * Emits steps that together write `target`: first those for the whole of it, or else ranges that tile it, or else a
 * step that fills it with zeros; what follows adds.
 */
export function emitWriters(
  draft: Draft,
  target: string,
  size: NumberExpression,
  writers: readonly Writer[],
): void {
  const whole = writers.filter(({ range }) => range === null);
  const ranged = writers.filter(
    (writer): writer is Writer & { readonly range: Range } => writer.range !== null,
  );
  const tiling =
    whole.length > 0
      ? []
      : tilingOf(
          ranged.map(({ range }) => range),
          size,
        );
  const first = tiling?.flatMap((index) => ranged[index] ?? []) ?? [];
  const fill: Writer[] = tiling === null ? [{ terms: [], outputPermutation: null, range: null }] : [];
  const rest = ranged.filter((writer) => !first.includes(writer));
  const ordered: Writer[] = [...fill, ...whole, ...first, ...rest];
  const overwriting = first.length > 0 ? first.length : 1;
  ordered.forEach(({ terms, outputPermutation, range }, index) => {
    const output = range === null ? target : partOf(draft.activations, target, range);
    const name = ordered.length === 1 ? target : `${target}${index + 1}`;
    draft.steps.push({
      name: stepName(draft, name),
      output,
      outputPermutation,
      accumulate: index >= overwriting,
      terms,
    });
  });
}

/** `name`, or with a letter behind it when another step has it. */
function stepName({ steps }: Draft, name: string): string {
  const taken = new Set(steps.map((step) => step.name));
  let free = name;
  for (let letter = 98; taken.has(free); letter += 1) free = `${name}${String.fromCharCode(letter)}`;
  return free;
}

/** What a term of a sum adds: terms for the common step of its range, or a step of its own. */
export interface Contribution {
  readonly fused: readonly StepTerm[];
  readonly own: readonly Writer[];
  /** Where `fused` adds to; null for the whole. */
  readonly range: Range | null;
  /** The application as an expression, e.g. `B (A x)`. */
  readonly form: string;
}

/** Steps of their own first, then one for all that can share it, for each range. */
export function writersOf(parts: readonly Contribution[]): readonly Writer[] {
  const fused = new Map<string, Writer>();
  for (const { fused: terms, range } of parts) {
    const key = JSON.stringify(range);
    const before = fused.get(key)?.terms ?? [];
    if (terms.length > 0) fused.set(key, { terms: [...before, ...terms], outputPermutation: null, range });
  }
  return [...parts.flatMap(({ own }) => own), ...fused.values()];
}
