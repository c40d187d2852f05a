/** The Python peers: one long-lived process that is driven in turn with everybody else (peer-process.py). */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { PeerGroup } from "../cells.ts";
import type { Contestant } from "../contestant.ts";
import type { Problem } from "../problem.ts";

export interface PythonPeers {
  /** Version of each package, or why it cannot be imported. */
  readonly versions: Readonly<Record<string, string>>;
  /** The contestants for a problem, and why some are not there. `close` of the last one releases the problem. */
  prepare(request: PythonProblem): Promise<{ contestants: Contestant[]; refused: string[] }>;
  close(): void;
}

export interface PythonProblem {
  readonly problem: Problem;
  readonly group: PeerGroup;
  /** Also what torch compiles: seconds for every cell. */
  readonly compiled: boolean;
  /** Tensors beside the weight and x, f32, with their shapes. */
  readonly parts: Readonly<
    Record<string, { readonly values: Float32Array; readonly shape: readonly number[] }>
  >;
  readonly cores: readonly number[];
}

type Answer = Readonly<Record<string, unknown>>;

/** @param python the interpreter that `npm run bench:setup` made; null when there is none. */
export async function openPythonPeers(python: string, script: string): Promise<PythonPeers> {
  const child = spawn(python, ["-u", script], { stdio: ["pipe", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (chunk) => {
    complaints = `${complaints}${String(chunk)}`.slice(-4000);
  });
  const ask = createConversation(child, () => complaints);
  const versions = (await ask({ do: "versions" })) as Readonly<Record<string, string>>;
  const folder = mkdtempSync(join(tmpdir(), "spx-bench-"));
  return {
    versions,
    prepare: (request) => prepare(request, folder, ask),
    close: () => {
      child.stdin.end();
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Ask = (request: Answer) => Promise<Answer>;

function createConversation(child: ChildProcessWithoutNullStreams, complaints: () => string): Ask {
  const lines = createInterface({ input: child.stdout });
  const waiting: ((line: string | null) => void)[] = [];
  lines.on("line", (line) => waiting.shift()?.(line));
  child.on("exit", () => {
    for (const answer of waiting.splice(0)) answer(null);
  });
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push((line) => {
        if (line === null) {
          reject(new Error(`the Python peers ended: ${complaints()}`));
          return;
        }
        const answer = JSON.parse(line) as Answer;
        if (typeof answer.error === "string") reject(new Error(`${answer.error}\n${complaints()}`));
        else resolve(answer);
      });
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
}

async function prepare({ problem, group, compiled, parts, cores }: PythonProblem, folder: string, ask: Ask) {
  const { out, inputs, batch, threads, copies, sparseCopies, weight, x } = problem;
  const files: Record<string, string> = {};
  const shapes: Record<string, readonly number[]> = {};
  const write = (name: string, values: Float32Array): void => {
    files[name] = join(folder, `${name}.f32`);
    writeFileSync(files[name], new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  write("weight", weight);
  write("x", x);
  for (const [name, { values, shape }] of Object.entries(parts)) {
    write(name, values);
    shapes[name] = shape;
  }
  const request = {
    do: "prepare",
    out,
    inputs,
    batch,
    threads,
    copies,
    sparseCopies,
    group,
    compiled,
    cores,
    files,
    shapes,
  };
  const offered = await ask(request);
  const kinds = offered.contestants as Readonly<Record<string, Contestant["kind"]>>;
  let open = Object.keys(kinds).length;
  const contestants = Object.entries(kinds).map(
    ([name, kind]): Contestant => ({
      name,
      kind,
      sample: async (calls) => Number((await ask({ do: "sample", name, calls })).seconds),
      output: async () => {
        if (group === "sampled" || group === "sltrain") return null;
        const file = join(folder, "output.f32");
        await ask({ do: "output", name, file });
        const bytes = readFileSync(file);
        return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      },
      close: async () => {
        open -= 1;
        if (open === 0) await ask({ do: "release" });
      },
    }),
  );
  return { contestants, refused: offered.refused as string[] };
}
