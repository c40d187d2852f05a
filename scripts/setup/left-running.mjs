// A set-up that is killed outright cannot end the command it started. Its process group is on record while it runs, so
// that the next set-up ends it instead of building beside it in the same folder.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** @param {string} file @param {number} groupId */
export function recordRunning(file, groupId) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${groupId} ${startOf(groupId)}`);
}

/** @param {string} file */
export function forgetRunning(file) {
  rmSync(file, { force: true });
}

/** @param {string} file @returns {boolean} whether something was still running and has been ended */
export function endLeftRunning(file) {
  const [groupId, start] = readRecord(file);
  if (groupId === undefined) return false;
  forgetRunning(file);
  // The number may belong to another process by now; the time it was started tells.
  if (startOf(groupId) !== start) return false;
  try {
    process.kill(-groupId, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** @param {string} file @returns {[number, string] | []} */
function readRecord(file) {
  try {
    const [groupId, start] = readFileSync(file, "utf8").split(" ");
    return Number(groupId) > 1 && start !== undefined ? [Number(groupId), start] : [];
  } catch {
    return [];
  }
}

/** When a process started, in clock ticks since the machine did: field 22 of its `stat`, counted after the name in brackets. @param {number} id */
function startOf(id) {
  try {
    return (
      readFileSync(`/proc/${id}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ")[19] ?? "unknown"
    );
  } catch {
    return "ended";
  }
}
