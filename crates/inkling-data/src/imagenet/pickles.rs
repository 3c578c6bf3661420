//! Python pickles are refused by name, with the line that turns them into what is read. Opening one
//! can run any code, so it is left to whoever trusts the file.

use crate::DataError;

/// Refuses a file whose name says that it is a pickle; `place` is its path.
///
/// # Errors
/// `DataError::Unusable` with one line of Python that converts it.
pub(super) fn refuse(name: &str, place: &str) -> Result<(), DataError> {
    let Some(stem) = stem(name) else { return Ok(()) };
    let line = match stem {
        _ if stem.ends_with("_labels") => format!(
            "import pickle, numpy; d = pickle.load(open('{name}', 'rb'), encoding='latin1'); \
             numpy.savez('{stem}.npz', labels=d['label_specific'] if 'label_specific' in d else d['labels'])"
        ),
        _ if stem.ends_with("_images_png") => format!(
            "import pickle, numpy, cv2; d = pickle.load(open('{name}', 'rb'), encoding='latin1'); \
             numpy.savez('{}.npz', images=numpy.stack([cv2.imdecode(i, 1)[..., ::-1] for i in d]))",
            stem.trim_end_matches("_png")
        ),
        _ => format!(
            "import pickle, numpy; d = pickle.load(open('{name}', 'rb'), encoding='latin1'); \
             x = d['image_data'] if 'image_data' in d else d['data']; c = d.get('class_dict'); \
             y = sum(i * numpy.isin(numpy.arange(len(x)), c[k]) for i, k in enumerate(sorted(c))) if c else d['labels']; \
             numpy.savez('{stem}.npz', images=x, labels=y, **({{'class_names': sorted(c)}} if c else {{}}))"
        ),
    };
    let reason = format!(
        "it is a Python pickle, which can run code when it is opened, and is never read; if you trust it, convert it \
         where it lies:\n  python3 -c \"{line}\""
    );
    Err(DataError::unusable(place, reason))
}

/// Whether the name is that of a pickle of labels, and no npz file has taken its place.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn is_unconverted_labels(name: &str, files: &[crate::store::Entry]) -> bool {
    let converted = |stem| files.iter().any(|entry| entry.file_name().strip_suffix(".npz") == Some(stem));
    stem(name).is_some_and(|stem| stem.ends_with("_labels") && !converted(stem))
}

fn stem(name: &str) -> Option<&str> {
    [".pkl", ".pickle"].into_iter().find_map(|extension| name.strip_suffix(extension))
}
