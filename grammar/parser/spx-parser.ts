/**
 * The parser made from the grammar rules, once, at the first file: its construction costs more than reading a
 * typical file. Messages leave Chevrotain as keys `rule:expected`, which `syntax-problems.ts` turns into words.
 */
import { type CstNode, EOF, type IRecognitionException, type IToken } from "./chevrotain-library.ts";
import { DeclarationRules } from "./declaration-rules.ts";
import { hasLocation } from "./token-location.ts";
import { vocabulary } from "./tokens.ts";

/** Where the grammar could not go on. */
export interface GrammarMismatch {
  readonly rule: string;
  /** Name of the token type that was asked for; null when several alternatives were open. */
  readonly expected: string | null;
  readonly found: IToken;
  /** The last token before `found`; null at the beginning of a file. */
  readonly previous: IToken | null;
}

const describe = (rule: string, expected: string | null): string => `${rule}:${expected ?? ""}`;

class SpxParser extends DeclarationRules {
  constructor(skipValidations: boolean) {
    super([...vocabulary], {
      recoveryEnabled: true,
      nodeLocationTracking: "onlyOffset",
      maxLookahead: 2,
      skipValidations,
      errorMessageProvider: {
        buildMismatchTokenMessage: ({ ruleName, expected }) => describe(ruleName, expected.name),
        buildNotAllInputParsedMessage: ({ ruleName }) => describe(ruleName, EOF.name),
        buildNoViableAltMessage: ({ ruleName }) => describe(ruleName, null),
        buildEarlyExitMessage: ({ ruleName }) => describe(ruleName, null),
      },
    });
    this.performSelfAnalysis();
  }
}

let parser: SpxParser | null = null;

/** Builds the parser with every check of the grammar itself; for tests of the grammar. @throws Error on a bad grammar. */
export const checkGrammar = (): void => void new SpxParser(false);

/** The last token before `found` that stands in the text; Chevrotain names one that recovery may have skipped to. */
function previousOf(tokens: readonly IToken[], found: IToken): IToken | null {
  const index = tokens.indexOf(found);
  const before = index === -1 ? tokens : tokens.slice(0, index);
  return before.findLast(hasLocation) ?? null;
}

function mismatchOf(tokens: readonly IToken[], error: IRecognitionException): GrammarMismatch {
  const [rule = "", expected = ""] = error.message.split(":");
  const previous = previousOf(tokens, error.token);
  return { rule, expected: expected === "" ? null : expected, found: error.token, previous };
}

/** Reads `tokens` as a file. Never throws; where the tokens do not fit, the result lists it and reading goes on. */
export function readFile(tokens: readonly IToken[]): {
  readonly root: CstNode;
  readonly mismatches: GrammarMismatch[];
} {
  parser ??= new SpxParser(true);
  parser.input = [...tokens];
  const root = parser.file();
  const mismatches = parser.errors.map((error) => mismatchOf(tokens, error));
  parser.input = [];
  return { root, mismatches };
}
