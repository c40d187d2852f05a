/** `spxc doctor`: what is installed, what was found, and what to do about what is missing. */
import { inspectMachine, type MachineFinding } from "../../driver/inspect-machine.ts";
import { exitCodes, painterFor, say } from "../terminal.ts";

const topics = { run: "to run a built artefact", build: "to build one", device: "devices" } as const;

export async function doctor(options: { json?: boolean }): Promise<number> {
  const report = await inspectMachine();
  const missing = report.findings.filter((finding) => finding.needed && !finding.ok);
  if (options.json === true) say(JSON.stringify({ ok: missing.length === 0, ...report }, null, 2));
  else {
    const painter = painterFor(process.stdout);
    say(`spx ${report.version}, Node ${report.node}, ${report.platform}`);
    for (const [topic, title] of Object.entries(topics)) {
      say(`\n${painter.strong(title)}`);
      for (const finding of report.findings.filter((row) => row.topic === topic))
        say(describe(finding, painter));
    }
    say(
      missing.length === 0
        ? "\nNothing is missing."
        : `\n${missing.length} missing: see the lines marked no.`,
    );
  }
  return missing.length === 0 ? exitCodes.done : exitCodes.problems;
}

function describe(finding: MachineFinding, painter: ReturnType<typeof painterFor>): string {
  const mark = finding.ok ? painter.help("yes") : finding.needed ? painter.error("no ") : "no ";
  const line = `  ${mark} ${finding.name.padEnd(14)} ${finding.detail}`;
  return finding.ok || finding.help === "" ? line : `${line}\n      ${painter.help("help")}: ${finding.help}`;
}
