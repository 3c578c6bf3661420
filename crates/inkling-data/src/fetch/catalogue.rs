//! What can be fetched, from where, and how the bytes are recognised.

use super::Checksum;

/// A data set that can be fetched by name.
#[derive(Clone, Copy, Debug)]
pub struct Download {
    /// The name for `data fetch`.
    pub name: &'static str,
    /// What it is, with its licence.
    pub description: &'static str,
    /// Its files.
    pub files: &'static [RemoteFile],
}

/// One file at its official address.
#[derive(Clone, Copy, Debug)]
pub struct RemoteFile {
    /// The official address.
    pub url: &'static str,
    /// The checksum of the whole file.
    pub checksum: Checksum,
}

impl RemoteFile {
    /// The name of the file: the last part of its address.
    pub fn name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }
}

/// Everything that can be fetched.
pub const DOWNLOADS: &[Download] = &[
    Download {
        name: "omniglot",
        description: "1,623 handwritten characters of 50 alphabets, 20 drawings each (MIT)",
        files: &[
            RemoteFile {
                url: "https://github.com/brendenlake/omniglot/raw/master/python/images_background.zip",
                checksum: Checksum::Md5("68d2efa1b9178cc56df9314c21c6e718"),
            },
            RemoteFile {
                url: "https://github.com/brendenlake/omniglot/raw/master/python/images_evaluation.zip",
                checksum: Checksum::Md5("6b91aef0f799c5bb55b94e3f2daec811"),
            },
        ],
    },
    Download {
        name: "cifar-100",
        description: "60,000 images of 32×32 pixels in 100 classes, binary version (research use)",
        files: &[RemoteFile {
            url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            checksum: Checksum::Md5("03b5dce01913d631647c71ecec9e9cb8"),
        }],
    },
];
