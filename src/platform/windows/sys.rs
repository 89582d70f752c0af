//! The calls of Windows that std, sysinfo and netstat2 do not make: each a function that is safe to
//! call. What bytes mean is not known here but in [`super::tables`].
#![expect(unsafe_code, reason = "every call of the system is an unsafe one")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, FILETIME, HANDLE,
    NO_ERROR, WAIT_OBJECT_0,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, GetOwnerModuleFromTcp6Entry,
    GetOwnerModuleFromTcpEntry, GetOwnerModuleFromUdp6Entry, GetOwnerModuleFromUdpEntry,
    SetTcpEntry, TCP_TABLE_OWNER_MODULE_ALL, TCPIP_OWNER_MODULE_BASIC_INFO,
    TCPIP_OWNER_MODULE_INFO_BASIC, UDP_TABLE_OWNER_MODULE,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountSidW, SID_NAME_USE, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{GetProcessHeap, HeapFree, HeapSize};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_READ, RegCloseKey, RegEnumValueW, RegOpenKeyExW,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW,
    SC_ENUM_PROCESS_INFO, SC_HANDLE, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_ACTIVE, SERVICE_WIN32,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess, WaitForSingleObject,
};

use super::tables::Table;

/// `AF_INET` and `AF_INET6` (winsock2.h).
const AF_INET: u32 = 2;
const AF_INET6: u32 = 23;

/// How often a table is asked for anew that grew between the question for its size and the answer.
const ATTEMPTS: usize = 8;

/// Bytes of whatever alignment a structure of Windows may need, which is never more than eight.
struct Aligned(Vec<u64>);

impl Aligned {
    fn zeroed(size: usize) -> Self {
        Self(vec![0; size.div_ceil(8)])
    }

    fn of(bytes: &[u8]) -> Self {
        let mut words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            u64::from_ne_bytes(word)
        });
        Self(words.by_ref().collect())
    }

    fn as_mut_ptr<T>(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }

    fn as_ptr<T>(&self) -> *const T {
        self.0.as_ptr().cast()
    }

    /// Returns the first bytes, as many as there are at most.
    fn bytes(&self, size: usize) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).take(size).collect()
    }
}

/// Returns the error that a function answers with itself, in place of [`io::Error::last_os_error`].
fn answered(code: u32) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX))
}

fn length(bytes: u32) -> io::Result<usize> {
    usize::try_from(bytes).map_err(io::Error::other)
}

/// Returns a table; `None` where Windows has none of the kind: those of bound endpoints are not
/// documented.
///
/// # Errors
///
/// The system's: it has no such family.
pub(super) fn table(which: Table) -> io::Result<Option<Vec<u8>>> {
    let is_v6 = matches!(which, Table::Tcp6 | Table::Udp6 | Table::Bound6);
    let family = if is_v6 { AF_INET6 } else { AF_INET };
    let mut size = 0;
    for _ in 0..ATTEMPTS {
        let mut buffer = Aligned::zeroed(length(size)?);
        let at = buffer.as_mut_ptr();
        let code = match which {
            Table::Bound4 | Table::Bound6 => return bound_table(is_v6),
            // SAFETY: it writes at most `size` bytes at `at`, which has room for them, or none where
            // that is 0; `size` outlives the call.
            Table::Tcp4 | Table::Tcp6 => unsafe {
                GetExtendedTcpTable(at, &raw mut size, 0, family, TCP_TABLE_OWNER_MODULE_ALL, 0)
            },
            // SAFETY: as above.
            Table::Udp4 | Table::Udp6 => unsafe {
                GetExtendedUdpTable(at, &raw mut size, 0, family, UDP_TABLE_OWNER_MODULE, 0)
            },
        };
        match code {
            NO_ERROR => return Ok(Some(buffer.bytes(length(size)?))),
            // Room for those who come meanwhile.
            ERROR_INSUFFICIENT_BUFFER => size = size.saturating_add(4096),
            code => return Err(answered(code)),
        }
    }
    Err(answered(ERROR_INSUFFICIENT_BUFFER))
}

/// Puts a connection into another state: a `MIB_TCPROW`, whose first word is the state.
///
/// # Errors
///
/// The system's.
pub(super) fn set_tcp_entry(row: [u32; 5]) -> io::Result<()> {
    // SAFETY: it reads the five words of a `MIB_TCPROW` (20 bytes, aligned to 4), which outlive the call.
    match unsafe { SetTcpEntry(row.as_ptr().cast()) } {
        NO_ERROR => Ok(()),
        code => Err(answered(code)),
    }
}

