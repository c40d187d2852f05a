/**
 * Text with places where a line may break, and its rendering into lines of a given width: a group stays on one line
 * when it fits, otherwise all of its own breaks become line ends (Wadler, "A prettier printer", 2003).
 */
export type Layout =
  | string
  | readonly Layout[]
  | { readonly kind: "group"; readonly content: Layout }
  | { readonly kind: "indent"; readonly content: Layout }
  /** A line end when the group is broken, otherwise `flat`; a `hard` one always breaks its groups. */
  | { readonly kind: "break"; readonly flat: string; readonly hard: boolean }
  /** Text that stands only in a broken group. */
  | { readonly kind: "when-broken"; readonly text: string };

export const group = (...content: Layout[]): Layout => ({ kind: "group", content });
export const indent = (...content: Layout[]): Layout => ({ kind: "indent", content });
export const spaceOrBreak: Layout = { kind: "break", flat: " ", hard: false };
export const nothingOrBreak: Layout = { kind: "break", flat: "", hard: false };
export const lineEnd: Layout = { kind: "break", flat: "", hard: true };
export const whenBroken = (text: string): Layout => ({ kind: "when-broken", text });

interface Pending {
  readonly layout: Layout;
  readonly depth: number;
  readonly broken: boolean;
}

const isList = (layout: Layout): layout is readonly Layout[] => Array.isArray(layout);

/** True when `layout`, flat, and what follows it up to the next line end fit into `room` columns. */
function fits(layout: Layout, following: readonly Pending[], room: number): boolean {
  let left = room;
  let next = following.length;
  const stack: Pending[] = [{ layout, depth: 0, broken: false }];
  while (left >= 0) {
    const top = stack.pop() ?? following[--next];
    if (top === undefined) return true;
    const { layout: current, broken, depth } = top;
    if (typeof current === "string") left -= current.length;
    else if (isList(current))
      for (const part of [...current].reverse()) stack.push({ layout: part, depth, broken });
    else if (current.kind === "break") {
      if (broken || current.hard) return broken || !current.hard;
      left -= current.flat.length;
    } else if (current.kind === "when-broken") left -= broken ? current.text.length : 0;
    else stack.push({ layout: current.content, depth, broken: current.kind === "group" ? false : broken });
  }
  return false;
}

/** The lines of `layout` for lines of `width` columns, beginning at column `start`; indentation is 2 a level. */
export function render(layout: Layout, width: number, depth = 0, start = depth * 2): string {
  let text = "";
  let column = start;
  const stack: Pending[] = [{ layout, depth, broken: true }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { layout: current, depth: level, broken } = top;
    if (typeof current === "string") {
      text += current;
      column += current.length;
    } else if (isList(current)) {
      for (const part of [...current].reverse()) stack.push({ layout: part, depth: level, broken });
    } else if (current.kind === "group") {
      stack.push({
        layout: current.content,
        depth: level,
        broken: !fits(current.content, stack, width - column),
      });
    } else if (current.kind === "indent") {
      stack.push({ layout: current.content, depth: level + 1, broken });
    } else if (current.kind === "when-broken") {
      text += broken ? current.text : "";
      column += broken ? current.text.length : 0;
    } else if (broken || current.hard) {
      text += `\n${" ".repeat(level * 2)}`;
      column = level * 2;
    } else {
      text += current.flat;
      column += current.flat.length;
    }
  }
  return text.replace(/[ ]+$/gm, "");
}
