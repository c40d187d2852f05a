/**
 * The names nearest to one that does not exist, for messages. A change of case counts half an edit, because names of
 * tensors differ by more than case.
 */
import { editDistance } from "../contract/edit-distance.ts";

/** Up to `limit` of `names`, nearest first, none further away than two fifths of the length of `wanted`. */
export function nearestNames(wanted: string, names: Iterable<string>, limit = 3): string[] {
  const threshold = Math.floor(wanted.length * 0.4) + 1;
  const near: { name: string; distance: number }[] = [];
  for (const name of names) {
    const distance = editDistance(wanted, name, threshold, 0.5);
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
