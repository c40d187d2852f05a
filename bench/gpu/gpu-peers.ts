/** The peers of gpu-peers.py: one long-lived Python process that is driven in turn with spx. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { GpuCell } from "./gpu-cells.ts";

export interface GpuPeers {
  /** Version of each package; `error` when torch itself is not there. */
  readonly versions: Readonly<Record<string, string>>;
  /** Peer → why it cannot run this cell. */
  prepare(cell: GpuCell, copies: number): Promise<Readonly<Record<string, string>>>;
  /** Nanoseconds of one call, or why there is no time. */
  time(peer: string): Promise<number | string>;
  close(): void;
}

type Answer = Readonly<Record<string, unknown>>;

export async function openGpuPeers(python: string, script: string): Promise<GpuPeers> {
  const child = spawn(python, ["-u", script], { stdio: ["pipe", "pipe", "inherit"] });
  const ask = conversation(child);
  const versions = (await ask({ do: "versions" })) as Readonly<Record<string, string>>;
  return {
    versions,
    async prepare(cell, copies) {
      const answer = await ask({ do: "prepare", ...cell, copies });
      if (typeof answer.error === "string")
        return Object.fromEntries(cell.peers.map((peer) => [peer, String(answer.error)]));
      return answer.refused as Readonly<Record<string, string>>;
    },
    async time(peer) {
      const { nanoseconds, error } = await ask({ do: "time", peer });
      return typeof nanoseconds === "number" ? nanoseconds : String(error);
    },
    close: () => void child.stdin?.end(),
  };
}

function conversation(child: ChildProcess): (request: Answer) => Promise<Answer> {
  const waiting: ((answer: Answer) => void)[] = [];
  let ended: string | null = null;
  const end = (reason: string): void => {
    ended = reason;
    for (const answer of waiting.splice(0)) answer({ error: reason });
  };
  child.on("error", ({ message }) => end(message));
  child.on("exit", (status) => end(`the process ended with status ${status}`));
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => {
      // Compilers of the peers talk on standard output, too.
      if (line.startsWith("{")) waiting.shift()?.(JSON.parse(line) as Answer);
    });
  return (request) =>
    new Promise((resolve) => {
      if (ended !== null) return resolve({ error: ended });
      waiting.push(resolve);
      child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
}
