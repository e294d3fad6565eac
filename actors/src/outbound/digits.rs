//! Whole numbers as text without memory of their own: every event has two, and every command one.

/// A number in decimal digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits {
    bytes: [u8; 20],
    begin: usize,
}

impl Digits {
    pub(super) fn of(mut number: u64) -> Self {
        let (mut bytes, mut begin) = ([b'0'; 20], 19);
        while number > 9 {
            bytes[begin] += u8::try_from(number % 10).expect("a digit is below ten");
            number /= 10;
            begin -= 1;
        }
        bytes[begin] += u8::try_from(number).expect("a digit is below ten");
        Self { bytes, begin }
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[self.begin..]).expect("digits are text")
    }
}

#[cfg(test)]
mod tests {
    use super::Digits;

    #[test]
    fn numbers_are_written_as_they_always_are() {
        for number in [0, 7, 9, 10, 99, 100, 4_294_967_296, u64::MAX] {
            assert_eq!(Digits::of(number).as_str(), number.to_string());
        }
    }
}
