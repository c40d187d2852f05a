/** The real `spxc` in a process of its own, as a shell would run it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repositoryRoot = fileURLToPath(new URL("../..", import.meta.url));

/** @throws when the compiler has not been compiled. */
export function commandFile(): string {
  const file = join(repositoryRoot, "dist", "compiler", "cli", "main.js");
  if (!existsSync(file))
    throw new Error("dist/ is missing: run `npm run build` first; `npm test` does it by itself");
  return file;
}

export interface ProcessOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Instead of the compiler of this repository. */
  readonly command?: string;
  readonly nodeOptions?: readonly string[];
}

export interface ProcessResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Both streams are pipes; the environment is this one without the variables that switch colours. */
export function spxc(parameters: readonly string[], options: ProcessOptions = {}): ProcessResult {
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [...(options.nodeOptions ?? []), options.command ?? commandFile(), ...parameters],
    {
      cwd: options.cwd ?? repositoryRoot,
      encoding: "utf8",
      input: options.input ?? "",
      env: { ...inherited, ...options.environment },
      maxBuffer: 2 ** 28,
    },
  );
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}
