/** How long each stage of a compilation took, summed over transforms. */

export class StageClock {
  readonly #milliseconds = new Map<string, number>();

  time<Result>(stage: string, run: () => Result): Result {
    const start = performance.now();
    try {
      return run();
    } finally {
      this.add(stage, performance.now() - start);
    }
  }

  add(stage: string, milliseconds: number): void {
    this.#milliseconds.set(stage, (this.#milliseconds.get(stage) ?? 0) + milliseconds);
  }

  /** Stage → milliseconds, in the order in which the stages first ran. */
  entries(): [string, number][] {
    return [...this.#milliseconds];
  }
}