/// Returns whether this is no Windows but Wine, whose own function `ntdll.dll` has
/// (<https://gitlab.winehq.org/wine/wine/-/wikis/Developer-FAQ>).
pub(super) fn is_wine() -> bool {
    let library = wide("ntdll.dll");
    // SAFETY: the name ends with a NUL and outlives the call. Every process has that library.
    let library = unsafe { GetModuleHandleW(library.as_ptr()) };
    let name = b"wine_get_version\0";
    // SAFETY: the library is loaded for good, and the name ends with a NUL.
    !library.is_null() && unsafe { GetProcAddress(library, name.as_ptr()) }.is_some()
}

/// What `InternalGetBoundTcpEndpointTable` is: it makes a `MIB_TCPTABLE2` on the heap given, and stores
/// its address.
type BoundTable = unsafe extern "system" fn(*mut *mut u8, HANDLE, u32) -> u32;

/// Returns the TCP endpoints that are bound; `None` where Windows has no such function. It is not
/// documented: `netstat -q` calls it.
fn bound_table(is_v6: bool) -> io::Result<Option<Vec<u8>>> {
    let library = wide("iphlpapi.dll");
    // SAFETY: the name ends with a NUL and outlives the call. The library stays: this program is
    // linked to it.
    let library = unsafe { GetModuleHandleW(library.as_ptr()) };
    if library.is_null() {
        return Ok(None);
    }
    let name: &[u8] = if is_v6 {
        b"InternalGetBoundTcp6EndpointTable\0"
    } else {
        b"InternalGetBoundTcpEndpointTable\0"
    };
    // SAFETY: the library is loaded, and the name ends with a NUL.
    let Some(function) = (unsafe { GetProcAddress(library, name.as_ptr()) }) else {
        return Ok(None);
    };
    // SAFETY: by every source there is (System Informer, Microsoft's own netstat) the function has this
    // signature, on each Windows that has it.
    let function: BoundTable = unsafe { std::mem::transmute(function) };
    // SAFETY: it takes nothing; every process has one.
    let heap = unsafe { GetProcessHeap() };
    let mut table: *mut u8 = ptr::null_mut();
    // SAFETY: it stores one address in `table`, which outlives the call.
    let code = unsafe { function(&raw mut table, heap, 0) };
    if code != NO_ERROR {
        return Err(answered(code));
    }
    if table.is_null() {
        return Ok(Some(Vec::new()));
    }
    // SAFETY: the function has just made `table` on this heap.
    let size = unsafe { HeapSize(heap, 0, table.cast()) };
    // `HeapSize` says "error" by the greatest number.
    let known = if size == usize::MAX { 0 } else { size };
    // SAFETY: the heap says that `known` bytes begin there; nobody else has the address.
    let bytes = unsafe { std::slice::from_raw_parts(table, known) }.to_vec();
    // SAFETY: as above, and `bytes` is a copy.
    unsafe { HeapFree(heap, 0, table.cast()) };
    Ok(Some(bytes))
}

/// Returns the name of the module that a row belongs to: that of a service where its
/// process runs services, else its program's. `None` when nobody tells, or the socket is gone.
pub(super) fn owner_module(which: Table, row: &[u8]) -> Option<String> {
    if row.len() != which.row_size() {
        return None;
    }
    let row = Aligned::of(row);
    let class = TCPIP_OWNER_MODULE_INFO_BASIC;
    let mut size = 1024;
    for _ in 0..ATTEMPTS {
        let mut buffer = Aligned::zeroed(length(size).ok()?);
        let (at, size) = (buffer.as_mut_ptr(), &raw mut size);
        let code = match which {
            Table::Bound4 | Table::Bound6 => return None,
            // SAFETY: `row` is a whole row of the kind, aligned; the function writes at most `size`
            // bytes at `at`, which has room for them.
            Table::Tcp4 => unsafe { GetOwnerModuleFromTcpEntry(row.as_ptr(), class, at, size) },
            // SAFETY: as above.
            Table::Tcp6 => unsafe { GetOwnerModuleFromTcp6Entry(row.as_ptr(), class, at, size) },
            // SAFETY: as above.
            Table::Udp4 => unsafe { GetOwnerModuleFromUdpEntry(row.as_ptr(), class, at, size) },
            // SAFETY: as above.
            Table::Udp6 => unsafe { GetOwnerModuleFromUdp6Entry(row.as_ptr(), class, at, size) },
        };
        match code {
            NO_ERROR => {
                let info: *const TCPIP_OWNER_MODULE_BASIC_INFO = buffer.as_ptr();
                // SAFETY: the function has written such a structure at the start of the buffer, which
                // is 1024 bytes or more and aligned.
                let name = unsafe { (*info).pModuleName };
                // SAFETY: the name lies in the buffer, behind the structure, and ends with a NUL.
                return unsafe { string(name) };
            }
            ERROR_INSUFFICIENT_BUFFER => {}
            _ => return None,
        }
    }
    None
}

