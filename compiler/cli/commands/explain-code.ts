/** `spxc explain SPXnnnn`: the page of a diagnostic code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type SyntaxProblem, syntaxProblems } from "../../../grammar/parser/syntax-problems.ts";
import { type CatalogueEntry, catalogue } from "../../diagnostics/catalogue.ts";
import { packageFolder } from "../../driver/package-version.ts";
import { complain, exitCodes, say } from "../terminal.ts";

export function explainCode(code: string): number {
  const entry = catalogue.find((candidate) => candidate.code === code);
  if (entry === undefined) {
    const near = catalogue.filter((candidate) => candidate.code.startsWith(code.slice(0, 5)));
    const known = near.map((candidate) => candidate.code).join(", ");
    complain(`error: no diagnostic has the code ${code}${known === "" ? "" : `; there is ${known}`}`);
    return exitCodes.usage;
  }
  say(pageOf(entry));
  return exitCodes.done;
}

function pageOf(entry: CatalogueEntry): string {
  const { code, name, summary } = entry;
  switch (entry.explanation) {
    case "file":
      return readFileSync(
        join(packageFolder(), "compiler", "diagnostics", "explanations", `${code}.md`),
        "utf8",
      ).trimEnd();
    case "syntax-table": {
      const problem = Object.values(syntaxProblems).find((candidate) => candidate.code === code);
      return problem === undefined ? summary : syntaxPage(name, problem);
    }
    case "summary":
      return `# ${code}: ${name.replaceAll("-", " ")}\n\n${summary}`;
  }
}

function syntaxPage(name: string, { code, title, explanation, wrong, right }: SyntaxProblem): string {
  const block = (text: string): string => `\`\`\`spx\n${text.trimEnd()}\n\`\`\``;
  return [
    `# ${code}: ${name.replaceAll("-", " ")}`,
    title,
    "## Fails",
    block(wrong),
    "## Why",
    explanation,
    "## Works",
    block(right),
  ].join("\n\n");
}
