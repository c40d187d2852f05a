// The import rules of layer-rules.ts, over every source file. A violation is printed as `file:line` with its rule.

import { describe, expect, it } from "vitest";
import { impureGlobals, type Layer, layerOf, neverAbove, packageImporters } from "./layer-rules.ts";
import { importsOf, readSources, type SourceFile } from "./source-files.ts";

const sources = readSources();
const paths = new Set(sources.map((source) => source.path));

describe("layers", () => {
  it("puts every source file into a layer", () => {
    expect(sources.map((source) => source.path).filter((path) => layerOf(path) === undefined)).toEqual([]);
  });

  it("lets imports run only in the direction of the data", () => {
    expect(sources.flatMap(forbiddenImports)).toEqual([]);
  });

  it("lets imports name files that exist, with their ending", () => {
    const missing = sources.flatMap((source) =>
      source.imports
        .filter((line) => line.file !== null && !paths.has(line.file))
        .map((line) => `${source.path}:${line.line}: ${line.specifier} is no source file`),
    );
    expect(missing).toEqual([]);
  });

  it("gives each third-party package one importer", () => {
    const found = new Map<string, string[]>();
    const wrong: string[] = [];
    for (const source of sources) {
      for (const line of source.imports) {
        if (line.file !== null || line.specifier.startsWith("node:")) continue;
        const place = packageImporters[packageName(line.specifier)];
        if (place === undefined)
          wrong.push(`${source.path}:${line.line}: ${line.specifier} is not in the table`);
        else if (!source.path.startsWith(place))
          wrong.push(`${source.path}:${line.line}: ${line.specifier} may be imported in ${place} only`);
        else if (!line.typeOnly)
          found.set(line.specifier, [...(found.get(line.specifier) ?? []), source.path]);
      }
    }
    for (const [name, importers] of found) {
      const files = new Set(importers);
      if (files.size > 1 && name !== "chevrotain")
        wrong.push(`${name} has several importers: ${[...files].join(", ")}`);
    }
    expect(wrong).toEqual([]);
  });

  it("keeps everything outside the edges pure: no files, processes, clock or chance", () => {
    expect(sources.flatMap(impurities)).toEqual([]);
  });

  it("has no import cycles among values", () => {
    expect(findCycle(sources)).toEqual([]);
  });
});

describe("the rules themselves", () => {
  it("see static, multi-line, re-exporting, type-only and lazy imports, but no comments", () => {
    const text = [
      'import { a } from "./a.ts";',
      "import type {",
      "  B,",
      '} from "../b/b.ts";',
      'export { c } from "pkg";',
      'import "node:fs";',
      'const lazy = await import("./lazy.ts");',
      '// import { no } from "./no.ts";',
      '/* import { no } from "./no.ts"; */',
    ].join("\n");
    const seen = importsOf("x/y/z.ts", text).map((line) => [
      line.line,
      line.file ?? line.specifier,
      line.typeOnly,
    ]);
    expect(seen).toEqual([
      [1, "x/y/a.ts", false],
      [2, "x/b/b.ts", true],
      [5, "pkg", false],
      [6, "node:fs", false],
      [7, "x/y/lazy.ts", false],
    ]);
  });

  it("refuse what they are there to refuse", () => {
    const file = (path: string, text: string): SourceFile => ({
      path,
      text,
      code: text,
      imports: importsOf(path, text),
    });
    const refused = [
      file("runtime/model/m.ts", 'import { x } from "../../compiler/plan/plan.ts";'),
      file("grammar/parser/p.ts", 'import { x } from "../../compiler/types/t.ts";'),
      file("compiler/algebra/a.ts", 'import { x } from "../check/checked-module.ts";'),
      file("compiler/loop/l.ts", 'import type { X } from "../backend/llvm/l.ts";'),
    ];
    for (const source of refused) expect(forbiddenImports(source), source.path).toHaveLength(1);
    const allowed = file("compiler/algebra/a.ts", 'import type { X } from "../check/checked-module.ts";');
    expect(forbiddenImports(allowed)).toEqual([]);
    expect(impurities(file("compiler/check/c.ts", 'import { readFileSync } from "node:fs";'))).toHaveLength(
      1,
    );
    expect(impurities(file("compiler/check/c.ts", "const seed = Math.random();"))).toHaveLength(1);
    expect(findCycle([file("a.ts", 'import "./b.ts";'), file("b.ts", 'import "./a.ts";')])).not.toEqual([]);
  });
});

function forbiddenImports(source: SourceFile): readonly string[] {
  const layer = layerOf(source.path);
  if (layer === undefined) return [];
  return source.imports.flatMap((line) => {
    if (line.file === null) return [];
    const rule = brokenRule(source.path, layer, line.file, line.typeOnly);
    return rule === null ? [] : [`${source.path}:${line.line}: imports ${line.file}; ${rule}`];
  });
}

function brokenRule(from: string, layer: Layer, to: string, typeOnly: boolean): string | null {
  const never = neverAbove.find(
    (row) => from.startsWith(row.from) && row.never.some((prefix) => to.startsWith(prefix)),
  );
  if (never !== undefined) return `${never.from} never imports ${never.never.join(" or ")}`;
  if (layerOf(to) === layer || layer.may.some((prefix) => to.startsWith(prefix))) return null;
  const asTypes = (layer.mayTypes ?? []).some((prefix) => to.startsWith(prefix));
  if (asTypes) return typeOnly ? null : `${layer.prefix} may import only types from there`;
  return `${layer.prefix} may import ${layer.may.length === 0 ? "nothing" : layer.may.join(", ")}`;
}

function impurities(source: SourceFile): readonly string[] {
  if (layerOf(source.path)?.node === true) return [];
  const modules = source.imports.filter((line) => line.specifier.startsWith("node:") && !line.typeOnly);
  const globals = [...source.code.matchAll(impureGlobals)].map((match) => ({
    name: match[0],
    line: source.code.slice(0, match.index).split("\n").length,
  }));
  return [
    ...modules.map((line) => `${source.path}:${line.line}: imports ${line.specifier}, but the layer is pure`),
    ...globals.map(({ name, line }) => `${source.path}:${line}: names ${name}, but the layer is pure`),
  ];
}

function packageName(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** The first cycle met, as the files along it; empty when there is none. */
function findCycle(files: readonly SourceFile[]): readonly string[] {
  const next = new Map(
    files.map((file) => [
      file.path,
      file.imports.flatMap((line) => (line.file === null || line.typeOnly ? [] : [line.file])),
    ]),
  );
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return [];
    for (const target of next.get(path) ?? []) {
      const cycle = visit(target, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    finished.add(path);
    return [];
  };
  for (const file of files) {
    const cycle = visit(file.path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
