/** The results as one page that needs nothing beside it: a table that sorts by any column, a bar for each roofline, plans in full. */
import { bestDense, bestPeer, bestRounded, judge, predictedOver, rooflineFraction } from "./judge-cells.ts";
import type { CellResult, Timed } from "./measure-cell.ts";
import { fixed, headLines, percent, type RunFacts, timeText, wantedText } from "./report.ts";

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeText = (text: string): string => text.replace(/[&<>"]/g, (found) => escapes[found] ?? found);

/** A table cell; `key` is what its column is sorted by. */
const cell = (html: string, key: number | string): string =>
  `<td data-key="${escapeText(String(key))}">${html}</td>`;

const number = (value: number | null, text = value === null ? "-" : fixed(value)): string =>
  cell(escapeText(text), value ?? -1);

const bar = (fraction: number | null, bound: string): string =>
  fraction === null
    ? cell("-", -1)
    : cell(
        `<div class="bar"><i style="width:${Math.min(100, Math.round(100 * fraction))}%"></i><b>${percent(fraction)} ${escapeText(bound)}</b></div>`,
        fraction,
      );

const timedLine = ({ name, kind, median, quartiles: [low, high], ratio, error }: Timed): string =>
  `<tr><td>${escapeText(name)}</td><td>${kind}</td><td>${timeText(median)}</td><td>${timeText(low)} to ${timeText(high)}</td>` +
  `<td>${ratio === null ? "-" : fixed(ratio)}</td><td>${error === null ? "-" : error.toExponential(1)}</td></tr>`;

/** Everybody's time, the plan's form, who refused. */
function detailsOf({ own, peers, plan, refused, drift, runs }: CellResult): string {
  const rows = [...(own === null ? [] : [own]), ...peers.toSorted((a, b) => a.median - b.median)];
  return (
    `<details><summary>${escapeText(plan?.variant ?? "all times")}</summary>` +
    (plan === null
      ? ""
      : `<code>${escapeText(plan.form)}</code><p>predicted ${timeText(plan.predicted)}</p>`) +
    `<table><tr><th>who</th><th>kind</th><th>median</th><th>quartiles</th><th>over spx</th><th>error</th></tr>` +
    `${rows.map(timedLine).join("")}</table>` +
    `<p>probes changed by ${percent(drift)}; run ${runs === 1 ? "once" : `${runs} times`}</p>` +
    `${refused.map((line) => `<p>refused: ${escapeText(line.split("\n")[0] ?? "")}</p>`).join("")}</details>`
  );
}

function rowOf(result: CellResult): string {
  const [peer, rounded, dense] = [bestPeer(result), bestRounded(result), bestDense(result)];
  const { own, roofline, name, plan } = result;
  return `<tr>${[
    cell(escapeText(name), name),
    number(own?.median ?? null, own === null ? "not offered yet" : timeText(own.median)),
    number(peer?.ratio ?? null, peer === null ? "-" : `${fixed(peer.ratio)} ${peer.name}`),
    number(rounded?.ratio ?? null, rounded === null ? "-" : `${fixed(rounded.ratio)} ${rounded.name}`),
    number(dense?.ratio ?? null, dense === null ? "-" : `${fixed(dense.ratio)} ${dense.name}`),
    bar(rooflineFraction(result), roofline === null ? "" : `of ${roofline.bound} (${roofline.level})`),
    number(predictedOver(result)),
    cell(detailsOf(result), plan?.variant ?? ""),
  ].join("")}</tr>`;
}

const columns = [
  "cell",
  "spx",
  "best peer / spx",
  "best that rounds / spx",
  "best dense / spx",
  "roofline",
  "predicted / measured",
  "plan",
];

const style = `body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:90em;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse}td,th{padding:.25em .7em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid #369}
tbody tr:hover{background:#f6f8fa}code{white-space:pre-wrap}details table{font-size:12px}
.bar{position:relative;width:13em;background:#eee}.bar i{display:block;height:1.4em;background:#9cc3e6}.bar b{position:absolute;left:.4em;top:0;font-weight:400}
input{font:inherit;padding:.3em;width:24em;margin:.7em 0}`;

/** Sorts by a column, the other way round at the second click; keeps rows that hold the text. */
const script = `const table=document.getElementById("cells"),body=table.tBodies[0],filter=document.getElementById("filter");
const ways=[];table.querySelectorAll("th button").forEach((button,column)=>button.addEventListener("click",()=>{
const way=ways[column]=-(ways[column]??-1);const key=row=>row.cells[column].dataset.key;
[...body.rows].sort((a,b)=>{const [x,y]=[key(a),key(b)];const n=Number(x)-Number(y);
return way*(Number.isNaN(n)?x.localeCompare(y):n)}).forEach(row=>body.append(row))}));
filter.addEventListener("input",()=>{for(const row of body.rows)row.hidden=!row.cells[0].textContent.includes(filter.value)});`;

const list = (lines: readonly string[]): string =>
  `<ul>${lines.map((line) => `<li>${escapeText(line.replace(/^- /, "").replaceAll("`", ""))}</li>`).join("")}</ul>`;

function targetRows(results: readonly CellResult[]): string {
  return judge(results)
    .map(
      ({ target, cells, met, worst }) =>
        `<tr><td>${escapeText(target.name)}</td><td>${escapeText(wantedText(target))}</td><td>${met} of ${cells.length}</td>` +
        `<td>${worst === null ? "-" : `${percent(worst.reached)}: ${escapeText(worst.cell.name)}`}</td></tr>`,
    )
    .join("");
}

/** A whole HTML document. */
export function resultsPage(results: readonly CellResult[], facts: RunFacts): string {
  const title = `spx: benchmark of ${facts.date}`;
  const machine = `${facts.cpu}, ${facts.cores} cores, kernels for ${facts.level}${facts.heldDown ? " (forced down)" : ""}, suite ${facts.suite}, ${facts.rounds} rounds`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeText(title)}</title>
<style>${style}</style></head><body>
<h1>${escapeText(title)}</h1><p>${escapeText(machine)}. Ratios are times of others over spx's: above 1, spx is faster.</p>
${list(headLines(results, facts))}
<h2>Targets</h2><table><thead><tr><th>target</th><th>wanted</th><th>cells that reach it</th><th>farthest below</th></tr></thead><tbody>${targetRows(results)}</tbody></table>
<h2>Cells</h2><label>Only cells with <input id="filter" placeholder="2048x2048 batch 1"></label>
<table id="cells"><thead><tr>${columns.map((name) => `<th><button>${name}</button></th>`).join("")}</tr></thead>
<tbody>${results.map(rowOf).join("\n")}</tbody></table>
<h2>Peers</h2>${list(facts.peers)}<h2>Not here</h2>${list([...facts.missing, ...facts.failed])}
<script>${script}</script></body></html>
`;
}
