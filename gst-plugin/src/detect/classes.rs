//! The allow list of classes: `person, 2, traffic light`.

use std::sync::Arc;

/// Class numbers of a comma separated list of names or numbers; `None` (all) when the list is empty.
pub fn parse(list: &str, names: &[Arc<str>]) -> Result<Option<Vec<u32>>, String> {
    let wanted = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    let mut classes = Vec::new();
    for item in wanted {
        let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(item));
        let found = by_name.or_else(|| item.parse().ok().filter(|number| *number < names.len()));
        let found = found.and_then(|number| u32::try_from(number).ok());
        classes.push(found.ok_or_else(|| unknown(item, names))?);
    }
    classes.sort_unstable();
    classes.dedup();
    Ok((!classes.is_empty()).then_some(classes))
}

fn unknown(item: &str, names: &[Arc<str>]) -> String {
    let last = names.len().saturating_sub(1);
    format!(
        "class {item:?} is not known: legal are numbers 0..={last} and {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<Arc<str>> {
        ["person", "traffic light", "car"].map(Arc::from).to_vec()
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(parse("", &names()), Ok(None));
        assert_eq!(parse(" , ", &names()), Ok(None));
        assert_eq!(parse("2, Traffic Light,car", &names()), Ok(Some(vec![1, 2])));
    }

    #[test]
    fn unknown_classes_are_named() {
        let error = parse("person,dragon", &names()).unwrap_err();
        assert!(
            error.contains("\"dragon\"") && error.contains("0..=2") && error.contains("traffic light"),
            "{error}"
        );
        assert!(parse("3", &names()).is_err());
        assert!(parse("-1", &names()).is_err());
    }
}
