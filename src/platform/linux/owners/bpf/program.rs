//! The program that the kernel runs for every descriptor of every process: where it is one that
//! matters, it writes one [`Record`].
//!
//! The kernel's `task_file` iterator (linux/kernel/bpf/task_iter.c) goes through the processes of our
//! PID namespace. It visits a thread beside the first only when it has another descriptor table than
//! that one, so tables of single threads, and of processes whose first thread has ended, are seen.

use super::assembler::Line::{
    Add, AddNumber, Call, CallTyped, Exit, Goto, IfEqual, IfNot, Load, Move, MoveNumber,
    MultiplyNumber, Place, Store,
};
use super::assembler::Register::{R0, R1, R2, R3, R6, R7, R8, R9, R10};
use super::assembler::Size::{Double, Half, Word};
use super::assembler::{Helper, Label, Line, Register};
use super::btf::{Btf, Name, TypeId};

/// Where the kernel calls the program.
const HOOK: Name = Name::Function("bpf_iter_task_file");

/// Makes of a pointer one that may be read through and no more (Linux 6.2).
const CAST: Name = Name::Function("bpf_rdonly_cast");

const NAMES: &[Name] = &[
    HOOK,
    CAST,
    Name::Struct("bpf_iter__task_file"),
    Name::Struct("bpf_iter_meta"),
    Name::Struct("dentry"),
    Name::Struct("file"),
    Name::Struct("inode"),
    Name::Struct("path"),
    Name::Struct("pid"),
    Name::Struct("qstr"),
    Name::Struct("sock"),
    Name::Struct("sock_common"),
    Name::Struct("socket"),
    Name::Struct("super_block"),
    Name::Struct("task_struct"),
    Name::Struct("upid"),
];

/// What the program is made of: the kernel's own layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) hook: TypeId,
    meta: i16,
    task: i16,
    fd: i16,
    file: i16,
    seq: i16,
    inode: i16,
    inode_number: i16,
    filesystem: i16,
    magic: i16,
    entry: i16,
    name_length: i16,
    sock: i16,
    family: i16,
    thread: i16,
    process: i16,
    leader: i16,
    table: i16,
    thread_pid: i16,
    level: i16,
    numbers: i16,
    number: i16,
    number_size: i32,
    cast: Option<Cast>,
}

/// How a pointer to a task is cast, where the kernel can. It may be read through uncast as well; but at
/// each step from a task that it trusts the verifier looks through the names of all types for what else
/// it might trust, and that was most of what loading took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cast {
    function: TypeId,
    task: i32,
}

impl Cast {
    fn decode(btf: &Btf<'_>) -> Option<Self> {
        let task = btf.id(Name::Struct("task_struct"))?;
        Some(Self { function: btf.id(CAST)?, task: task.number()? })
    }

    /// Casts the pointer in a register; calls lose R1 to R5.
    fn lines(self, task: Register) -> [Line; 4] {
        [Move(R1, task), MoveNumber(R2, self.task), CallTyped(self.function), Move(task, R0)]
    }
}

impl Layout {
    /// Finds it in the kernel's types; `None` when the kernel has no such iterator.
    pub(super) fn decode(btf: &[u8]) -> Option<Self> {
        let btf = Btf::decode(btf, NAMES)?;
        let context = |member| btf.offset("bpf_iter__task_file", member);
        let task = |member| btf.offset("task_struct", member);
        Some(Self {
            hook: btf.id(HOOK)?,
            meta: context("meta")?,
            task: context("task")?,
            fd: context("fd")?,
            file: context("file")?,
            seq: btf.offset("bpf_iter_meta", "seq")?,
            inode: btf.offset("file", "f_inode")?,
            inode_number: btf.offset("inode", "i_ino")?,
            filesystem: btf.offset("inode", "i_sb")?,
            magic: btf.offset("super_block", "s_magic")?,
            entry: btf.offset("file", "f_path")?.checked_add(btf.offset("path", "dentry")?)?,
            name_length: btf.offset("dentry", "d_name")?.checked_add(btf.offset("qstr", "len")?)?,
            sock: btf.offset("socket", "sk")?,
            family: (btf.offset("sock", "__sk_common")?)
                .checked_add(btf.offset("sock_common", "skc_family")?)?,
            thread: task("pid")?,
            process: task("tgid")?,
            leader: task("group_leader")?,
            table: task("files")?,
            thread_pid: task("thread_pid")?,
            level: btf.offset("pid", "level")?,
            numbers: btf.offset("pid", "numbers")?,
            number: btf.offset("upid", "nr")?,
            number_size: btf.size("upid")?,
            cast: Cast::decode(&btf),
        })
    }

