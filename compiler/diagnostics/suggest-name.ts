/** The nearest real names to a misspelt one. */
import { editDistance } from "../../grammar/text/closest-name.ts";

/** Up to `limit` candidates near enough to be meant, nearest first; names equal but for case count as nearest. */
export function suggestNames(name: string, candidates: Iterable<string>, limit = 3): string[] {
  const allowed = Math.max(1, Math.floor(name.length / 3));
  const scored = [...new Set(candidates)].map((candidate) => ({
    candidate,
    distance: candidate.toLowerCase() === name.toLowerCase() ? 0 : editDistance(name, candidate, allowed),
  }));
  return scored
    .filter(
      ({ candidate, distance }) =>
        candidate !== name && distance <= allowed && distance < Math.max(name.length, candidate.length),
    )
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** "`a`, `b` or `c`" */
export function listNames(names: readonly string[], conjunction = "or"): string {
  const quoted = names.map((name) => `\`${name}\``);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} ${conjunction} ${last}`;
}