/// Returns the text at an address; `None` for none.
///
/// # Safety
///
/// `at` is null, or the first of units that can be read up to a NUL.
unsafe fn string(at: *const u16) -> Option<String> {
    if at.is_null() {
        return None;
    }
    let mut units = Vec::new();
    loop {
        // SAFETY: no NUL has come yet, so that the caller vouches for this unit: it is within the text.
        let next = unsafe { at.add(units.len()) };
        // SAFETY: as above, and it can be read.
        let unit = unsafe { *next };
        if unit == 0 {
            return Some(String::from_utf16_lossy(&units));
        }
        units.push(unit);
    }
}

/// Returns the text as Windows takes it, with a NUL behind it.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A handle that is closed when it goes.
#[derive(Debug)]
pub(super) struct Handle(HANDLE);

// SAFETY: a handle is a number that counts for the whole process, and is used by value alone.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else closes it.
        unsafe { CloseHandle(self.0) };
    }
}

/// What is to be done with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Look,
    End,
}

/// Opens a process: as long as it is open, no other gets its number.
///
/// # Errors
///
/// The system's: there is none of that number (`ERROR_INVALID_PARAMETER`), or it may not be opened.
pub(super) fn open_process(pid: u32, access: Access) -> io::Result<Handle> {
    let rights = match access {
        Access::Look => PROCESS_QUERY_LIMITED_INFORMATION,
        Access::End => PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE | PROCESS_TERMINATE,
    };
    // SAFETY: it takes numbers alone.
    let handle = unsafe { OpenProcess(rights, 0, pid) };
    if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(Handle(handle)) }
}

impl Handle {
    /// Returns when the process was made, in units of 100 ns since 1601.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn created(&self) -> io::Result<u64> {
        let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
        let [mut created, mut ended, mut kernel, mut user] = [none; 4];
        let (times, others) =
            ((&raw mut created, &raw mut ended), (&raw mut kernel, &raw mut user));
        // SAFETY: it writes these four, which outlive the call.
        let done = unsafe { GetProcessTimes(self.0, times.0, times.1, others.0, others.1) };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
    }

    /// Ends the process at once.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn terminate(&self) -> io::Result<()> {
        // SAFETY: the handle is open, and the number is the exit code that others will see.
        let done = unsafe { TerminateProcess(self.0, 1) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for the process's end for so long, and returns whether it has come.
    pub(super) fn has_ended_within(&self, milliseconds: u32) -> bool {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.0, milliseconds) == WAIT_OBJECT_0 }
    }

    /// Returns who the process runs as: the bytes of a security identifier (`SID`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn user(&self) -> io::Result<Sid> {
        let mut token: HANDLE = ptr::null_mut();
        // SAFETY: it stores one handle in `token`, which outlives the call.
        let done = unsafe { OpenProcessToken(self.0, TOKEN_QUERY, &raw mut token) };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        let token = Self(token);
        // Longer than the structure and the longest identifier (68 bytes) together.
        let mut buffer = Aligned::zeroed(256);
        let mut written = 0;
        let at = buffer.as_mut_ptr();
        // SAFETY: it writes at most 256 bytes at `at`, and their number in `written`.
        let done = unsafe { GetTokenInformation(token.0, TokenUser, at, 256, &raw mut written) };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        let user: *const TOKEN_USER = buffer.as_ptr();
        // SAFETY: the call has written this structure at the start of the buffer.
        let sid: *const u8 = unsafe { (*user).User.Sid }.cast();
        let offset = sid.addr().wrapping_sub(user.addr());
        let all = buffer.bytes(length(written)?);
        all.get(offset..)
            .map(|sid| Sid(sid.to_vec()))
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// A security identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Sid(Vec<u8>);

