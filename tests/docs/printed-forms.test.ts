/**
 * The printed forms in docs/: a block under a comment `<!-- COMMAND | SELECTION -->` is what COMMAND prints. With
 * UPDATE_DOCS=1 the blocks are written anew.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runSpxc } from "../cli/spxc-in-process.ts";
import { buildProgram } from "../programs/built-program.ts";
import { type MarkdownBlock, markdownBlocks, replaceBlocks } from "./markdown-blocks.ts";
import { selectExcerpt } from "./select-excerpt.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = ["architecture.md", "explain.md"] as const;
const pathOf = (page: string): string => join(root, "docs", page);
const updating = process.env.UPDATE_DOCS === "1";

const outputs = new Map<string, Promise<string>>();

/** What `command` prints; each command runs once. */
function output(command: string): Promise<string> {
  const known = outputs.get(command);
  if (known !== undefined) return known;
  const running = run(wordsOf(command));
  outputs.set(command, running);
  return running;
}

/** Words at spaces; what stands in quotation marks is one. */
const wordsOf = (command: string): readonly string[] =>
  [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

async function run([program, ...parameters]: readonly string[]): Promise<string> {
  if (program === "spxc") {
    const { status, stdout, stderr } = await runSpxc(parameters);
    if (status !== 0) throw new Error(`spxc ${parameters.join(" ")} ended with ${status}:\n${stderr}`);
    return stdout;
  }
  const [file] = parameters;
  if (program !== "cat" || file === undefined) throw new Error(`the documents do not run \`${program}\``);
  if (!file.startsWith("build/")) return readFileSync(join(root, file), "utf8");
  const { folder } = await buildProgram({ file: "stdlib/dsee.spx" });
  return readFileSync(join(folder, builtFile(folder, file.slice("build/dsee".length))), "utf8");
}

/** The file of the shared artefact that ends so; `*` stands for the hash. */
function builtFile(folder: string, ending: string): string {
  const [before = "", after = ""] = ending.split("*");
  const names = readdirSync(folder).filter(
    (name) => name.startsWith(`program${before}`) && name.endsWith(after),
  );
  const [name] = names;
  if (name === undefined || names.length > 1)
    throw new Error(`\`dsee${ending}\` stands for ${names.length} files`);
  return name;
}

async function contentOf({ comment }: MarkdownBlock): Promise<string> {
  const [command = "", selection] = (comment ?? "").split(" | ");
  const text = (await output(command)).trimEnd();
  return selection === undefined ? text : selectExcerpt(text, selection);
}

const blocksOf = (page: string): readonly MarkdownBlock[] =>
  markdownBlocks(readFileSync(pathOf(page), "utf8")).filter(({ comment }) => comment !== null);

async function writeAnew(page: string): Promise<void> {
  const contents = new Map<number, string>();
  for (const block of blocksOf(page)) contents.set(block.line, await contentOf(block));
  writeFileSync(pathOf(page), replaceBlocks(readFileSync(pathOf(page), "utf8"), contents));
}

describe.each(pages)("docs/%s", (page) => {
  if (updating) {
    it("is written anew", { timeout: 120_000 }, () => writeAnew(page));
    return;
  }
  const blocks = blocksOf(page);

  it.runIf(page === "explain.md")("explains a pruned, a sparse and a structured weight", () => {
    for (const name of ["dsee", "sltrain", "monarch"])
      expect(blocks.map(({ comment }) => comment)).toContain(
        `spxc explain stdlib/${name}.spx --out 4096 --in 4096`,
      );
  });

  it.runIf(page === "architecture.md")("shows every level", () => {
    const shown = new Set(blocks.map(({ comment }) => /--stage (\w+)/.exec(comment ?? "")?.[1]));
    for (const stage of ["syntax", "checked", "algebra", "plan", "loop", "llvm"])
      expect(shown).toContain(stage);
    expect(blocks.length).toBeGreaterThanOrEqual(10);
  });

  it.each(blocks.map((block) => [`line ${block.line}: ${block.comment}`, block] as const))(
    "%s",
    { timeout: 60_000 },
    async (_name, block) => {
      expect(block.text, "run `npm run docs:update`").toBe(await contentOf(block));
    },
  );
});

describe("links of docs/", () => {
  it.each(readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")))("%s", (name) => {
    const text = readFileSync(join(root, "docs", name), "utf8");
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(
      (match) => match[1] ?? "",
    );
    const missing = targets.filter((target) => {
      try {
        readdirSync(join(root, "docs", target));
        return false;
      } catch (cause) {
        return !(cause instanceof Error && "code" in cause && cause.code === "ENOTDIR");
      }
    });
    expect(missing).toEqual([]);
  });
});
