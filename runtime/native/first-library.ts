/** Opens whichever of several places has a library: what NVIDIA ships lies elsewhere on every system. */
import { describeCause, SpxError } from "../errors.ts";
import { type ForeignLibrary, openLibrary } from "./foreign-library.ts";

/** Why none of the places has it, for the error of whoever needs it. */
export interface MissingLibrary {
  readonly places: readonly string[];
  /** What was said of the first place, in one line, and the error itself. */
  readonly reason: string;
  readonly cause: unknown;
}

/** @throws what `missing` makes when no place has it; what is not about a library is thrown as it is. */
export function firstLibrary(
  places: readonly string[],
  missing: (why: MissingLibrary) => SpxError,
): ForeignLibrary {
  let first: unknown = null;
  for (const place of places) {
    try {
      return openLibrary(place);
    } catch (cause) {
      // What else can go wrong is not about this library.
      if (!(cause instanceof SpxError)) throw cause;
      first ??= cause;
    }
  }
  const reason = first instanceof SpxError ? first.summary : describeCause(first);
  throw missing({ places, reason, cause: first });
}
