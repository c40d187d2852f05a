/** Sizes of the caches of one core, as Linux tells them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = "/sys/devices/system/cpu/cpu0/cache";

export interface CacheSizes {
  readonly secondLevel: number;
  readonly thirdLevel: number;
}

/** What is taken where nothing is told: a server core of the last years. */
const usual: CacheSizes = { secondLevel: 1 << 20, thirdLevel: 32 << 20 };
const units: Readonly<Record<string, number>> = { "": 1, K: 1 << 10, M: 1 << 20 };

export function cacheSizes(): CacheSizes {
  const found = new Map<string, number>();
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith("index")) continue;
      const read = (file: string): string => readFileSync(join(folder, name, file), "utf8").trim();
      const [, digits = "0", unit = ""] = /^(\d+)([KM]?)$/.exec(read("size")) ?? [];
      found.set(read("level"), Number(digits) * (units[unit] ?? 1));
    }
  } catch {
    // Virtual machines may tell nothing: the usual sizes stand.
  }
  return {
    secondLevel: found.get("2") || usual.secondLevel,
    thirdLevel: found.get("3") || usual.thirdLevel,
  };
}
