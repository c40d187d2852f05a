/** What this machine has for compiling and running: the facts behind `spxc doctor`. */
import { createRequire } from "node:module";
import { detectCpu } from "../../runtime/native/cpu-features.ts";
import { openLibrary } from "../../runtime/native/foreign-library.ts";
import { findToolchain } from "../backend/llvm/toolchain.ts";
import { allTargets, x86Targets } from "../targets/x86-targets.ts";
import { packageVersion } from "./package-version.ts";

export interface MachineFinding {
  readonly topic: "run" | "build" | "device";
  readonly name: string;
  readonly ok: boolean;
  /** A missing optional piece is no problem. */
  readonly needed: boolean;
  readonly detail: string;
  /** What to do, empty when nothing is to be done. */
  readonly help: string;
}

export interface MachineReport {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly findings: readonly MachineFinding[];
}

export async function inspectMachine(): Promise<MachineReport> {
  return {
    version: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    findings: [...runFindings(), ...(await buildFindings()), cudaFinding()],
  };
}

function runFindings(): MachineFinding[] {
  const cpu = detectCpu();
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const levels = allTargets.filter((target) => target.needs.every((feature) => cpu.features.has(feature)));
  const lowest = x86Targets.at(-1);
  const missing = lowest?.needs.filter((feature) => !cpu.features.has(feature)) ?? [];
  const supported = process.platform === "linux" && cpu.architecture === "x64";
  return [
    {
      topic: "run",
      name: "Node",
      ok: major > 20 || (major === 20 && minor >= 19),
      needed: true,
      detail: process.version,
      help: "spx needs Node 20.19 or newer",
    },
    packageFinding("run", "koffi", "calls kernels"),
    {
      topic: "run",
      name: "CPU",
      ok: supported && levels.length > 0,
      needed: true,
      detail: `${cpu.model}, ${cpu.cores} threads, kernels for ${levels.map((level) => level.name).join(", ") || "no level"}`,
      help: supported
        ? `the kernels need at least ${lowest?.name}; this CPU lacks ${missing.join(", ")}`
        : "the kernels run on 64-bit x86 Linux",
    },
  ];
}

async function buildFindings(): Promise<MachineFinding[]> {
  const toolchain = await findToolchain();
  const help = (code: string): string =>
    toolchain.problems.find((problem) => problem.code === code)?.help ?? "";
  const programs =
    toolchain.programs === null ? null : `${toolchain.programs.opt}, ${toolchain.programs.llc}`;
  return [
    packageFinding("build", "chevrotain", "parses"),
    packageFinding("build", "ts-morph", "writes modules"),
    {
      topic: "build",
      name: "llvm-bindings",
      ok: toolchain.bindings.found,
      needed: true,
      detail: toolchain.bindings.found ? "loads" : toolchain.bindings.detail,
      help: help("SPX7001"),
    },
    {
      topic: "build",
      name: "LLVM 14",
      ok: toolchain.libLlvm !== null || programs !== null,
      needed: true,
      detail: toolchain.libLlvm ?? programs ?? "not found",
      help: help("SPX7002"),
    },
    {
      topic: "build",
      name: "linker",
      ok: toolchain.linker !== null,
      needed: true,
      detail: toolchain.linker?.path ?? "not found",
      help: help("SPX7003"),
    },
  ];
}

function packageFinding(topic: "run" | "build", name: string, purpose: string): MachineFinding {
  const help = "run `npm run setup`";
  try {
    createRequire(import.meta.url).resolve(name);
    return { topic, name, ok: true, needed: true, detail: `installed, ${purpose}`, help: "" };
  } catch {
    return { topic, name, ok: false, needed: true, detail: "not installed", help };
  }
}

function cudaFinding(): MachineFinding {
  const finding = { topic: "device", name: "NVIDIA driver", needed: false } as const;
  try {
    openLibrary("libcuda.so.1");
    return {
      ...finding,
      ok: true,
      detail: "libcuda.so.1 found; this version has no CUDA kernels yet",
      help: "",
    };
  } catch {
    return { ...finding, ok: false, detail: "libcuda.so.1 not found; kernels run on the CPU", help: "" };
  }
}
