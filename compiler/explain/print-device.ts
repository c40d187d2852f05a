/** The explanation of a device plan on one screen. */
import type { CudaElements } from "../../runtime/contract/cuda.ts";
import type {
  ExplainedDevice,
  ExplainedDeviceBackward,
  ExplainedDeviceKernel,
  ExplainedDeviceVariant,
} from "./explain-device.ts";
import { printBytes, printCount, printRanges, printTime } from "./print-quantity.ts";

/** At most 100 columns but for long formulas. */
export function printDeviceScreen(explained: ExplainedDevice): string {
  const { transform, rows, columns, rates, types, priced, notes } = explained;
  return [
    `${transform} [${rows}, ${columns}] on CUDA; ${rates.name} rates ${rates.id}, published or derived, not measured here`,
    "",
    ...types.flatMap(({ elements, variants, backward }) => [
      ...variants.flatMap((variant) => [...variantLines(elements, variant), ""]),
      ...(backward === null ? [] : [...backwardLines(elements, backward), ""]),
    ]),
    ...notes.map((note) => `note      ${note}`),
    `search    ${priced} candidates priced for each number type`,
    "",
  ].join("\n");
}

/** A line for each kernel and each further term, below a heading. */
function kernelLines(batch: number, kernels: readonly ExplainedDeviceKernel[]): readonly string[] {
  const rows = kernels.flatMap(({ output, terms, kernel, formats, bytes, multiplies, nanoseconds }) =>
    (terms.length === 0 ? ["0"] : terms).map((term, index) => {
      const first = index === 0;
      const cells = [
        (first ? output : "  +").padEnd(7),
        (term.length > 40 ? `${term.slice(0, 39)}…` : term).padEnd(40),
        (formats[index] ?? "").padEnd(12),
        (first ? kernel : "").padEnd(7),
        (first ? printBytes(bytes) : "").padStart(8),
        (first ? printCount(multiplies) : "").padStart(7),
        (first ? printTime(nanoseconds) : "").padStart(8),
      ];
      return `  ${cells.join(" ").trimEnd()}`;
    }),
  );
  const heading = [
    "kernel ",
    "term".padEnd(40),
    "format".padEnd(12),
    "by     ",
    "   bytes",
    "mul/tok",
    `at ${batch}`.padStart(8),
  ];
  return [`  ${heading.join(" ")}`, ...rows];
}

/** What a call takes, and how much of it is the host's. */
const inAll = (nanoseconds: number, batch: number, forming: number): string =>
  `  in all ${printTime(nanoseconds)} at ${batch}${forming < 1 ? "" : `, of which ${printTime(forming)} bring what was trained to the device`}`;

function variantLines(elements: CudaElements, variant: ExplainedDeviceVariant): readonly string[] {
  const { name, form, intervals, batch, nanoseconds, forming, kernels, next } = variant;
  return [
    `${elements}, batch ${printRanges(intervals)}: ${name}`,
    `  ${form}`,
    ...kernelLines(batch, kernels),
    inAll(nanoseconds, batch, forming),
    ...(next === null ? [] : [`  not ${next.name}: ${next.ratio.toFixed(2)} times`]),
  ];
}

function backwardLines(elements: CudaElements, backward: ExplainedDeviceBackward): readonly string[] {
  const { batch, nanoseconds, forming, kernels } = backward;
  const dxOnly = kernels.filter((kernel) => kernel.dxOnly);
  const unasked = dxOnly.reduce((all, kernel) => all + kernel.nanoseconds, 0);
  const outputs = [...new Set(dxOnly.map(({ output }) => output.replace(/ \+?=$/, "")))];
  return [
    `${elements}, backward`,
    ...kernelLines(batch, kernels),
    inAll(nanoseconds, batch, forming),
    ...(outputs.length === 0
      ? []
      : [`  of which ${printTime(unasked)} for ${outputs.join(", ")} where dx is asked for`]),
    ...(kernels.some(({ kernel }) => kernel === "entries")
      ? ["  not priced: copying the gradients to the host, and what follows from them there"]
      : []),
  ];
}
