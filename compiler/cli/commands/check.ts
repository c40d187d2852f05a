/** `spxc check`: errors with spans and suggestions; nothing is written. */
import type { Diagnostic } from "../../../grammar/text/diagnostic.ts";
import { checkModule } from "../../check/check-module.ts";
import { nodeHost } from "../../driver/node-host.ts";
import { hasErrors, jsonDiagnostics, reportDiagnostics } from "../report-diagnostics.ts";
import { exitCodes, say } from "../terminal.ts";

export async function check(files: readonly string[], options: { json?: boolean }): Promise<number> {
  const host = nodeHost();
  const all: Diagnostic[] = [];
  const json: unknown[] = [];
  for (const file of files) {
    const { module, diagnostics, sources } = checkModule(file, host);
    all.push(...diagnostics);
    if (options.json === true) {
      json.push({ file, ok: !hasErrors(diagnostics), diagnostics: jsonDiagnostics(diagnostics, sources) });
      continue;
    }
    reportDiagnostics(diagnostics, sources);
    if (module !== null && !hasErrors(diagnostics)) {
      const open = module.transforms.reduce((count, transform) => count + transform.requirements.length, 0);
      const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
      say(
        `${file}: ${plural(module.transforms.length, "transform")}, ${plural(open, "check")} left for load`,
      );
    }
  }
  if (options.json === true) say(JSON.stringify(json, null, 2));
  return hasErrors(all) ? exitCodes.problems : exitCodes.done;
}
