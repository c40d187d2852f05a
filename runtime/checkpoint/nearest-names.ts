/**
 * The names nearest to one that does not exist, for messages. Distance: insertions, deletions, replacements and
 * swaps of neighbours (Damerau), a change of case counting half.
 */

/** Up to `limit` of `names`, nearest first, none further away than two fifths of the length of `wanted`. */
export function nearestNames(wanted: string, names: Iterable<string>, limit = 3): string[] {
  const threshold = Math.floor(wanted.length * 0.4) + 1;
  const near: { name: string; distance: number }[] = [];
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) > threshold) continue;
    const distance = editDistance(wanted, name);
    if (distance <= threshold) near.push({ name, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return near.slice(0, limit).map(({ name }) => name);
}

/** ` did you mean …?` for `help`, or what `names` there are when none is near. */
export function suggestNames(wanted: string, names: readonly string[], noun: string): string {
  const near = nearestNames(wanted, names);
  if (near.length > 0) return `did you mean ${near.map((name) => `\`${name}\``).join(" or ")}?`;
  if (names.length === 0) return `there is no ${noun} at all`;
  const shown = names.slice(0, 5).map((name) => `\`${name}\``);
  return `the ${noun}s are ${shown.join(", ")}${names.length > 5 ? ` … (${names.length} in all)` : ""}`;
}

function editDistance(a: string, b: string): number {
  let twoBack: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const [x, y] = [a[row - 1] ?? "", b[column - 1] ?? ""];
      const change = x === y ? 0 : x.toLowerCase() === y.toLowerCase() ? 0.5 : 1;
      let best = Math.min(
        (previous[column - 1] ?? 0) + change,
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
      );
      if (row > 1 && column > 1 && x === b[column - 2] && y === a[row - 2]) {
        best = Math.min(best, (twoBack[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    twoBack = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
