#!/usr/bin/env node
/** `spxc`: the process around the command line. The status is set, not forced, so that piped output is written out. */
import { runCommandLine } from "./command-line.ts";
import { complain, exitCodes } from "./terminal.ts";

let unwritten: string | null = null;

process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  // Whoever reads along may stop reading, as `head` does: that is no failure.
  if (cause.code !== "EPIPE") unwritten ??= cause.message;
});
process.on("exit", () => {
  if (unwritten === null) return;
  complain(`error: standard output cannot be written: ${unwritten}`);
  process.exitCode = exitCodes.problems;
});

process.exitCode = await runCommandLine(process.argv.slice(2));