    /// Returns it without what only makes loading fast.
    pub(super) const fn plain(self) -> Self {
        Self { cast: None, ..self }
    }
}

/// Which numbers processes are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// The machine's: those of the first PID namespace.
    Global,
    /// Those of the PID namespace that the reader is in.
    Readers,
}

/// What is behind a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum What {
    /// A socket of this family (`AF_UNIX`, …); 0 when it is being closed.
    Socket(u32),
    /// A namespace, of whatever kind.
    Namespace,
    /// One of the kernel's own files whose name is as long as that of an io_uring.
    PerhapsRing,
}

impl What {
    const fn decode(number: u32) -> Self {
        match number {
            NAMESPACES => Self::Namespace,
            UNNAMED => Self::PerhapsRing,
            family => Self::Socket(family),
        }
    }
}

/// The number of the filesystem that namespaces are in (`NSFS_MAGIC`, linux/include/uapi/linux/magic.h).
const NAMESPACES: u32 = 0x6e73_6673;

/// The number of that of files without a name (`ANON_INODE_FS_MAGIC`). Both are greater than any family.
const UNNAMED: u32 = 0x0904_1934;

/// How long `[io_uring]` is.
const RINGS_NAME: i32 = 10;

/// One descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Record {
    /// The process.
    pub(super) process: u32,
    /// The thread whose table it is in; any one of those that share it.
    pub(super) thread: u32,
    /// The table: equal numbers, one table.
    pub(super) table: u64,
    /// The table of the process's first thread; 0 when that has ended.
    pub(super) leaders_table: u64,
    /// The number in the table.
    pub(super) fd: u32,
    /// What is behind it.
    pub(super) what: What,
    /// The file's inode: a socket's, or a namespace's number.
    pub(super) inode: u64,
}

/// Its size as the program writes it.
pub(super) const RECORD_SIZE: usize = 40;

// Where the parts are, from the end of the stack.
const RECORD: i16 = -40;
const PROCESS: i16 = RECORD;
const THREAD: i16 = RECORD + 4;
const TABLE: i16 = RECORD + 8;
const LEADERS_TABLE: i16 = RECORD + 16;
const FD: i16 = RECORD + 24;
const WHAT: i16 = RECORD + 28;
const INODE: i16 = RECORD + 32;
// What is kept below it.
const SCRATCH: i16 = RECORD - 8;
const LEVEL: i16 = RECORD - 16;

impl Record {
    /// Reads one as the program wrote it; `None` for a process whose number could not be told.
    pub(super) fn decode(bytes: &[u8; RECORD_SIZE]) -> Option<Self> {
        let part = |offset: i16| bytes.get(usize::try_from(offset - RECORD).ok()?..);
        let word = |offset| part(offset)?.first_chunk().copied().map(u32::from_ne_bytes);
        let double = |offset| part(offset)?.first_chunk().copied().map(u64::from_ne_bytes);
        Some(Self {
            process: word(PROCESS).filter(|process| *process != 0)?,
            thread: word(THREAD)?,
            table: double(TABLE)?,
            leaders_table: double(LEADERS_TABLE)?,
            fd: word(FD)?,
            what: What::decode(word(WHAT)?),
            inode: double(INODE)?,
        })
    }
}

