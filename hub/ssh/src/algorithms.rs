//! Which algorithms a listener offers, and which keys it takes from users.
//!
//! All of a profile is in one table. A further profile is a further table.

use std::borrow::Cow;

use russh::client::GexParams;
use russh::kex::dh::groups::{DH_GROUP14, DH_GROUP15, DhGroup};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};
use russh::{AlgorithmKind, Preferred, cipher, compression, kex, mac};

use crate::authorized_keys::key_bits;

/// A set of algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// What is considered safe today: no SHA-1, no CBC, RSA from 2048 bits, post-quantum key
    /// exchange first. For OpenSSH since 6.5 (2014), libssh2 since 1.9 and the like.
    #[default]
    Modern,
}

/// The data of a profile; every list begins with what is liked best.
struct Table {
    kex: &'static [kex::Name],
    /// Host keys, and what users sign with (announced as `server-sig-algs`, RFC 8308).
    keys: &'static [Algorithm],
    ciphers: &'static [cipher::Name],
    macs: &'static [mac::Name],
    /// The shortest RSA key of a user.
    min_rsa_bits: usize,
    /// Groups for `diffie-hellman-group-exchange`, smallest first. The time of an exchange grows
    /// with the third power of the size, so none is larger than it must be.
    gex_groups: &'static [DhGroup],
}

/// Left out on purpose: the Diffie-Hellman groups 15 to 18 (up to a second of CPU time for each
/// unauthenticated handshake), and exchanges on the NIST curves, which no client tried needs.
const MODERN: Table = Table {
    kex: &[
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::DH_GEX_SHA256,
        kex::DH_G14_SHA256,
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ],
    keys: &[
        Algorithm::Ed25519,
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP256,
        },
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP384,
        },
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP521,
        },
        Algorithm::SkEd25519,
        Algorithm::SkEcdsaSha2NistP256,
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        },
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        },
    ],
    ciphers: &[
        cipher::CHACHA20_POLY1305,
        cipher::AES_256_GCM,
        cipher::AES_128_GCM,
        cipher::AES_256_CTR,
        cipher::AES_192_CTR,
        cipher::AES_128_CTR,
    ],
    macs: &[
        mac::HMAC_SHA512_ETM,
        mac::HMAC_SHA256_ETM,
        mac::HMAC_SHA512,
        mac::HMAC_SHA256,
    ],
    min_rsa_bits: 2048,
    gex_groups: &[DH_GROUP14, DH_GROUP15],
};

/// Why a user's key is not taken, whoever it belongs to. The text is for the operator: what the
/// client lacks, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnfitKey {
    /// RSA with SHA-1.
    #[error(
        "client offers ssh-rsa (SHA-1) signatures only, as libssh2 before 1.11 does; give it an \
         ECDSA or ed25519 key"
    )]
    Sha1Signature,
    /// An RSA key that is too short.
    #[error(
        "client offers an RSA key of {bits} bits; give it one of {min} bits or more, or an ed25519 key"
    )]
    ShortRsa {
        /// Its size.
        bits: usize,
        /// The least size.
        min: usize,
    },
    /// A type that is not taken.
    #[error("client offers a key of type {0}; give it an ed25519, ECDSA or RSA key")]
    Algorithm(String),
    /// A certificate.
    #[error("client offers a certificate; list its plain key in authorized_keys")]
    Certificate,
}

