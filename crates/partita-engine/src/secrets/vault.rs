//! Encrypts and decrypts values, with a key in a file of the home.
//!
//! XChaCha20-Poly1305: its nonces of 24 bytes may be drawn at random, and a value that was changed,
//! or moved to another name, is refused. What is stored is the nonce, followed by the ciphertext.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Nonce, Payload};
use partita_core::secret::Reference;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::SecretError;

/// The file of the key, in the home.
const FILE: &str = "secrets.key";
/// Bytes of a key.
const KEY_LENGTH: usize = 32;
/// Bytes of a nonce.
const NONCE_LENGTH: usize = 24;

/// What encrypts and decrypts the secrets of a home.
pub(super) struct Vault {
    cipher: XChaCha20Poly1305,
    path: PathBuf,
}

impl Vault {
    /// Opens the vault of a home.
    ///
    /// # Errors
    /// [`SecretError::BadKey`] if its key is not there, or others may read it.
    pub(super) fn open(home: &Path) -> Result<Self, SecretError> {
        let path = home.join(FILE);
        let key = read(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => bad_key(
                &path,
                "it is not there",
                "bring it back, or delete the secrets and store them again".to_owned(),
            ),
            _ => unusable(&path, &error),
        })?;
        Ok(Self { cipher: XChaCha20Poly1305::new(&Key::<XChaCha20Poly1305>::from(*key)), path })
    }

    /// Opens the vault of a home, making its key if it has none.
    ///
    /// # Errors
    /// [`SecretError::BadKey`] if the key cannot be made or read, or others may read it.
    pub(super) fn open_or_make(home: &Path) -> Result<Self, SecretError> {
        let path = home.join(FILE);
        if !path.try_exists().map_err(|error| unusable(&path, &error))? {
            make(home, &path)?;
        }
        Self::open(home)
    }

    /// Encrypts a value; it can be decrypted as that of `reference` alone.
    pub(super) fn seal(
        &self,
        reference: &Reference,
        value: &SecretString,
    ) -> Result<Vec<u8>, SecretError> {
        let random = |error: &dyn std::fmt::Display| SecretError::NoRandomness(error.to_string());
        let nonce = Nonce::<XChaCha20Poly1305>::try_generate().map_err(|error| random(&error))?;
        let payload = Payload { msg: value.expose_secret().as_bytes(), aad: &place(reference) };
        let encrypted = self.cipher.encrypt(&nonce, payload).map_err(|error| random(&error))?;
        Ok([&nonce[..], &encrypted].concat())
    }

    /// Decrypts a value.
    ///
    /// # Errors
    /// [`SecretError::Undecipherable`] if the key is another one, or what is stored was changed.
    pub(super) fn unseal(
        &self,
        reference: &Reference,
        sealed: &[u8],
    ) -> Result<SecretString, SecretError> {
        let decrypt = || {
            let (nonce, encrypted) = sealed.split_at_checked(NONCE_LENGTH)?;
            let nonce = Nonce::<XChaCha20Poly1305>::try_from(nonce).ok()?;
            let payload = Payload { msg: encrypted, aad: &place(reference) };
            let value = Zeroizing::new(self.cipher.decrypt(&nonce, payload).ok()?);
            std::str::from_utf8(&value).ok().map(SecretString::from)
        };
        decrypt().ok_or_else(|| SecretError::Undecipherable {
            name: reference.name.clone(),
            key: reference.key.clone(),
            path: self.path.display().to_string(),
        })
    }
}

/// What a value is bound to. No name has a line break.
fn place(reference: &Reference) -> Vec<u8> {
    format!("partita secret 1\n{}\n{}", reference.name, reference.key).into_bytes()
}

fn read(path: &Path) -> io::Result<Zeroizing<[u8; KEY_LENGTH]>> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other("others than its owner may read or change it"));
    }
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    file.read_exact(&mut *key)?;
    match file.read(&mut [0])? {
        0 => Ok(key),
        _ => Err(io::Error::other("it is longer than a key")),
    }
}

/// Makes the key. It appears whole or not at all, and of several processes one makes it.
fn make(home: &Path, path: &Path) -> Result<(), SecretError> {
    let put = || {
        let key = Zeroizing::new(<[u8; KEY_LENGTH]>::try_generate().map_err(io::Error::other)?);
        let draft = home.join(format!("{FILE}.{}", crate::clock::new_id()));
        let written = write(&draft, &*key).and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => File::open(home)?.sync_all(),
        });
        let _ = fs::remove_file(&draft);
        written
    };
    put().map_err(|error| unusable(path, &error))
}

fn write(path: &Path, key: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

fn unusable(path: &Path, error: &io::Error) -> SecretError {
    let help = format!("see who it belongs to, and type `chmod 600 {}`", path.display());
    bad_key(path, error, help)
}

fn bad_key(path: &Path, reason: impl std::fmt::Display, help: String) -> SecretError {
    SecretError::BadKey { path: path.display().to_string(), reason: reason.to_string(), help }
}
