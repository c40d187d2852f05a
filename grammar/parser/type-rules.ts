/** Grammar rules of types: numbers, tensors and the patterns of masks. */
import { quantizedFormats } from "../syntax/syntax-tree.ts";
import { ExpressionRules, type Rule } from "./expression-rules.ts";
import {
  Comma,
  FrozenTensor,
  Identifier,
  LeftBracket,
  LeftParenthesis,
  RightBracket,
  RightParenthesis,
  wordToken,
} from "./tokens.ts";

export class TypeRules extends ExpressionRules {
  readonly type: Rule = this.RULE("type", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.numberType) },
      { ALT: () => this.CONSUME(wordToken("pool")) },
      { ALT: () => this.SUBRULE(this.tensorType) },
      { ALT: () => this.SUBRULE(this.patternType) },
    ]);
  });

  readonly numberType: Rule = this.RULE("numberType", () => {
    this.OPTION(() => this.CONSUME(wordToken("const")));
    this.OR([
      { ALT: () => this.CONSUME(wordToken("int"), { LABEL: "name" }) },
      { ALT: () => this.CONSUME(wordToken("real"), { LABEL: "name" }) },
      { ALT: () => this.CONSUME(wordToken("ratio"), { LABEL: "name" }) },
      { ALT: () => this.CONSUME(wordToken("bool"), { LABEL: "name" }) },
    ]);
  });

  readonly tensorType: Rule = this.RULE("tensorType", () => {
    this.OPTION(() => this.CONSUME(FrozenTensor));
    this.OPTION2(() =>
      this.OR([
        { ALT: () => this.CONSUME(wordToken("sparse"), { LABEL: "structure" }) },
        { ALT: () => this.CONSUME(wordToken("blockdiag"), { LABEL: "structure" }) },
        { ALT: () => this.CONSUME(wordToken("diag"), { LABEL: "structure" }) },
        ...quantizedFormats.map((format) => ({
          ALT: () => this.CONSUME(wordToken(format), { LABEL: "format" }),
        })),
      ]),
    );
    this.SUBRULE(this.dimensions);
    // The values stop before a comparison, so that the `=` of an initial value is never read as one.
    this.OPTION3(() => {
      this.CONSUME(wordToken("on"));
      this.SUBRULE(this.positions, { LABEL: "support" });
    });
    this.OPTION4(() => {
      this.CONSUME(wordToken("blocks"));
      this.SUBRULE(this.summation, { LABEL: "blocks" });
    });
    this.OPTION5(() => {
      this.CONSUME(wordToken("block"));
      this.SUBRULE2(this.summation, { LABEL: "block" });
    });
  });

  readonly dimensions: Rule = this.RULE("dimensions", () => {
    this.CONSUME(LeftBracket);
    this.SUBRULE(this.expression);
    this.MANY({
      MAX_LOOKAHEAD: 1,
      GATE: () => !this.atTrailingComma(RightBracket),
      DEF: () => {
        this.CONSUME(Comma);
        this.SUBRULE2(this.expression);
      },
    });
    this.OPTION(() => this.CONSUME2(Comma));
    this.CONSUME(RightBracket);
  });

  readonly patternType: Rule = this.RULE("patternType", () => {
    this.OR([
      { ALT: () => this.CONSUME(wordToken("unstructured"), { LABEL: "name" }) },
      { ALT: () => this.CONSUME(wordToken("support"), { LABEL: "name" }) },
      {
        ALT: () => {
          this.CONSUME(wordToken("nm"), { LABEL: "name" });
          this.SUBRULE(this.patternSizes);
        },
      },
      {
        ALT: () => {
          this.CONSUME(wordToken("block"), { LABEL: "name" });
          this.SUBRULE2(this.patternSizes);
        },
      },
    ]);
    this.OPTION(() => {
      this.CONSUME(wordToken("along"));
      this.CONSUME(Identifier);
    });
  });

  /** `(2, 4)` */
  readonly patternSizes: Rule = this.RULE("patternSizes", () => {
    this.CONSUME(LeftParenthesis);
    this.SUBRULE(this.expression);
    this.MANY({
      MAX_LOOKAHEAD: 1,
      GATE: () => !this.atTrailingComma(RightParenthesis),
      DEF: () => {
        this.CONSUME(Comma);
        this.SUBRULE2(this.expression);
      },
    });
    this.OPTION(() => this.CONSUME2(Comma));
    this.CONSUME(RightParenthesis);
  });
}
