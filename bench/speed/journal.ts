/** Results as they come, a line each, so that a run that was cut off goes on where it was. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { CellResult } from "./measure-cell.ts";

export interface Journal {
  /** Results of an earlier run with the same identity, by the cell's name. */
  readonly kept: ReadonlyMap<string, CellResult>;
  add(result: CellResult): void;
}

interface Line {
  readonly identity: string;
  readonly result: CellResult;
}

/** A line that was cut off in the middle is none. */
function parsed(text: string): Line | null {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

/**
 * @param identity of kernels, level and rounds: lines of others are not taken over.
 * @param resume whether lines that are there count; else the journal begins anew.
 */
export function openJournal(path: string, identity: string, resume: boolean): Journal {
  mkdirSync(dirname(path), { recursive: true });
  const kept = new Map<string, CellResult>();
  if (resume && existsSync(path))
    for (const line of readFileSync(path, "utf8").split("\n").map(parsed))
      if (line !== null && line.identity === identity) kept.set(line.result.name, line.result);
  const write = (result: CellResult): string => `${JSON.stringify({ identity, result } satisfies Line)}\n`;
  writeFileSync(path, [...kept.values()].map(write).join(""));
  return { kept, add: (result) => appendFileSync(path, write(result)) };
}
