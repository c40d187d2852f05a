/** The one table that the quickstart prints. */

export interface LayerRow {
  readonly tensor: string;
  readonly transform: string;
  readonly trainable: number;
  /** fp32 bytes of the dense weight. */
  readonly bytesBefore: number;
  /** Packed bytes that a call at batch 1 reads. */
  readonly bytesAfter: number;
  /** Largest ||y - oracle|| / ||oracle|| over the batches. */
  readonly error: number;
  /** Time of a call over time of the fastest dense peer, one a batch. */
  readonly ratios: readonly number[];
  /** Variant used, one a batch. */
  readonly plans: readonly string[];
}

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

/** `a/lane-output, a/lane-output, a/lane-token` → `a/lane-output ≤16, a/lane-token`. */
export function describePlans(plans: readonly string[], batches: readonly number[]): string {
  const runs: { plan: string; last: number }[] = [];
  plans.forEach((plan, index) => {
    const last = batches[index] ?? 0;
    const run = runs.at(-1);
    if (run?.plan === plan) run.last = last;
    else runs.push({ plan, last });
  });
  return runs
    .map(({ plan, last }, index) => (index === runs.length - 1 ? plan : `${plan} <=${last}`))
    .join(", ");
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** One line a transform: its layers and the geometric mean of their ratios at each batch. */
export function summarize(rows: readonly LayerRow[], batches: readonly number[]): string {
  const names = [...new Set(rows.map((row) => row.transform))].sort();
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => {
    const own = rows.filter((row) => row.transform === name);
    const means = batches.map((batch, index) => {
      const mean = geometricMean(own.map((row) => row.ratios[index] ?? Number.NaN));
      return `${mean.toFixed(2)}x @${batch}`;
    });
    return `${name.padEnd(width)}  ${String(own.length).padStart(3)} layers  ${means.join("  ")}`;
  });
  return ["In the geometric mean over its layers:", ...lines].join("\n");
}

export function printTable(rows: readonly LayerRow[], batches: readonly number[], peer: string): string {
  const header = [
    "tensor",
    "transform",
    "trainable",
    "before",
    "after",
    "error",
    ...batches.map((batch) => `t@${batch}`),
    "plan",
  ];
  const cells = rows.map((row) => [
    row.tensor,
    row.transform,
    row.trainable.toLocaleString("en"),
    kibibytes(row.bytesBefore),
    kibibytes(row.bytesAfter),
    row.error.toExponential(1),
    ...row.ratios.map((ratio) => `${ratio.toFixed(2)}x`),
    describePlans(row.plans, batches),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((line) => (line[column] ?? "").length)),
  );
  const leftAligned = new Set([0, 1, header.length - 1]);
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, column) =>
        leftAligned.has(column) ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [
    line(header),
    line(widths.map((width) => "-".repeat(width))),
    ...cells.map(line),
    "",
    `t@B: time of a call at batch B over the fastest dense fp32 product of the same shape in the same run (${peer});`,
    "below 1 is faster. error: relative to a float64 oracle, bound 1e-5. before/after: bytes a call reads, dense and packed.",
  ].join("\n");
}
