/** Pins: what the author demands of the plan. Checked here for their meaning; the planner holds its candidates to them. */
import { report } from "../diagnostics/define-diagnostic.ts";
import { suggestion, suggestNames } from "../diagnostics/suggest-name.ts";
import { pinValue } from "../diagnostics/type-diagnostics.ts";
import { addProblem } from "./check-context.ts";
import { asTensor, sides } from "./check-tensors.ts";
import { reportObstacle } from "./check-weight.ts";
import type { CheckedPin, WeightExpression } from "./checked-module.ts";
import { printWeight } from "./print-checked.ts";
import type { Statement, TransformDraft } from "./transform-draft.ts";
import { isObstacle } from "./value.ts";

type Pin = Statement<"pin">;
type PinnedStorage = Extract<CheckedPin, { claim: "format" }>["storage"];

/** Format → how the matrix is stored, and the layout that has the format when only one has. */
const formats: Readonly<
  Record<string, { readonly storage: PinnedStorage; readonly layout: "lane-output" | "lane-token" | null }>
> = {
  dense: { storage: "dense", layout: null },
  csr: { storage: "entries", layout: "lane-token" },
  windows: { storage: "entries", layout: "lane-output" },
  groups: { storage: "groups", layout: null },
  blocks: { storage: "blocks", layout: null },
  vector: { storage: "vector", layout: null },
};

const layouts: Readonly<Record<string, "lane-output" | "lane-token">> = {
  lane_output: "lane-output",
  lane_token: "lane-token",
};

/** The row of a table that the value of a pin names. */
function named<T>({ context }: TransformDraft, pin: Pin, table: Readonly<Record<string, T>>): T | null {
  const { value, claim } = pin;
  const name = value?.kind === "name" ? value.name : "";
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found !== undefined) return found;
  const span = value?.span ?? pin.span;
  const near = suggestion(name, span, suggestNames(name, Object.keys(table)));
  const help = near.length > 0 ? near : [`there are ${Object.keys(table).join(", ")}`];
  addProblem(context, report(pinValue, span, { claim }, { help }));
  return null;
}

/** How many tokens a tile has; whether a kernel can hold them is for the planner to say. */
function tokensOf({ context }: TransformDraft, { value, claim, span }: Pin): number | null {
  const tokens = value?.kind === "number" ? value.value : Number.NaN;
  if (Number.isInteger(tokens) && tokens > 0) return tokens;
  const help = ["write how many tokens a kernel takes at once: `pin tile = 16`"];
  addProblem(context, report(pinValue, value?.span ?? span, { claim }, { help }));
  return null;
}

function subjectOf(draft: TransformDraft, { subject }: Pin): WeightExpression | null {
  if (subject === null) return null;
  const { context } = draft;
  const tensor = asTensor(context, context.check(draft.environment, subject), subject.span);
  if (tensor === null || sides(context, tensor) === null) return null;
  if (!isObstacle(tensor.weight)) return tensor.weight;
  reportObstacle(draft, tensor.weight);
  return null;
}

/** What is claimed, after `pin`, as the language writes it. */
function textOf({ claim, value }: Pin, subject: WeightExpression | null): string {
  const of = subject === null ? "" : ` ${printWeight(subject)}`;
  const claimed =
    value?.kind === "name" ? ` = ${value.name}` : value?.kind === "number" ? ` = ${value.text}` : "";
  return `${claim}${of}${claimed}`;
}

function checkPin(draft: TransformDraft, pin: Pin): CheckedPin | null {
  const { claim, span } = pin;
  if (claim === "layout") {
    const layout = named(draft, pin, layouts);
    return layout === null ? null : { claim, layout, text: textOf(pin, null), span };
  }
  if (claim === "tile") {
    const tokens = tokensOf(draft, pin);
    return tokens === null ? null : { claim, tokens, text: textOf(pin, null), span };
  }
  const subject = subjectOf(draft, pin);
  if (subject === null) return null;
  const text = textOf(pin, subject);
  if (claim === "merge" || claim === "separate") return { claim, subject, text, span };
  const format = named(draft, pin, formats);
  return format === null ? null : { claim: "format", subject, ...format, text, span };
}

/** The pins of a transform, in order; those that are wrong have been reported. */
export const checkPins = (draft: TransformDraft, pins: readonly Pin[]): readonly CheckedPin[] =>
  pins.flatMap((pin) => checkPin(draft, pin) ?? []);
