//! Where the members of the kernel's structures are, as the running kernel tells it itself
//! (`/sys/kernel/btf/vmlinux`; linux/Documentation/bpf/btf.rst).
//!
//! One pass over the types finds the few that are asked for by name. There are some 150,000: that pass is
//! most of what it costs to begin, so it keeps no note of each, and looks at two letters of a name first.

/// What makes a BTF file (`BTF_MAGIC`, linux/include/uapi/linux/btf.h), in the kernel's byte order.
const MAGIC: u16 = 0xeb9f;

/// The size of `struct btf_type`; what its kind adds follows.
const TYPE_SIZE: usize = 12;

/// The size of `struct btf_member`.
const MEMBER_SIZE: usize = 12;

/// The place of one type in so many is kept: the others are found from there.
const STEP: usize = 64;

/// How deep structures without a name may be nested in another.
const MOST_NESTED: u8 = 8;

/// The kinds that matter here (`BTF_KIND_*`).
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FUNCTION: u32 = 12;

/// Something that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A structure.
    Struct(&'static str),
    /// A function.
    Function(&'static str),
}

impl Name {
    const fn word(self) -> &'static str {
        match self {
            Self::Struct(word) | Self::Function(word) => word,
        }
    }

    /// Returns the kind of what is looked for, and how its name begins, beside itself.
    fn key(self) -> (u32, [u8; 2], Self) {
        let kind = match self {
            Self::Struct(_) => STRUCT,
            Self::Function(_) => FUNCTION,
        };
        let mut letters = self.word().bytes().chain([0, 0]);
        (kind, [letters.next().unwrap_or(0), letters.next().unwrap_or(0)], self)
    }
}

/// The number of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeId(pub(super) u32);

impl TypeId {
    /// Returns it as instructions have it.
    pub(super) fn number(self) -> Option<i32> {
        self.0.try_into().ok()
    }
}

/// A kernel's types.
#[derive(Debug)]
pub(super) struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where every [`STEP`]th type begins. Type 0 is `void`, and is not written: its place is the next one's.
    starts: Vec<u32>,
    /// The first type of each name looked for.
    named: Vec<(Name, TypeId)>,
}

impl<'a> Btf<'a> {
    /// Reads the types, and finds those of these names; `None` when the bytes are no BTF, or of a
    /// later kind.
    pub(super) fn decode(bytes: &'a [u8], names: &[Name]) -> Option<Self> {
        let magic = bytes.first_chunk::<2>()?;
        if u16::from_ne_bytes(*magic) != MAGIC {
            return None;
        }
        let [header, types_at, types_size, strings_at, strings_size] =
            [4, 8, 12, 16, 20].map(|at| number(bytes, at));
        let section = |at: Option<usize>, size: Option<usize>| {
            bytes.get(header?.checked_add(at?)?..)?.get(..size?)
        };
        let mut btf = Self {
            types: section(types_at, types_size)?,
            strings: section(strings_at, strings_size)?,
            starts: Vec::new(),
            named: Vec::new(),
        };
        btf.find(names)?;
        Some(btf)
    }

    /// Goes through all types once.
    fn find(&mut self, names: &[Name]) -> Option<()> {
        let names: Vec<(u32, [u8; 2], Name)> = names.iter().map(|&name| name.key()).collect();
        let mut at = 0;
        let mut id = 0;
        while at < self.types.len() {
            if id % STEP == 0 {
                self.starts.push(u32::try_from(at).ok()?);
            }
            id += usize::from(id == 0);
            let one = Type::at(self.types, at)?;
            if matches!(one.kind, STRUCT | FUNCTION)
                && let Some(begin) = self.text(one.name).and_then(<[u8]>::first_chunk)
            {
                for (kind, key, name) in &names {
                    if key == begin && *kind == one.kind && self.is_called(one.name, name.word()) {
                        self.named.push((*name, TypeId(u32::try_from(id).ok()?)));
                    }
                }
            }
            at = at.checked_add(TYPE_SIZE)?.checked_add(one.extra()?)?;
            id += 1;
        }
        Some(())
    }

    /// Returns the number of the type with this name, if there is one.
    pub(super) fn id(&self, name: Name) -> Option<TypeId> {
        self.named.iter().find(|(other, _)| *other == name).map(|(_, id)| *id)
    }

