/** An explanation on one screen of text, at most 100 columns wide. */
import type {
  ExplainedDerived,
  ExplainedKernel,
  ExplainedVariant,
  Explanation,
  RepeatedActivation,
} from "./explanation.ts";
import { printBytes, printCount, printRanges, printTime } from "./print-quantity.ts";

const width = 100;

/** Breaks `text` at spaces; what follows the first line is indented by `indent`. */
function wrap(text: string, indent: number): readonly string[] {
  const lines: string[] = [];
  let line = /^ */.exec(text)?.[0] ?? "";
  for (const word of text.trimStart().split(" ")) {
    const longer = line.trim() === "" ? line + word : `${line} ${word}`;
    if (longer.length <= width || line.trim() === "") line = longer;
    else {
      lines.push(line);
      line = `${" ".repeat(indent)}${word}`;
    }
  }
  return [...lines, line];
}

/** `blockdiag16` without its number of blocks, which the structure tells. */
const shortFormat = (format: string): string => format.replace(/ .* blocks$/, "");

const clipped = (text: string, columns: number): string =>
  text.length <= columns ? text.padEnd(columns) : `${text.slice(0, columns - 1)}…`;

/** kernel | term | format | stage | bytes | multiplies | time. */
const columns = [7, 41, 12, 5, 8, 7, 8] as const;

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const size = columns[index] ?? 8;
      return index < 4 ? clipped(cell, size) : cell.padStart(size);
    })
    .join(" ")
    .trimEnd();
}

const heading = (batch: number): string =>
  `  ${row(["kernel", "term", "format", "stage", "bytes", "mul/tok", `at ${batch}`])}`;

function kernelRows(kernel: ExplainedKernel): readonly string[] {
  const time = printTime(kernel.nanoseconds);
  const isGradient = kernel.terms.every(({ input }) => input === "");
  if (isGradient) {
    const [, formula = kernel.text] = kernel.text.split(" += ");
    const stored = kernel.terms.map(({ bytes }) => bytes).reduce((sum, bytes) => sum + bytes, 0);
    const bytes = stored > 64 ? printBytes(stored) : "";
    return [`  ${row([`${kernel.output} +=`, formula, "", "", bytes, "", time])}`];
  }
  return kernel.terms.map((term, index) => {
    const { expression, input, format, stage, bytes, multiplies } = term;
    const product = `${/[ ]/.test(expression) ? `(${expression})` : expression} ${input}`;
    const sign = kernel.text.startsWith(`${kernel.output} +=`) ? "+=" : "=";
    const output = index === 0 ? `${kernel.output} ${sign}` : "  +";
    return `  ${row([output, product, shortFormat(format), stage, printBytes(bytes), printCount(multiplies), index === 0 ? time : ""])}`;
  });
}

function variantLines(variant: ExplainedVariant): readonly string[] {
  const { name, form, intervals, merged, batch, nanoseconds, bytes, multiplies, parts, kernels, rejected } =
    variant;
  const beside = [
    `call ${printTime(parts.call)}`,
    ...(parts.reading >= 1 ? [`reading ${printTime(parts.reading)}`] : []),
    ...(parts.transposing >= 1 ? [`transposing ${printTime(parts.transposing)}`] : []),
    ...(parts.merging >= 1 ? [`${merged ? "merging" : "forming operands"} ${printTime(parts.merging)}`] : []),
  ];
  return [
    ...wrap(`batch ${printRanges(intervals)}: ${name}${merged ? ", merged once a step" : ""}`, 2),
    ...wrap(`  ${form}`, 6),
    heading(batch),
    ...kernels.flatMap(kernelRows),
    ...wrap(
      `  in all ${printTime(nanoseconds)} at ${batch} (${beside.join(", ")}), ${printBytes(bytes)}, ${printCount(multiplies)} multiplies a token`,
      4,
    ),
    ...rejected.flatMap(({ name: other, ratio, deciding, built }) =>
      wrap(`  not ${other}: ${ratio.toFixed(2)} times, ${deciding}${built ? "" : ", no kernels"}`, 6),
    ),
  ];
}

/** `t1 is computed again, 656 us (5.7 %); kept from forward it would take 64 KiB and 5.80 us`. */
export function printRepeated({ output, nanoseconds, share, kept, formed }: RepeatedActivation): string {
  const again = `${output} is computed again, ${printTime(nanoseconds)} (${(100 * share).toPrecision(2)} %)`;
  const instead = `${printBytes(Math.round(kept.bytes))} and ${printTime(kept.nanoseconds)}`;
  return formed
    ? `${again}; kept from forward it would take ${instead}`
    : `${again}; forward does not compute it at this batch`;
}

/** `n = row_norm(…), [2048], once a step`. */
export const printDerived = ({ name, text, sides, stage }: ExplainedDerived): string =>
  `${name} = ${text}, [${sides.join(", ")}], once ${stage === "load" ? "at load" : "a step"}`;

/** What is said below them, because no candidate can do without them. */
export const derivedNote = "derived tensors and their gradients are in no price: every candidate needs them";

function backwardLines({ backward }: Explanation): readonly string[] {
  const unasked = backward.kernels.filter(({ dxOnly }) => dxOnly).map(({ output }) => output);
  return [
    `backward, ${printTime(backward.nanoseconds)} at ${backward.batch}${unasked.length === 0 ? "" : `, of which ${unasked.join(", ")} only where dx is asked for`}`,
    heading(backward.batch),
    ...backward.kernels.flatMap(kernelRows),
    ...backward.repeated.flatMap((one) => wrap(`  ${printRepeated(one)}`, 6)),
    ...backward.pulledBack.flatMap(({ name, text, parameters }) =>
      wrap(`  then d${name} of ${name} = ${text} goes on to ${parameters.join(", ")}`, 6),
    ),
  ];
}

const printArguments = (values: Explanation["arguments"]): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} = ${Number(value.toPrecision(6))}`)
    .join(", ");

export function printScreen(explanation: Explanation): string {
  const { transform, formula, rows, columns: inputs, rates, level, structure, merge, search } = explanation;
  const given = printArguments(explanation.arguments);
  const open = explanation.obligations.map(({ text, holds }) =>
    holds ? text : `${text} (fails at these sizes)`,
  );
  const facts = structure.map(({ term, facts: known }) => `${term}: ${known.join(", ")}`);
  return [
    ...wrap(`${transform} [${rows}, ${inputs}] = ${formula}`, 4),
    ...wrap(
      `${given === "" ? "" : `${given}; `}${rates.name} rates ${rates.id}, ${rates.threads} threads, ${level}`,
      2,
    ),
    ...wrap(`structure  ${facts.join("; ")}`, 11),
    "",
    ...explanation.variants.flatMap((variant) => [...variantLines(variant), ""]),
    ...backwardLines(explanation),
    "",
    ...explanation.derived.flatMap((one) => wrap(`derived   ${printDerived(one)}`, 10)),
    ...(explanation.derived.length === 0 ? [] : wrap(`          ${derivedNote}`, 10)),
    ...wrap(`merge     ${merge.text}`, 10),
    ...(open.length === 0 ? [] : wrap(`at load   ${open.join("; ")}`, 10)),
    ...explanation.pins.flatMap((pin) => wrap(`pin       ${pin}`, 10)),
    ...explanation.notes.flatMap((note) => wrap(`note      ${note}`, 10)),
    ...wrap(`rules     ${explanation.rules.join(", ") || "none"}`, 10),
    `search    ${search.priced} candidates priced of ${search.total}`,
    "",
  ].join("\n");
}
