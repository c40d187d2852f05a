/** The fenced blocks of a markdown text, with the HTML comment that stands directly above each. */

export interface MarkdownBlock {
  readonly language: string;
  readonly text: string;
  /** What the comment says; null when the line above is no comment. */
  readonly comment: string | null;
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

const comment = /^<!--\s*(.*?)\s*-->$/;

export function markdownBlocks(text: string): MarkdownBlock[] {
  const lines = text.split("\n");
  const blocks: MarkdownBlock[] = [];
  for (let start = 0; start < lines.length; start += 1) {
    const language = /^```(\S*)$/.exec(lines[start] ?? "")?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf("```", start + 1);
    if (end < 0) throw new Error(`the block of line ${start + 1} has no end`);
    const above = comment.exec(lines[start - 1] ?? "")?.[1] ?? null;
    blocks.push({ language, text: lines.slice(start + 1, end).join("\n"), comment: above, line: start + 1 });
    start = end;
  }
  return blocks;
}

/** `text` with new contents for the blocks that `contents` has, by the line of the opening fence. */
export function replaceBlocks(text: string, contents: ReadonlyMap<number, string>): string {
  const lines = text.split("\n");
  for (const { line, text: old } of markdownBlocks(text).reverse()) {
    const replacement = contents.get(line);
    const count = lines.indexOf("```", line) - line;
    if (replacement !== undefined && replacement !== old)
      lines.splice(line, count, ...replacement.split("\n"));
  }
  return lines.join("\n");
}
