/**
 * Times several ways of doing the same in one interleaved run, so that drift of the machine hits all of them alike.
 * Calibration and every benchmark take their times here.
 */

export interface Contestant {
  readonly name: string;
  /** Seconds that `calls` calls in a row take. */
  sample(calls: number): number | Promise<number>;
}

export interface Timing {
  readonly name: string;
  /** Seconds a call, one for each round. */
  readonly samples: readonly number[];
}

export interface TimingOptions {
  readonly rounds: number;
  /** What one sample lasts, about: calls are repeated until they do. */
  readonly sampleSeconds: number;
  /** What all rounds may last together; rounds are left out, down to `fewestRounds`, where calls are long. */
  readonly budgetSeconds?: number;
}

const fewestRounds = 3;
const mostCalls = 20_000;

/** Runs `call` with 0, 1, … in turn; gives the seconds of `calls` of them. */
export function timeCalls(calls: number, call: (index: number) => void): number {
  const start = performance.now();
  for (let index = 0; index < calls; index += 1) call(index);
  return (performance.now() - start) / 1e3;
}

/** A function of this process as a contestant. */
export const repeatedly = (name: string, run: () => void): Contestant => ({
  name,
  sample: (calls) => timeCalls(calls, run),
});

/** Seconds of one call, the first one left out. */
async function onceOf(contestant: Contestant): Promise<number> {
  await contestant.sample(1);
  return Math.max(await contestant.sample(1), 1e-7);
}

/** Who is sampled after whom: the order turns every round, so that nobody always runs behind the same neighbour. */
export const turnsOf = (contestants: number, rounds: number): readonly number[] =>
  Array.from({ length: contestants * rounds }, (_, place) => {
    const round = Math.floor(place / contestants);
    return (place + round) % contestants;
  });

export async function timeInTurn(
  contestants: readonly Contestant[],
  { rounds, sampleSeconds, budgetSeconds = Number.POSITIVE_INFINITY }: TimingOptions,
): Promise<Timing[]> {
  const plans: { readonly contestant: Contestant; readonly calls: number; readonly samples: number[] }[] = [];
  let roundSeconds = 0;
  for (const contestant of contestants) {
    const once = await onceOf(contestant);
    const calls = Math.max(1, Math.min(mostCalls, Math.ceil(sampleSeconds / once)));
    roundSeconds += calls * once;
    plans.push({ contestant, calls, samples: [] });
  }
  const affordable = Math.max(fewestRounds, Math.floor(budgetSeconds / roundSeconds));
  for (const turn of turnsOf(plans.length, Math.min(rounds, affordable))) {
    const plan = plans[turn];
    if (plan === undefined) continue;
    const sample = plan.contestant.sample(plan.calls);
    // Nobody of this process is made to wait for the event loop.
    plan.samples.push((typeof sample === "number" ? sample : await sample) / plan.calls);
  }
  return plans.map(({ contestant: { name }, samples }) => ({ name, samples }));
}