/// Returns the name of a user, without its domain. A controller of the domain may be asked.
///
/// # Errors
///
/// The system's: it knows no name.
pub(super) fn account(Sid(sid): &Sid) -> io::Result<String> {
    // `SID`: revision, count of sub-authorities, six bytes, and four bytes each (winnt.h).
    let is_whole = sid.get(1).is_some_and(|&count| sid.len() >= 8 + 4 * usize::from(count));
    if !is_whole {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut sid = Aligned::of(sid);
    let (mut name, mut domain) = ([0_u16; 512], [0_u16; 512]);
    let (mut name_length, mut domain_length) = (512, 512);
    let mut kind: SID_NAME_USE = 0;
    let (at, domain_at) = (name.as_mut_ptr(), domain.as_mut_ptr());
    let (length_at, domain_length_at) = (&raw mut name_length, &raw mut domain_length);
    // SAFETY: the identifier is whole and aligned; the call writes at most as many units to the two
    // buffers as it is told that they have.
    let done = unsafe {
        LookupAccountSidW(
            ptr::null(),
            sid.as_mut_ptr(),
            at,
            length_at,
            domain_at,
            domain_length_at,
            &raw mut kind,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(until_nul(&name))
}

fn until_nul(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// Closes the service manager when it goes.
struct Manager(SC_HANDLE);

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else closes it.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// Returns the services that run, each with the number of its process.
///
/// # Errors
///
/// The system's.
pub(super) fn services() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: it takes two texts that may be absent, and a number.
    let manager = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), SC_MANAGER_ENUMERATE_SERVICE) };
    if manager.is_null() {
        return Err(io::Error::last_os_error());
    }
    let manager = Manager(manager);
    let mut size = 0;
    for _ in 0..ATTEMPTS {
        let mut buffer = Aligned::zeroed(length(size)?);
        let (mut needed, mut count, mut resume) = (0, 0, 0);
        // SAFETY: it writes at most `size` bytes to the buffer, and three numbers that outlive the
        // call.
        let done = unsafe {
            EnumServicesStatusExW(
                manager.0,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_ACTIVE,
                buffer.as_mut_ptr(),
                size,
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                ptr::null(),
            )
        };
        if done == 0 {
            let error = io::Error::last_os_error();
            let is_more = [ERROR_MORE_DATA, ERROR_INSUFFICIENT_BUFFER]
                .iter()
                .any(|code| error.raw_os_error() == i32::try_from(*code).ok());
            if !is_more {
                return Err(error);
            }
            size = size.saturating_add(needed).saturating_add(4096);
            continue;
        }
        let first: *const ENUM_SERVICE_STATUS_PROCESSW = buffer.as_ptr();
        let mut services = Vec::new();
        for index in 0..length(count)? {
            // SAFETY: the call has written `count` of these structures at the start of the buffer, and
            // this is the place of one of them.
            let place = unsafe { first.add(index) };
            // SAFETY: as above; they are numbers and addresses, copied as they are.
            let service = unsafe { *place };
            // SAFETY: its name lies in the buffer behind them, and ends with a NUL.
            if let Some(name) = unsafe { string(service.lpServiceName) } {
                services.push((service.ServiceStatusProcess.dwProcessId, name));
            }
        }
        return Ok(services);
    }
    Err(answered(ERROR_MORE_DATA))
}
/// Closes a key of the registry when it goes.
struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is open, and nobody else closes it.
        unsafe { RegCloseKey(self.0) };
    }
}

/// Returns the values of a key of the machine's registry (`HKEY_LOCAL_MACHINE`), each with its name,
/// as text.
///
/// # Errors
///
/// The system's: there is no such key, or it may not be read.
pub(super) fn registry_texts(path: &str) -> io::Result<Vec<(String, String)>> {
    let path = wide(path);
    let mut key: HKEY = ptr::null_mut();
    let at = &raw mut key;
    // SAFETY: the path ends with a NUL; the call stores one handle in `key`.
    let code = unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.as_ptr(), 0, KEY_READ, at) };
    if code != NO_ERROR {
        return Err(answered(code));
    }
    let key = Key(key);
    let mut values = Vec::new();
    for index in 0.. {
        let (mut name, mut data) = ([0_u16; 256], [0_u16; 256]);
        let (mut name_length, mut data_size) = (256, 512);
        let (at, length_at) = (name.as_mut_ptr(), &raw mut name_length);
        let (data_at, size_at) = (data.as_mut_ptr().cast(), &raw mut data_size);
        // SAFETY: it writes at most 256 units to the name and 512 bytes to the data, and their numbers.
        let code = unsafe {
            RegEnumValueW(
                key.0,
                index,
                at,
                length_at,
                ptr::null(),
                ptr::null_mut(),
                data_at,
                size_at,
            )
        };
        match code {
            NO_ERROR => values.push((until_nul(&name), until_nul(&data))),
            ERROR_NO_MORE_ITEMS => break,
            // A value that is too long to be one of those asked for.
            ERROR_MORE_DATA => {}
            code => return Err(answered(code)),
        }
    }
    Ok(values)
}

/// Lets nobody else have the address that a socket will be bound to (`SO_EXCLUSIVEADDRUSE`).
///
/// # Errors
///
/// The system's.
#[cfg(test)]
pub(super) fn set_exclusive(socket: &socket2::Socket) -> io::Result<()> {
    use std::os::windows::io::AsRawSocket as _;

    use windows_sys::Win32::Networking::WinSock::{SO_EXCLUSIVEADDRUSE, SOL_SOCKET, setsockopt};

    let on = 1_u32.to_ne_bytes();
    let socket = usize::try_from(socket.as_raw_socket()).map_err(io::Error::other)?;
    // SAFETY: the socket is open as long as it is borrowed; the call reads the four bytes of `on`.
    let answer = unsafe { setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, on.as_ptr(), 4) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
