//! Closed lists of words that are stored as text.

/// An enum whose variants are stored by name: `as_str`, `from_name`, `ALL`, and `read` for a column.
macro_rules! closed_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )+ }

        impl $name {
            /// Every value there is.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The value of this word.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }

            /// The value of a stored word.
            pub(crate) fn read(name: &str) -> Result<Self, $crate::error::StoreError> {
                Self::from_name(name).ok_or_else(|| $crate::error::StoreError::Broken(
                    format!("a column holds a word that is no {}", stringify!($name)),
                ))
            }
        }
    };
}

pub(crate) use closed_enum;
