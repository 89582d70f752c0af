//! BPF instructions: the few that are needed, their encoding and their text.
//!
//! Encoding: linux/Documentation/bpf/standardization/instruction-set.rst and `struct bpf_insn`,
//! linux/include/uapi/linux/bpf.h. Text: as the kernel's own disassembler writes it
//! (linux/kernel/bpf/disasm.c).

use std::collections::HashMap;
use std::fmt;

use super::btf::TypeId;

/// A register. `R0` is what a call returns and what the program answers, `R1` to `R5` are a call's
/// arguments and lost by it, `R6` to `R9` survive calls, `R10` is the end of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    R0,
    R1,
    R2,
    R3,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// How much is loaded or stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Two bytes.
    Half,
    /// Four bytes.
    Word,
    /// Eight bytes.
    Double,
}

/// A function of the kernel's that BPF programs may call, by its number (`bpf-helpers(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helper {
    /// `bpf_probe_read_kernel(to, size, from)`.
    ProbeReadKernel = 113,
    /// `bpf_seq_write(seq, data, size)`.
    SeqWrite = 127,
    /// `bpf_get_current_task_btf()`.
    GetCurrentTask = 158,
    /// `bpf_sock_from_file(file)`: the socket, or null when the file is none.
    SockFromFile = 162,
}

/// A place in the program that is jumped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Label(pub(super) &'static str);

/// One line of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// `to = *(from + offset)`
    Load(Size, Register, Register, i16),
    /// `*(to + offset) = from`
    Store(Size, Register, i16, Register),
    /// `to = from`
    Move(Register, Register),
    /// `to = number`
    MoveNumber(Register, i32),
    /// `to += from`
    Add(Register, Register),
    /// `to += number`
    AddNumber(Register, i32),
    /// `to *= number`
    MultiplyNumber(Register, i32),
    /// `if register == number goto label`
    IfEqual(Register, i32, Label),
    /// `if register != number goto label`
    IfNot(Register, i32, Label),
    /// `goto label`
    Goto(Label),
    /// Calls a function of the kernel.
    Call(Helper),
    /// Calls one that has no number of its own (a kfunc), by the number that its type has.
    CallTyped(TypeId),
    /// Ends the program; its answer is in `R0`.
    Exit,
    /// No instruction, but where jumps to this label lead.
    Place(Label),
}

/// An instruction as the kernel takes it.
pub(super) type Encoded = [u8; 8];

/// Encodes a program; `None` when a jump leads nowhere, or too far.
pub(super) fn encode(lines: &[Line]) -> Option<Vec<Encoded>> {
    let mut places = HashMap::new();
    let mut instructions = Vec::with_capacity(lines.len());
    for line in lines {
        if let Line::Place(label) = line {
            places.insert(*label, i16::try_from(instructions.len()).ok()?);
        } else {
            instructions.push(line);
        }
    }
    // A jump counts from the instruction after it.
    let encode =
        |(next, line): (i16, &&Line)| line.encode(|label| places.get(&label)?.checked_sub(next));
    (1..).zip(&instructions).map(encode).collect()
}

// Classes, modes and operations of linux/include/uapi/linux/bpf_common.h and bpf.h.
const LDX_MEM: u8 = 0x61;
const STX_MEM: u8 = 0x63;
const HALF: u8 = 0x08;
const DOUBLE: u8 = 0x18;
const ALU64_NUMBER: u8 = 0x07;
const ALU64_REGISTER: u8 = 0x0f;
const ADD: u8 = 0x00;
const MULTIPLY: u8 = 0x20;
const MOVE: u8 = 0xb0;
const IF_EQUAL_NUMBER: u8 = 0x15;
const IF_NOT_NUMBER: u8 = 0x55;
const GOTO: u8 = 0x05;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// Stands where a register would: the number is that of a type (`BPF_PSEUDO_KFUNC_CALL`).
const TYPED: Register = Register::R2;

impl Line {
    /// Returns the instruction; `None` for a place, which is none, and for a jump without distance.
    fn encode(self, distance: impl Fn(Label) -> Option<i16>) -> Option<Encoded> {
        // What an instruction does not use is zero.
        const NONE: Register = Register::R0;
        let (code, to, from, offset, number) = match self {
            Self::Place(_) => return None,
            Self::Load(size, to, from, offset) => (LDX_MEM | size.bits(), to, from, offset, 0),
            Self::Store(size, to, offset, from) => (STX_MEM | size.bits(), to, from, offset, 0),
            Self::Move(to, from) => (ALU64_REGISTER | MOVE, to, from, 0, 0),
            Self::MoveNumber(to, number) => (ALU64_NUMBER | MOVE, to, NONE, 0, number),
            Self::Add(to, from) => (ALU64_REGISTER | ADD, to, from, 0, 0),
            Self::AddNumber(to, number) => (ALU64_NUMBER | ADD, to, NONE, 0, number),
            Self::MultiplyNumber(to, number) => (ALU64_NUMBER | MULTIPLY, to, NONE, 0, number),
            Self::IfEqual(register, number, label) => {
                (IF_EQUAL_NUMBER, register, NONE, distance(label)?, number)
            }
            Self::IfNot(register, number, label) => {
                (IF_NOT_NUMBER, register, NONE, distance(label)?, number)
            }
            Self::Goto(label) => (GOTO, NONE, NONE, distance(label)?, 0),
            Self::Call(helper) => (CALL, NONE, NONE, 0, helper as i32),
            Self::CallTyped(function) => (CALL, NONE, TYPED, 0, function.number()?),
            Self::Exit => (EXIT, NONE, NONE, 0, 0),
        };
        Some(instruction(code, to, from, offset, number))
    }
}

