/** Fixes of phase 2: names, imports, rules of models. */
import { listNames, suggestNames } from "../diagnostics/suggest-name.ts";
import { after, before, type Fix, type FixScene, fix, placesOfName, sameSpan, textAt } from "./fix-scene.ts";

/** Brings `name` of a module of the library into the file: into an import of that module, or as a new one. */
function importing({ tree, source }: FixScene, name: string, module: string) {
  const { imports } = tree;
  const same = imports.find(({ from }) => from.value === module)?.names.at(-1);
  if (same !== undefined) return { span: after(same.local.span), replacement: `, ${name}` };
  const line = `import { ${name} } from "${module}"`;
  const last = imports.at(-1);
  if (last !== undefined) return { span: after(last.span), replacement: `\n${line}` };
  // Comments at the head of a file speak of the file; those right before a declaration speak of it.
  const head = /^(?:\/\/(?!\/).*\n)+\n/.exec(source)?.[0].length ?? 0;
  return { span: { file: tree.file, start: head, end: head }, replacement: `${line}\n\n` };
}

const missingImport: Fix = (scene) => {
  const { problem, span } = scene;
  const name = String(problem.facts.name);
  const homes = scene.homes();
  const home = homes.get(name);
  if (home !== undefined) {
    const help = fix(`add \`import { ${name} } from "${home}"\``, "safe", importing(scene, name, home));
    return [help, ...problem.help];
  }
  if (problem.help.some(({ edits }) => edits.length > 0)) return [];
  const [nearest] = suggestNames(name, homes.keys());
  const module = nearest === undefined ? undefined : homes.get(nearest);
  if (nearest === undefined || module === undefined) return [];
  const text = `did you mean \`${nearest}\`? add \`import { ${nearest} } from "${module}"\``;
  return [fix(text, "likely", { span, replacement: nearest }, importing(scene, nearest, module))];
};

/** A name corrected in an import is corrected where it is used. */
const importedName: Fix = (scene) => {
  const { problem, span, tree } = scene;
  const home = scene.homes().get(String(problem.facts.name));
  if (home !== undefined && home !== problem.facts.module)
    return [fix(`import it from "${home}"`, "sketch", importing(scene, String(problem.facts.name), home))];
  const isRenamed = tree.imports.some(({ names }) =>
    names.some(({ imported, local }) => sameSpan(imported.span, span) && !sameSpan(local.span, span)),
  );
  if (isRenamed) return [];
  const uses = placesOfName(tree.declarations, String(problem.facts.name));
  return problem.help.map((help) => {
    const [edit] = help.edits;
    if (edit === undefined) return help;
    const { replacement } = edit;
    const others = uses.map((use) => ({
      span: { ...use, end: use.start + String(problem.facts.name).length },
      replacement,
    }));
    return { ...help, edits: [edit, ...others] };
  });
};

/** An import whose name the file declares itself gets another name. */
const clashingImport: Fix = ({ problem, span, tree }) => {
  const name = String(problem.facts.name);
  const clashing = tree.imports
    .flatMap(({ names }) => names)
    .find(({ imported, local }) => sameSpan(local.span, span) && imported.name === local.name);
  if (clashing === undefined) return [];
  const other = `${name}${name.endsWith("2") ? "B" : "2"}`;
  if (placesOfName(tree, other).length > 0) return [];
  return [
    fix(`import it as another name: \`${name} as ${other}\``, "likely", {
      span: after(span),
      replacement: ` as ${other}`,
    }),
  ];
};

/** Longer lists are no help. */
const longestRange = 64;

/** `{0..3}` → `{0,1,2,3}`; other ranges stay as they are. */
const listRanges = (glob: string): string =>
  glob.replace(/\{(\d+)\.\.(\d+)\}/g, (whole, first: string, last: string) => {
    const count = Number(last) - Number(first) + 1;
    const isPlain = [first, last].every((end) => String(Number(end)) === end);
    if (!isPlain || count < 2 || count > longestRange) return whole;
    return `{${Array.from({ length: count }, (_, index) => Number(first) + index).join(",")}}`;
  });

const glob: Fix = (scene) => {
  const written = textAt(scene, scene.span).slice(1, -1);
  const listed = listRanges(written);
  if (/\{[^{}]*\.\.[^{}]*\}/.test(listed)) return [];
  const mended = listed
    .replace(/[\\/]+/g, ".")
    .replace(/\.{2,}/g, ".")
    .replace(/^\.|\.$/g, "");
  if (mended === written || mended === "") return [];
  const edit = { span: scene.span, replacement: `"${mended}"` };
  return [fix(`write \`"${mended}"\``, "likely", edit)];
};

/** The rule moves before the one that takes its tensors. */
const shadowed: Fix = (scene) => {
  const { tree, problem, span, source } = scene;
  const rules = tree.declarations.flatMap((declaration) =>
    declaration.kind === "model" ? declaration.rules : [],
  );
  const rule = rules.find(({ pattern }) => sameSpan(pattern.span, span));
  const earlierSpan = problem.secondary[0]?.span;
  const earlier = rules.find(
    ({ pattern }) => earlierSpan !== undefined && sameSpan(pattern.span, earlierSpan),
  );
  if (rule === undefined || earlier === undefined) return [];
  const start = source.slice(0, rule.span.start).trimEnd().length;
  const gone = { span: { ...rule.span, start }, replacement: "" };
  if (rule.pattern.text === earlier.pattern.text)
    return [fix("remove it: the first rule that matches wins", "likely", gone)];
  const moved = { span: before(earlier.span), replacement: `${textAt(scene, rule.span)}\n  ` };
  return [fix("move it up: the first rule that matches wins", "likely", moved, gone)];
};

/** Takes an argument out of a list, with the comma that parted it from the others. */
export function withoutArgument(
  list: readonly { readonly span: FixScene["span"] }[],
  index: number,
): { span: FixScene["span"]; replacement: "" } | null {
  const [previous, argument, next] = [list[index - 1], list[index], list[index + 1]];
  if (argument === undefined) return null;
  const { span } = argument;
  if (previous !== undefined) return { span: { ...span, start: previous.span.end }, replacement: "" };
  return { span: next === undefined ? span : { ...span, end: next.span.start }, replacement: "" };
}

const ruleTensor: Fix = ({ tree, span }) => {
  for (const declaration of tree.declarations) {
    if (declaration.kind !== "model") continue;
    for (const rule of declaration.rules) {
      if (rule.kind !== "use") continue;
      const index = rule.arguments.findIndex((argument) => sameSpan(argument.span, span));
      const edit = withoutArgument(rule.arguments, index);
      if (edit !== null) return [fix("remove it: the rule hands the tensor over itself", "likely", edit)];
    }
  }
  return [];
};

const nearestAxis: Fix = ({ problem, span }) => {
  const { name, rows, columns } = problem.facts;
  const axes = [String(rows), String(columns), "input", "output"].filter((axis) => /^\w+$/.test(axis));
  const near = suggestNames(String(name), axes);
  const [nearest] = near;
  if (nearest === undefined) return [];
  const applicability = near.length === 1 ? "safe" : "likely";
  return [fix(`did you mean ${listNames(near)}?`, applicability, { span, replacement: nearest })];
};

export const nameFixes: Readonly<Record<string, Fix>> = {
  SPX2001: missingImport,
  SPX2002: missingImport,
  SPX2101: clashingImport,
  SPX2202: importedName,
  SPX2401: glob,
  SPX2402: shadowed,
  SPX2404: ruleTensor,
  SPX4302: nearestAxis,
};
