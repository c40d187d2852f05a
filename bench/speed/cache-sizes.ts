/** Sizes of the caches of core 0, as Linux tells them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CacheSizes } from "./probes.ts";

const folder = "/sys/devices/system/cpu/cpu0/cache";
/** What is taken where nothing is told: a server core of the last years. */
const usual: CacheSizes = { L2: 1 << 20, L3: 32 << 20 };

export function cacheSizes(): CacheSizes {
  const sizes: Record<"L2" | "L3", number> = { ...usual };
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith("index")) continue;
      const read = (file: string): string => readFileSync(join(folder, name, file), "utf8").trim();
      const level = `L${read("level")}`;
      const [, digits, unit] = /^(\d+)([KM]?)$/.exec(read("size")) ?? [];
      if ((level === "L2" || level === "L3") && digits !== undefined)
        sizes[level] = Number(digits) * (unit === "M" ? 1 << 20 : unit === "K" ? 1 << 10 : 1);
    }
  } catch {
    // Virtual machines may tell nothing: the usual sizes stand.
  }
  return sizes;
}
