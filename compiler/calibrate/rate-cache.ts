/**
 * Calibrations of processors among the user's caches: one file for each model of processor, its features and its
 * threads, written beside its place and renamed into it; and tables of rates in files of the user's own.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CpuDescription, detectCpu } from "../../runtime/native/cpu-features.ts";
import { cacheFolder, writeWhole } from "../../runtime/native/user-cache.ts";
import { defaultRates } from "../targets/cpu-rates.ts";
import type { LevelName, RateTable } from "../targets/rate-table.ts";
import { ratesOf } from "./rate-vector.ts";

/** Raised when the rates change their meaning: files of other versions are as if they were not there. */
export const ratesVersion = 5;

export interface Calibration {
  readonly kind: "spx-rates";
  readonly version: number;
  readonly machine: { readonly model: string; readonly cores: number };
  /** Median error of the fitted prices at the probes, as a factor, for each level that ran. */
  readonly medianFactors: Readonly<Record<string, number>>;
  readonly table: RateTable;
}

/** A table that cannot be had, in the words of a diagnostic. */
export interface RatesProblem {
  readonly code: "SPX0301" | "SPX0302";
  readonly message: string;
  readonly help: string;
}

const keyOf = ({ model, features, cores }: CpuDescription): string =>
  createHash("sha256")
    .update(JSON.stringify([model, [...features].sort(), cores]))
    .digest("hex")
    .slice(0, 16);

export function calibrationFile(cpu: CpuDescription = detectCpu()): string {
  return join(cacheFolder(), `rates-v${ratesVersion}-${keyOf(cpu)}.json`);
}

/** Where a calibration that was interrupted left its times. */
export const journalFile = (cpu: CpuDescription = detectCpu()): string =>
  calibrationFile(cpu).replace(/\.json$/, ".times.json");

/** Writes `value` whole or not at all. @throws NodeJS.ErrnoException when that is not allowed. */
export const writeJson = (path: string, value: unknown): void =>
  writeWhole(path, `${JSON.stringify(value, null, 1)}\n`);

/** What is not a table of rates, or null: every rate of every level has to be there and be a number from 0 on. */
function fault(value: unknown): string | null {
  const { kind, version, table } = (value ?? {}) as Partial<Calibration>;
  if (kind !== "spx-rates") return "its `kind` is not `spx-rates`";
  if (version !== ratesVersion) return `it has version ${String(version)}, this spxc reads ${ratesVersion}`;
  if (typeof table?.name !== "string" || !Number.isInteger(table.threads) || table.threads < 1)
    return "`table` has no name or no number of threads";
  for (const level of Object.keys(defaultRates.levels) as LevelName[]) {
    const rates = new Map(
      ratesOf(table.levels?.[level] ?? ({} as never)).map(({ path, value: rate }) => [path, rate]),
    );
    for (const { path } of ratesOf(defaultRates.levels[level])) {
      const rate = rates.get(path);
      if (rate === undefined || !(rate >= 0) || rate === Number.POSITIVE_INFINITY)
        return `\`${level}.${path}\` is no rate`;
    }
    const { memory } = table.levels[level];
    if (!(memory.secondLevelBytes > 0 && memory.thirdLevelBytes > 0))
      return `\`${level}\` has no cache sizes`;
  }
  return null;
}

function readTable(path: string): RateTable | RatesProblem {
  const help = "write one with `spxc calibrate --output FILE`";
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { code: "SPX0302", message: `the rates \`${path}\` cannot be read: ${reason}`, help };
  }
  const wrong = fault(value);
  return wrong === null
    ? (value as Calibration).table
    : { code: "SPX0302", message: `\`${path}\` is no table of rates: ${wrong}`, help };
}

/** The table that `--rates` names: `default`, `machine` (the calibration of this processor) or a file. */
export function ratesNamed(wanted: string): RateTable | RatesProblem {
  if (wanted === "default") return defaultRates;
  if (wanted !== "machine") return readTable(wanted);
  const path = calibrationFile();
  if (existsSync(path)) return readTable(path);
  return {
    code: "SPX0301",
    message: `this machine has not been calibrated (no \`${path}\`)`,
    help: "run `spxc calibrate` once, it takes about two minutes; or build with `--rates default`",
  };
}