    /// Returns the size of a structure in bytes.
    pub(super) fn size(&self, structure: &'static str) -> Option<i32> {
        self.read(self.id(Name::Struct(structure))?).map(|one| one.size)?.try_into().ok()
    }

    /// Returns how far into a structure a member begins, in bytes.
    pub(super) fn offset(&self, structure: &'static str, member: &str) -> Option<i16> {
        let bits = self.find_member(self.id(Name::Struct(structure))?, member, MOST_NESTED)?;
        (bits % 8 == 0).then_some(bits / 8)?.try_into().ok()
    }

    /// Returns how far into a structure a member begins, in bits; members of members without a name
    /// are its own.
    fn find_member(&self, structure: TypeId, wanted: &str, deeper: u8) -> Option<u32> {
        let one = self.read(structure)?;
        if !matches!(one.kind, STRUCT | UNION) {
            return None;
        }
        let members = self.types.get(self.start(structure)?.checked_add(TYPE_SIZE)?..)?;
        let members = members.chunks_exact(MEMBER_SIZE).take(one.count);
        for member in members {
            let [name, inner, offset] = [0, 4, 8].map(|at| word(member, at));
            let (name, inner, offset) = (name?, TypeId(inner?), offset?);
            // With bit fields the upper byte is their width.
            let offset = if one.has_bit_fields { offset & 0x00ff_ffff } else { offset };
            if self.is_called(name, wanted) {
                return Some(offset);
            }
            if self.is_called(name, "")
                && deeper > 0
                && let Some(inside) = self.find_member(inner, wanted, deeper - 1)
            {
                return offset.checked_add(inside);
            }
        }
        None
    }

    fn start(&self, TypeId(id): TypeId) -> Option<usize> {
        let id = usize::try_from(id).ok().filter(|id| *id != 0)?;
        let mut at = usize::try_from(*self.starts.get(id / STEP)?).ok()?;
        let first = (id / STEP * STEP).max(1);
        for _ in first..id {
            at = at.checked_add(TYPE_SIZE)?.checked_add(Type::at(self.types, at)?.extra()?)?;
        }
        Some(at)
    }

    fn read(&self, id: TypeId) -> Option<Type> {
        Type::at(self.types, self.start(id)?)
    }

