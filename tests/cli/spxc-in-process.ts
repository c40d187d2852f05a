/** Runs `spxc` in this process through its real command line, with what it writes caught. */
import { vi } from "vitest";
import { runCommandLine } from "../../compiler/cli/command-line.ts";

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runSpxc(parameters: readonly string[]): Promise<CommandResult> {
  const written = { stdout: "", stderr: "" };
  const catching = (stream: "stdout" | "stderr") =>
    vi.spyOn(process[stream], "write").mockImplementation((chunk) => {
      written[stream] += String(chunk);
      return true;
    });
  const spies = [catching("stdout"), catching("stderr")];
  try {
    return { status: await runCommandLine(parameters), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
