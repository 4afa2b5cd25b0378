//! The binary formats of values, for steps that ask for them: a vector of numbers is an `npy` file, as
//! numpy's arrays are, and whatever else serde writes is MessagePack (`msgpack`).
//!
//! MessagePack says what Python's plain values say, but for tuples, which are lists in it, and whole
//! numbers of more than 64 bits: those of 128 are 16 bytes, the first the highest.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;
use std::thread;

use bytemuck::Pod;
use serde::Serialize;
use serde::de::DeserializeOwned;

use partita_core::digest::Digest;
use partita_core::literal::Literal;

use crate::Result;
use crate::value;

/// The format of vectors of numbers.
pub(crate) const NPY: &str = "npy";
/// The format of numpy's scalars, which steps in Python return: npy files of a single number.
pub(crate) const NPY_SCALAR: &str = "npy/scalar";
/// The format of everything else.
pub(crate) const MESSAGE_PACK: &str = "msgpack";

const NPY_FILE: &str = "data.npy";
const MESSAGE_PACK_FILE: &str = "data.msgpack";

/// How an npy file begins: what it is, and the version of its header.
const NPY_START: &[u8] = b"\x93NUMPY\x01\x00";
/// Where the numbers of an npy file begin: a multiple of this.
const ALIGNMENT: usize = 64;
/// From this size on, in bytes, a digest is taken by another thread while the file is written.
const LARGE: usize = 1 << 20;
/// Bytes of the longest header that is read.
const LONGEST_HEADER: u64 = 1 << 16;

/// What npy calls truth values, each of which is a byte.
const BOOL: &str = "|b1";

/// A number that npy files have.
trait Number: Pod + Serialize {
    /// What npy calls its type, without the order of its bytes.
    const TYPE: &'static str;
}

/// Calls a macro with each number and its type in npy files.
macro_rules! with_numbers {
    ($call:ident) => {
        $call! {
            f64 "f8", f32 "f4", i64 "i8", u64 "u8", i32 "i4", u32 "u4", i16 "i2", u16 "u2", i8 "i1",
            u8 "u1"
        }
    };
}

macro_rules! implement {
    ($($number:ident $name:literal),*) => { $(
        impl Number for $number {
            const TYPE: &'static str = $name;
        }
    )* };
}
with_numbers!(implement);

/// A value that is more than a document should hold, in one of the binary formats.
pub(crate) enum Binary<'v> {
    /// The name of their type in npy files, how many there are, and their bytes.
    Numbers(String, usize, &'v [u8]),
    Packed(Vec<u8>),
}

impl<'v> Binary<'v> {
    /// Returns a value in the format that suits it.
    pub(crate) fn of<T: Serialize + 'static>(value: &'v T) -> Result<Self> {
        macro_rules! find {
            ($($number:ident $name:literal),*) => { $(
                if let Some(numbers) = (value as &dyn Any).downcast_ref::<Vec<$number>>() {
                    let bytes = bytemuck::cast_slice(numbers);
                    return Ok(Self::Numbers(type_name::<$number>(), numbers.len(), bytes));
                }
            )* };
        }
        with_numbers!(find);
        Ok(Self::Packed(rmp_serde::to_vec_named(value)?))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(_, _, bytes) => bytes.len(),
            Self::Packed(bytes) => bytes.len(),
        }
    }

    pub(crate) fn format(&self) -> &'static str {
        match self {
            Self::Numbers(..) => NPY,
            Self::Packed(_) => MESSAGE_PACK,
        }
    }

    /// Returns how long it is, if it is a list: a step may be mapped over it.
    pub(crate) fn metadata(&self) -> BTreeMap<String, Literal> {
        let length = match self {
            Self::Numbers(_, count, _) => u32::try_from(*count).ok(),
            Self::Packed(bytes) => rmp::decode::read_array_len(&mut &bytes[..]).ok(),
        };
        let length = length.and_then(|length| value::literal(&length).ok());
        length.into_iter().map(|length| ("length".to_owned(), length)).collect()
    }

    /// Writes it into an empty folder. Returns the file's name and its digest, which is taken meanwhile
    /// where reading the file again for it would take long.
    pub(crate) fn write(&self, folder: &Path) -> Result<Option<(&'static str, Digest)>> {
        let header = match self {
            Self::Packed(_) => Vec::new(),
            Self::Numbers(name, count, _) => header(name, *count),
        };
        let (name, bytes) = match self {
            Self::Packed(bytes) => (MESSAGE_PACK_FILE, &bytes[..]),
            Self::Numbers(_, _, bytes) => (NPY_FILE, *bytes),
        };
        let write = || {
            let mut file = File::create(folder.join(name))?;
            file.write_all(&header)?;
            file.write_all(bytes)
        };
        if bytes.len() < LARGE {
            write()?;
            return Ok(None);
        }
        let (written, digest) = thread::scope(|scope| {
            let digest = scope.spawn(|| Digest::of_parts(&[&header, bytes]));
            (write(), digest.join())
        });
        written?;
        Ok(digest.ok().map(|digest| (name, digest)))
    }
}

