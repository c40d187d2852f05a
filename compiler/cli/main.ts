#!/usr/bin/env node
/** `spxc`: the process around the command line. The status is set, not forced, so that piped output is written out. */
import { runCommandLine } from "./command-line.ts";

process.exitCode = await runCommandLine(process.argv.slice(2));
