/** Quantities as people read them, short enough for columns. */

/** `750 ns`, `12.3 us`, `4.56 ms`. */
export function printTime(nanoseconds: number): string {
  if (nanoseconds < 1000) return `${nanoseconds.toFixed(0)} ns`;
  if (nanoseconds < 1e6) return `${(nanoseconds / 1e3).toPrecision(3)} us`;
  return nanoseconds < 1e9
    ? `${(nanoseconds / 1e6).toPrecision(3)} ms`
    : `${(nanoseconds / 1e9).toPrecision(3)} s`;
}

export function printBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const [scaled, unit] = bytes < 1024 * 1024 ? [bytes / 1024, "KiB"] : [bytes / (1024 * 1024), "MiB"];
  return `${scaled < 100 ? scaled.toPrecision(2) : scaled.toFixed(0)} ${unit}`;
}

export function printCount(count: number): string {
  if (count < 1e4) return String(count);
  const [scaled, unit] =
    count < 1e6 ? [count / 1e3, "k"] : count < 1e9 ? [count / 1e6, "M"] : [count / 1e9, "G"];
  return `${scaled.toPrecision(3)}${unit}`;
}

/** `1 to 14, 17 to 28, 33 and more`; after four the others are counted. */
export function printRanges(
  ranges: readonly { readonly from: number; readonly to: number | null }[],
): string {
  const all = ranges.map(({ from, to }) =>
    to === null ? `${from} and more` : from === to ? `${from}` : `${from} to ${to}`,
  );
  if (all.length <= 5) return all.join(", ");
  return [...all.slice(0, 3), `… (${all.length - 4} more)`, all.at(-1) ?? ""].join(", ");
}
