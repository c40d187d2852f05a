/**
 * Excerpts of printed text, by selections that survive small changes:
 * `after "A" from "B" to "C"`: skip to the line after the first with A (may be repeated), then from the first line with
 * B to the next one with C; `for 5 lines` instead of `to`; neither: to the end. `value a[0].b`: a part of JSON.
 */

export function selectExcerpt(text: string, selection: string): string {
  const path = /^value (\S+)$/.exec(selection)?.[1];
  return path === undefined ? selectLines(text, selection) : selectValue(text, path);
}

const step = /\s*(?:(after|from|to) "([^"]+)"|for (\d+) lines)/y;

function selectLines(text: string, selection: string): string {
  const lines = text.split("\n");
  let start = 0;
  let end = lines.length;
  step.lastIndex = 0;
  while (step.lastIndex < selection.length) {
    const at = step.lastIndex;
    const [, verb, wanted = "", count] = step.exec(selection) ?? [];
    if (verb === undefined && count === undefined)
      throw new Error(`no selection: \`${selection.slice(at)}\``);
    if (verb === "after") start = find(lines, wanted, start) + 1;
    else if (verb === "from") start = find(lines, wanted, start);
    else if (verb === "to") end = find(lines, wanted, start + 1) + 1;
    else end = start + Number(count);
  }
  return withoutMargin(lines.slice(start, end)).join("\n");
}

function find(lines: readonly string[], wanted: string, from: number): number {
  const found = lines.findIndex((line, index) => index >= from && line.includes(wanted));
  if (found < 0) throw new Error(`no line from ${from + 1} on has \`${wanted}\``);
  return found;
}

function withoutMargin(lines: readonly string[]): string[] {
  const margins = lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/));
  const margin = Math.min(...margins);
  return lines.map((line) => line.slice(margin));
}

function selectValue(text: string, path: string): string {
  const value = path
    .split(/[.[\]]+/)
    .filter((name) => name !== "")
    .reduce<unknown>((whole, name) => (whole as Record<string, unknown>)[name], JSON.parse(text));
  if (value === undefined) throw new Error(`no value at ${path}`);
  return compactJson(value, "");
}

const width = 110;

/** JSON in which whatever fits on a line stands on one. */
function compactJson(value: unknown, margin: string): string {
  const flat = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  if (flat.length + margin.length <= width || typeof value !== "object" || value === null) return flat;
  const inner = `${margin}  `;
  const rows = Array.isArray(value)
    ? value.map((item) => compactJson(item, inner))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${compactJson(item, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${rows.map((row) => inner + row).join(",\n")}\n${margin}${close}`;
}
