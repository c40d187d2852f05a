/**
 * Puts a new text into a file: written beside it and renamed, so that whoever reads the file sees one text or the
 * other. Refuses when the file is no longer what it was read as, because the new text was made from that.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { PlainProblem } from "./report-diagnostics.ts";

/** Null when it was done; nothing has changed otherwise. */
export function replaceFile(file: string, read: string, text: string): PlainProblem | null {
  let beside = "";
  try {
    // The file itself, not a link to it, which a rename would replace.
    const target = realpathSync(file);
    beside = `${target}.${process.pid}-${randomBytes(4).toString("hex")}.part`;
    writeFileSync(beside, text, { mode: statSync(target).mode });
    if (readFileSync(target, "utf8") !== read) {
      rmSync(beside, { force: true });
      return changedMeanwhile(file);
    }
    renameSync(beside, target);
    return null;
  } catch (cause) {
    if (beside !== "") rmSync(beside, { force: true });
    return fileProblem("SPX0201", `\`${file}\` cannot be written`, cause);
  }
}

const changedMeanwhile = (file: string): PlainProblem => ({
  code: "SPX0202",
  message: `\`${file}\` was changed by something else while it was read`,
  help: "run the command again; nothing was written",
});

/** A file that the system refuses. */
export const fileProblem = (code: string, what: string, cause: unknown): PlainProblem => ({
  code,
  message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
  help: "check the path and its permissions",
});
