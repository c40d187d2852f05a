/** Several ways of doing the same, timed in turn, so that drift of the machine hits all of them alike. */

export interface Contestant {
  readonly name: string;
  /** `spx`: the cell itself. `dense`: a dense product of the same function. `structured`: another's way of using the structure. */
  readonly kind: "spx" | "dense" | "structured";
  /** Seconds that `calls` calls in a row take. */
  sample(calls: number): Promise<number>;
  /** What the last call computed, [batch, out] row by row; null for a pass whose result is not compared. */
  output(): Promise<Float32Array | null>;
  close(): Promise<void>;
}

export interface TimedContestant {
  readonly contestant: Contestant;
  /** Seconds a call, one for each round. */
  readonly samples: readonly number[];
}

/** Calls that make one sample last about `target` seconds. */
async function callsFor(contestant: Contestant, target: number): Promise<number> {
  await contestant.sample(1);
  const once = Math.max(await contestant.sample(1), 1e-7);
  return Math.max(1, Math.min(20_000, Math.ceil(target / once)));
}

/** `rounds` samples of each, in turn; the order turns every round, so that nobody always runs behind the same neighbour. */
export async function timeInTurn(
  contestants: readonly Contestant[],
  rounds: number,
  sampleSeconds: number,
): Promise<TimedContestant[]> {
  const calls: number[] = [];
  for (const contestant of contestants) calls.push(await callsFor(contestant, sampleSeconds));
  const samples = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const index = (turn + round) % contestants.length;
      const contestant = contestants[index];
      const count = calls[index] ?? 1;
      if (contestant !== undefined) samples[index]?.push((await contestant.sample(count)) / count);
    }
  }
  return contestants.map((contestant, index) => ({ contestant, samples: samples[index] ?? [] }));
}

/** Runs `call` with 0, 1, … in turn; gives the seconds of `calls` of them. */
export function timeCalls(calls: number, call: (index: number) => void): number {
  const start = performance.now();
  for (let index = 0; index < calls; index += 1) call(index);
  return (performance.now() - start) / 1e3;
}

export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = at * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (place - Math.floor(place)) * (above - below);
}

/** Median over the rounds of `first` / `second`, each pair of one round. */
export function pairedRatio(first: readonly number[], second: readonly number[]): number {
  return quantile(
    first.map((sample, round) => sample / (second[round] ?? Number.NaN)),
    0.5,
  );
}
