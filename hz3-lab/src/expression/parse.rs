//! From text to a tree.

use super::{Condition, NAMES, Node, Operator, Quantity, Sum};
use hz3_config::suggest;
use std::fmt;
use std::str::FromStr;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for Fault {}

fn fault<T>(column: usize, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault {
        column,
        message: message.into(),
    })
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Name(Quantity),
    Operator(Operator),
    Not,
    Open,
    Close,
    End,
}

impl Token {
    /// What it is called in a message.
    fn shown(&self) -> String {
        match self {
            Self::Number(n) => format!("the number {n}"),
            Self::Name(q) => format!("`{}`", q.name()),
            Self::Operator(o) => format!("`{}`", symbol(*o)),
            Self::Not => "`not`".into(),
            Self::Open => "`(`".into(),
            Self::Close => "`)`".into(),
            Self::End => "the end".into(),
        }
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Times => "*",
        Operator::Divide => "/",
        Operator::Less => "<",
        Operator::AtMost => "<=",
        Operator::More => ">",
        Operator::AtLeast => ">=",
        Operator::And => "and",
        Operator::Or => "or",
    }
}

/// How strongly an operator binds.
fn strength(operator: Operator) -> u8 {
    match operator {
        Operator::Or => 1,
        Operator::And => 2,
        Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => 4,
        Operator::Add | Operator::Subtract => 5,
        Operator::Times | Operator::Divide => 6,
    }
}

/// `not` binds more strongly than `and`, and less than comparisons.
const NOT: u8 = 3;

/// The deepest nesting: a longer row of parentheses is no person's.
const DEEPEST: usize = 64;

/// All tokens, each with its column; the last is the end.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Fault> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    let word = |from: usize, part: fn(char) -> bool| {
        let length = chars[from..].iter().take_while(|c| part(**c)).count();
        chars[from..from + length].iter().collect::<String>()
    };
    while at < chars.len() {
        let (column, c) = (at + 1, chars[at]);
        let next = chars.get(at + 1).copied();
        let (token, length) = match (c, next) {
            (c, _) if c.is_whitespace() => {
                at += 1;
                continue;
            }
            ('<', Some('=')) => (Token::Operator(Operator::AtMost), 2),
            ('>', Some('=')) => (Token::Operator(Operator::AtLeast), 2),
            ('<', _) => (Token::Operator(Operator::Less), 1),
            ('>', _) => (Token::Operator(Operator::More), 1),
            ('+', _) => (Token::Operator(Operator::Add), 1),
            ('-', _) => (Token::Operator(Operator::Subtract), 1),
            ('*', _) => (Token::Operator(Operator::Times), 1),
            ('/', _) => (Token::Operator(Operator::Divide), 1),
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            (c, _) if c.is_ascii_digit() || c == '.' => {
                let digits = word(at, |c| c.is_ascii_digit() || c == '.');
                let Ok(number) = digits.parse() else {
                    return fault(column, format!("`{digits}` is no number"));
                };
                (Token::Number(number), digits.chars().count())
            }
            (c, _) if c.is_alphabetic() => {
                let name = word(at, |c| c.is_alphanumeric() || c == '.' || c == '_');
                let token = match name.as_str() {
                    "and" => Token::Operator(Operator::And),
                    "or" => Token::Operator(Operator::Or),
                    "not" => Token::Not,
                    name => Token::Name(named(column, name)?),
                };
                (token, name.chars().count())
            }
            ('=', _) => return fault(column, "`=` compares nothing here: there are `<`, `<=`, `>`, `>=`"),
            ('%', _) => return fault(column, "write 1.05 for 5 % more"),
            (c, _) => return fault(column, format!("`{c}` has no meaning here")),
        };
        out.push((column, token));
        at += length;
    }
    out.push((chars.len() + 1, Token::End));
    Ok(out)
}

