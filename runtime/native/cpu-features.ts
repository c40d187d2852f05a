/**
 * What the CPU can do, from the text of /proc/cpuinfo. Which level of the kernels follows from it, and whether
 * the environment variable `SPX_LEVEL` (for instance `SPX_LEVEL=v3`) forces a lower one, is decided where
 * kernels are loaded; this file only reports.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

export interface CpuDescription {
  /** As Node names it: `x64`, `arm64` … */
  readonly architecture: string;
  /** Model name, or "unknown". */
  readonly model: string;
  /** Names as in /proc/cpuinfo, lower case: `avx2`, `fma`, `avx512f`, `avx512_bf16` … */
  readonly features: ReadonlySet<string>;
  /** Logical processors this process may run on. */
  readonly cores: number;
}

export interface CpuSource {
  /** Text of /proc/cpuinfo; empty where there is none. */
  readonly text: string;
  readonly architecture: string;
  readonly cores: number;
}

/** The CPU of this machine, or the one that `source` describes. */
export function detectCpu(source: CpuSource = thisMachine()): CpuDescription {
  return {
    architecture: source.architecture,
    model: firstField(source.text, ["model name", "Model"]) ?? "unknown",
    features: commonFeatures(source.text),
    cores: source.cores,
  };
}

function thisMachine(): CpuSource {
  let text = "";
  try {
    text = readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    // No such file outside Linux: no feature is known then, and loading kernels says so.
  }
  return { text, architecture: process.arch, cores: availableParallelism() };
}

/** What every listed processor has: on a machine with unequal cores a thread may move to the weakest. */
function commonFeatures(text: string): ReadonlySet<string> {
  const processors: Set<string>[] = [];
  for (const line of text.split("\n")) {
    const field = /^(?:flags|Features)\s*:(.*)$/.exec(line)?.[1];
    if (field === undefined) continue;
    processors.push(
      new Set(
        field
          .toLowerCase()
          .split(/\s+/)
          .filter((name) => name !== ""),
      ),
    );
  }
  const [first, ...others] = processors;
  return new Set([...(first ?? [])].filter((name) => others.every((other) => other.has(name))));
}

function firstField(text: string, names: readonly string[]): string | null {
  for (const name of names) {
    const value = new RegExp(`^${name}\\s*:\\s*(.+)$`, "m").exec(text)?.[1]?.trim();
    if (value !== undefined && value !== "") return value;
  }
  return null;
}
