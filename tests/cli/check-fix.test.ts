/** `spxc check --fix` on real files: what is mended, what is left, and what is never overwritten. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { replaceFile } from "../../compiler/cli/replace-file.ts";
import { runSpxc } from "./spxc-in-process.ts";

const broken = `transform T(W: frozen [out, in], r: int = 4) {
  param B: [out, r] = 0
  param A: [r, in] = normal(std = 0.02)
  support Where = topk(abs(W), 8)
  param D: sparse [out, in] on Wheer = 0
  weight = W + B * A + D;
}
`;

const mended = `import { topk } from "std/select"

transform T(W: frozen [out, in], r: int = 4) {
  param B: [out, r] = 0
  param A: [r, in] = normal(std: 0.02)
  support Where = topk(abs(W), 8)
  param D: sparse [out, in] on Where = 0
  weight = W + B @ A + D
}
`;

const fileWith = (text: string): string => {
  const file = join(mkdtempSync(join(tmpdir(), "spx-fix-")), "model.spx");
  writeFileSync(file, text);
  return file;
};

describe("spxc check --fix", () => {
  it("mends spelling, round after round, and says what it did", async () => {
    const file = fileWith(broken);
    const { status, stdout, stderr } = await runSpxc(["check", "--fix", file]);
    expect(readFileSync(file, "utf8")).toBe(mended);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("fixes applied");
    expect(readdirSync(join(file, ".."))).toEqual(["model.spx"]);
  });

  it("changes nothing the second time", async () => {
    const file = fileWith(mended);
    const before = statSync(file).mtimeMs;
    const { status, stdout } = await runSpxc(["check", "--fix", file]);
    expect(status).toBe(0);
    expect(stdout).not.toContain("applied");
    expect(statSync(file).mtimeMs).toBe(before);
  });

  it("leaves what may mean several things, unless it is asked to", async () => {
    const text = "transform T(A: frozen [n, n], W: frozen [n, n]) {\n  weight = A * W\n}\n";
    const file = fileWith(text);
    const safe = await runSpxc(["check", "--fix", file]);
    expect(safe.status).toBe(1);
    expect(safe.stderr).toContain("--fix=likely");
    expect(readFileSync(file, "utf8")).toBe(text);
    const likely = await runSpxc(["check", "--fix=likely", file]);
    expect(likely.status).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("weight = A @ W");
  });

  it("offers itself where it would help, and writes nothing before", async () => {
    const file = fileWith(broken);
    const { status, stderr } = await runSpxc(["check", file]);
    expect(status).toBe(1);
    expect(stderr).toContain(`\`spxc check --fix ${file}\` applies`);
    expect(readFileSync(file, "utf8")).toBe(broken);
  });

  it("gives edits with places to machines", async () => {
    const file = fileWith("transform T(W: [n, n]) {\n  weight = W\n}\n");
    const { stdout } = await runSpxc(["check", "--json", file]);
    const [report] = JSON.parse(stdout);
    expect(report.ok).toBe(false);
    expect(report.diagnostics[0].help).toEqual([
      {
        text: "write `W: frozen […]`",
        applicability: "safe",
        edits: [
          {
            text: "frozen ",
            span: { file, start: 15, end: 15, from: { line: 1, column: 16 }, to: { line: 1, column: 16 } },
          },
        ],
      },
    ]);
  });

  it("says when it cannot write", async () => {
    const { status, stderr } = await runSpxc(["check", "--fix", join(fileWith(broken), "..", "gone.spx")]);
    expect(status).toBe(1);
    expect(stderr).toContain("SPX2201");
  });
});

describe("a file is replaced", () => {
  it("only while it is what was read", () => {
    const file = fileWith("saved meanwhile\n");
    expect(replaceFile(file, "as it was read\n", "as it was mended\n")?.code).toBe("SPX0202");
    expect(readFileSync(file, "utf8")).toBe("saved meanwhile\n");
    expect(readdirSync(join(file, ".."))).toEqual(["model.spx"]);
  });

  it("with its permissions, and behind its links", () => {
    const file = fileWith("old\n");
    chmodSync(file, 0o640);
    const link = join(file, "..", "link.spx");
    symlinkSync(file, link);
    expect(replaceFile(link, "old\n", "new\n")).toBeNull();
    expect(readFileSync(file, "utf8")).toBe("new\n");
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(file, "..")).sort()).toEqual(["link.spx", "model.spx"]);
  });

  it("or not at all", () => {
    const problem = replaceFile(join(fileWith(""), "..", "gone", "model.spx"), "", "new");
    expect(problem?.code).toBe("SPX0201");
  });
});
