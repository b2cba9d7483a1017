//! The stepped process. `nix` wraps ptrace, and the client asks to be traced by itself, so nothing here is unsafe.

use super::decode::Code;
use super::symbols::Symbols;
use super::{Call, Op, Request, Series, Session, maps};
use hz3_project::code::Traits;
use hz3_project::{Allocator, Code as Exit, Error};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the client puts into `rax` when it announces a call.
const MAGIC: u64 = 0x687a33;
/// `int3`.
const BREAKPOINT: u8 = 0xcc;
/// More instructions than any call may take: half a minute of stepping.
const LIMIT: usize = 2_000_000;

/// A child that does not outlive this value.
struct Tracee {
    child: Child,
    pid: Pid,
    running: bool,
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if self.running {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub fn run(client: &Path, allocator: &Allocator, request: &Request) -> Result<Session, Error> {
    let _one_cpu = OneCpu::enter();
    let mut tracee = start(client, allocator, request)?;
    let mut code = Code::of(tracee.pid.as_raw() as u32)
        .map_err(|e| Error::unfit(format!("cannot read the client's memory: {e}")))?;
    let mut library: Option<PathBuf> = None;
    let mut symbols = Symbols::default();
    let mut series: Vec<Series> = Vec::new();
    while tracee.next_announcement()? {
        let regs = tracee.registers()?;
        let op = *(regs.rdi as usize)
            .checked_sub(1)
            .and_then(|i| Op::ALL.get(i))
            .ok_or_else(broken)?;
        if series.last().is_none_or(|s| (s.op, s.size) != (op, regs.rsi)) {
            let file = verify(&tracee, allocator, op, regs.rdx)?;
            if library.is_none() {
                symbols = Symbols::of(&maps::read(tracee.pid.as_raw() as u32)?);
                library = Some(file);
            }
            series.push(Series {
                op,
                size: regs.rsi,
                calls: Vec::new(),
            });
        }
        let call = tracee.step_through(regs.rdx, &mut code)?;
        series.last_mut().expect("pushed above").calls.push(call);
    }
    let library = library.ok_or_else(broken)?;
    Ok(Session {
        library,
        series,
        symbols,
        code,
    })
}

fn broken() -> Error {
    Error::failed("the client announced no call")
}

/// The C library's settings with which the client starts: those of the environment, and no restartable sequences.
fn tunables() -> OsString {
    const NONE: &str = "glibc.pthread.rseq=0";
    match std::env::var_os("GLIBC_TUNABLES") {
        Some(mut others) if !others.is_empty() => {
            others.push(":");
            others.push(NONE);
            others
        }
        _ => NONE.into(),
    }
}

/// Starts the client and waits until it asked to be traced.
fn start(client: &Path, allocator: &Allocator, request: &Request) -> Result<Tracee, Error> {
    let list = |items: Vec<String>| items.join(",");
    let mut command = Command::new(client);
    command
        .arg(list(request.ops.iter().map(|o| o.name().to_owned()).collect()))
        .arg(list(request.sizes.iter().map(u64::to_string).collect()))
        .args(
            [
                request.calls,
                request.warm,
                request.burst,
                request.live,
                request.threads,
            ]
            .map(|n| n.to_string()),
        )
        .env_remove("LD_PRELOAD")
        .env("LD_BIND_NOW", "1")
        // A restartable sequence begins anew after each step, and would never end. Without them the instructions are the same.
        .env("GLIBC_TUNABLES", tunables())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(library) = &allocator.path {
        command.env("LD_PRELOAD", library);
    }
    let child = command
        .spawn()
        .map_err(|e| Error::unfit(format!("cannot start {}: {e}", client.display())))?;
    let pid = Pid::from_raw(child.id() as i32);
    let mut tracee = Tracee {
        child,
        pid,
        running: true,
    };
    match tracee.wait()? {
        WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
        WaitStatus::Exited(_, 3) => {
            return Err(Error::unfit("this system does not let a process be traced")
                .help("in a container, allow ptrace: --cap-add=SYS_PTRACE"));
        }
        status => return Err(ended(status, allocator)),
    }
    ptrace::setoptions(pid, ptrace::Options::PTRACE_O_EXITKILL).map_err(refused)?;
    Ok(tracee)
}

/// The function's file, if it is the one that is to be measured.
fn verify(tracee: &Tracee, allocator: &Allocator, op: Op, function: u64) -> Result<PathBuf, Error> {
    let mappings = maps::read(tracee.pid.as_raw() as u32)?;
    let file = maps::at(&mappings, function)
        .map(|m| m.path.clone())
        .unwrap_or_default();
    let expected = match &allocator.path {
        Some(library) => hz3_project::file::same(&file, library),
        None => file
            .file_name()
            .is_some_and(|f| f.to_string_lossy().starts_with("libc.")),
    };
    if expected {
        return Ok(file);
    }
    let wanted = allocator.path.as_deref().unwrap_or(Path::new("the C library"));
    Err(Error::failed(format!(
        "{} is inert: the client's {} is in {}, not in {}",
        allocator.label,
        symbol(op),
        file.display(),
        wanted.display()
    ))
    .help("the dynamic linker's own message above may say why; a library must export the function to be measured"))
}

fn symbol(op: Op) -> &'static str {
    match op {
        Op::Grow => "realloc",
        Op::Aligned => "aligned_alloc",
        other => other.name(),
    }
}

impl Tracee {
    fn wait(&mut self) -> Result<WaitStatus, Error> {
        let status = loop {
            match waitpid(self.pid, None) {
                Err(Errno::EINTR) => continue,
                other => break other.map_err(refused)?,
            }
        };
        if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
            self.running = false;
        }
        Ok(status)
    }