impl Profile {
    fn table(self) -> &'static Table {
        match self {
            Self::Modern => &MODERN,
        }
    }

    /// The lists for the key exchange. Compression is never offered.
    pub(crate) fn preferred(self) -> Preferred {
        let table = self.table();
        Preferred {
            kex: Cow::Borrowed(table.kex),
            key: Cow::Borrowed(table.keys),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Borrowed(table.ciphers),
            mac: Cow::Borrowed(table.macs),
            compression: Cow::Borrowed(&[compression::NONE]),
        }
    }

    /// Whether a user may log in with a key of this kind. `algorithm` is what the client signs
    /// with: one RSA key can be used with several.
    pub(crate) fn check_user_key(
        self,
        key: &PublicKey,
        algorithm: &Algorithm,
    ) -> Result<(), UnfitKey> {
        let table = self.table();
        if !table.keys.contains(algorithm) {
            return Err(match algorithm {
                Algorithm::Rsa { hash: None } => UnfitKey::Sha1Signature,
                other => UnfitKey::Algorithm(other.to_string()),
            });
        }
        match key_bits(key) {
            Some(bits) if bits < table.min_rsa_bits => Err(UnfitKey::ShortRsa {
                bits,
                min: table.min_rsa_bits,
            }),
            _ => Ok(()),
        }
    }

    /// The group for a client's `diffie-hellman-group-exchange` (RFC 4419 section 3): the smallest
    /// that it accepts and that is no smaller than it prefers, else the largest that it accepts.
    /// None when it accepts none of ours.
    pub(crate) fn gex_group(self, wish: &GexParams) -> Option<&'static DhGroup> {
        let accepted = || {
            let sizes = wish.min_group_size()..=wish.max_group_size();
            let groups = self.table().gex_groups.iter();
            groups.filter(move |group| sizes.contains(&group.bit_size()))
        };
        accepted()
            .find(|group| group.bit_size() >= wish.preferred_group_size())
            .or_else(|| accepted().next_back())
    }
}

/// For the operator: a client and this listener have no algorithm of a kind in common.
pub(crate) fn explain_no_common(kind: &AlgorithmKind, theirs: &[String]) -> String {
    let what = match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "host key algorithm",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "MAC",
    };
    let mut offered = theirs.join(",").escape_default().to_string();
    if offered.len() > MAX_OFFERED {
        offered.truncate(MAX_OFFERED);
        offered.push('…');
    }
    format!("no {what} in common: client offers only {offered}; give it a newer SSH library")
}

/// As much of a client's list as is worth a log line.
const MAX_OFFERED: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(min: usize, preferred: usize, max: usize) -> GexParams {
        GexParams::new(min, preferred, max).unwrap()
    }

    #[test]
    fn the_group_is_modest_whatever_is_preferred() {
        let bits = |min, preferred, max| {
            let group = Profile::Modern.gex_group(&wish(min, preferred, max));
            group.map(DhGroup::bit_size)
        };
        assert_eq!(bits(2048, 2048, 8192), Some(2048));
        assert_eq!(bits(2048, 3072, 8192), Some(3072));
        assert_eq!(bits(2048, 8192, 8192), Some(3072));
        assert_eq!(bits(2048, 2048, 2048), Some(2048));
        assert_eq!(bits(3072, 8192, 8192), Some(3072));
        assert_eq!(bits(4096, 8192, 8192), None);
    }

    #[test]
    fn nothing_modern_is_old() {
        let preferred = Profile::Modern.preferred();
        assert_eq!(preferred.kex.first(), Some(&kex::MLKEM768X25519_SHA256));
        let names = || {
            let kex = preferred.kex.iter().map(|name| name.as_ref().to_owned());
            let keys = preferred.key.iter().map(ToString::to_string);
            let ciphers = preferred.cipher.iter().map(|name| name.as_ref().to_owned());
            let macs = preferred.mac.iter().map(|name| name.as_ref().to_owned());
            kex.chain(keys).chain(ciphers).chain(macs)
        };
        for old in [
            "sha1", "cbc", "none", "ssh-rsa", "ssh-dss", "group15", "group16", "group17", "group18",
        ] {
            assert_eq!(names().find(|name| name.contains(old)), None, "{old}");
        }
        assert_eq!(&*preferred.compression, [compression::NONE]);
    }

    #[test]
    fn a_list_that_is_too_long_or_odd_stays_one_line() {
        let odd = vec!["a\nb".to_owned(), "x".repeat(1000)];
        let line = explain_no_common(&AlgorithmKind::Kex, &odd);
        assert!(line.starts_with("no key exchange in common: client offers only a\\nb,xxx"));
        assert!(line.len() < 600 && !line.contains('\n'));
    }
}
