//! Finds the key or recipe that an unknown name most likely means.

use toml::Table;

/// The smallest Jaro-Winkler similarity worth suggesting.
const ALIKE: f64 = 0.75;

/// Bonus for a key in the section that the user wrote. It only breaks ties.
const SAME_SECTION: f64 = 0.01;

/// Names of our keys in other libraries, mostly PyTorch, in the spelling of [`plain`].
const ELSEWHERE: &[(&str, &str)] = &[
    ("lr", "optimizer.learning_rate"),
    ("baselr", "optimizer.learning_rate"),
    ("betas", "optimizer.beta_1"),
    ("eps", "optimizer.epsilon"),
    ("wd", "optimizer.weight_decay"),
    ("optimizertype", "optimizer.kind"),
    ("optimizername", "optimizer.kind"),
    ("maxnorm", "optimizer.clip_norm"),
    ("gradclip", "optimizer.clip_norm"),
    ("gradientclip", "optimizer.clip_norm"),
    ("scheduler", "schedule.kind"),
    ("lrscheduler", "schedule.kind"),
    ("lrschedule", "schedule.kind"),
    ("scheduletype", "schedule.kind"),
    ("schedulename", "schedule.kind"),
    ("warmup", "schedule.warmup_steps"),
    ("stepsize", "schedule.step_epochs"),
    ("gamma", "schedule.step_factor"),
    ("etamin", "schedule.final_factor"),
    ("minlr", "schedule.final_factor"),
    ("batch", "training.batch_size"),
    ("bs", "training.batch_size"),
    ("numepochs", "training.epochs"),
    ("nepochs", "training.epochs"),
    ("maxepochs", "training.epochs"),
    ("manualseed", "training.seed"),
    ("randomseed", "training.seed"),
    ("amp", "training.precision"),
    ("dtype", "training.precision"),
    ("ema", "training.ema_decay"),
    ("patience", "training.early_stop_epochs"),
    ("arch", "model.architecture"),
    ("dropout", "model.blocks"),
    ("inchannels", "model.input_channels"),
    ("numclasses", "model.classes"),
    ("imagesize", "data.input_size"),
    ("imgsize", "data.input_size"),
    ("resize", "data.input_size"),
    ("normalize", "preprocessing.normalization"),
    ("zca", "preprocessing.whitening"),
    ("hflip", "augmentation.flip"),
    ("horizontalflip", "augmentation.flip"),
    ("randomcrop", "augmentation.shift"),
    ("randomerasing", "augmentation.erase"),
];

/// Returns the candidate most similar to the name, if one is similar enough.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// Returns the key that an unknown key most likely means. For a section, returns a section; for a key without a dot,
/// a key or a section.
pub(super) fn nearest_key(key: &str, is_section: bool, known: &Table) -> Option<String> {
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let name = name.rsplit('.').next().unwrap_or(name);
    let elsewhere = [plain(key), plain(name)].into_iter().find_map(|name| {
        ELSEWHERE.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| (*ours).to_owned())
    });
    if section.is_empty() && is_section {
        let of_elsewhere = || Some(elsewhere?.split_once('.')?.0.to_owned());
        return nearest(name, known.keys().map(String::as_str)).or_else(of_elsewhere);
    }
    if elsewhere.is_some() {
        return elsewhere;
    }
    let name = plain(name);
    let sections = known.keys().filter(|_| section.is_empty()).map(|name| ("", name.as_str()));
    let keys = known
        .iter()
        .filter_map(|(of, keys)| Some((of.as_str(), keys.as_table()?)))
        .flat_map(|(of, keys)| keys.keys().map(move |ours| (of, ours.as_str())));
    sections
        .chain(keys)
        .map(|(of, ours)| {
            let likeness = strsim::jaro_winkler(&name, &plain(ours));
            (likeness, if of == section { likeness + SAME_SECTION } else { likeness }, of, ours)
        })
        .filter(|(likeness, ..)| *likeness >= ALIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(.., of, ours)| if of.is_empty() { ours.to_owned() } else { format!("{of}.{ours}") })
}

/// Returns the name in lower case and without punctuation, so that `batch_size`, `batch-size` and `batchSize` are
/// equal.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    fn known() -> Table {
        Table::try_from(Recipe::default()).unwrap()
    }

    #[test]
    fn the_commonest_names_of_elsewhere_lead_to_ours() {
        for (theirs, ours) in [
            ("optimizer.lr", "optimizer.learning_rate"),
            ("training.lr", "optimizer.learning_rate"),
            ("lr", "optimizer.learning_rate"),
            ("training.learning_rate", "optimizer.learning_rate"),
            ("optimizer.learningRate", "optimizer.learning_rate"),
            ("optimizer.lr_scheduler", "schedule.kind"),
            ("scheduler", "schedule.kind"),
            ("optimizer.betas", "optimizer.beta_1"),
            ("optimizer.beta1", "optimizer.beta_1"),
            ("optimizer.beta2", "optimizer.beta_2"),
            ("optimizer.eps", "optimizer.epsilon"),
            ("optimizer.weight-decay", "optimizer.weight_decay"),
            ("optimizer.type", "optimizer.kind"),
            ("schedule.type", "schedule.kind"),
            ("training.batch", "training.batch_size"),
            ("data.batch_size", "training.batch_size"),
            ("bs", "training.batch_size"),
            ("training.num_epochs", "training.epochs"),
            ("epoch", "training.epochs"),
            ("model.dropout", "model.blocks"),
            ("model.num_classes", "model.classes"),
            ("training.mixup_alpha", "augmentation.mixup"),
            ("augmentation.cut_mix", "augmentation.cutmix"),
            ("seed", "training.seed"),
            ("optimiser", "optimizer"),
        ] {
            assert_eq!(nearest_key(theirs, false, &known()).as_deref(), Some(ours), "{theirs}");
        }
    }

    #[test]
    fn where_a_section_stands_a_section_is_named() {
        for (theirs, ours) in [
            ("optimiser", "optimizer"),
            ("optim", "optimizer"),
            ("scheduler", "schedule"),
            ("lr_scheduler", "schedule"),
            ("train", "training"),
            ("checkpoints", "checkpoint"),
        ] {
            assert_eq!(nearest_key(theirs, true, &known()).as_deref(), Some(ours), "{theirs}");
        }
    }

    #[test]
    fn what_is_like_nothing_leads_nowhere() {
        for name in
            ["optimizer.nesterov", "optimizer.foreach", "training.xyz", "x", "optimizer.", ""]
        {
            assert_eq!(nearest_key(name, false, &known()), None, "{name}");
        }
    }

    #[test]
    fn each_name_of_elsewhere_is_none_of_ours_and_leads_to_a_key() {
        let entries = Recipe::default().entries().unwrap();
        for (theirs, ours) in ELSEWHERE {
            assert!(entries.contains_key(*ours), "{ours}");
            assert_eq!(plain(theirs), *theirs);
            let is_ours = |key: &String| key.split('.').any(|part| plain(part) == *theirs);
            assert!(!entries.keys().any(is_ours), "{theirs}");
        }
    }
}
