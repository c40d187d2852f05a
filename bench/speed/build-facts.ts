/** What each transform costs to compile alone, and how large its kernels are; and the largest file of the standard library. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { buildInto, buildText } from "../../compiler/driver/build-folder.ts";
import { packageFolder } from "../../compiler/driver/package-version.ts";

export interface BuildFact {
  readonly name: string;
  readonly seconds: number;
  readonly kernelBytes: number;
}

/** The file's transforms, each with the imports that all share. */
function singleTransforms(source: string): readonly { readonly name: string; readonly text: string }[] {
  const imports = source.match(/^import .*$/gm) ?? [];
  const bodies = source.match(/^transform \w+\([\s\S]*?^\}$/gm) ?? [];
  return bodies.map((body) => {
    const used = imports.filter((line) =>
      (/\{(.*)\}/.exec(line)?.[1] ?? "").split(",").some((name) => body.includes(`${name.trim()}(`)),
    );
    return { name: /^transform (\w+)/.exec(body)?.[1] ?? "", text: [...used, body].join("\n") };
  });
}

/** Of the systems; what they import lies in folders below. */
function largestFile(folder: string): string {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".spx"))
    .map((name) => join(folder, name));
  return files.sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? "";
}

/** @param progress called before each build. @throws BuildFailure */
export async function buildFacts(progress: (what: string) => void): Promise<BuildFact[]> {
  const root = packageFolder();
  const folder = mkdtempSync(join(tmpdir(), "spx-bench-builds-"));
  try {
    const facts: BuildFact[] = [];
    const source = readFileSync(join(root, "bench/speed/operations.spx"), "utf8");
    for (const { name, text } of singleTransforms(source)) {
      progress(name);
      const { seconds, kernelBytes } = await buildText(folder, `only-${name.toLowerCase()}`, text);
      facts.push({ name, seconds, kernelBytes });
    }
    const largest = largestFile(join(root, "stdlib"));
    progress(relative(root, largest));
    const { seconds, kernelBytes } = await buildInto(join(folder, "stdlib"), largest);
    return [...facts, { name: relative(root, largest), seconds, kernelBytes }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
