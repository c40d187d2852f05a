/** The transforms of a module, each built once for every set of values of its const arguments. */
import type { Diagnostic, Label } from "../../grammar/text/diagnostic.ts";
import { constantsOf } from "./check-arguments.ts";
import type { CheckContext } from "./check-context.ts";
import { checkTransform, newContext, type TransformDeclaration } from "./check-transform.ts";
import type { CheckedTransform } from "./checked-module.ts";

export interface TransformInstances {
  /**
   * The instance with the given const values, others by default; null when it has errors. Those of values that someone
   * gave are shown with `use`, the place where.
   */
  readonly instance: (
    declaration: TransformDeclaration,
    given: ReadonlyMap<string, number>,
    use?: Label,
  ) => CheckedTransform | null;
  /** The functions whose uses are silent. */
  readonly isFaulty: CheckContext["isFaulty"];
  /** All instances without errors, in the order in which they were first asked for. */
  readonly all: () => CheckedTransform[];
}

export function makeInstances(
  diagnostics: Diagnostic[],
  isFaulty: CheckContext["isFaulty"],
): TransformInstances {
  const built = new Map<TransformDeclaration["syntax"], Map<string, CheckedTransform | null>>();
  const names = new Set<string>();
  const transforms: CheckedTransform[] = [];

  const uniqueName = (wanted: string): string => {
    let name = wanted;
    for (let number = 2; names.has(name); number += 1) name = `${wanted}_${number}`;
    names.add(name);
    return name;
  };

  const instance: TransformInstances["instance"] = (declaration, given, use) => {
    const { syntax, module } = declaration;
    const tell = (found: readonly Diagnostic[]): void => {
      const places = use === undefined || given.size === 0 ? [] : [use];
      for (const diagnostic of found)
        diagnostics.push({ ...diagnostic, secondary: [...diagnostic.secondary, ...places] });
    };
    const context = newContext(isFaulty);
    const nowhere = { module, lookup: () => null, names: () => [] };
    const constants = constantsOf(context, nowhere, syntax.parameters, given);
    const defaults = constantsOf(newContext(isFaulty), nowhere, syntax.parameters, new Map());
    if (constants === null) {
      tell(context.diagnostics);
      return null;
    }
    const instances = built.get(syntax) ?? new Map<string, CheckedTransform | null>();
    built.set(syntax, instances);
    const key = JSON.stringify([...constants]);
    const known = instances.get(key);
    if (known !== undefined) return known;
    const changes = [...constants].filter(([name, value]) => defaults?.get(name) !== value);
    const suffix = changes.map(([name, value]) => `_${name}${String(value).replace(/\W/g, "_")}`).join("");
    const result = checkTransform(
      declaration,
      uniqueName(`${syntax.name.name}${suffix}`),
      constants,
      isFaulty,
    );
    tell(result.diagnostics);
    instances.set(key, result.transform);
    if (result.transform !== null) transforms.push(result.transform);
    return result.transform;
  };
  return { instance, isFaulty, all: () => transforms };
}
