//! Owns what a worker may want of a camera, and its words on the broker.

/// What a worker wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A key frame.
    Key,
    /// The enhancement layer, or no longer.
    Enhance(bool),
}

impl Wish {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Enhance(true) => "enhance",
            Self::Enhance(false) => "plain",
        }
    }

    /// The wish of a word; nothing if no worker wrote it.
    pub fn read(word: &[u8]) -> Option<Self> {
        [Self::Key, Self::Enhance(true), Self::Enhance(false)]
            .into_iter()
            .find(|wish| wish.word().as_bytes() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_come_back_and_anything_else_is_none() {
        for wish in [Wish::Key, Wish::Enhance(true), Wish::Enhance(false)] {
            assert_eq!(Wish::read(wish.word().as_bytes()), Some(wish));
        }
        for word in [&b""[..], b"KEY", b"key ", &[0xFF; 100]] {
            assert_eq!(Wish::read(word), None);
        }
    }
}
