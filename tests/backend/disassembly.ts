/** Innermost loops of a shared object, read from objdump, for tests that look at the instructions themselves. */
import { spawnSync } from "node:child_process";

export interface MachineInstruction {
  readonly address: number;
  readonly mnemonic: string;
  readonly operands: string;
}

/** Instructions between the target of a backward jump and the jump, where nothing between them jumps. */
export type MachineLoop = readonly MachineInstruction[];

export function innermostLoops(file: string): MachineLoop[] {
  const instructions = disassemble(file);
  const positions = new Map(instructions.map(({ address }, position) => [address, position]));
  return instructions.flatMap((jump, end) => {
    if (!jump.mnemonic.startsWith("j")) return [];
    const start = positions.get(Number.parseInt(jump.operands, 16));
    if (start === undefined || start >= end) return [];
    const body = instructions.slice(start, end);
    return body.some(({ mnemonic }) => /^(j|call|ret)/.test(mnemonic)) ? [] : [[...body, jump]];
  });
}

export function count(loop: MachineLoop, pattern: RegExp): number {
  return loop.filter(({ mnemonic, operands }) => pattern.test(`${mnemonic} ${operands}`)).length;
}

function disassemble(file: string): MachineInstruction[] {
  const result = spawnSync("objdump", ["-d", "--no-show-raw-insn", file], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (result.status !== 0) throw new Error(`objdump: ${result.error?.message ?? result.stderr}`);
  return result.stdout.split("\n").flatMap((line) => {
    const found = /^\s*([0-9a-f]+):\t(\S+)\s*(.*)$/.exec(line);
    if (found === null) return [];
    const [, address = "", mnemonic = "", operands = ""] = found;
    return [{ address: Number.parseInt(address, 16), mnemonic, operands }];
  });
}
