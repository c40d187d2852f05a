/** The Python peers: one long-lived process that is driven in turn with everybody else (python/process.py). */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Contestant } from "../contestant.ts";
import type { PeerGroup } from "../operations.ts";
import type { Problem } from "../problem.ts";

export interface PythonPeers {
  /** Version of each package, or why it cannot be imported. */
  readonly versions: Readonly<Record<string, string>>;
  /** The contestants for a problem, and why some are not there. `close` of the last one releases the problem. */
  prepare(request: PythonProblem): Promise<{ contestants: Contestant[]; refused: string[] }>;
  close(): void;
}

/** A tensor beside x, as the process reads it. */
export interface Part {
  readonly values: Float32Array | Int8Array | Int32Array;
  readonly shape: readonly number[];
}

export interface PythonProblem {
  readonly problem: Problem;
  readonly group: PeerGroup;
  readonly numbers: Readonly<Record<string, number>>;
  /** Also what torch compiles: seconds for every cell. */
  readonly compiled: boolean;
  /** The weight and what it is made of; the same object again is not sent again. */
  readonly parts: Readonly<Record<string, Part>>;
  /** dy [batch, out] for passes that go backward. */
  readonly dy: Part | null;
  readonly cores: readonly number[];
  /** Whether libraries are held to less than the widest instructions: those that cannot be are left out. */
  readonly heldDown: boolean;
  /** Whether what is computed is y of this problem, to be compared. */
  readonly compared: boolean;
}

type Answer = Readonly<Record<string, unknown>>;
type Ask = (request: Answer) => Promise<Answer>;

/** @param python the interpreter that `npm run bench:setup` made. */
export async function openPythonPeers(python: string, script: string): Promise<PythonPeers> {
  const child = spawn(python, ["-u", script], { stdio: ["pipe", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (chunk) => {
    complaints = `${complaints}${String(chunk)}`.slice(-4000);
  });
  const ask = createConversation(child, () => complaints);
  const versions = (await ask({ do: "versions" })) as Readonly<Record<string, string>>;
  const folder = mkdtempSync(join(tmpdir(), "spx-bench-"));
  let sent: PythonProblem["parts"] | null = null;
  return {
    versions,
    prepare: async (request) => {
      const keep = request.parts === sent;
      sent = null;
      const offered = await ask(requestFor(request, folder, keep));
      sent = request.parts;
      return contestantsOf(request, offered, folder, ask);
    },
    close: () => {
      child.stdin.end();
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function createConversation(child: ChildProcessWithoutNullStreams, complaints: () => string): Ask {
  const lines = createInterface({ input: child.stdout });
  const waiting: ((line: string | null) => void)[] = [];
  let ended = false;
  lines.on("line", (line) => waiting.shift()?.(line));
  child.on("exit", () => {
    ended = true;
    for (const answer of waiting.splice(0)) answer(null);
  });
  // Writing to a process that ended: its exit is what is told.
  child.stdin.on("error", () => undefined);
  return (request) =>
    new Promise((resolve, reject) => {
      const take = (line: string | null): void => {
        if (line === null) {
          reject(new Error(`the Python peers ended: ${complaints()}`));
          return;
        }
        const answer = JSON.parse(line) as Answer;
        if (typeof answer.error === "string") reject(new Error(`${answer.error}\n${complaints()}`));
        else resolve(answer);
      };
      if (ended) {
        take(null);
        return;
      }
      waiting.push(take);
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
}

const typeOf = (values: Part["values"]): string =>
  values instanceof Int8Array ? "i8" : values instanceof Int32Array ? "i32" : "f32";

function requestFor(request: PythonProblem, folder: string, keep: boolean): Answer {
  const { problem, group, numbers, compiled, parts, dy, cores, heldDown } = request;
  const { out, inputs, batch, threads, copies, compactCopies, x, quantized } = problem;
  const files: Record<string, { file: string; type: string; shape: readonly number[] }> = {};
  const write = (name: string, { values, shape }: Part): void => {
    const file = join(folder, name);
    writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    files[name] = { file, type: typeOf(values), shape };
  };
  write("x", { values: x, shape: [batch, inputs] });
  if (dy !== null) write("dy", dy);
  if (!keep) for (const [name, part] of Object.entries(parts)) write(name, part);
  const sizes = { out, inputs, batch, threads, copies, compactCopies, block: quantized?.block ?? 0 };
  return { do: "prepare", ...sizes, group, numbers, compiled, cores, heldDown, keep, files };
}

function contestantsOf({ compared }: PythonProblem, offered: Answer, folder: string, ask: Ask) {
  const kinds = offered.contestants as Readonly<Record<string, Contestant["kind"]>>;
  let open = Object.keys(kinds).length;
  const contestants = Object.entries(kinds).map(
    ([name, kind]): Contestant => ({
      name,
      kind,
      sample: async (calls) => Number((await ask({ do: "sample", name, calls })).seconds),
      output: async () => {
        if (!compared) return null;
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
