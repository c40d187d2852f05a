// Names say what a thing holds; every folder says what it is for.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listTree, readSources, root, sourceFolders } from "./source-files.ts";

/** Words that say nothing about what is inside. */
const bannedWords = new Set([
  "util",
  "utils",
  "helper",
  "helpers",
  "common",
  "misc",
  "shared",
  "manager",
  "handler",
  "impl",
  "temp",
]);
/** Terms of the field in which a banned word is the right one. */
const fieldTerms =
  /shared-(?:memory|object|library|objects|libraries)|greatest-common-divisor|least-common-multiple/g;
/** The package's public entries are the only files that gather other files' exports. */
const publicEntries = ["compiler/driver/index.ts", "runtime/index.ts", "runtime/contract/index.ts"];
const longestReadme = 12;

const tree = sourceFolders.flatMap(listTree);
const sources = readSources();

describe("names", () => {
  it("of files and folders are kebab-case", () => {
    const kebab =
      /^(?:(?:README|RESULTS)\.md|[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:ts|json|md|spx|py)|\.tmLanguage\.json)?|SPX\d{4}\.md)$/;
    const wrong = tree.filter((path) => !kebab.test(path.replace(/\/$/, "").split("/").at(-1) ?? ""));
    expect(wrong).toEqual([]);
  });

  it("of files, folders and exports hold no empty word", () => {
    const ofPaths = tree.map((path) => ({
      where: path,
      name: path
        .replace(/\.[^/]*$/, "")
        .split("/")
        .join("-"),
    }));
    const ofExports = sources.flatMap(({ path, text }) =>
      [...text.matchAll(exportPattern)].map((match) => ({
        where: `${path}: ${match[1]}`,
        name: match[1] ?? "",
      })),
    );
    const wrong = [...ofPaths, ...ofExports].flatMap(({ where, name }) =>
      bannedIn(name).map((word) => `${where} (${word})`),
    );
    expect(wrong).toEqual([]);
  });

  it("are checked word by word", () => {
    expect(bannedIn("parseUtils")).toEqual(["utils"]);
    expect(bannedIn("io-helper")).toEqual(["helper"]);
    expect(bannedIn("linkSharedObject")).toEqual([]);
    expect(bannedIn("greatestCommonDivisor")).toEqual([]);
    expect(bannedIn("sharedThings")).toEqual(["shared"]);
    expect(bannedIn("utility")).toEqual([]);
  });

  it("index.ts is kept for the public entries", () => {
    expect(tree.filter((path) => path.endsWith("/index.ts") && !publicEntries.includes(path))).toEqual([]);
  });
});

describe("folders", () => {
  const folders = [...new Set(sources.map(({ path }) => path.slice(0, path.lastIndexOf("/"))))]
    .filter((folder) => !folder.startsWith("bench/"))
    .sort();

  it("each have a README", () => {
    expect(folders.filter((folder) => !existsSync(join(root, folder, "README.md")))).toEqual([]);
  });

  it(`have READMEs of at most ${longestReadme} lines`, () => {
    const long = tree
      .filter((path) => path.endsWith("/README.md"))
      .map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > longestReadme);
    expect(long.map(({ path, lines }) => `${path}: ${lines} lines`)).toEqual([]);
  });

  it("of the standard library hold only .spx files and READMEs", () => {
    const other = listTree("stdlib").filter((path) => !/(?:\/|\.spx|\/README\.md)$/.test(path));
    expect(other).toEqual([]);
  });
});

const exportPattern =
  /^export (?:declare )?(?:async )?(?:function\*?|const|let|interface|type|class) (\w+)/gm;

function bannedIn(name: string): readonly string[] {
  const kebab = name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .replace(fieldTerms, "");
  return kebab.split(/[-_]/).filter((word) => bannedWords.has(word));
}
