//! `carnet password`: random characters, every one as likely as every other.
//!
//! Spec: NIST SP 800-63B §3.1.1 (length before rules)

use std::collections::BTreeSet;

use carnet_jose::primitive;
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(before_help = "\
Examples:
  carnet password                                    64 characters: letters, digits and signs
  carnet password --words 7                          words that can be said and remembered")]
#[command(
    after_help = "JSON: {\"passwords\":[…],\"length\",\"alphabet_size\",\"entropy_bits\"}; with --words, length counts words and \
alphabet_size the words to choose from"
)]
pub(crate) struct Password {
    /// How many characters
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    length: u16,

    /// So many words instead of characters
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64), conflicts_with_all = ["length", "no_lower", "no_upper", "no_digits", "no_symbols", "no_lookalikes", "one_of_each", "alphabet"])]
    words: Option<u16>,

    /// What stands between the words
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "-",
        allow_hyphen_values = true,
        requires = "words"
    )]
    separator: String,

    /// How many passwords
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,

    /// Without a-z
    #[arg(long)]
    no_lower: bool,

    /// Without A-Z
    #[arg(long)]
    no_upper: bool,

    /// Without 0-9
    #[arg(long)]
    no_digits: bool,

    /// Without signs such as ! # %
    #[arg(long)]
    no_symbols: bool,

    /// Without characters that look alike: 0 O o 1 l I |
    #[arg(long)]
    no_lookalikes: bool,

    /// At least one character of every kind, for sites that insist
    #[arg(long)]
    one_of_each: bool,

    /// These characters, and no others
    #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true, conflicts_with_all = ["no_lower", "no_upper", "no_digits", "no_symbols", "one_of_each"])]
    alphabet: Option<String>,
}

impl Password {
    pub(crate) fn run(self, output: &Output) -> Result<(), Failure> {
        if let Some(words) = self.words {
            return self.passphrases(usize::from(words), output);
        }
        let kinds = self.kinds()?;
        let alphabet: Vec<char> = kinds.concat();
        let length = usize::from(self.length);
        let bits = entropy(&kinds, length, self.one_of_each);
        let makes = |_| choose(&alphabet, length, &kinds, self.one_of_each);
        let passwords = (0..self.count).map(makes).collect::<Result<Vec<_>, _>>()?;
        let made = Made {
            passwords,
            length,
            out_of: alphabet.len(),
            bits,
        };
        made.show("characters", output);
        Ok(())
    }

    fn passphrases(&self, words: usize, output: &Output) -> Result<(), Failure> {
        let list = bip39::Language::English.word_list();
        let makes = |_| phrase(list, words, &self.separator);
        let made = Made {
            passwords: (0..self.count).map(makes).collect::<Result<Vec<_>, _>>()?,
            length: words,
            out_of: list.len(),
            bits: words as f64 * (list.len() as f64).log2(),
        };
        made.show("words", output);
        Ok(())
    }

    /// The kinds of characters to choose from; none of them is empty, and no character is in two.
    fn kinds(&self) -> Result<Vec<Vec<char>>, Failure> {
        let wanted = match &self.alphabet {
            Some(typed) => vec![typed.chars().collect::<BTreeSet<_>>().into_iter().collect()],
            None => [
                (LOWER, self.no_lower),
                (UPPER, self.no_upper),
                (DIGITS, self.no_digits),
                (SYMBOLS, self.no_symbols),
            ]
            .iter()
            .filter(|(_, left_out)| !left_out)
            .map(|(kind, _)| kind.chars().collect())
            .collect::<Vec<Vec<char>>>(),
        };
        let clear = |kind: Vec<char>| -> Vec<char> {
            kind.into_iter()
                .filter(|char| !(self.no_lookalikes && LOOKALIKES.contains(*char)))
                .collect()
        };
        let kinds: Vec<Vec<char>> = wanted
            .into_iter()
            .map(clear)
            .filter(|kind| !kind.is_empty())
            .collect();
        if kinds.iter().flatten().any(|char| char.is_control()) {
            return Err(
                Failure::usage("alphabet_invalid", "the alphabet has control characters")
                    .todo("name characters that can be typed"),
            );
        }
        if kinds.iter().map(Vec::len).sum::<usize>() < 2 {
            return Err(Failure::usage(
                "alphabet_too_small",
                "fewer than two characters are left to choose from",
            )
            .because("a password of one possible character is no secret")
            .todo("leave out fewer kinds"));
        }
        if self.one_of_each && usize::from(self.length) < kinds.len() {
            return Err(Failure::usage(
                "length_too_short",
                format!("{} characters cannot hold one of each kind", self.length),
            )
            .todo(format!("use --length {} or more", kinds.len())));
        }
        Ok(kinds)
    }
}

/// Passwords, and what they are worth.
struct Made {
    passwords: Vec<Zeroizing<String>>,
    length: usize,
    out_of: usize,
    bits: f64,
}

