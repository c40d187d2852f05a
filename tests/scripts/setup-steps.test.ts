// The set-up's steps one by one, on folders of their own: what they recognise, what they say, what they leave behind.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aptCommands, aptPermission } from "../../scripts/setup/apt-install.mjs";
import { endLeftRunning, forgetRunning, recordRunning } from "../../scripts/setup/left-running.mjs";
import { compilationProgress } from "../../scripts/setup/llvm-addon.mjs";
import { whyInstallPackages } from "../../scripts/setup/npm-packages.mjs";
import { runStep } from "../../scripts/setup/run-step.mjs";
import { takeSetupLock } from "../../scripts/setup/setup-lock.mjs";
import { missingPieces } from "../../scripts/setup/system-pieces.mjs";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spx-setup-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeProgram(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe("system pieces", () => {
  it("are looked for on PATH only, and name their package", () => {
    const bare = missingPieces(["addon"], { PATH: folder }).map((piece) => piece.aptPackage);
    expect(bare).toEqual(expect.arrayContaining(["g++", "binutils", "make", "cmake"]));
    writeProgram("cmake", "exit 0");
    writeProgram("ninja", "exit 0");
    const fewer = missingPieces(["addon"], { PATH: folder }).map((piece) => piece.aptPackage);
    expect(fewer).not.toContain("cmake");
    expect(fewer).not.toContain("make");
  });

  it("take a file that cannot be executed for no program", () => {
    writeFileSync(join(folder, "cmake"), "no program");
    expect(missingPieces(["addon"], { PATH: folder }).map((piece) => piece.aptPackage)).toContain("cmake");
  });
});

describe("apt", () => {
  it("is left alone where it is missing or forbidden", () => {
    expect(aptPermission({ PATH: folder })).toMatchObject({
      allowed: false,
      reason: "this machine has no apt-get",
    });
    writeProgram("apt-get", "exit 0");
    expect(aptPermission({ PATH: folder, SPX_NO_APT: "1" })).toMatchObject({ allowed: false });
  });

  it("is named with all its packages in the commands to type", () => {
    const [update, install] = aptCommands(["cmake", "g++"], { PATH: folder });
    expect(update).toBe("apt-get update");
    expect(install).toBe("apt-get install -y --no-install-recommends cmake g++");
  });
});

describe("npm packages", () => {
  const lock = (version: string, optional = false) => ({
    packages: { "": {}, "node_modules/a": { version, integrity: `sha512-${version}`, optional } },
  });
  const write = (path: string, value: unknown) => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), JSON.stringify(value));
  };

  it("are installed when npm's record is missing, differs, or a package is gone", () => {
    write("package-lock.json", lock("1.0.0"));
    expect(whyInstallPackages(folder)).toBe("not installed yet");
    write("node_modules/.package-lock.json", lock("0.9.0"));
    expect(whyInstallPackages(folder)).toMatch(/not the locked version/);
    write("node_modules/.package-lock.json", lock("1.0.0"));
    expect(whyInstallPackages(folder)).toMatch(/damaged/);
    write("node_modules/a/package.json", {});
    expect(whyInstallPackages(folder)).toBeUndefined();
  });

  it("for other platforms may be missing", () => {
    write("package-lock.json", lock("1.0.0", true));
    write("node_modules/.package-lock.json", { packages: {} });
    expect(whyInstallPackages(folder)).toBeUndefined();
  });

  it("cannot be judged without the lock file", () => {
    expect(() => whyInstallPackages(folder)).toThrow(/package-lock.json is missing or broken/);
  });
});

describe("a step", () => {
  const step = (text: string) => ({
    title: "trial",
    command: writeProgram("program", text),
    args: [],
    logFile: join(folder, "logs", "trial.log"),
    advice: ["try something else"],
    report: () => undefined,
  });

  it("that fails tells the command, its last words, the log and what to do", async () => {
    const failure = await runStep(step('echo "the last word"; exit 3')).catch(
      (error: Error) => error.message,
    );
    expect(failure).toContain("ended with status 3");
    expect(failure).toContain("| the last word");
    expect(failure).toContain(join(folder, "logs", "trial.log"));
    expect(failure).toContain("try something else");
  });

  it("that cannot start is a failure, not a hang", async () => {
    await expect(runStep({ ...step(""), command: join(folder, "nothing") })).rejects.toThrow(
      /cannot be started/,
    );
  });

  it("keeps everything the command says in the log", async () => {
    await runStep(step("echo out; echo err >&2"));
    const log = readFileSync(join(folder, "logs", "trial.log"), "utf8");
    expect(log).toMatch(/^out$/m);
    expect(log).toMatch(/^err$/m);
  });

  it("reads how far a compilation is from ninja's and make's lines", () => {
    expect(compilationProgress("[3/47] Building CXX object a.o")).toBe("step 3 of 47");
    expect(compilationProgress("[  6%] Building CXX object a.o")).toBe("6 %");
    expect(compilationProgress("-- Configuring done")).toBeUndefined();
  });
});

describe("the lock", () => {
  it("lets one set-up at a time work on a folder, and says so when it had to wait", async () => {
    const first = await takeSetupLock(folder, () => "testing");
    let second = "waiting";
    const said: string[] = [];
    const tell = (text: string) => said.push(text);
    const waiting = takeSetupLock(folder, () => "testing too", tell).then((lock) => {
      second = "holding";
      return lock;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(second).toBe("waiting");
    first.release();
    const lock = await waiting;
    expect(lock.waited).toBe(true);
    expect(said.join("\n")).toContain(`process ${process.pid}: testing`);
    lock.release();
  });
});

describe("what a killed set-up left running", () => {
  it("is ended, once", async () => {
    const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    const record = join(folder, "running");
    recordRunning(record, child.pid ?? -1);
    expect(endLeftRunning(record)).toBe(true);
    expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
    expect(endLeftRunning(record)).toBe(false);
  });

  it("is let alone when the number belongs to another process by now", () => {
    const record = join(folder, "running");
    writeFileSync(record, `${process.pid} 1`);
    expect(endLeftRunning(record)).toBe(false);
    expect(existsSync(record)).toBe(false);
    forgetRunning(record);
  });
});
