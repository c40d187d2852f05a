/** The name that an author most likely meant. */
import { editDistance } from "../../runtime/contract/edit-distance.ts";

/** The candidate nearest to `name`, at most a third of its letters away; null when none is. Case counts as nothing. */
export function closestName(name: string, candidates: Iterable<string>): string | null {
  const written = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(written, candidate.toLowerCase(), bestDistance - 1);
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
