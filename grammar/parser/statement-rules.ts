/**
 * Grammar rules of the statements of a transform, on top of the rules of types and expressions. No separator stands
 * between statements: each begins with a reserved word, which no expression contains.
 */
import { maskModes } from "../syntax/syntax-tree.ts";
import type { Rule } from "./expression-rules.ts";
import {
  Colon,
  Comma,
  DefinitionSign,
  Identifier,
  LeftBracket,
  Less,
  NumberLiteral,
  RightBracket,
  wordToken,
} from "./tokens.ts";
import { TypeRules } from "./type-rules.ts";

export class StatementRules extends TypeRules {
  readonly statement: Rule = this.RULE("statement", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.requireStatement) },
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.maskStatement) },
      { ALT: () => this.SUBRULE(this.supportStatement) },
      { ALT: () => this.SUBRULE(this.paramStatement) },
      { ALT: () => this.SUBRULE(this.frozenStatement) },
      { ALT: () => this.SUBRULE(this.sharedStatement) },
      { ALT: () => this.SUBRULE(this.scheduleStatement) },
      { ALT: () => this.SUBRULE(this.phaseStatement) },
      { ALT: () => this.SUBRULE(this.refreshStatement) },
      { ALT: () => this.SUBRULE(this.pinStatement) },
      { ALT: () => this.SUBRULE(this.initStatement) },
      { ALT: () => this.SUBRULE(this.weightStatement) },
    ]);
  });

  readonly requireStatement: Rule = this.RULE("requireStatement", () => {
    this.CONSUME(wordToken("require"));
    this.SUBRULE(this.expression);
  });

  readonly letStatement: Rule = this.RULE("letStatement", () => {
    this.CONSUME(wordToken("let"));
    this.CONSUME(Identifier);
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  readonly maskStatement: Rule = this.RULE("maskStatement", () => {
    this.CONSUME(wordToken("mask"));
    this.CONSUME(Identifier);
    this.OPTION(() => this.SUBRULE(this.family));
    this.CONSUME(Colon);
    this.OPTION2(() =>
      this.OR(maskModes.map((mode) => ({ ALT: () => this.CONSUME(wordToken(mode), { LABEL: "mode" }) }))),
    );
    this.SUBRULE(this.patternType);
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  readonly supportStatement: Rule = this.RULE("supportStatement", () => {
    this.CONSUME(wordToken("support"));
    this.CONSUME(Identifier);
    this.OPTION(() => this.SUBRULE(this.family));
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  /** `[n]`, `[i < n]` */
  readonly family: Rule = this.RULE("family", () => {
    this.CONSUME(LeftBracket);
    this.OPTION(() => {
      this.CONSUME(Identifier);
      this.CONSUME(Less);
    });
    this.SUBRULE(this.summation);
    this.CONSUME(RightBracket);
  });

  readonly paramStatement: Rule = this.RULE("paramStatement", () => {
    this.CONSUME(wordToken("param"));
    this.CONSUME(Identifier);
    this.CONSUME(Colon);
    this.SUBRULE(this.tensorType);
    this.OPTION(() => {
      this.CONSUME(DefinitionSign);
      this.SUBRULE(this.expression);
    });
  });

  readonly sharedStatement: Rule = this.RULE("sharedStatement", () => {
    this.CONSUME(wordToken("shared"));
    this.OR([
      { ALT: () => this.SUBRULE(this.paramStatement) },
      { ALT: () => this.SUBRULE(this.frozenStatement) },
    ]);
  });

  readonly frozenStatement: Rule = this.RULE("frozenStatement", () => {
    this.CONSUME(wordToken("frozen"));
    this.CONSUME(Identifier);
    this.CONSUME(Colon);
    this.SUBRULE(this.tensorType);
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  readonly scheduleStatement: Rule = this.RULE("scheduleStatement", () => {
    this.CONSUME(wordToken("schedule"));
    this.CONSUME(Identifier);
    this.CONSUME(Colon);
    this.SUBRULE(this.numberType);
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  readonly phaseStatement: Rule = this.RULE("phaseStatement", () => {
    this.CONSUME(wordToken("phase"));
    this.CONSUME(Identifier);
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  /** `=` after `while` defines: `mark-definitions.ts` sees to it that no condition swallows it. */
  readonly refreshStatement: Rule = this.RULE("refreshStatement", () => {
    this.CONSUME(wordToken("refresh"));
    this.CONSUME(Identifier);
    this.CONSUME(wordToken("every"));
    this.SUBRULE(this.summation, { LABEL: "every" });
    this.OPTION(() => {
      this.CONSUME(wordToken("while"));
      this.SUBRULE(this.expression, { LABEL: "condition" });
    });
    this.OPTION2(() => {
      this.CONSUME(DefinitionSign);
      this.SUBRULE2(this.expression);
    });
  });

  readonly pinStatement: Rule = this.RULE("pinStatement", () => {
    this.CONSUME(wordToken("pin"));
    this.OR([
      {
        ALT: () => {
          this.OR2([
            { ALT: () => this.CONSUME(wordToken("merge"), { LABEL: "claim" }) },
            { ALT: () => this.CONSUME(wordToken("separate"), { LABEL: "claim" }) },
          ]);
          this.SUBRULE(this.summation);
        },
      },
      {
        ALT: () => {
          this.CONSUME(wordToken("format"), { LABEL: "claim" });
          this.SUBRULE2(this.summation);
          this.CONSUME(DefinitionSign);
          this.SUBRULE(this.pinnedValue);
        },
      },
      {
        ALT: () => {
          this.OR3([
            { ALT: () => this.CONSUME(wordToken("layout"), { LABEL: "claim" }) },
            { ALT: () => this.CONSUME(wordToken("tile"), { LABEL: "claim" }) },
          ]);
          this.CONSUME2(DefinitionSign);
          this.SUBRULE2(this.pinnedValue);
        },
      },
    ]);
  });

  readonly pinnedValue: Rule = this.RULE("pinnedValue", () => {
    this.OR([{ ALT: () => this.CONSUME(Identifier) }, { ALT: () => this.CONSUME(NumberLiteral) }]);
  });

  readonly initStatement: Rule = this.RULE("initStatement", () => {
    this.CONSUME(wordToken("init"));
    this.CONSUME(Identifier);
    this.MANY(() => {
      this.CONSUME(Comma);
      this.CONSUME2(Identifier);
    });
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });

  readonly weightStatement: Rule = this.RULE("weightStatement", () => {
    this.CONSUME(wordToken("weight"));
    this.CONSUME(DefinitionSign);
    this.SUBRULE(this.expression);
  });
}