/// Returns the program for a kernel of this layout.
pub(super) fn assemble(at: &Layout, numbers: Numbers) -> Vec<Line> {
    const OTHER: Label = Label("other");
    const TELL: Label = Label("tell");
    const OUT: Label = Label("out");
    let cast = |task| at.cast.into_iter().flat_map(move |cast| cast.lines(task));
    let mut lines = vec![
        // After the last descriptor it is called once more, with neither.
        Move(R6, R1),
        Load(Double, R7, R6, at.file),
        IfEqual(R7, 0, OUT),
        Load(Double, R8, R6, at.task),
        IfEqual(R8, 0, OUT),
        Move(R1, R7),
        Call(Helper::SockFromFile),
        IfEqual(R0, 0, OTHER),
        // A socket: of which family?
        MoveNumber(R2, 0),
        Load(Double, R1, R0, at.sock),
        IfEqual(R1, 0, TELL),
        Load(Half, R2, R1, at.family),
        Goto(TELL),
        // Another file: in which filesystem?
        Place(OTHER),
        Load(Double, R1, R7, at.inode),
        Load(Double, R1, R1, at.filesystem),
        Load(Double, R2, R1, at.magic),
        IfEqual(R2, NAMESPACES.cast_signed(), TELL),
        IfNot(R2, UNNAMED.cast_signed(), OUT),
        Load(Double, R1, R7, at.entry),
        Load(Word, R1, R1, at.name_length),
        IfNot(R1, RINGS_NAME, OUT),
        Place(TELL),
        Store(Word, R10, WHAT, R2),
        Load(Word, R1, R6, at.fd),
        Store(Word, R10, FD, R1),
        Load(Double, R1, R7, at.inode),
        Load(Double, R1, R1, at.inode_number),
        Store(Double, R10, INODE, R1),
    ];
    lines.extend(cast(R8));
    lines.extend([
        // The table.
        Load(Double, R1, R8, at.table),
        Store(Double, R10, TABLE, R1),
        Load(Double, R9, R8, at.leader),
        Load(Double, R1, R9, at.table),
        Store(Double, R10, LEADERS_TABLE, R1),
    ]);
    match numbers {
        Numbers::Global => lines.extend([
            Load(Word, R1, R8, at.process),
            Store(Word, R10, PROCESS, R1),
            Load(Word, R1, R8, at.thread),
            Store(Word, R10, THREAD, R1),
        ]),
        Numbers::Readers => {
            lines.push(Call(Helper::GetCurrentTask));
            lines.extend(cast(R0));
            lines.extend([
                Load(Double, R1, R0, at.thread_pid),
                IfEqual(R1, 0, OUT),
                Load(Word, R1, R1, at.level),
                MultiplyNumber(R1, at.number_size),
                Store(Double, R10, LEVEL, R1),
            ]);
            lines.extend(translate(at, R9, PROCESS));
            lines.extend(translate(at, R8, THREAD));
        }
    }
    lines.extend([
        Load(Double, R1, R6, at.meta),
        Load(Double, R1, R1, at.seq),
        Move(R2, R10),
        AddNumber(R2, RECORD.into()),
        MoveNumber(R3, -i32::from(RECORD)),
        Call(Helper::SeqWrite),
        Place(OUT),
        MoveNumber(R0, 0),
        Exit,
    ]);
    lines
}

