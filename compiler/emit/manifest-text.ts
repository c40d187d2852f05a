/**
 * A manifest as text: JSON for people too, in which whatever fits a line stands on one, and so does every formula. Prices
 * are deep trees of small nodes, most of a manifest; a line for each bracket would make them five times as long.
 */
import type { Manifest } from "../../runtime/contract/manifest.ts";

/** Characters, as in the sources. */
const lineWidth = 110;

export const manifestText = (manifest: Manifest): string => `${textOf(manifest, 0)}\n`;

/** JSON of `value`, whose first line begins after `indent` columns. */
function textOf(value: unknown, indent: number): string {
  if (typeof value !== "object" || value === null || isFormula(value)) return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((element) => textOf(element, indent + 1))
    : Object.entries(value)
        .filter(([, held]) => held !== undefined)
        .map(([name, held]) => `${JSON.stringify(name)}: ${textOf(held, indent + 1)}`);
  const line = `${open}${parts.join(", ")}${close}`;
  const margin = `\n${" ".repeat(indent + 1)}`;
  return line.length + indent <= lineWidth && !line.includes("\n")
    ? line
    : `${open}${margin}${parts.join(`,${margin}`)}\n${" ".repeat(indent)}${close}`;
}

const isFormula = (value: object): boolean => "kind" in value && value.kind === "apply";