impl Made {
    fn show(&self, of: &str, output: &Output) {
        let Self {
            length, out_of, bits, ..
        } = self;
        if output.is_json() {
            let texts: Vec<&str> = self.passwords.iter().map(|password| password.as_str()).collect();
            return output.value(&json!({
                "passwords": texts, "length": length, "alphabet_size": out_of, "entropy_bits": (bits * 10.0).floor() / 10.0,
            }));
        }
        for password in &self.passwords {
            output.line(password);
        }
        output.note(&format!(
            "{length} {of} out of {out_of}: {bits:.0} bits. {}",
            worth(*bits)
        ));
        output.next("carnet password --help shows other lengths, alphabets and words");
    }
}

/// Words, each as likely as every other.
fn phrase(list: &[&str], words: usize, separator: &str) -> Result<Zeroizing<String>, Failure> {
    let longest = list.iter().map(|word| word.len()).max().unwrap_or_default();
    // Room for all of it from the start: a string that grows leaves copies behind.
    let mut phrase = Zeroizing::new(String::with_capacity(words * (longest + separator.len())));
    for n in 0..words {
        if n > 0 {
            phrase.push_str(separator);
        }
        phrase.push_str(list[below(list.len())?]);
    }
    Ok(phrase)
}

/// Draws whole passwords until one has every kind it must have, so that each allowed one stays equally likely.
fn choose(
    alphabet: &[char],
    length: usize,
    kinds: &[Vec<char>],
    one_of_each: bool,
) -> Result<Zeroizing<String>, Failure> {
    loop {
        // Room for every character from the start: a string that grows leaves copies behind.
        let mut password = Zeroizing::new(String::with_capacity(length * 4));
        while password.chars().count() < length {
            password.push(alphabet[below(alphabet.len())?]);
        }
        if !one_of_each || kinds.iter().all(|kind| password.contains(kind.as_slice())) {
            return Ok(password);
        }
    }
}

/// A number below the limit, each as likely as the other: draws that would make the lower ones likelier are thrown away.
fn below(limit: usize) -> Result<usize, Failure> {
    let limit = limit as u64;
    let fair = (1 << 32) / limit * limit;
    loop {
        let mut drawn = Zeroizing::new([0; 4]);
        primitive::fill_random(drawn.as_mut_slice()).map_err(|error| Failure::broken(error.to_string()))?;
        let number = u64::from(u32::from_le_bytes(*drawn));
        if number < fair {
            return Ok((number % limit) as usize);
        }
    }
}

/// The logarithm of how many passwords there are. With one of each kind: by inclusion and exclusion.
fn entropy(kinds: &[Vec<char>], length: usize, one_of_each: bool) -> f64 {
    let all = kinds.iter().map(Vec::len).sum::<usize>() as f64;
    let mut share = 1.0;
    if one_of_each {
        for missing in 1_u32..1 << kinds.len() {
            let without = kinds
                .iter()
                .enumerate()
                .filter(|(at, _)| missing & (1 << at) != 0)
                .map(|(_, kind)| kind.len())
                .sum::<usize>();
            let sign = if missing.count_ones() % 2 == 1 { -1.0 } else { 1.0 };
            share += sign * ((all - without as f64) / all).powf(length as f64);
        }
    }
    length as f64 * all.log2() + share.log2()
}

fn worth(bits: f64) -> &'static str {
    match bits {
        ..40.0 => "Weak: a stolen hash gives it away within hours.",
        40.0..70.0 => "Fair: good enough behind a login that counts attempts, not for a key.",
        70.0..128.0 => "Strong: out of reach of guessing.",
        _ => "As strong as a key: no computer will ever guess it.",
    }
}

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
/// Without quotes, backslash, backtick and space, which shells and forms mangle.
const SYMBOLS: &str = "!#$%&()*+,-./:;<=>?@[]^_{|}~";
const LOOKALIKES: &str = "0Oo1lI|";

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> Vec<Vec<char>> {
        [LOWER, UPPER, DIGITS]
            .iter()
            .map(|kind| kind.chars().collect())
            .collect()
    }

    #[test]
    fn every_character_is_as_likely_as_every_other() {
        let mut drawn = [0_i32; 91];
        for _ in 0..91_000 {
            drawn[below(91).unwrap()] += 1;
        }
        // Six standard deviations of a count of a thousand.
        assert!(drawn.iter().all(|count| (count - 1000).abs() < 190), "{drawn:?}");
    }

    #[test]
    fn one_of_each_kind_when_asked() {
        let kinds = kinds();
        for _ in 0..200 {
            let password = choose(&kinds.concat(), 3, &kinds, true).unwrap();
            assert!(kinds.iter().all(|kind| password.contains(kind.as_slice())));
        }
    }

    #[test]
    fn entropy_is_the_logarithm_of_the_count() {
        assert!((entropy(&[vec!['a'; 16]], 8, false) - 32.0).abs() < 1e-9);
        // Two kinds of one character, three places, both needed: 8 - 2 passwords.
        assert!((entropy(&[vec!['a'], vec!['b']], 3, true) - 6_f64.log2()).abs() < 1e-9);
    }
}