/// Stores the number that a task has in the reader's PID namespace: `task->thread_pid->numbers[level].nr`.
/// The iterator only goes to tasks that have one.
fn translate(at: &Layout, task: Register, into: i16) -> [Line; 16] {
    [
        // A computed pointer may only be followed by way of the helper.
        Move(R1, R10),
        AddNumber(R1, SCRATCH.into()),
        MoveNumber(R2, 8),
        Move(R3, task),
        AddNumber(R3, at.thread_pid.into()),
        Call(Helper::ProbeReadKernel),
        Load(Double, R3, R10, SCRATCH),
        Load(Double, R1, R10, LEVEL),
        Add(R3, R1),
        AddNumber(R3, i32::from(at.numbers) + i32::from(at.number)),
        Move(R1, R10),
        AddNumber(R1, SCRATCH.into()),
        MoveNumber(R2, 4),
        Call(Helper::ProbeReadKernel),
        Load(Word, R1, R10, SCRATCH),
        Store(Word, R10, into, R1),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux 6.18 on x86-64, more or less.
    const LAYOUT: Layout = Layout {
        hook: TypeId(64_261),
        meta: 0,
        task: 8,
        fd: 16,
        file: 24,
        seq: 0,
        inode: 32,
        inode_number: 64,
        filesystem: 40,
        magic: 96,
        entry: 72,
        name_length: 36,
        sock: 24,
        family: 16,
        thread: 1400,
        process: 1404,
        leader: 1464,
        table: 2000,
        thread_pid: 1600,
        level: 4,
        numbers: 96,
        number: 0,
        number_size: 16,
        cast: Some(Cast { function: TypeId(64_000), task: 100 }),
    };

    fn text(numbers: Numbers) -> String {
        let lines = assemble(&LAYOUT, numbers);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    #[test]
    fn the_program_is_this() {
        insta::assert_snapshot!("global", text(Numbers::Global));
        insta::assert_snapshot!("readers", text(Numbers::Readers));
    }

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let table = 0xffff_8881_0000_0000;
        let bytes = |what: u32| {
            let words = |one: u32, other: u32| [one.to_ne_bytes(), other.to_ne_bytes()].concat();
            let doubles = |number: u64| number.to_ne_bytes().to_vec();
            let parts = [words(1, 2), doubles(table), doubles(0), words(5, what), doubles(1 << 40)];
            parts.concat()
        };
        let (process, thread, leaders_table, fd) = (1, 2, 0, 5);
        let (whats, inode) = ([1, NAMESPACES, UNNAMED], 1 << 40);
        let expected = [What::Socket(1), What::Namespace, What::PerhapsRing]
            .map(|what| Some(Record { process, thread, table, leaders_table, fd, what, inode }));
        assert_eq!(whats.map(|what| Record::decode(bytes(what).first_chunk().unwrap())), expected);
        assert_eq!(Record::decode(&[0; RECORD_SIZE]), None, "no number of a process");
    }

    /// The kernels that there are types of: see tests/fixtures/raw/linux/README.md.
    #[test]
    #[cfg(target_endian = "little")]
    fn each_kernel_has_a_layout_and_a_program_of_its_own() {
        macro_rules! types {
            ($kernel:literal) => {
                include_bytes!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/tests/fixtures/raw/linux/btf/",
                    $kernel,
                    ".btf"
                ))
            };
        }
        let kernels: [(&str, &[u8]); 3] = [
            ("6.1-rt", types!("6.1-rt")),
            ("6.12-cloud", types!("6.12-cloud")),
            ("6.18", types!("6.18")),
        ];
        for (kernel, types) in kernels {
            let layout = Layout::decode(types).unwrap();
            let text = assemble(&layout, Numbers::Readers);
            let text: Vec<String> = text.iter().map(ToString::to_string).collect();
            insta::assert_snapshot!(
                format!("of-{kernel}"),
                format!("{layout:#?}\n{}", text.join("\n"))
            );
            for cut in 0..types.len() {
                assert_eq!(Layout::decode(&types[..cut]), None, "{kernel}, cut at {cut}");
            }
        }
    }

    /// The numbers of processes are the same either way where the reader is in the first PID
    /// namespace; so the kernel can say whether both programs are right.
    #[test]
    fn this_kernel_has_all_that_the_program_is_made_of() {
        let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("SKIPPED: this kernel does not describe its types");
            return;
        };
        let layout = Layout::decode(&types).unwrap();
        for numbers in [Numbers::Global, Numbers::Readers] {
            assert!(super::super::assembler::encode(&assemble(&layout, numbers)).is_some());
        }
    }
}
