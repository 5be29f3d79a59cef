//! The answer to which network of a checkpoint is read, and whose a name of the file then is.
//!
//! It knows prefixes alone, so that the file that is read and the rule that chooses
//! ([`super::networks`]) can both speak of it.

/// The network that was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What stands before its names in the file; empty where nothing does.
    pub prefix: String,
    /// What stands before the names of the others, which are not read.
    pub others: Vec<String>,
}

impl Choice {
    /// What was chosen and what was not, where there was a choice.
    pub fn sentence(&self) -> Option<String> {
        let others: Vec<String> = self.others.iter().map(|prefix| shown(prefix)).collect();
        (!others.is_empty()).then(|| {
            format!("the network {} is read, not that {}", shown(&self.prefix), others.join(" or "))
        })
    }

    /// Whether a name belongs to one of the networks that are not read.
    pub fn is_other(&self, name: &str) -> bool {
        // A longer prefix may begin with a shorter one: the longest decides.
        let longest = |prefixes: &mut dyn Iterator<Item = &String>| {
            prefixes.filter(|prefix| name.starts_with(prefix.as_str())).map(|one| one.len()).max()
        };
        longest(&mut self.others.iter()) > longest(&mut std::iter::once(&self.prefix))
    }
}

/// A prefix in a sentence.
pub(super) fn shown(prefix: &str) -> String {
    match prefix {
        "" => "without a prefix".into(),
        prefix => format!("under `{prefix}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_owns_a_name() {
        let choice = Choice { prefix: String::new(), others: vec!["ema.".into()] };
        assert!(choice.is_other("ema.conv1.weight") && !choice.is_other("conv1.weight"));
        let inner = Choice { prefix: "ema.net.".into(), others: vec!["ema.".into()] };
        assert!(!inner.is_other("ema.net.conv1.weight") && inner.is_other("ema.conv1.weight"));
        assert!(choice.sentence().unwrap().contains("without a prefix"));
        assert_eq!(Choice::default().sentence(), None);
    }
}
