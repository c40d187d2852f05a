/** `spx.lock` beside a source: comparing what the compiler chooses with it, and writing it. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Compilation } from "../driver/compilation.ts";
import { packageVersion } from "../driver/package-version.ts";
import { differencesOf, emptyLock, lockOf, printLock, readLock, withFile } from "../driver/plan-lock.ts";
import { writeArtefact } from "../emit/artefact-writer.ts";
import type { PlainProblem } from "./report-diagnostics.ts";

const lockName = "spx.lock";
export const lockPath = (source: string): string => join(dirname(source), lockName);

const unreadable = (path: string): PlainProblem => ({
  code: "SPX0402",
  message: `\`${path}\` holds no lock that this compiler reads`,
  help: "take it from version control again, or remove it and write a new one with `spxc lock`",
});

/** Null when the file is as the lock says. */
export function checkLocked(source: string, compilation: Compilation): PlainProblem | null {
  const path = lockPath(source);
  const again = `run \`spxc lock ${source}\` to lock what is chosen now`;
  const missing: PlainProblem = {
    code: "SPX0401",
    message: `\`${path}\` says nothing of \`${basename(source)}\``,
    help: again,
  };
  if (!existsSync(path)) return missing;
  const lock = readLock(readFileSync(path, "utf8"));
  if (lock === null) return unreadable(path);
  const locked = lock.files[basename(source)];
  if (locked === undefined) return missing;
  const now = lockOf(compilation, packageVersion());
  const differences = differencesOf(locked, now);
  if (locked.source !== now.source) {
    const told = differences.length === 0 ? "; the plans are the same" : `:\n${differences.join("\n")}`;
    return {
      code: "SPX0403",
      message: `\`${basename(source)}\`, or what it imports, has changed since it was locked${told}`,
      help: again,
    };
  }
  if (differences.length === 0) return null;
  const by = [
    ...(locked.compiler === now.compiler ? [] : [`the compiler is ${now.compiler}, not ${locked.compiler}`]),
    ...(locked.rates.id === now.rates.id
      ? []
      : [`the rates are ${now.rates.name} ${now.rates.id}, not ${locked.rates.name} ${locked.rates.id}`]),
  ].join(", ");
  return {
    code: "SPX0404",
    message: `the compiler chooses otherwise than \`${path}\`${by === "" ? "" : ` (${by})`}:\n${differences.join("\n")}`,
    help: `${again}, or build with the compiler and the rates of the lock`,
  };
}

/** Writes the choices into the lock, beside it first and renamed; other files keep theirs. */
export function writeLock(source: string, compilation: Compilation): PlainProblem | null {
  const path = lockPath(source);
  const before = existsSync(path) ? readLock(readFileSync(path, "utf8")) : emptyLock;
  if (before === null) return unreadable(path);
  const lock = withFile(before, basename(source), lockOf(compilation, packageVersion()));
  try {
    writeArtefact(dirname(source), [{ name: lockName, bytes: printLock(lock) }]);
    return null;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const help = "make the folder of the source writable; nothing was changed";
    return { code: "SPX0201", message: `\`${path}\` cannot be written: ${reason}`, help };
  }
}
