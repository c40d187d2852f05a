/**
 * `--why TERM`: where a tensor, a pattern or a part of the weight went: the rules that moved it, the operand, format,
 * stage and kernel of each variant, its gradient, and what doing it otherwise costs.
 */
import { type SymbolValues, symbolsOf } from "../../runtime/contract/number-expression.ts";
import { printSource } from "../../runtime/contract/print-source.ts";
import { childrenOf } from "../algebra/algebra-graph.ts";
import type { Term } from "../algebra/algebra-node.ts";
import { printTerm } from "../algebra/print-algebra.ts";
import { type PricedMachine, tiledMachine } from "../plan/cost-model.ts";
import { costAt } from "../plan/envelope.ts";
import { withEstimates } from "../plan/measured-counts.ts";
import { costOn, type Plan } from "../plan/plan.ts";
import { type ExplainedStages, explainTransform, rejectedAt, servingVariants } from "./explain-transform.ts";
import type { ExplainedKernel, ExplainedOperand, Explanation } from "./explanation.ts";
import { printBytes, printCount, printRanges, printTime } from "./print-quantity.ts";
import { printDerived } from "./print-screen.ts";

export type WhyAnswer =
  | { readonly kind: "found"; readonly text: string }
  /** `known`: what could have been asked for. */
  | { readonly kind: "unknown"; readonly known: readonly string[] };

const squeezed = (text: string): string => text.replaceAll(/\s+/g, "");

function* subterms(term: Term): Generator<Term> {
  yield term;
  for (const child of childrenOf(term)) yield* subterms(child);
}

const namePattern = /^[A-Za-z_][\w.]*$/;

/** Names that a text of the language mentions; those that the compiler gives have a dot. */
const namesIn = (text: string): ReadonlySet<string> =>
  new Set(text.replaceAll(/\.T\b/g, "").match(/[A-Za-z_]\w*(?:\.\w+)*/g) ?? []);

/** The name and those of the derived tensors that are made of it. */
function namesMadeOf(name: string, derived: Plan["derived"]): ReadonlySet<string> {
  const made = new Set([name]);
  for (const { name: other, derivation } of derived)
    if (
      derivation !== undefined &&
      [...namesIn(printSource(derivation.formula))].some((read) => made.has(read))
    )
      made.add(other);
  return made;
}

/** Whether an expression has to do with what was asked for. */
type Concerns = (expression: string) => boolean;

/**
 * A name concerns what mentions it or a tensor derived from it. A part of the weight concerns what contains its text, and, because its factors may
 * be operands of their own, what is made of nothing but its tensors.
 */
function concerning(wanted: string, tensors: ReadonlySet<string>, derived: Plan["derived"]): Concerns {
  if (namePattern.test(wanted)) {
    const names = namesMadeOf(wanted, derived);
    return (expression) => [...namesIn(expression)].some((name) => names.has(name));
  }
  const inside = namesIn(wanted);
  return (expression) => {
    if (squeezed(expression).includes(squeezed(wanted))) return true;
    const used = [...namesIn(expression)].filter((name) => tensors.has(name));
    return used.length > 0 && used.every((name) => inside.has(name));
  };
}

interface Use {
  readonly kernel: ExplainedKernel | null;
  readonly operand: ExplainedOperand;
  readonly input: string;
}

const usesIn = (kernels: readonly ExplainedKernel[], concerns: Concerns): readonly Use[] =>
  kernels.flatMap((kernel) =>
    kernel.terms
      .filter(({ expression }) => concerns(expression))
      .map((operand) => ({ kernel, operand, input: operand.input })),
  );

function printUse({ kernel, operand, input }: Use): string {
  const { expression, format, stage, bytes, multiplies } = operand;
  const where = kernel === null ? "" : ` in kernel ${kernel.output} (${printTime(kernel.nanoseconds)})`;
  const times = input === "" ? "" : ` times ${input}`;
  return `${operand.operand} = ${expression}, ${format}, packed at ${stage}, ${printBytes(bytes)}, ${printCount(multiplies)} multiplies a token${times}${where}`;
}

/** What it is: a tensor, a pattern, or a part of the weight. */
function identify(
  { checked, normal }: ExplainedStages,
  wanted: string,
  { derived }: Explanation,
): readonly string[] {
  const tensor = checked.tensors.find(({ name }) => name === wanted);
  if (tensor !== undefined) {
    const support = tensor.support === null ? "" : ` on ${tensor.support}`;
    const role = tensor.role === "param" ? "trained" : tensor.role;
    const computed = derived.find(({ name }) => name === wanted);
    return [
      computed === undefined
        ? `${wanted} is a ${role} ${tensor.structure} tensor${support}`
        : `${wanted} is a derived tensor: ${printDerived(computed)}`,
    ];
  }
  if (checked.patterns.some(({ name }) => name === wanted)) return [`${wanted} is a pattern, chosen at load`];
  if (checked.arguments.some(({ name }) => name === wanted)) return [`${wanted} is a number argument`];
  const inside = [...subterms(normal.root)].find((term) => squeezed(printTerm(term)) === squeezed(wanted));
  return inside === undefined ? [] : [`${printTerm(inside)} is a part of the weight (${inside.kind})`];
}

