/** Libraries of others that may or may not be on this machine. */
import { type ForeignLibrary, openLibrary } from "../../../runtime/native/foreign-library.ts";

/** The first of `files` that the loader finds, or null. */
export function openFirst(files: readonly string[]): ForeignLibrary | null {
  for (const file of files) {
    try {
      return openLibrary(file);
    } catch {
      // Not under this name; the caller says so when it is under none.
    }
  }
  return null;
}
