/** spx's folder among the user's caches, and files that appear in it whole or not at all. */
import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** `SPX_CACHE`, or spx's folder among the user's caches. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.SPX_CACHE) return environment.SPX_CACHE;
  return join(environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), ".cache"), "spx");
}

/** Writes beside the place and renames. @throws NodeJS.ErrnoException when that is not allowed. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.part`;
  try {
    writeFileSync(beside, content);
    renameSync(beside, path);
  } finally {
    rmSync(beside, { force: true });
  }
}
