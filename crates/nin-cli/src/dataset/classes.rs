//! Matches the classes of data with those of a network, by name if both have names.

/// The classes of a data set, mapped to those of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// The network's class for each class of the data, or `None` if the network does not know it.
    pub map: Vec<Option<u16>>,
    /// The data's classes that the network does not know.
    pub unknown: Vec<String>,
    /// Whether names were compared, rather than positions.
    pub by_name: bool,
}

/// Matches the data's classes with the network's.
pub fn match_classes(data: &[String], network: &[String]) -> Matching {
    // Numbers that are names of the network are matched as names.
    let by_name =
        (has_names(data) && has_names(network)) || data.iter().all(|name| network.contains(name));
    let place = |(position, name): (usize, &String)| {
        let found = if by_name {
            network.iter().position(|known| known == name)
        } else {
            Some(position).filter(|position| *position < network.len())
        };
        found.and_then(|found| u16::try_from(found).ok())
    };
    let map: Vec<Option<u16>> = data.iter().enumerate().map(place).collect();
    let names = data.iter().zip(&map).filter(|(_, found)| found.is_none());
    let unknown = names.map(|(name, _)| name.clone()).collect();
    Matching { map, unknown, by_name }
}

/// Returns whether classes have names other than their numbers.
pub fn has_names(classes: &[String]) -> bool {
    classes.iter().enumerate().any(|(position, name)| *name != position.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_are_matched_in_any_order() {
        let matching = match_classes(&names(&["ant", "bee", "cat"]), &names(&["cat", "ant"]));
        assert_eq!(matching.map, [Some(1), None, Some(0)]);
        assert_eq!((matching.unknown, matching.by_name), (names(&["bee"]), true));
    }

    #[test]
    fn numeric_names_of_the_network_are_matched_as_names() {
        for (data, expected) in
            [(["0", "2"], [Some(0), Some(3)]), (["10", "2"], [Some(2), Some(3)])]
        {
            let matching = match_classes(&names(&data), &names(&["0", "1", "10", "2"]));
            assert_eq!((matching.map, matching.by_name), (expected.to_vec(), true));
        }
    }

    #[test]
    fn numbers_are_matched_by_position() {
        for (data, network) in [
            (names(&["0", "1", "2"]), names(&["cat", "ant"])),
            (names(&["ant", "bee", "cat"]), names(&["0", "1"])),
        ] {
            let matching = match_classes(&data, &network);
            assert_eq!((matching.map, matching.by_name), (vec![Some(0), Some(1), None], false));
        }
    }
}
