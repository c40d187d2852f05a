/** The nearest real names to a misspelt one, and the help that puts the nearest in its place. */
import type { Help } from "../../grammar/text/diagnostic.ts";
import type { Span } from "../../grammar/text/source-text.ts";
import { editDistance } from "../../runtime/contract/edit-distance.ts";

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

/** Shorter names are near to too many others to be changed unasked. */
const surelyMeant = 4;

/** "did you mean …?" with an edit; none when no name is near. `quote` stands around the name where it is written. */
export function suggestion(wanted: string, span: Span, near: readonly string[], quote = ""): Help[] {
  const [nearest] = near;
  if (nearest === undefined) return [];
  const isSure = near.length === 1 && wanted.length >= surelyMeant;
  return [
    {
      text: `did you mean ${listNames(near)}?`,
      edits: [{ span, replacement: `${quote}${nearest}${quote}` }],
      applicability: isSure ? "safe" : "likely",
    },
  ];
}

/** "`a`, `b` or `c`" */
export function listNames(names: readonly string[], conjunction = "or"): string {
  const quoted = names.map((name) => `\`${name}\``);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} ${conjunction} ${last}`;
}