/// Returns what npy calls a type of numbers as they are in memory here.
fn type_name<N: Number>() -> String {
    let order = match (size_of::<N>(), cfg!(target_endian = "little")) {
        (1, _) => '|',
        (_, true) => '<',
        (_, false) => '>',
    };
    format!("{order}{}", N::TYPE)
}

fn header(name: &str, count: usize) -> Vec<u8> {
    let text = format!("{{'descr': '{name}', 'fortran_order': False, 'shape': ({count},), }}");
    let begun = NPY_START.len() + size_of::<u16>();
    let whole = (begun + text.len() + 1).next_multiple_of(ALIGNMENT);
    let length = u16::try_from(whole - begun).unwrap_or_default();
    let padded = format!("{text:width$}\n", width = whole - begun - 1);
    [NPY_START, &length.to_le_bytes(), padded.as_bytes()].concat()
}

/// Reads a value in one of the binary formats; `None` if it is of another type than the file says, so
/// that it has to be read as text.
pub(crate) fn read<T: DeserializeOwned + 'static>(
    folder: &Path,
    format: &str,
) -> Option<Result<T>> {
    match format {
        MESSAGE_PACK => Some(unpack(folder)),
        NPY => numbers_as::<T>(folder),
        _ => None,
    }
}

fn unpack<T: DeserializeOwned>(folder: &Path) -> Result<T> {
    let file = BufReader::new(File::open(folder.join(MESSAGE_PACK_FILE))?);
    Ok(rmp_serde::from_read(file)?)
}

/// Returns a value in one of the binary formats in the `json` format.
pub(crate) fn as_text(folder: &Path, format: &str) -> Result<Vec<u8>> {
    if format == MESSAGE_PACK {
        let file = BufReader::new(File::open(folder.join(MESSAGE_PACK_FILE))?);
        let mut packed = rmp_serde::Deserializer::new(file);
        return Ok(value::encode(&serde_transcode::Transcoder::new(&mut packed))?);
    }
    let Npy { name, shape, file } = open(folder)?;
    let is_scalar = format == NPY_SCALAR;
    let count = if is_scalar { 1 } else { count(&shape)? };
    if is_scalar && name == BOOL {
        let [value] = numbers::<u8>(file, 1)?[..] else { return Err("it has no value".into()) };
        return Ok(value::encode(&(value != 0))?);
    }
    macro_rules! find {
        ($($number:ident $npy:literal),*) => { $(
            if name == type_name::<$number>() {
                let numbers = numbers::<$number>(file, count)?;
                return Ok(match numbers[..] {
                    [number] if is_scalar => value::encode(&number)?,
                    _ => value::encode(&numbers)?,
                });
            }
        )* };
    }
    with_numbers!(find);
    let what = if is_scalar { "a value" } else { "an array" };
    Err(format!("it is {what} of `{name}`, which is no number that Rust has").into())
}

/// Reads a vector of the numbers that a file has, if that is what is asked for.
fn numbers_as<T: 'static>(folder: &Path) -> Option<Result<T>> {
    let opened = open(folder).and_then(|npy| Ok((npy.name, count(&npy.shape)?, npy.file)));
    let (name, count, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return Some(Err(error)),
    };
    macro_rules! find {
        ($($number:ident $npy:literal),*) => { $(
            if name == type_name::<$number>() {
                if TypeId::of::<T>() != TypeId::of::<Vec<$number>>() {
                    return None;
                }
                return Some(numbers::<$number>(file, count).and_then(|read| {
                    let read = (Box::new(read) as Box<dyn Any>).downcast::<T>();
                    read.map(|read| *read).map_err(|_| "it is of another type".into())
                }));
            }
        )* };
    }
    with_numbers!(find);
    None
}

/// An npy file.
struct Npy {
    /// The name of its numbers' type.
    name: String,
    /// How many there are along each axis, as `3, 4`; a scalar has none.
    shape: String,
    /// It stands where they begin.
    file: File,
}

fn open(folder: &Path) -> Result<Npy> {
    let mut file = File::open(folder.join(NPY_FILE))?;
    let mut start = [0; NPY_START.len()];
    file.read_exact(&mut start)?;
    let length = match start.strip_prefix(b"\x93NUMPY".as_slice()) {
        Some([1, _]) => u64::from(u16::from_le_bytes(bytes(&mut file)?)),
        Some(_) => u64::from(u32::from_le_bytes(bytes(&mut file)?)),
        None => return Err("it is no npy file".into()),
    };
    if length > LONGEST_HEADER {
        return Err("its header is too long".into());
    }
    let mut header = String::new();
    (&file).take(length).read_to_string(&mut header)?;
    let (_, name) = header.split_once("'descr': '").ok_or("its elements are no numbers")?;
    let (name, _) = name.split_once('\'').ok_or("its header is damaged")?;
    let (_, shape) = header.split_once("'shape': (").ok_or("its header is damaged")?;
    let (shape, _) = shape.split_once(')').ok_or("its header is damaged")?;
    Ok(Npy { name: name.to_owned(), shape: shape.to_owned(), file })
}

