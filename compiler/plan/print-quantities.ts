/** Times, bytes and counts with the unit that people read them in. */

/** `750 ns`, `12.3 us`, `4.56 ms`. */
export function printTime(nanoseconds: number): string {
  if (nanoseconds < 1000) return `${nanoseconds.toFixed(0)} ns`;
  return nanoseconds < 1e6 ? `${(nanoseconds / 1e3).toFixed(1)} us` : `${(nanoseconds / 1e6).toFixed(2)} ms`;
}

/** `512 B`, `1.5 KiB`, `2.0 MiB`. */
export function printBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024
    ? `${(bytes / 1024).toFixed(1)} KiB`
    : `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}

/** `9999`, `12.5k`, `3.20M`. */
export const printCount = (count: number): string =>
  count < 1e4 ? String(count) : count < 1e6 ? `${(count / 1e3).toFixed(1)}k` : `${(count / 1e6).toFixed(2)}M`;
