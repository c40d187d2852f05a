/**
 * NVRTC, NVIDIA's compiler as a library: CUDA C++ to machine code for one architecture, on a worker thread. Needed only
 * for artefacts that were built without nvcc, so that it is looked for no earlier.
 */
import { SpxError } from "../../errors.ts";
import { firstLibrary, type MissingLibrary } from "../../native/first-library.ts";
import {
  addressOf,
  type ForeignFunction,
  type ForeignLibrary,
  type ForeignType,
  type ForeignValue,
  readString,
} from "../../native/foreign-library.ts";

export interface NvrtcSource {
  readonly text: string;
  /** For messages and the log. */
  readonly file: string;
  readonly options: readonly string[];
}

export interface Nvrtc {
  readonly path: string;
  /** `13.0`, a part of what compiled code depends on. */
  readonly version: string;
  /** Machine code. @throws SpxError SPX8710 with the compiler's log. */
  compile(source: NvrtcSource): Promise<Uint8Array>;
}

/** Where toolkits put the library: by the names of its versions, newest first. */
const nvrtcPlaces = [
  "libnvrtc.so.13",
  "libnvrtc.so.12",
  "libnvrtc.so",
  "/usr/local/cuda/lib64/libnvrtc.so",
  "/usr/local/cuda/targets/x86_64-linux/lib/libnvrtc.so",
];

const functions = {
  nvrtcVersion: ["pointer", "pointer"],
  nvrtcCreateProgram: ["pointer", "string", "string", "int32", "pointer", "pointer"],
  nvrtcDestroyProgram: ["pointer"],
  nvrtcCompileProgram: ["pointer", "int32", "pointer"],
  nvrtcGetCUBINSize: ["pointer", "pointer"],
  nvrtcGetCUBIN: ["pointer", "pointer"],
  nvrtcGetProgramLogSize: ["pointer", "pointer"],
  nvrtcGetProgramLog: ["pointer", "pointer"],
} as const satisfies Readonly<Record<string, readonly ForeignType[]>>;

type NvrtcFunction = keyof typeof functions;

const opened = new Map<string, Nvrtc>();

/** @throws SpxError SPX8709 when there is none; SPX_NVRTC names its file. */
export function openNvrtc(path: string | null = process.env.SPX_NVRTC || null): Nvrtc {
  const places = path === null ? nvrtcPlaces : [path];
  const key = places.join(":");
  const compiler = opened.get(key) ?? declareNvrtc(firstLibrary(places, nvrtcMissing));
  opened.set(key, compiler);
  return compiler;
}

function nvrtcMissing({ places, reason, cause }: MissingLibrary): SpxError {
  const tried = places.map((place) => `\`${place}\``).join(", ");
  return new SpxError("SPX8709", `no NVRTC was found: ${tried} cannot be loaded (${reason})`, {
    facts: { tried: places, reason },
    help: "build the artefact where nvcc is installed, so that it carries machine code; or install NVRTC (the CUDA toolkit, or the Python package nvidia-cuda-nvrtc) and set SPX_NVRTC to the path of libnvrtc.so",
    cause,
  });
}

function declareNvrtc(library: ForeignLibrary): Nvrtc {
  const path = library.path ?? "";
  const declared = new Map<NvrtcFunction, ForeignFunction>();
  const functionNamed = (name: NvrtcFunction): ForeignFunction => {
    const found =
      declared.get(name) ?? library.declare({ name, result: "int32", parameters: functions[name] });
    declared.set(name, found);
    return found;
  };
  const errorText = library.declare({
    name: "nvrtcGetErrorString",
    result: "pointer",
    parameters: ["int32"],
  });
  const describe = (result: number): string => {
    const text = errorText(result);
    return typeof text === "bigint" && text !== 0n ? readString(text) : "unknown";
  };
  const call = (name: NvrtcFunction, ...values: ForeignValue[]): void => {
    const result = Number(functionNamed(name)(...values));
    if (result !== 0) throw failed(name, `${describe(result)} (${result})`, path);
  };
  const bytesOf = (size: NvrtcFunction, get: NvrtcFunction, program: bigint): Uint8Array => {
    const length = new BigUint64Array(1);
    call(size, program, length);
    const bytes = new Uint8Array(Number(length[0] ?? 0n));
    if (bytes.length > 0) call(get, program, bytes);
    return bytes;
  };
  const version = new Int32Array(2);
  call("nvrtcVersion", version.subarray(0, 1), version.subarray(1, 2));
  return {
    path,
    version: `${version[0]}.${version[1]}`,
    async compile({ text, file, options }) {
      const handle = new BigUint64Array(1);
      call("nvrtcCreateProgram", handle, text, file, 0, null, null);
      const program = handle[0] ?? 0n;
      try {
        const { pointers, texts } = textPointers(options);
        const compiling = functionNamed("nvrtcCompileProgram").async(program, options.length, pointers);
        const result = Number(await compiling);
        // Held until here: the compiler reads the options by their addresses.
        const given = texts.length;
        if (result !== 0) {
          const log = new TextDecoder().decode(
            bytesOf("nvrtcGetProgramLogSize", "nvrtcGetProgramLog", program),
          );
          throw refused(file, describe(result), log.replace(/\0+$/, ""), options.slice(0, given));
        }
        return bytesOf("nvrtcGetCUBINSize", "nvrtcGetCUBIN", program);
      } finally {
        handle[0] = program;
        functionNamed("nvrtcDestroyProgram")(handle);
      }
    },
  };
}

/** A C array of zero-terminated texts; both parts have to stay reachable while it is read. */
function textPointers(texts: readonly string[]): {
  readonly pointers: BigUint64Array;
  readonly texts: readonly Uint8Array[];
} {
  const encoded = texts.map((text) => new TextEncoder().encode(`${text}\0`));
  return { pointers: BigUint64Array.from(encoded, addressOf), texts: encoded };
}

function failed(call: string, reason: string, path: string): SpxError {
  return new SpxError("SPX8710", `\`${call}\` of NVRTC (\`${path}\`) failed: ${reason}`, {
    facts: { call, file: path },
    help: "build the artefact where nvcc is installed, so that it carries machine code",
  });
}

/** The first lines of a log say what is wrong; all of it is among the facts. */
const shownLines = 12;

function refused(file: string, reason: string, log: string, options: readonly string[]): SpxError {
  const shown = log.split("\n").slice(0, shownLines).join("\n");
  return new SpxError("SPX8710", `NVRTC could not compile \`${file}\`: ${reason}\n${shown}`, {
    facts: { file, options, log },
    help: "an NVRTC older than the device does not know its architecture: use a newer one; otherwise report it with the .spx file",
  });
}
