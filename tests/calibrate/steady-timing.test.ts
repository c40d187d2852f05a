/** Rounds in which the machine gave less do not count, as a clock that is slow at times shows. */
import { describe, expect, it, vi } from "vitest";
import type { Contestant } from "../../compiler/calibrate/interleaved-timing.ts";
import { type Pulse, timeSteadily } from "../../compiler/calibrate/steady-timing.ts";

/** A machine on which every sample takes `slowness(sample)` seconds a call; the pulse sees what the others meet. */
function machine(slowness: (sample: number) => number) {
  let taken = 0;
  const contestant = (name: string): Contestant => ({
    name,
    sample: (calls) => calls * slowness(taken++),
  });
  const pulse: Pulse = { contestant: contestant("pulse"), isFull: (seconds) => seconds <= 1 };
  return { pulse, contestants: [contestant("a"), contestant("b")] };
}

const options = { rounds: 6, sampleSeconds: 0.5 };

describe("timing on a machine that others share", () => {
  it("keeps every round of a quiet one", async () => {
    const { pulse, contestants } = machine(() => 1);
    const timings = await timeSteadily(pulse, contestants, options);
    expect(timings.map(({ name, samples }) => [name, samples.length])).toEqual([
      ["a", 6],
      ["b", 6],
    ]);
  });

  it("leaves out what was taken while it did less, and takes as many again as it takes", async () => {
    // Long stretches at half the speed, longer than a round.
    const { pulse, contestants } = machine((sample) => (Math.floor(sample / 9) % 2 === 0 ? 1 : 2));
    const timings = await timeSteadily(pulse, contestants, options);
    for (const { samples } of timings) {
      expect(samples.length).toBeGreaterThanOrEqual(3);
      expect(samples.every((seconds) => seconds > 0)).toBe(true);
    }
    const all = timings.flatMap(({ samples }) => samples);
    // A stretch may end inside a round; most of what is kept is of the quiet ones.
    expect(all.filter((seconds) => seconds === 1).length / all.length).toBeGreaterThan(0.7);
  });

  it("gives what there is where the machine never does what it can", async () => {
    const { pulse, contestants } = machine(() => 3);
    vi.useFakeTimers();
    const timing = timeSteadily({ ...pulse, isFull: () => false }, contestants, options);
    await vi.runAllTimersAsync();
    vi.useRealTimers();
    const timings = await timing;
    expect(timings.map(({ samples }) => samples)).toEqual([Array(6).fill(3), Array(6).fill(3)]);
  });
});
