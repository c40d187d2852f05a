/**
 * Timing in turn on a machine that others share. Virtual processors may come to share one core of their host, which
 * halves what they do for seconds; a short call that always does the same tells when, and what was timed then does not
 * count. Stands above `timeInTurn`, which knows nothing of machines.
 */
import {
  type Contestant,
  repeatedly,
  type Timing,
  type TimingOptions,
  timeInTurn,
} from "./interleaved-timing.ts";

/** A call that always does the same, and the fastest that it has been. */
export interface Pulse {
  readonly contestant: Contestant;
  /** Whether the machine does what it can: seconds of a call beside the fewest ever seen. */
  isFull(seconds: number): boolean;
}

/** Beyond the jitter of short calls; processors that share a core take twice as long. */
const tolerance = 1.25;
const firstSamples = 40;
/** Calls of a sample: single ones now and then seem faster than any can be. */
const pulseCalls = 8;

export function createPulse(run: () => void): Pulse {
  let fewest = Number.POSITIVE_INFINITY;
  const contestant = repeatedly("pulse", run);
  const sample = (calls: number): number => {
    const seconds = contestant.sample(calls) as number;
    if (calls >= pulseCalls) fewest = Math.min(fewest, seconds / calls);
    return seconds;
  };
  for (let index = 0; index < firstSamples; index++) sample(pulseCalls);
  return { contestant: { name: "pulse", sample }, isFull: (seconds) => seconds <= tolerance * fewest };
}

const wakingSamples = 10;
const mostWaits = 10;
const waitMilliseconds = 100;

/** Returns when the machine does what it can, or after some waits in which it did not. */
async function waitForMachine({ contestant, isFull }: Pulse): Promise<void> {
  for (let waited = 0; waited < mostWaits; waited++) {
    // The first samples behind a wait find threads asleep.
    for (let index = 0; index < wakingSamples; index++)
      if (isFull((await contestant.sample(pulseCalls)) / pulseCalls)) return;
    await new Promise((resolve) => setTimeout(resolve, waitMilliseconds));
  }
}

const mostRuns = 3;

/**
 * As `timeInTurn`, with the rounds left out in which the machine gave less; run again while fewer than half of them
 * remain, and after `mostRuns` with what there is.
 */
export async function timeSteadily(
  pulse: Pulse,
  contestants: readonly Contestant[],
  options: TimingOptions,
): Promise<readonly Timing[]> {
  let kept: readonly Timing[] = [];
  for (let run = 1; ; run++) {
    await waitForMachine(pulse);
    const [pulses, ...timings] = await timeInTurn([pulse.contestant, ...contestants], options);
    const taken = pulses?.samples ?? [];
    const full = taken.flatMap((seconds, round) => (pulse.isFull(seconds) ? [round] : []));
    kept = joined(kept, timings, full);
    const count = kept[0]?.samples.length ?? 0;
    if (2 * count >= taken.length || (run === mostRuns && count > 0)) return kept;
    if (run === mostRuns) return timings;
  }
}

/** Samples of `timings` in `rounds` behind those of the same contestant in `before`. */
const joined = (
  before: readonly Timing[],
  timings: readonly Timing[],
  rounds: readonly number[],
): readonly Timing[] =>
  timings.map(({ name, samples }, index) => ({
    name,
    samples: [...(before[index]?.samples ?? []), ...rounds.map((round) => samples[round] ?? Number.NaN)],
  }));
