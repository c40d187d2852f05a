/** What the command line knows about the terminal: colours where a person reads, none where a program does. */
import { styleText } from "node:util";
import { type Painter, plainPainter } from "../diagnostics/render-terminal.ts";

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<keyof Painter, Style>> = {
  gutter: "gray",
  primary: "red",
  secondary: "blue",
  error: ["bold", "red"],
  warning: ["bold", "yellow"],
  note: ["bold", "blue"],
  strong: "bold",
  help: "green",
};

interface Stream {
  readonly isTTY?: boolean;
}

/** True when `stream` is a terminal; NO_COLOR switches colours off, FORCE_COLOR on. */
export function isColoured(stream: Stream, environment: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal } = environment;
  if (forced !== undefined && forced !== "0") return true;
  return (refused ?? "") === "" && terminal !== "dumb" && stream.isTTY === true;
}

export function painterFor(stream: Stream, environment: NodeJS.ProcessEnv = process.env): Painter {
  if (!isColoured(stream, environment)) return plainPainter;
  // Whether to colour has been decided above, for this stream; styleText would ask standard output again.
  const paint = (style: Style) => (text: string) => styleText(style, text, { validateStream: false });
  return {
    gutter: paint(styles.gutter),
    primary: paint(styles.primary),
    secondary: paint(styles.secondary),
    error: paint(styles.error),
    warning: paint(styles.warning),
    note: paint(styles.note),
    strong: paint(styles.strong),
    help: paint(styles.help),
  };
}

/** Writes a line to standard output. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes a line to standard error. */
export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

export const exitCodes = {
  /** Everything asked for was done. */
  done: 0,
  /** The input has errors, or something it needs is missing; said on standard error. */
  problems: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** A fault of the compiler. */
  fault: 3,
} as const;