    fn registers(&self) -> Result<nix::libc::user_regs_struct, Error> {
        ptrace::getregs(self.pid).map_err(refused)
    }

    /// Runs to the next announcement; `false` if the client is done.
    fn next_announcement(&mut self) -> Result<bool, Error> {
        let mut signal = None;
        loop {
            ptrace::cont(self.pid, signal).map_err(refused)?;
            match self.wait()? {
                WaitStatus::Exited(_, 0) => return Ok(false),
                WaitStatus::Stopped(_, Signal::SIGTRAP) if self.registers()?.rax == MAGIC => {
                    return Ok(true);
                }
                WaitStatus::Stopped(_, other) => signal = Some(other),
                status => {
                    return Err(Error {
                        code: Exit::Failed,
                        ..died(status)
                    });
                }
            }
        }
    }

    fn step(&mut self) -> Result<(), Error> {
        ptrace::step(self.pid, None).map_err(refused)?;
        match self.wait()? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(()),
            status => Err(died(status)),
        }
    }

    /// Steps into the call of `function` and to its return.
    fn step_through(&mut self, function: u64, code: &mut Code) -> Result<Call, Error> {
        let unreadable = |e: std::io::Error| Error::failed(format!("cannot read the client's memory: {e}"));
        let mut regs = self.registers()?;
        for _ in 0..64 {
            if regs.rip == function {
                break;
            }
            self.step()?;
            regs = self.registers()?;
        }
        if regs.rip != function {
            return Err(Error::failed("the client did not call the function that it announced"));
        }
        let stack = regs.rsp;
        let back = code.word(stack).map_err(unreadable)?;
        let mut call = Call::default();
        while !(regs.rip == back && regs.rsp == stack + 8) {
            let at = regs.rip;
            let instruction = code.at(at).map_err(unreadable)?;
            let decoded = Traits::of(&instruction);
            call.path.push(at);
            call.branches += u32::from(decoded.conditional);
            call.calls += u32::from(decoded.call);
            call.locked += u32::from(decoded.locked);
            call.syscalls += u32::from(decoded.syscall);
            if call.path.len() > LIMIT {
                return Err(Error::failed(format!("a call took more than {LIMIT} instructions")));
            }
            if decoded.repeats {
                // A step is one repetition; thousands of them are left to run freely.
                self.run_to(instruction.next_ip(), code).map_err(unreadable)??;
            } else {
                self.step()?;
            }
            regs = self.registers()?;
        }
        Ok(call)
    }

    /// Runs to `address` by way of a breakpoint there.
    fn run_to(&mut self, address: u64, code: &Code) -> std::io::Result<Result<(), Error>> {
        let saved = code.patch(address, BREAKPOINT)?;
        let stopped = ptrace::cont(self.pid, None).map_err(refused).and_then(|()| self.wait());
        let outcome = match stopped {
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => {
                code.patch(address, saved)?;
                self.registers().and_then(|mut regs| {
                    regs.rip = address;
                    ptrace::setregs(self.pid, regs).map_err(refused)
                })
            }
            Ok(status) => Err(died(status)),
            Err(failure) => Err(failure),
        };
        Ok(outcome)
    }
}

fn refused(errno: Errno) -> Error {
    Error::unfit(format!("ptrace: {errno}"))
}

fn died(status: WaitStatus) -> Error {
    Error::failed(match status {
        WaitStatus::Exited(_, code) => format!("the client ended with exit code {code}"),
        WaitStatus::Signaled(_, signal, _) | WaitStatus::Stopped(_, signal) => {
            format!("the client got {signal}")
        }
        other => format!("the client stopped unexpectedly: {other:?}"),
    })
}

fn ended(status: WaitStatus, allocator: &Allocator) -> Error {
    let failure = died(status);
    match &allocator.path {
        Some(library) => failure.help(format!(
            "does a program run at all? LD_PRELOAD={} /bin/true",
            library.display()
        )),
        None => failure,
    }
}

/// Keeps this thread, and the children that it starts, on one CPU: a step is a switch to the child and back, and that
/// is several times faster without a second CPU to wake up.
struct OneCpu(Option<CpuSet>);

impl OneCpu {
    fn enter() -> OneCpu {
        let this = Pid::from_raw(0);
        let Ok(before) = sched_getaffinity(this) else {
            return OneCpu(None);
        };
        let mut one = CpuSet::new();
        let last = (0..CpuSet::count())
            .rev()
            .find(|cpu| before.is_set(*cpu).unwrap_or(false));
        let pinned = last.is_some_and(|cpu| one.set(cpu).is_ok() && sched_setaffinity(this, &one).is_ok());
        OneCpu(pinned.then_some(before))
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}