fn instruction(code: u8, to: Register, from: Register, offset: i16, number: i32) -> Encoded {
    let (to, from) = (to.number(), from.number());
    let registers =
        if cfg!(target_endian = "little") { to | (from << 4) } else { from | (to << 4) };
    let [offset_0, offset_1] = offset.to_ne_bytes();
    let [number_0, number_1, number_2, number_3] = number.to_ne_bytes();
    [code, registers, offset_0, offset_1, number_0, number_1, number_2, number_3]
}

impl Register {
    const fn number(self) -> u8 {
        match self {
            Self::R0 => 0,
            Self::R1 => 1,
            Self::R2 => 2,
            Self::R3 => 3,
            Self::R6 => 6,
            Self::R7 => 7,
            Self::R8 => 8,
            Self::R9 => 9,
            Self::R10 => 10,
        }
    }
}

impl Size {
    const fn bits(self) -> u8 {
        match self {
            Self::Half => HALF,
            Self::Word => 0,
            Self::Double => DOUBLE,
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.number())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Half => "u16",
            Self::Word => "u32",
            Self::Double => "u64",
        })
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProbeReadKernel => "probe_read_kernel",
            Self::SeqWrite => "seq_write",
            Self::GetCurrentTask => "get_current_task_btf",
            Self::SockFromFile => "sock_from_file",
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(size, to, from, offset) => {
                write!(f, "    {to} = *({size} *)({from} {offset:+})")
            }
            Self::Store(size, to, offset, from) => {
                write!(f, "    *({size} *)({to} {offset:+}) = {from}")
            }
            Self::Move(to, from) => write!(f, "    {to} = {from}"),
            Self::MoveNumber(to, number) => write!(f, "    {to} = {number}"),
            Self::Add(to, from) => write!(f, "    {to} += {from}"),
            Self::AddNumber(to, number) => write!(f, "    {to} += {number}"),
            Self::MultiplyNumber(to, number) => write!(f, "    {to} *= {number}"),
            Self::IfEqual(register, number, Label(label)) => {
                write!(f, "    if {register} == {number:#x} goto {label}")
            }
            Self::IfNot(register, number, Label(label)) => {
                write!(f, "    if {register} != {number:#x} goto {label}")
            }
            Self::Goto(Label(label)) => write!(f, "    goto {label}"),
            Self::Call(helper) => write!(f, "    call {helper}"),
            Self::CallTyped(TypeId(function)) => write!(f, "    call kernel-function#{function}"),
            Self::Exit => f.write_str("    exit"),
            Self::Place(Label(label)) => write!(f, "{label}:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Line::{
        AddNumber, Call, CallTyped, Exit, Goto, IfEqual, IfNot, Load, Move, MoveNumber, Place,
        Store,
    };
    use Register::{R0, R1, R2, R6, R10};
    use Size::{Double, Half, Word};

    const END: Label = Label("end");

    /// `code`, `to`, `from`, `offset` and `number`, as the kernel's headers have them.
    #[test]
    #[cfg(target_endian = "little")]
    fn instructions_are_as_the_kernel_has_them() {
        let program = [
            Load(Double, R6, R1, 24),
            Load(Word, R1, R6, -4),
            Load(Half, R1, R6, 16),
            Store(Double, R10, -8, R1),
            Move(R6, R1),
            AddNumber(R2, -32),
            MoveNumber(R0, 0),
            Call(Helper::SeqWrite),
            CallTyped(TypeId(0x1234)),
            Exit,
        ];
        let expected: [Encoded; 10] = [
            [0x79, 0x16, 24, 0, 0, 0, 0, 0],
            [0x61, 0x61, 0xfc, 0xff, 0, 0, 0, 0],
            [0x69, 0x61, 16, 0, 0, 0, 0, 0],
            [0x7b, 0x1a, 0xf8, 0xff, 0, 0, 0, 0],
            [0xbf, 0x16, 0, 0, 0, 0, 0, 0],
            [0x07, 0x02, 0, 0, 0xe0, 0xff, 0xff, 0xff],
            [0xb7, 0x00, 0, 0, 0, 0, 0, 0],
            [0x85, 0x00, 0, 0, 127, 0, 0, 0],
            [0x85, 0x20, 0, 0, 0x34, 0x12, 0, 0],
            [0x95, 0x00, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(encode(&program).unwrap(), expected);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_jump_counts_from_the_instruction_after_it() {
        let program = [
            IfEqual(R1, 0, END),
            IfNot(R1, 0x1234, END),
            Goto(END),
            MoveNumber(R0, 0),
            Place(END),
            Exit,
        ];
        let encoded = encode(&program).unwrap();
        assert_eq!(encoded[0], [0x15, 0x01, 3, 0, 0, 0, 0, 0]);
        assert_eq!(encoded[1], [0x55, 0x01, 2, 0, 0x34, 0x12, 0, 0]);
        assert_eq!(encoded[2], [0x05, 0x00, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_jump_to_nowhere_is_no_program() {
        assert_eq!(encode(&[IfEqual(R1, 0, END), Exit]), None);
    }
}
