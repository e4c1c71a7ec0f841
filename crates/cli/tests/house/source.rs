//! A Rust file as the house looks at it: code without words, words without code.

/// One file of the tree.
pub(crate) struct Source {
    /// Where it is, from the root of the workspace, with `/`.
    pub(crate) path: String,
    /// Everything in it.
    pub(crate) text: String,
    /// Its code: comments and the insides of literals are blanks, line breaks stay.
    pub(crate) code: String,
    /// Its string literals, with the line each begins on.
    pub(crate) literals: Vec<(usize, String)>,
    /// Its comments, with the line each begins on.
    pub(crate) comments: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut reader = Reader {
            chars: text.chars().collect(),
            at: 0,
            line: 1,
            ..Reader::default()
        };
        while reader.at < reader.chars.len() {
            reader.step();
        }
        let Reader {
            code,
            literals,
            comments,
            ..
        } = reader;
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            literals,
            comments,
        }
    }

    /// The crate folder and what follows it: `crates/jose/src/key/rsa.rs` is `("jose", "src/key/rsa.rs")`.
    pub(crate) fn place(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }

    /// Whether it is compiled into what we ship.
    pub(crate) fn is_shipped(&self) -> bool {
        let inside = self.place().is_some_and(|(_, rest)| rest.starts_with("src/"));
        inside && !self.path.ends_with("/tests.rs") && !self.path.contains("/tests/")
    }

    /// Its code without what stands under `#[cfg(test)]`.
    pub(crate) fn shipped_code(&self) -> String {
        without_tests(&self.code)
    }
}

/// Blanks every item that follows `#[cfg(test)]`, up to its `;` or its closing brace.
fn without_tests(code: &str) -> String {
    let mut chars: Vec<char> = code.chars().collect();
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    let mut at = 0;
    while at + mark.len() <= chars.len() {
        if chars[at..at + mark.len()] != mark {
            at += 1;
            continue;
        }
        let mut depth = 0;
        for char in &mut chars[at..] {
            at += 1;
            let seen = if *char == '\n' {
                '\n'
            } else {
                std::mem::replace(char, ' ')
            };
            depth += i32::from(seen == '{') - i32::from(seen == '}');
            if depth == 0 && (seen == ';' || seen == '}') {
                break;
            }
        }
    }
    chars.into_iter().collect()
}

#[derive(Default)]
struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    code: String,
    literals: Vec<(usize, String)>,
    comments: Vec<(usize, String)>,
}

impl Reader {
    fn step(&mut self) {
        match self.peek(0) {
            '/' if self.peek(1) == '/' => self.line_comment(),
            '/' if self.peek(1) == '*' => self.block_comment(),
            '"' => self.string(),
            'r' if self.starts_raw_string() => self.raw_string(),
            '\'' => self.quote(),
            _ => {
                let char = self.take();
                self.code.push(char);
            }
        }
    }

    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn take(&mut self) -> char {
        let char = self.peek(0);
        self.at += 1;
        self.line += usize::from(char == '\n');
        char
    }

    /// Takes a character that is no code.
    fn blank(&mut self) -> char {
        let char = self.take();
        self.code.push(if char == '\n' { '\n' } else { ' ' });
        char
    }

    fn line_comment(&mut self) {
        let (line, mut text) = (self.line, String::new());
        while self.at < self.chars.len() && self.peek(0) != '\n' {
            text.push(self.blank());
        }
        self.comments.push((line, text));
    }

    fn block_comment(&mut self) {
        let (line, mut text, mut depth) = (self.line, String::new(), 0);
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    text.push(self.blank());
                    continue;
                }
            }
            text.extend([self.blank(), self.blank()]);
            if depth == 0 {
                break;
            }
        }
        self.comments.push((line, text));
    }

    fn string(&mut self) {
        let (line, mut text) = (self.line, String::new());
        let quote = self.take();
        self.code.push(quote);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            let char = self.blank();
            text.push(char);
            if char == '\\' {
                text.push(self.blank());
            }
        }
        self.take();
        self.code.push('"');
        self.literals.push((line, text));
    }

    fn starts_raw_string(&self) -> bool {
        let before = self.code.chars().next_back().unwrap_or(' ');
        let mut ahead = 1;
        while self.peek(ahead) == '#' {
            ahead += 1;
        }
        let in_a_word = (before.is_alphanumeric() && !matches!(before, 'b' | 'c')) || before == '_';
        self.peek(ahead) == '"' && !in_a_word
    }

    fn raw_string(&mut self) {
        self.blank();
        let mut fence = vec!['"'];
        while self.peek(0) == '#' {
            fence.push(self.blank());
        }
        self.blank();
        let (line, mut text) = (self.line, String::new());
        while self.at < self.chars.len() && !self.chars[self.at..].starts_with(&fence) {
            text.push(self.blank());
        }
        for _ in &fence {
            self.blank();
        }
        self.literals.push((line, text));
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self) {
        if self.peek(1) == '\\' {
            self.blank();
            self.blank();
            self.blank();
            while self.at < self.chars.len() && self.peek(0) != '\'' {
                self.blank();
            }
            self.blank();
        } else if self.peek(2) == '\'' {
            for _ in 0..3 {
                self.blank();
            }
        } else {
            let char = self.take();
            self.code.push(char);
        }
    }
}

#[test]
fn words_and_code_are_told_apart() {
    let source = Source::new(
        "crates/jose/src/x.rs",
        "let a = \"crate::b // no\"; // crate::c\nlet d: &'static str = r#\"e \"f\" \"#; let g = '\"'; /* h /* i */ j */ let k = b'\\'';\nl()",
    );
    assert_eq!(
        source.literals,
        [(1, "crate::b // no".to_owned()), (2, "e \"f\" ".to_owned())]
    );
    assert_eq!(source.comments[0], (1, "// crate::c".to_owned()));
    assert!(source.comments[1].1.contains("h /* i */ j"));
    assert!(!source.code.contains("crate"), "{}", source.code);
    assert!(source.code.ends_with("\nl()") && source.code.lines().count() == 3);
}

#[test]
fn what_is_under_cfg_test_is_not_shipped() {
    let code = "use crate::a;\n#[cfg(test)]\nmod tests {\n use crate::b; fn f() { }\n}\n#[cfg(test)] mod more;\nuse crate::c;";
    let shipped = without_tests(code);
    assert!(shipped.contains("crate::a") && shipped.contains("crate::c"));
    assert!(!shipped.contains("crate::b") && !shipped.contains("more"));
    assert_eq!(shipped.lines().count(), code.lines().count());
}
