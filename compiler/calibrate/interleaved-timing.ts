/** Times several functions in one interleaved run, so that drift of the machine hits all of them alike. */

export interface Contestant {
  readonly name: string;
  readonly run: () => void;
}

/** Median seconds a call, by name, and every round's sample for paired ratios. */
export interface Timing {
  readonly name: string;
  readonly samples: readonly number[];
}

const seconds = (): number => performance.now() / 1e3;

/** Calls a sample so that one sample lasts about `target` seconds. */
function repetitions(run: () => void, target: number): number {
  run();
  const start = seconds();
  run();
  const once = Math.max(seconds() - start, 1e-7);
  return Math.max(1, Math.min(2000, Math.ceil(target / once)));
}

/**
 * `rounds` samples of each contestant, taken in turn. The order turns every round, so that nobody always
 * runs behind the same neighbour's cache contents.
 */
export function timeInterleaved(
  contestants: readonly Contestant[],
  rounds: number,
  sampleSeconds: number,
): Timing[] {
  const counts = contestants.map((contestant) => repetitions(contestant.run, sampleSeconds));
  const samples = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const index = (turn + round) % contestants.length;
      const contestant = contestants[index];
      const count = counts[index] ?? 1;
      if (contestant === undefined) continue;
      const start = seconds();
      for (let call = 0; call < count; call += 1) contestant.run();
      samples[index]?.push((seconds() - start) / count);
    }
  }
  return contestants.map((contestant, index) => ({ name: contestant.name, samples: samples[index] ?? [] }));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Median over rounds of `first` / `second`, each pair taken in the same round. */
export function pairedRatio(first: Timing, second: Timing): number {
  return median(first.samples.map((sample, round) => sample / (second.samples[round] ?? Number.NaN)));
}