fn named(column: usize, name: &str) -> Result<Quantity, Fault> {
    if let Some((_, quantity)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*quantity);
    }
    let known = NAMES.iter().map(|(known, _)| *known);
    let help = match suggest::nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
    };
    fault(column, format!("nothing is called `{name}`: {help}"))
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn next(&self) -> (usize, &Token) {
        let (column, token) = &self.tokens[self.at.min(self.tokens.len() - 1)];
        (*column, token)
    }

    /// Everything that binds at least so strongly.
    fn tree(&mut self, least: u8) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return fault(self.next().0, "this is nested too deeply");
        }
        let start = self.next().0;
        let mut left = self.one()?;
        loop {
            let operator = match self.next().1 {
                Token::Operator(operator) => *operator,
                // A number before a name multiplies it.
                Token::Name(_) | Token::Open if matches!(left, Node::Number(_)) => Operator::Times,
                _ => break,
            };
            let strength = strength(operator);
            if strength < least {
                break;
            }
            if matches!(self.next().1, Token::Operator(_)) {
                self.at += 1;
            }
            let after = self.next().0;
            let right = self.tree(strength + 1)?;
            let joins = matches!(operator, Operator::And | Operator::Or);
            for (column, side) in [(start, &left), (after, &right)] {
                match (joins, is_condition(side)) {
                    (true, false) => return fault(column, format!("`{}` joins conditions", symbol(operator))),
                    (false, true) => {
                        return fault(column, format!("a condition is no number: `{}`", symbol(operator)));
                    }
                    _ => {}
                }
            }
            if strength == 4 && matches!(self.next().1, Token::Operator(o) if self::strength(*o) == 4) {
                return fault(self.next().0, "one comparison at a time: join two with `and`");
            }
            left = Node::Two(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn one(&mut self) -> Result<Node, Fault> {
        let (column, token) = (self.next().0, self.next().1.clone());
        self.at += 1;
        match token {
            Token::Number(n) => Ok(Node::Number(n)),
            Token::Name(name) => Ok(Node::Name(name)),
            Token::Operator(Operator::Subtract) => {
                let inner = self.tree(6)?;
                Ok(Node::Two(
                    Operator::Subtract,
                    Box::new(Node::Number(0.0)),
                    Box::new(inner),
                ))
            }
            Token::Not => {
                let at = self.next().0;
                let inner = self.tree(NOT)?;
                if !is_condition(&inner) {
                    return fault(at, "`not` is for conditions");
                }
                Ok(Node::Not(Box::new(inner)))
            }
            Token::Open => {
                let inner = self.tree(0)?;
                match self.next() {
                    (_, Token::Close) => {
                        self.at += 1;
                        Ok(inner)
                    }
                    (at, found) => fault(at, format!("`)` is missing before {}", found.shown())),
                }
            }
            found => fault(
                column,
                format!("a name or a number is missing before {}", found.shown()),
            ),
        }
    }
}

fn is_condition(node: &Node) -> bool {
    match node {
        Node::Not(_) => true,
        Node::Two(operator, ..) => strength(*operator) <= 4,
        _ => false,
    }
}

fn tree(text: &str) -> Result<Node, Fault> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let node = parser.tree(0)?;
    match parser.next() {
        (_, Token::End) => {}
        (column, found) => return fault(column, format!("an operator is missing before {}", found.shown())),
    }
    if node.all_names().is_empty() {
        return fault(1, "it names nothing that is measured");
    }
    Ok(node)
}

impl FromStr for Sum {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let node = tree(text)?;
        if is_condition(&node) {
            return fault(
                1,
                "this is a condition; what is to be made small is a sum: time + 0.3 rss",
            );
        }
        let sum = Self {
            text: text.trim().to_owned(),
            node,
        };
        let same = sum.node.value(&|_| 1.0);
        if !same.is_finite() || same <= 0.0 {
            return fault(1, "for a contender that is as the base it must be more than 0");
        }
        Ok(sum)
    }
}

impl FromStr for Condition {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let node = tree(text)?;
        if !is_condition(&node) {
            return fault(text.chars().count() + 1, "a comparison is missing: rss > 1.05");
        }
        Ok(Self {
            text: text.trim().to_owned(),
            node,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_the_usual_order() {
        let at = |text: &str| {
            let sum: Sum = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            sum.node.value(&|q| match q {
                Quantity::Time => 2.0,
                Quantity::Peak => 10.0,
                _ => 1.0,
            })
        };
        for (text, want) in [
            ("time", 2.0),
            ("time + 0.3 rss", 5.0),
            ("time + .3*peak", 5.0),
            ("2 (time + rss) / 4", 6.0),
            ("2 rss - time - 0.5", 17.5),
            ("rss / time / 5", 1.0),
            ("1 + 2 time * rss", 41.0),
            ("2 rss + -time", 18.0),
            ("p99.9+latency", 2.0),
        ] {
            assert!((at(text) - want).abs() < 1e-12, "{text}: {}", at(text));
        }
        let sum: Sum = "time + 0.3 rss".parse().unwrap();
        assert_eq!(sum.names(), [Quantity::Time, Quantity::Peak]);
        assert!((sum.relative(|_| 1.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn faults_say_where() {
        let fault = |text: &str| text.parse::<Condition>().unwrap_err();
        for (text, column, message) in [
            ("", 1, "a name or a number is missing before the end"),
            ("rss >", 6, "a name or a number is missing before the end"),
            ("rss > 1.05 and", 15, "a name or a number is missing before the end"),
            ("rss", 4, "a comparison is missing: rss > 1.05"),
            ("rsss > 1", 1, "nothing is called `rsss`: did you mean `rss`?"),
            (
                "rss = 1",
                5,
                "`=` compares nothing here: there are `<`, `<=`, `>`, `>=`",
            ),
            ("rss > 5 %", 9, "write 1.05 for 5 % more"),
            ("rss > 1.0.5", 7, "`1.0.5` is no number"),
            ("(rss > 1", 9, "`)` is missing before the end"),
            ("rss > 1)", 8, "an operator is missing before `)`"),
            ("1 < rss < 2", 9, "one comparison at a time: join two with `and`"),
            ("rss and time > 1", 1, "`and` joins conditions"),
            ("time > 1 and rss", 14, "`and` joins conditions"),
            ("not rss", 5, "`not` is for conditions"),
            ("(rss > 1) + 2 > 3", 1, "a condition is no number: `+`"),
            ("1 > 2", 1, "it names nothing that is measured"),
            ("rss > é", 7, "nothing is called `é`: there are "),
            ("rss ; 1", 5, "`;` has no meaning here"),
        ] {
            let got = fault(text);
            assert_eq!(got.column, column, "{text}: {got}");
            assert!(got.message.starts_with(message), "{text}: {got}");
        }
        assert!(fault(&"(".repeat(10_000)).message.contains("nested too deeply"));
        let sum = |text: &str| text.parse::<Sum>().unwrap_err().message;
        assert!(sum("time > 1").starts_with("this is a condition"));
        assert!(sum("time - rss").starts_with("for a contender that is as the base"));
    }
}
