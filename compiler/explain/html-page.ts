/** Explanations as one page of HTML that needs nothing but itself: no network, light and dark. */
import { costChart } from "./cost-chart.ts";
import type { ExplainedKernel, ExplainedVariant, Explanation } from "./explanation.ts";
import { patternPicture } from "./pattern-picture.ts";
import { printBytes, printCount, printRanges, printTime } from "./print-quantity.ts";
import { derivedNote, printDerived, printRepeated } from "./print-screen.ts";

export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --paper: #fff; --rule: #d8dde3; --on: #3b6ea5;
  --c0: #2166ac; --c1: #b2182b; --c2: #1b7837; --c3: #e08214; --c4: #762a83; --c5: #35978f; --c6: #8c510a; --c7: #c51b7d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4b0; --paper: #14171b; --rule: #343b44;
  --on: #7fb0e6; --c0: #6baed6; --c1: #fb6a6a; --c2: #74c476; --c3: #fdae61; --c4: #c2a5cf; --c5: #80cdc1; --c6: #dfc27d; --c7: #f1a3d0; } }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
code { font: 13px/1.4 ui-monospace, monospace; } p { margin: .3rem 0; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 13px; } .scroll { overflow-x: auto; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } .chart { width: 100%; height: auto; }
.grid { stroke: var(--rule); } .line { fill: none; stroke-width: 2; } .unbuilt { stroke-dasharray: 5 4; }
.crossover { stroke: var(--soft); stroke-dasharray: 2 3; } .pattern .on { fill: var(--on); } .pattern .frame { fill: none; stroke: var(--rule); }
.patterns { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; max-width: 15rem; } figcaption { font-size: 13px; }
.key { display: inline-block; width: 1.6rem; height: 0; border-top: 3px solid; vertical-align: middle; margin-right: .5rem; }
.key.unbuilt { border-top-style: dashed; }
${Array.from({ length: 8 }, (_, index) => `.line-${index} { stroke: var(--c${index}); border-color: var(--c${index}); }`).join(" ")}
`;

const cell = (text: string, number = false): string =>
  `<td${number ? ' class="number"' : ""}>${escapeHtml(text)}</td>`;
const code = (text: string): string => `<code>${escapeHtml(text)}</code>`;

function table(
  headings: readonly (readonly [text: string, number: boolean])[],
  rows: readonly string[],
): string {
  const head = headings
    .map(([text, number]) => `<th${number ? ' class="number"' : ""}>${escapeHtml(text)}</th>`)
    .join("");
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function kernelTable(kernels: readonly ExplainedKernel[], batch: number): string {
  const rows = kernels.flatMap((kernel) => {
    const time = `${printTime(kernel.nanoseconds)}${kernel.dxOnly ? " (dx)" : ""}`;
    if (kernel.terms.length === 0)
      return [
        `<tr><td>${code(kernel.text)}</td><td></td><td></td><td></td><td></td><td></td>${cell(time, true)}</tr>`,
      ];
    return kernel.terms.map(
      (term, index) =>
        `<tr><td>${index === 0 ? code(kernel.text) : ""}</td><td>${code(`${term.expression}${term.input === "" ? "" : ` · ${term.input}`}`)}</td>${cell(term.format)}${cell(term.stage)}${cell(printBytes(term.bytes), true)}${cell(printCount(term.multiplies), true)}${cell(index === 0 ? time : "", true)}</tr>`,
    );
  });
  const headings = [
    ["kernel", false],
    ["term", false],
    ["format", false],
    ["packed at", false],
    ["bytes", true],
    ["multiplies a token", true],
    [`time at ${batch}`, true],
  ] as const;
  return table(headings, rows);
}

function variantSection(variant: ExplainedVariant): string {
  const rejected = variant.rejected.map(
    ({ name, form, ratio, deciding }) =>
      `<tr><td>${code(name)}</td><td>${code(form)}</td>${cell(`${ratio.toFixed(2)} ×`, true)}${cell(deciding)}</tr>`,
  );
  return [
    `<h3>batch ${escapeHtml(printRanges(variant.intervals))}: ${escapeHtml(variant.name)}</h3>`,
    `<p>${code(variant.form)}</p>`,
    `<p class="soft">${printTime(variant.nanoseconds)} at batch ${variant.batch}; ${printBytes(variant.bytes)}; ${printCount(variant.multiplies)} multiplies a token${variant.merged ? "; merged once a step" : ""}</p>`,
    kernelTable(variant.kernels, variant.batch),
    "<p>Not chosen there:</p>",
    table(
      [
        ["candidate", false],
        ["form", false],
        ["time", true],
        ["decided by", false],
      ],
      rejected,
    ),
  ].join("\n");
}

const list = (title: string, items: readonly string[]): string =>
  items.length === 0
    ? ""
    : `<h2>${title}</h2><ul>${items.map((item) => `<li>${code(item)}</li>`).join("")}</ul>`;

function transformSection(explanation: Explanation): string {
  const { transform, formula, rows, columns, rates, level, structure, backward, merge, obligations, curves } =
    explanation;
  const given = Object.entries(explanation.arguments).map(
    ([name, value]) => `${name} = ${Number(value.toPrecision(6))}`,
  );
  const keys = curves.map(
    ({ name, form, built }, index) =>
      `<tr><td><span class="key line-${index % 8}${built ? "" : " unbuilt"}"></span>${code(name)}</td><td>${code(form)}</td></tr>`,
  );
  return [
    `<section><h1>${escapeHtml(transform)} [${rows}, ${columns}]</h1>`,
    `<p>${code(formula)}</p>`,
    `<p class="soft">${escapeHtml([...given, `${rates.name} rates ${rates.id}`, `${rates.threads} threads`, level].join("; "))}</p>`,
    "<h2>Predicted time over the batch</h2>",
    costChart(explanation, escapeHtml),
    `<table>${keys.join("")}</table>`,
    "<h2>Structure</h2>",
    `<div class="patterns">${structure
      .map(
        ({ term, facts, trained, picture }) =>
          `<figure>${patternPicture(picture, escapeHtml(term))}<figcaption>${code(term)}<br>${escapeHtml(facts.join(", "))}, ${trained ? "trained" : "frozen"}</figcaption></figure>`,
      )
      .join("")}</div>`,
    "<h2>Forward</h2>",
    ...explanation.variants.map(variantSection),
    "<h2>Backward</h2>",
    `<p class="soft">${printTime(backward.nanoseconds)} at batch ${backward.batch}, with dx</p>`,
    kernelTable(backward.kernels, backward.batch),
    ...backward.repeated.map((one) => `<p class="soft">${escapeHtml(printRepeated(one))}</p>`),
    list("Derived tensors", explanation.derived.map(printDerived)),
    explanation.derived.length === 0 ? "" : `<p class="soft">${escapeHtml(derivedNote)}</p>`,
    `<h2>Merge</h2><p>${code(merge.text)}</p>`,
    list(
      "Checked at load",
      obligations.map(({ text, holds }) => (holds ? text : `${text} (fails at these sizes)`)),
    ),
    list("Pins", explanation.pins),
    list("Notes", explanation.notes),
    list("Rules", explanation.rules),
    "</section>",
  ].join("\n");
}

export function htmlPage(explanations: readonly Explanation[]): string {
  const title = explanations.map(({ transform }) => transform).join(", ");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}: plan</title><style>${style}</style></head>
<body>
${explanations.map(transformSection).join("\n<hr>\n")}
</body></html>
`;
}