/** The summand of the normal form that holds it. */
function summandsWith(root: Term, wanted: string, concerns: Concerns): readonly string[] {
  const summands = root.kind === "sum" ? root.terms : [root];
  const isName = namePattern.test(wanted);
  return summands
    .map(printTerm)
    .filter((text) => (isName ? concerns(text) : squeezed(text).includes(squeezed(wanted))));
}

function alternatives(
  stages: ExplainedStages,
  values: SymbolValues,
  machine: PricedMachine,
  explanation: Explanation,
  concerns: Concerns,
): readonly string[] {
  const at = { plan: stages.plan, values, machine };
  const signature = (name: string): string => {
    const variant = stages.plan.variants.find((candidate) => candidate.name === name);
    const operands = variant?.steps.flatMap(({ terms }) => terms.map(({ operand }) => operand)) ?? [];
    return stages.plan.operands
      .filter((operand) => operands.includes(operand.name) && concerns(operand.description))
      .map(({ name: operand }) => operand)
      .join(" ");
  };
  return servingVariants(at).flatMap(({ variant, intervals }) => {
    const batch = intervals[0]?.from ?? 1;
    const price = costAt(costOn(variant.costs, machine.target), values, batch);
    const own = signature(variant.name);
    const others = rejectedAt(variant, at, batch, explanation.curves.length)
      .filter(({ name, built }) => !built || signature(name) !== own)
      .slice(0, 3);
    return others.map(
      ({ name, form, ratio, nanoseconds, deciding }) =>
        `at batch ${batch} ${name}, ${form}: ${printTime(nanoseconds)} against ${printTime(price)}, ${ratio.toFixed(2)} times; ${deciding}`,
    );
  });
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];

/** Names and texts that may be asked for. */
function askable({ checked, normal, plan }: ExplainedStages): readonly string[] {
  const numbers = checked.arguments.map(({ name }) => name);
  const patterns = checked.patterns.map(({ name }) => name);
  const tensors = checked.tensors.filter(({ role }) => role !== "source").map(({ name }) => name);
  const parts = [...subterms(normal.root)].map(printTerm);
  const operands = plan.operands.map(({ name }) => name);
  return [...new Set([...tensors, ...patterns, ...numbers, ...parts, ...operands])];
}

export function whyTerm(
  stages: ExplainedStages,
  values: SymbolValues,
  level: PricedMachine,
  asked: string,
): WhyAnswer {
  const { plan, checked, normal } = stages;
  const machine = tiledMachine(level, plan.tile);
  // An operand is asked for by the name that explain prints: what it holds is what is looked for.
  const operand = plan.operands.find(({ name }) => name === asked);
  const wanted = operand?.description ?? asked.trim();
  const concerns = concerning(wanted, new Set(checked.tensors.map(({ name }) => name)), plan.derived);
  const explanation = explainTransform(stages, values, level);
  const identity =
    operand === undefined ? identify(stages, wanted, explanation) : [`${asked} holds ${wanted}`];
  const summands = summandsWith(normal.root, wanted, concerns);
  if (identity.length === 0 && summands.length === 0) return { kind: "unknown", known: askable(stages) };
  const scaled = checked.requirements.filter(({ condition }) => symbolsOf(condition).includes(wanted));
  const gradient = explanation.backward.kernels
    .filter(
      (kernel) =>
        [...namesIn(wanted)].some((name) => kernel.output === `d${name}`) ||
        kernel.terms.some(({ expression }) => concerns(expression)),
    )
    .map(
      (kernel) => `${kernel.text}  ${printTime(kernel.nanoseconds)}${kernel.dxOnly ? ", for dx only" : ""}`,
    );
  const merged = explanation.merge.operands.filter(({ expression }) => concerns(expression));
  const text = [
    ...identity,
    ...section("in the normal form", summands),
    ...section("rules that made the normal form", normal.rules ?? []),
    ...explanation.variants.flatMap((variant) => {
      const uses = usesIn(variant.kernels, concerns).map(printUse);
      const title = `batch ${printRanges(variant.intervals)}: ${variant.name} (${variant.rules.join(", ") || "no rules"})`;
      return section(title, uses.length > 0 ? uses : ["not read by this variant"]);
    }),
    ...section(
      "merge",
      merged.map((found) => printUse({ kernel: null, operand: found, input: "" })),
    ),
    ...section("backward", gradient),
    ...section(
      "otherwise",
      alternatives(stages, withEstimates(checked, values), machine, explanation, concerns),
    ),
    ...section(
      "checked at load",
      scaled.map(({ text: condition }) => condition),
    ),
  ].join("\n");
  return { kind: "found", text };
}