/// Returns how many numbers a vector of this shape has.
fn count(shape: &str) -> Result<usize> {
    Ok(shape.trim_end_matches(',').parse().map_err(|_| {
        format!("it is an array of the shape ({shape}); take `Stored<ArrayD<_>>` of `ndarray`")
    })?)
}

fn bytes<const COUNT: usize>(file: &mut File) -> Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn numbers<N: Number>(mut file: File, count: usize) -> Result<Vec<N>> {
    let left = file.metadata()?.len().saturating_sub(file.stream_position()?);
    if count.checked_mul(size_of::<N>()).is_none_or(|size| size as u64 > left) {
        return Err("it has fewer numbers than its header says".into());
    }
    let mut numbers = vec![N::zeroed(); count];
    file.read_exact(bytemuck::cast_slice_mut(&mut numbers))?;
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores a value, and loads it as it was and as text.
    fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(
        value: &T,
        format: &str,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = Binary::of(value).expect("a value");
        binary.write(folder.path()).expect("a file");
        assert_eq!(binary.format(), format);
        let read = read::<T>(folder.path(), format).expect("its type").expect("a value");
        assert_eq!(read, *value);
        let text = as_text(folder.path(), format).expect("text");
        assert_eq!(value::decode::<T>(&text).expect("a value"), *value);
    }

    #[test]
    fn vectors_of_numbers_are_npy_files() {
        check(&vec![0.1_f64, -0.0, f64::INFINITY], NPY);
        check(&vec![u64::MAX, 0], NPY);
        check(&vec![-1_i8], NPY);
        check(&Vec::<f32>::new(), NPY);
        assert!(header("<f8", 12).len().is_multiple_of(ALIGNMENT));
    }

    #[test]
    fn the_digest_of_a_large_file_is_that_of_its_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = |value: Vec<f64>| {
            Binary::of(&value).expect("a value").write(folder.path()).expect("a file")
        };
        assert_eq!(written(vec![1.0; LARGE / 8 - 1]), None);
        let (name, digest) = written(vec![1.0; LARGE / 8]).expect("a digest");
        let content = std::fs::read(folder.path().join(name)).expect("the file");
        assert_eq!(digest, Digest::of(&content));
    }

    #[test]
    fn everything_else_is_message_pack() {
        check(&(1_u8, "é".to_owned(), Some(0.5), [true, false]), MESSAGE_PACK);
        check(&BTreeMap::from([("a".to_owned(), vec![vec![1_i64]])]), MESSAGE_PACK);
        check(&(i64::MIN, u64::MAX, f32::MIN_POSITIVE), MESSAGE_PACK);
    }

    #[test]
    fn a_file_of_other_numbers_is_read_as_text() {
        let folder = tempfile::tempdir().expect("a folder");
        Binary::of(&vec![1_u8, 2]).expect("numbers").write(folder.path()).expect("a file");
        assert!(read::<Vec<f64>>(folder.path(), NPY).is_none());
        assert_eq!(as_text(folder.path(), NPY).expect("text"), b"[1,2]");
    }

    #[test]
    fn a_scalar_of_numpy_is_a_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = |name: &str, bytes: &[u8]| {
            let header = header(name, 1);
            let header =
                String::from_utf8_lossy(&header[NPY_START.len()..]).replace("(1,),", "(),  ");
            let content = [NPY_START, header.as_bytes(), bytes].concat();
            std::fs::write(folder.path().join(NPY_FILE), content).expect("a file");
            as_text(folder.path(), NPY_SCALAR)
        };
        assert_eq!(text("<f8", &0.5_f64.to_le_bytes()).expect("a number"), b"0.5");
        assert_eq!(text("<i8", &(-3_i64).to_le_bytes()).expect("a number"), b"-3");
        assert_eq!(text("|b1", &[1]).expect("a value"), b"true");
        let told = text("<c16", &[0; 16]).expect_err("no number").to_string();
        assert!(told.contains("a value of `<c16`, which is no number that Rust has"), "{told}");
    }

    #[test]
    fn a_damaged_file_is_told_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(NPY_FILE);
        let whole = [header("<f8", 3), vec![0; 24]].concat();
        for (content, told) in [
            (&whole[..whole.len() - 10], "fewer numbers than its header says"),
            (&b"text that is no array"[..], "no npy file"),
            (&[&header("<f8", 3)[..40], &[b' '; 88]].concat(), "damaged"),
        ] {
            std::fs::write(&file, content).expect("a file");
            let error =
                read::<Vec<f64>>(folder.path(), NPY).expect("its type").expect_err("damage");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
