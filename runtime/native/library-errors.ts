/**
 * What can go wrong with shared libraries and their functions, as errors with a way out.
 */
import { describeCause, SpxError } from "../errors.ts";

export function libraryNotFound(path: string): SpxError {
  return new SpxError("SPX8301", `the shared library \`${path}\` does not exist`, {
    facts: { file: path },
    help: "build the artefact again, or correct the path",
  });
}

export function libraryNotLoadable(path: string, cause: unknown): SpxError {
  const reason = describeCause(cause).replace(/^Failed to load shared library: /, "");
  if (!path.includes("/") && reason.includes("No such file")) {
    return new SpxError(
      "SPX8301",
      `no shared library \`${path}\` was found where the system looks for them`,
      {
        facts: { file: path, reason },
        help: "install the package that holds it, or put its folder into LD_LIBRARY_PATH",
        cause,
      },
    );
  }
  return new SpxError("SPX8302", `the shared library \`${path}\` cannot be loaded: ${reason}`, {
    facts: { file: path, reason },
    help: "it may be built for another machine, be damaged, or need a library that is missing: see `ldd`",
    cause,
  });
}

export function symbolNotFound(path: string | null, symbol: string, cause: unknown): SpxError {
  const file = path ?? "the process itself";
  return new SpxError("SPX8303", `\`${file}\` has no function \`${symbol}\``, {
    facts: { file, symbol, reason: describeCause(cause) },
    help: "library and caller come from different versions: build the artefact again",
    cause,
  });
}

export function libraryClosed(path: string | null, symbol: string): SpxError {
  const file = path ?? "the process itself";
  return new SpxError("SPX8310", `\`${symbol}\` was called after its library \`${file}\` was closed`, {
    facts: { file, symbol },
    help: "open the library again and declare its functions anew",
  });
}

export function workerStackTooSmall(expected: number, found: number): SpxError {
  const text = `asynchronous calls need a stack of ${expected} bytes, other code of this process has settled on ${found}`;
  return new SpxError("SPX8311", text, {
    facts: { expected, found },
    help: "load an artefact before the other code that uses koffi loads its libraries, or call synchronously",
  });
}
