/**
 * How far apart two names are (Damerau's distance). Stands here because the runtime suggests names of tensors, the
 * compiler names of programs and the grammar words, and this is the one folder that all of them may read.
 */

/**
 * Edits (insert, delete, replace, swap neighbours) that turn `from` into `to`; more than `limit` counts as `limit + 1`.
 * A letter in the other case costs `caseChange` edits.
 */
export function editDistance(from: string, to: string, limit: number, caseChange = 1): number {
  if (Math.abs(from.length - to.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const [one, other] = [from[row - 1] ?? "", to[column - 1] ?? ""];
      const change = one === other ? 0 : one.toLowerCase() === other.toLowerCase() ? caseChange : 1;
      let best = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + change,
      );
      const isSwap = row > 1 && column > 1 && one === to[column - 2] && from[row - 2] === other;
      if (isSwap) best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return Math.min(last[to.length] ?? 0, limit + 1);
}
