/** The command line as a shell sees it: exit statuses, streams, colours, help. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { painterFor } from "../../compiler/cli/terminal.ts";
import { commandFile, repositoryRoot, spxc } from "./spxc-process.ts";

const folder = mkdtempSync(join(tmpdir(), "spx-command-line-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const broken = join(folder, "broken.spx");
writeFileSync(broken, "transform T(W: frozen [out, in]) {\n  weight = W + nothing\n}\n");
const introducer = "\u001b[";

describe("usage", () => {
  const commands = ["check", "build", "explain", "print", "fmt", "doctor"];

  it("has help with examples for every command, on standard output", () => {
    const overview = spxc(["--help"]);
    expect(overview.status).toBe(0);
    for (const command of commands) {
      expect(overview.stdout).toContain(`  ${command} `);
      const { status, stdout, stderr } = spxc([command, "--help"]);
      expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" });
      expect(stdout).toMatch(
        new RegExp(`Examples:\n {2}\\$.* spxc ${command}`.replace(".* spxc", ".*?spxc")),
      );
    }
    expect(overview.stdout).toMatch(/Exit codes: 0 done, 1 problems .*, 2 wrong usage, 3 a fault/);
  });

  it("prints the version of the package", () => {
    const { version } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8"));
    expect(spxc(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each([
    [["check", "--colour", "x.spx"], /unknown option '--colour'/],
    [["compile", "x.spx"], /unknown command 'compile'/],
    [["check"], /missing required argument 'files'/],
    [["print", "--stage", "tokens", "stdlib/nm.spx"], /Allowed choices are syntax, checked, algebra/],
    [["explain", "stdlib/lora.spx", "--out", "many"], /`many` is no number of features/],
    [["explain", "stdlib/lora.spx", "-a", "q=3"], /`LoRA` has no argument or dimension `q`/],
    [["print", "stdlib/lora.spx", "-t", "Lora"], /no transform `Lora`; there is `LoRA`/],
    [
      ["print", "--stage", "loop", "stdlib/lora.spx", "--variant", "fast"],
      /no variant `fast`; there is `separate/,
    ],
  ])("refuses %j with status 2, on standard error", (parameters, reason) => {
    const { status, stdout, stderr } = spxc(parameters);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(reason);
  });
});

describe("standard output", () => {
  const shell = (line: string) =>
    spawnSync("bash", ["-c", `set -o pipefail; ${process.execPath} ${commandFile()} ${line}`], {
      cwd: repositoryRoot,
      encoding: "utf8",
    });

  it("may be closed by its reader", () => {
    const { status, stdout, stderr } = shell("print --stage loop stdlib/lora.spx | head -n 1");
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "# LoRA, x86-64-v4\n", stderr: "" });
  });

  it("that cannot be written is a problem", () => {
    const { status, stderr } = shell("print stdlib/lora.spx > /dev/full");
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: standard output cannot be written: ENOSPC/);
  });
});

describe("colours", () => {
  it("are for terminals, and follow NO_COLOR and FORCE_COLOR", () => {
    const plain = spxc(["check", broken]);
    expect(plain.status).toBe(1);
    expect(plain.stderr).toContain("error[SPX2001]");
    expect(plain.stderr).not.toContain(introducer);
    const forced = spxc(["check", broken], { environment: { FORCE_COLOR: "1" } });
    expect(forced.stderr).toContain(`${introducer}31merror[SPX2001]`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours begin with
    expect(forced.stderr.replaceAll(/\u001b\[\d+m/g, "")).toBe(plain.stderr);
    expect(spxc(["doctor"], { environment: { FORCE_COLOR: "1" } }).stdout).toContain(introducer);
  });

  it("are decided for each stream by itself", () => {
    const paints = (isTTY: boolean, environment: NodeJS.ProcessEnv): boolean =>
      painterFor({ isTTY }, environment).error("x") !== "x";
    expect(paints(true, {})).toBe(true);
    expect(paints(false, {})).toBe(false);
    expect(paints(true, { NO_COLOR: "1" })).toBe(false);
    expect(paints(true, { NO_COLOR: "" })).toBe(true);
    expect(paints(true, { TERM: "dumb" })).toBe(false);
    expect(paints(false, { FORCE_COLOR: "1" })).toBe(true);
    expect(paints(false, { FORCE_COLOR: "0" })).toBe(false);
  });
});
