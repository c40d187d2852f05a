/**
 * What the results of the CUDA driver mean to a user: which code of spx each one is, and what can be done. The driver
 * names and describes its results itself; this table adds the way out.
 */
import { type ErrorFacts, type RuntimeErrorCode, SpxError } from "../../errors.ts";
import type { MissingLibrary } from "../../native/first-library.ts";

/** CUresult values that the runtime itself asks for. */
export const cudaSuccess = 0;
export const cudaNotReady = 600;

interface StatusMeaning {
  readonly code: RuntimeErrorCode;
  readonly help: string;
}

const lost: StatusMeaning = {
  code: "SPX8707",
  help: "start a new process to use the device again, layers on the CPU go on; run `compute-sanitizer` on the program and report what it finds with the .spx file",
};
const driverBroken: StatusMeaning = {
  code: "SPX8701",
  help: "install the NVIDIA driver again, or restart the machine after an update; `nvidia-smi` has to work first",
};
const driverOld: StatusMeaning = {
  code: "SPX8704",
  help: "update the NVIDIA driver, or build the artefact with the nvcc of an older CUDA toolkit",
};
const imageUnfit: StatusMeaning = {
  code: "SPX8703",
  help: "build the artefact with an spxc that knows this device, or use another device",
};

/** CUresult → meaning; what is not here is a refused call. */
const statusMeanings: Readonly<Record<number, StatusMeaning>> = {
  2: {
    code: "SPX8705",
    help: "use a smaller batch, dispose device tensors and layers that are no longer needed, or end other programs on the device (`nvidia-smi` lists them)",
  },
  3: driverBroken,
  34: {
    code: "SPX8701",
    help: "the libcuda.so.1 that was found is the toolkit's stub for linking: remove its folder from LD_LIBRARY_PATH",
  },
  36: driverOld,
  46: {
    code: "SPX8702",
    help: "another program holds the device for itself alone (`nvidia-smi` says by which compute mode)",
  },
  100: {
    code: "SPX8702",
    help: "check `nvidia-smi` and CUDA_VISIBLE_DEVICES; in a container the device has to be passed in. Without a device use the layer as loaded, on the CPU",
  },
  101: { code: "SPX8702", help: "devices count from 0; `nvidia-smi -L` lists them" },
  200: imageUnfit,
  209: imageUnfit,
  214: lost,
  218: { code: "SPX8710", help: "build the artefact again; if it stays, report it with the .spx file" },
  220: lost,
  221: {
    code: "SPX8710",
    help: "the driver's PTX compiler (libnvidia-ptxjitcompiler) is missing: install the whole driver",
  },
  222: driverOld,
  223: { code: "SPX8710", help: "unset CUDA_DISABLE_PTX_JIT, or build with machine code for this device" },
  226: lost,
  700: lost,
  702: lost,
  709: lost,
  710: lost,
  714: lost,
  715: lost,
  716: lost,
  717: lost,
  718: lost,
  719: lost,
  721: lost,
  800: { code: "SPX8706", help: "run as a user who may use the device" },
  802: driverBroken,
  803: driverBroken,
  804: driverOld,
  910: { code: "SPX8706", help: "the chain does other work than when it was captured: capture it anew" },
  999: lost,
};

const refused: StatusMeaning = {
  code: "SPX8706",
  help: "report it with the .spx file and the version of the driver",
};

/** Whether a result says that nothing on the device works any more, freeing included. */
export const isLost = (status: number): boolean => status === 4 || statusMeanings[status]?.code === "SPX8707";

export interface DriverResult {
  readonly call: string;
  readonly status: number;
  /** As the driver says them, e.g. `CUDA_ERROR_OUT_OF_MEMORY` and `out of memory`. */
  readonly name: string;
  readonly description: string;
}

/** A failed call as an error; `facts` and `doing` say what it was for. */
export function driverFailure(result: DriverResult, doing: string | null, facts: ErrorFacts = {}): SpxError {
  const { call, status, name, description } = result;
  const { code, help } = statusMeanings[status] ?? refused;
  const purpose = doing === null ? "" : ` while ${doing}`;
  return new SpxError(code, `\`${call}\` failed${purpose}: ${name} (${status}), ${description}`, {
    facts: { call, status, name, ...facts },
    help,
  });
}

export function driverMissing({ places, reason, cause }: MissingLibrary): SpxError {
  return new SpxError(
    "SPX8701",
    `no NVIDIA driver was found: ${places.map((path) => `\`${path}\``).join(", ")} cannot be loaded (${reason})`,
    {
      facts: { tried: places, reason },
      help: "install the NVIDIA driver (no CUDA toolkit is needed); where libcuda.so.1 lies elsewhere, set SPX_CUDA_DRIVER to its path. Without a device use the layer as loaded, on the CPU",
      cause,
    },
  );
}

/** A driver that lacks a function. */
export function functionMissing(symbol: string, driver: string): SpxError {
  return new SpxError("SPX8704", `the NVIDIA driver (${driver}) has no function \`${symbol}\``, {
    facts: { symbol, driver },
    help: "update the NVIDIA driver: CUDA 12.0 or newer is needed",
  });
}

export function driverTooOld(found: number): SpxError {
  return new SpxError("SPX8704", `the NVIDIA driver supports CUDA ${versionText(found)}, 12.0 is needed`, {
    facts: { found, expected: 12000 },
    help: "update the NVIDIA driver",
  });
}

/** `12040` is CUDA 12.4. */
export const versionText = (version: number): string =>
  `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;

/** The use of something that was given back. */
export function usedAfterDispose(what: string): SpxError {
  return new SpxError("SPX8708", `${what} was used after it was disposed`, {
    facts: { what },
    help: "dispose it only when nothing needs it any more; a `using` declaration does so at the end of its block",
  });
}

export function deviceMisuse(summary: string, facts: ErrorFacts, help: string): SpxError {
  return new SpxError("SPX8708", summary, { facts, help });
}
