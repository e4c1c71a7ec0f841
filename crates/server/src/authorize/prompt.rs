//! What has to be asked before there is an answer: who, and whether they let the client.
//!
//! Spec: OpenID Connect Core §3.1.2.1 (prompt, max_age), §3.1.2.3, §3.1.2.4, §3.1.2.6 · RFC 8252 §8.6

use carnet_oauth::error_code::ErrorCode;

/// The values of `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) none: bool,
    pub(super) login: bool,
    pub(super) consent: bool,
    pub(super) select_account: bool,
}

impl Prompt {
    /// `None` for a value that is unknown, and for `none` beside others.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        let (mut prompt, mut said) = (Self::default(), 0);
        for value in text
            .unwrap_or_default()
            .split(' ')
            .filter(|value| !value.is_empty())
        {
            said += 1;
            match value {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                // Accounts are made elsewhere; whoever has one is sent on.
                "create" => {}
                _ => return None,
            }
        }
        (!prompt.none || said == 1).then_some(prompt)
    }
}

/// What is known when the next step is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Situation {
    pub(super) prompt: Prompt,
    /// Somebody is signed in.
    pub(super) signed_in: bool,
    /// They logged in for this very request.
    pub(super) just_logged_in: bool,
    /// Longer ago than the request allows.
    pub(super) too_long_ago: bool,
    /// Somebody else than the request expects.
    pub(super) somebody_else: bool,
    /// They want to log in as somebody else.
    pub(super) wants_login: bool,
    /// They chose this account for this request.
    pub(super) account_chosen: bool,
    /// They have let the client, now or before.
    pub(super) allowed: bool,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The login page.
    Login,
    /// The page that asks which account.
    ChooseAccount,
    /// The consent page.
    Consent,
    /// The answer.
    Answer,
    /// A page would have to be shown, and none may be.
    Refuse(ErrorCode),
}

impl Situation {
    pub(super) fn next(&self) -> Step {
        // Whoever has just logged in may find that it was as the wrong one.
        let stale = self.wants_login || ((self.prompt.login || self.too_long_ago) && !self.just_logged_in);
        if self.somebody_else && self.just_logged_in {
            // Asked, and it was not who is expected: asking again would never end.
            return Step::Refuse(ErrorCode::LoginRequired);
        }
        if !self.signed_in || stale || self.somebody_else {
            return self.ask(Step::Login, ErrorCode::LoginRequired);
        }
        if self.prompt.select_account && !self.account_chosen && !self.just_logged_in {
            return Step::ChooseAccount;
        }
        if !self.allowed {
            return self.ask(Step::Consent, ErrorCode::ConsentRequired);
        }
        Step::Answer
    }

    fn ask(&self, step: Step, otherwise: ErrorCode) -> Step {
        if self.prompt.none {
            Step::Refuse(otherwise)
        } else {
            step
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Situation = Situation {
        prompt: Prompt {
            none: false,
            login: false,
            consent: false,
            select_account: false,
        },
        signed_in: true,
        just_logged_in: false,
        too_long_ago: false,
        somebody_else: false,
        wants_login: false,
        account_chosen: false,
        allowed: true,
    };

    #[test]
    fn az_05_none_stands_alone_and_unknown_values_are_refused() {
        assert!(Prompt::parse(Some("none")).unwrap().none);
        assert!(Prompt::parse(None).is_some());
        for beside in [
            "none login",
            "none create",
            "create none",
            "none none",
            "none consent",
        ] {
            assert_eq!(Prompt::parse(Some(beside)), None, "{beside}");
        }
        assert!(Prompt::parse(Some("login create")).is_some());
        assert_eq!(Prompt::parse(Some("NONE")), None);
    }

    fn with(change: impl FnOnce(&mut Situation)) -> Step {
        let mut situation = KNOWN;
        change(&mut situation);
        situation.next()
    }

    #[test]
    fn az_05_what_has_to_be_asked_is_asked() {
        assert_eq!(KNOWN.next(), Step::Answer);
        assert_eq!(with(|s| s.signed_in = false), Step::Login);
        assert_eq!(with(|s| s.prompt.login = true), Step::Login);
        assert_eq!(with(|s| s.too_long_ago = true), Step::Login);
        assert_eq!(with(|s| s.wants_login = true), Step::Login);
        assert_eq!(with(|s| s.somebody_else = true), Step::Login);
        assert_eq!(with(|s| s.prompt.select_account = true), Step::ChooseAccount);
        assert_eq!(with(|s| s.allowed = false), Step::Consent);
    }

    #[test]
    fn az_05_nobody_is_asked_twice() {
        let once = |s: &mut Situation| {
            (s.prompt.login, s.too_long_ago, s.just_logged_in) = (true, true, true);
        };
        assert_eq!(with(once), Step::Answer);
        // Unless it is they who ask.
        let again = |s: &mut Situation| (s.wants_login, s.just_logged_in) = (true, true);
        assert_eq!(with(again), Step::Login);
        let wrong_one = |s: &mut Situation| (s.somebody_else, s.just_logged_in) = (true, true);
        assert_eq!(with(wrong_one), Step::Refuse(ErrorCode::LoginRequired));
    }

    #[test]
    fn az_05_with_none_nobody_is_asked_at_all() {
        let quiet = |change: fn(&mut Situation)| {
            with(|s| {
                s.prompt.none = true;
                change(s);
            })
        };
        assert_eq!(
            quiet(|s| s.signed_in = false),
            Step::Refuse(ErrorCode::LoginRequired)
        );
        assert_eq!(
            quiet(|s| s.too_long_ago = true),
            Step::Refuse(ErrorCode::LoginRequired)
        );
        assert_eq!(
            quiet(|s| s.allowed = false),
            Step::Refuse(ErrorCode::ConsentRequired)
        );
        assert_eq!(quiet(|_| {}), Step::Answer);
    }
}
