/**
 * What the machine gives at this moment: bytes a second from each level of the memory, multiply-adds and permutes a
 * second. Run before and after every cell; the roofline of a cell is computed from them, and a cell between two probes
 * that differ is run again.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileLibrary } from "../../compiler/backend/llvm/compile-library.ts";
import type { CacheSizes } from "../../compiler/calibrate/cache-sizes.ts";
import { timeCalls } from "../../compiler/calibrate/interleaved-timing.ts";
import { quantile } from "../../compiler/calibrate/sample-statistics.ts";
import type { X86Target } from "../../compiler/targets/x86-targets.ts";
import { addressOf, type Kernel, openLibrary, readString } from "../../runtime/native/foreign-library.ts";
import { allocate } from "../../runtime/native/native-memory.ts";
import { probeLines, probePrograms } from "./probe-kernels.ts";

/** Where the bytes lie that a probe reads. */
export type MemoryLevel = "L2" | "L3" | "memory";

export interface MachineRates {
  /** Bytes a second, all threads together. */
  readonly read: Readonly<Record<MemoryLevel, number>>;
  /** Bytes a second read and written, from memory to memory, both counted. */
  readonly copy: number;
  /** fp32 multiply-adds a second (two operations each). */
  readonly multiplies: number;
  /** Permutes of 16 lanes a second. */
  readonly permutes: number;
}

export interface Probes {
  readonly caches: CacheSizes;
  measure(threads: number): MachineRates;
  /** Seconds of `calls` short runs of multiply-adds: what tells in the middle of a cell that the machine has changed. */
  pulse(threads: number, calls: number): number;
  /** Multiply-adds a second that a pulse of so many seconds stands for. */
  pulseRate(threads: number, seconds: number): number;
  /** What multiply-adds are short of the most that any probe of so many threads has given, as a share of that. */
  shortfall(threads: number, rates: Pick<MachineRates, "multiplies">): number;
  dispose(): void;
}

const lineBytes = 64;
const repeats = 5;

/** @throws Error when the probes do not compile, which every other kernel would not either. */
export async function openProbes(target: X86Target, caches: CacheSizes): Promise<Probes> {
  const compiled = await compileLibrary(probePrograms(target.name, target.suffix), {
    foreign: { openLibrary, readString },
  });
  if (compiled.kind === "failure")
    throw new Error(compiled.problems.map(({ message }) => message).join("\n"));
  const folder = mkdtempSync(join(tmpdir(), "spx-probes-"));
  const file = join(folder, "probes.so");
  writeFileSync(file, compiled.bytes);
  const library = openLibrary(file);
  const kernel = (name: string): Kernel => library.declareKernel(`probe_${name}_${target.suffix}`);
  const [reader, copier] = [kernel("read"), kernel("copy")];
  const [multiplier, permuter] = [kernel("multiply"), kernel("permute")];
  // Several times the last level, so that nothing of it is left from one turn to the next.
  const data = allocate(Math.max(128 << 20, 4 * caches.thirdLevel));
  // Memory that was never written is one page of zeros mapped again and again: reading it would never leave the caches.
  data.float32().fill(1);
  const copied = allocate(data.bytes / 2);
  copied.float32().fill(1);
  const order = Int32Array.from({ length: 16 }, (_, lane) => (lane + 5) % 16);
  const y = new Float32Array(16 * 4096);
  const run = (
    probe: Kernel,
    address: bigint | null,
    tiles: number,
    lines: number,
    threads: number,
    result: Float32Array | bigint = y,
  ): void => {
    const frame = BigInt64Array.from([...(address === null ? [] : [address]), BigInt(tiles), BigInt(lines)]);
    probe.run(frame, null, null, result, 1, threads);
  };
  const fastest = (calls: number, call: () => void): number => {
    call();
    return quantile(
      Array.from({ length: repeats }, () => timeCalls(calls, call) / calls),
      0.25,
    );
  };
  const readRate = (bytes: number, tiles: number, threads: number): number => {
    const lines = probeLines * Math.floor(bytes / lineBytes / tiles / probeLines);
    const total = tiles * lines * lineBytes;
    const calls = Math.max(1, Math.floor((64 << 20) / total));
    return total / fastest(calls, () => run(reader, data.address, tiles, lines, threads));
  };
  const copyRate = (tiles: number, threads: number): number => {
    const lines = probeLines * Math.floor(copied.bytes / lineBytes / tiles / probeLines);
    const call = (): void => run(copier, data.address, tiles, lines, threads, copied.address);
    return (2 * tiles * lines * lineBytes) / fastest(1, call);
  };
  const pulseLines = probeLines * 8192;
  const pulse = (probe: Kernel, address: bigint | null, threads: number): void =>
    run(probe, address, threads, pulseLines, threads);
  const rate = (probe: Kernel, address: bigint | null, threads: number): number =>
    (threads * pulseLines) / fastest(1, () => pulse(probe, address, threads));
  const most = new Map<number, number>();
  const measure = (threads: number): MachineRates => {
    const rates: MachineRates = {
      read: {
        // One tile a thread: each reads its own half again and again.
        L2: readRate(0.5 * caches.secondLevel * threads, threads, threads),
        L3: readRate(Math.max(4 * caches.secondLevel, 0.4 * caches.thirdLevel), 64, threads),
        memory: readRate(data.bytes, 512, threads),
      },
      copy: copyRate(512, threads),
      multiplies: 16 * rate(multiplier, null, threads),
      permutes: rate(permuter, addressOf(order), threads),
    };
    most.set(threads, Math.max(most.get(threads) ?? 0, rates.multiplies));
    return rates;
  };
  return {
    caches,
    measure,
    pulse: (threads, calls) => timeCalls(calls, () => pulse(multiplier, null, threads)),
    pulseRate: (threads, seconds) => (16 * threads * pulseLines) / seconds,
    shortfall: (threads, { multiplies }) => 1 - multiplies / Math.max(most.get(threads) ?? 0, multiplies),
    dispose: () => {
      data.free();
      copied.free();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Of two probes, the better of each rate: what the machine can do is not what it did while something else ran. */
export const fastestOf = (before: MachineRates, after: MachineRates): MachineRates => ({
  read: {
    L2: Math.max(before.read.L2, after.read.L2),
    L3: Math.max(before.read.L3, after.read.L3),
    memory: Math.max(before.read.memory, after.read.memory),
  },
  copy: Math.max(before.copy, after.copy),
  multiplies: Math.max(before.multiplies, after.multiplies),
  permutes: Math.max(before.permutes, after.permutes),
});

/** The largest relative difference of two probes. */
export function driftOf(before: MachineRates, after: MachineRates): number {
  const pairs: readonly (readonly [number, number])[] = [
    [before.copy, after.copy],
    [before.multiplies, after.multiplies],
    [before.permutes, after.permutes],
    ...(["L2", "L3", "memory"] as const).map((level) => [before.read[level], after.read[level]] as const),
  ];
  return Math.max(...pairs.map(([first, second]) => Math.abs(first - second) / Math.max(first, second)));
}