    fn is_called(&self, name: u32, wanted: &str) -> bool {
        self.text(name)
            .and_then(|text| text.strip_prefix(wanted.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    /// Returns the strings from this one on, which ends with a NUL.
    fn text(&self, name: u32) -> Option<&'a [u8]> {
        self.strings.get(usize::try_from(name).ok()?..)
    }
}

/// `struct btf_type`.
#[derive(Debug, Clone, Copy)]
struct Type {
    /// Where its name is among the strings.
    name: u32,
    kind: u32,
    /// How many members, parameters or values it has.
    count: usize,
    has_bit_fields: bool,
    /// In bytes, if it has one.
    size: u32,
}

impl Type {
    fn at(types: &[u8], at: usize) -> Option<Self> {
        let (words, _) = types.get(at..)?.first_chunk::<TYPE_SIZE>()?.as_chunks();
        let &[name, info, size] = words else { return None };
        let info = u32::from_ne_bytes(info);
        Some(Self {
            name: u32::from_ne_bytes(name),
            kind: (info >> 24) & 0x1f,
            count: usize::try_from(info & 0xffff).ok()?,
            has_bit_fields: info >> 31 == 1,
            size: u32::from_ne_bytes(size),
        })
    }

    /// Returns how many bytes follow it; `None` for a kind not known.
    fn extra(self) -> Option<usize> {
        Some(match self.kind {
            // Pointers, forward declarations, typedefs, qualifiers, functions, floats, type tags.
            2 | 7..=11 | FUNCTION | 16 | 18 => 0,
            // Integers, variables, declaration tags.
            1 | 14 | 17 => 4,
            // Arrays.
            3 => 12,
            // Enumerations, prototypes.
            6 | 13 => self.count.checked_mul(8)?,
            // Structures, unions, sections, wide enumerations.
            STRUCT | UNION | 15 | 19 => self.count.checked_mul(12)?,
            _ => return None,
        })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(word(bytes, at)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A BTF file with these types, made as the kernel's documentation says.
    struct Writer {
        types: Vec<u8>,
        strings: Vec<u8>,
    }

    impl Writer {
        fn new() -> Self {
            Self { types: Vec::new(), strings: vec![0] }
        }

        fn string(&mut self, text: &str) -> u32 {
            if text.is_empty() {
                return 0;
            }
            let at = u32::try_from(self.strings.len()).unwrap();
            self.strings.extend(text.bytes().chain([0]));
            at
        }

        fn words(&mut self, words: &[u32]) {
            self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        }

        /// A structure or union with these members: name, type, offset.
        fn structure(&mut self, kind: u32, flags: u32, name: &str, members: &[(&str, u32, u32)]) {
            let count = u32::try_from(members.len()).unwrap();
            let name = self.string(name);
            self.words(&[name, flags | (kind << 24) | count, 64]);
            for &(name, id, offset) in members {
                let name = self.string(name);
                self.words(&[name, id, offset]);
            }
        }

        fn finish(self) -> Vec<u8> {
            let [types, strings] =
                [&self.types, &self.strings].map(|part| u32::try_from(part.len()).unwrap());
            let mut bytes = MAGIC.to_ne_bytes().to_vec();
            bytes.extend([1, 0]);
            bytes.extend([24, 0, types, types, strings].iter().flat_map(|word| word.to_ne_bytes()));
            bytes.extend([self.types, self.strings].concat());
            bytes
        }
    }

    const BIT_FIELDS: u32 = 1 << 31;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new();
        // 1: an integer; 2: an enumeration of two; 3: a pointer; 4: a typedef called as the structure.
        let int = writer.string("int");
        writer.words(&[int, 1 << 24, 4, 0x20]);
        writer.words(&[0, (6 << 24) | 2, 4, 0, 0, 0, 1]);
        writer.words(&[0, 2 << 24, 1]);
        let task = writer.string("task");
        writer.words(&[task, 8 << 24, 5]);
        // 5, with 6 in it, with 7 in that: neither has a name.
        writer.structure(STRUCT, 0, "task", &[("pid", 1, 0), ("", 6, 64), ("name", 1, 512)]);
        writer.structure(STRUCT, 0, "", &[("flags", 1, 0), ("", 7, 128)]);
        writer.structure(UNION, BIT_FIELDS, "", &[("bit", 1, (1 << 24) | 3), ("files", 3, 32)]);
        let hook = writer.string("hook");
        writer.words(&[hook, FUNCTION << 24, 8]);
        writer.finish()
    }

    #[test]
    fn members_are_found_also_in_structures_without_a_name() {
        let bytes = sample();
        let names = [Name::Struct("task"), Name::Function("hook"), Name::Struct("other")];
        let btf = Btf::decode(&bytes, &names).unwrap();
        assert_eq!(btf.id(Name::Struct("task")), Some(TypeId(5)));
        assert_eq!(btf.id(Name::Function("hook")), Some(TypeId(8)));
        assert_eq!(btf.id(Name::Struct("other")), None);
        assert_eq!(btf.size("task"), Some(64));
        for (member, offset) in [
            ("pid", Some(0)),
            ("flags", Some(8)),
            ("files", Some(8 + 16 + 4)),
            ("name", Some(64)),
            ("bit", None), // begins within a byte
            ("nam", None),
            ("names", None),
        ] {
            assert_eq!(btf.offset("task", member), offset, "{member}");
        }
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_none() {
        let bytes = sample();
        for length in 0..bytes.len() {
            // What is left may be whole types, but never without the strings.
            assert!(Btf::decode(&bytes[..length], &[]).is_none(), "{length}");
        }
        let mut other = bytes;
        other[0] ^= 1;
        assert!(Btf::decode(&other, &[]).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            place in 0..sample().len(),
            byte: u8,
            noise in proptest::collection::vec(any::<u8>(), 0..256),
        ) {
            let mut bytes = sample();
            bytes[place] = byte;
            bytes.splice(24..24, noise.iter().copied());
            for bytes in [bytes, noise] {
                if let Some(btf) = Btf::decode(&bytes, &[Name::Struct("task")]) {
                    btf.offset("task", "files");
                    btf.size("task");
                }
            }
        }
    }
}
