/** Which tensors of a checkpoint the rules of a model take: in order, the first match wins. */
import { nearestNames } from "../checkpoint/nearest-names.ts";
import type { ModelManifest, ModelRule } from "../contract/manifest.ts";
import { SpxError } from "../errors.ts";

export interface RuleMatch {
  readonly tensor: string;
  readonly rule: ModelRule;
}

/**
 * The matches in the order of `names`; names that no rule takes are left out.
 * @throws SpxError SPX8501 for a rule that matches no name, SPX8502 for a `use` rule whose names earlier rules all take. A
 *   `freeze` rule may be left with nothing: it says what happens to the rest, whether or not there is one.
 */
export function matchRules(model: ModelManifest, names: readonly string[]): RuleMatch[] {
  const rules = model.rules.map((rule) => ({ rule, matches: matcher(rule), matched: 0, taken: 0 }));
  const found: RuleMatch[] = [];
  for (const name of names) {
    const path = name.replaceAll(".", "/");
    let first = true;
    for (const entry of rules) {
      if (!entry.matches(path)) continue;
      entry.matched++;
      if (!first) continue;
      first = false;
      entry.taken++;
      found.push({ tensor: name, rule: entry.rule });
    }
  }
  for (const { rule, matched, taken } of rules) {
    if (matched === 0) throw matchesNothing(model, rule, names);
    if (taken === 0 && rule.kind === "use") throw shadowed(model, rule, matched);
  }
  return found;
}

function matcher({ pattern, exceptions }: ModelRule): (path: string) => boolean {
  const wanted = new RegExp(pattern);
  const excluded = exceptions.map((exception) => new RegExp(exception.pattern));
  return (path) => wanted.test(path) && !excluded.some((exception) => exception.test(path));
}

const placeOf = ({ location: { file, line, column } }: ModelRule): string => `${file}:${line}:${column}`;

function matchesNothing(model: ModelManifest, rule: ModelRule, names: readonly string[]): SpxError {
  const near = nearestToGlob(rule.glob, names);
  const but = rule.exceptions.length === 0 ? "" : " after its exceptions";
  return new SpxError("SPX8501", `the rule "${rule.glob}" of \`${model.name}\` matches no tensor${but}`, {
    facts: { model: model.name, glob: rule.glob, nearest: near, ...rule.location },
    help: `at ${placeOf(rule)}; ${near.length === 0 ? "there are no tensors" : `the nearest names are ${near.map((name) => `\`${name}\``).join(", ")}`}`,
  });
}

function shadowed(model: ModelManifest, rule: ModelRule, matched: number): SpxError {
  return new SpxError(
    "SPX8502",
    `the rule "${rule.glob}" of \`${model.name}\` gets no tensor: earlier rules take all ${matched} it matches`,
    {
      facts: { model: model.name, glob: rule.glob, matched, ...rule.location },
      help: `at ${placeOf(rule)}; put it before the rules that are wider, or remove it`,
    },
  );
}

/**
 * The three names nearest to a glob: numbers and wildcards count as one letter, and where no name is near as a
 * whole, those that begin like it.
 */
function nearestToGlob(glob: string, names: readonly string[]): string[] {
  const shapes = new Map<string, string>();
  for (const name of names) {
    const shape = name.replaceAll(/\d+/g, "*");
    if (!shapes.has(shape)) shapes.set(shape, name);
  }
  const wanted = glob
    .replaceAll("/", ".")
    .replaceAll(/\*+/g, "*")
    .replaceAll(/\{([^,}]*)[^}]*\}/g, "$1");
  const near = nearestNames(wanted, shapes.keys()).flatMap((shape) => shapes.get(shape) ?? []);
  if (near.length > 0) return near;
  const alike = (name: string): number => {
    let length = 0;
    while (length < wanted.length && wanted[length] === name[length]) length++;
    return length;
  };
  return [...shapes]
    .toSorted(([a], [b]) => alike(b) - alike(a))
    .slice(0, 3)
    .map(([, name]) => name);
}
