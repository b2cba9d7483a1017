//! redis-server on a socket of its own: a benchmark, commands whose replies are compared, a save in a forked child.

use super::tool;
use hz3_tests::{Allocator, Run};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// A running server; ends with the test, whatever happens.
struct Server {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

pub fn run(allocator: &Allocator, dir: &Path) -> Result<String, String> {
    let mut server = start(allocator, dir)?;
    let output = load(&mut server, allocator, dir).map_err(|e| {
        let log = std::fs::read_to_string(&server.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(60).collect();
        format!(
            "{e}\n--- the server's log\n{}",
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    })?;
    Ok(output)
}

fn start(allocator: &Allocator, dir: &Path) -> Result<Server, String> {
    // Beside the process id, as a socket's path may have 107 bytes only.
    let socket = std::env::temp_dir().join(format!("hz3-redis-{}-{}", std::process::id(), allocator.name()));
    let log = dir.join("log");
    let server = tool("redis-server", allocator)?
        .dir(dir)
        .args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
            "--io-threads",
            "3",
            "--dbfilename",
            "dump.rdb",
        ])
        .args(["--daemonize", "no", "--unixsocket"])
        .arg(&socket)
        .arg("--logfile")
        .arg(&log);
    let mut server = Server {
        child: server.start()?,
        socket,
        log,
    };
    for _ in 0..400 {
        if let Some(status) = server.child.try_wait().map_err(|e| e.to_string())? {
            let log = std::fs::read_to_string(&server.log).unwrap_or_default();
            return Err(format!("the server ended at its start: {status}\n{log}"));
        }
        if server.socket.exists() && client(&server, &Allocator::Glibc)?.arg("ping").outcome()?.text().trim() == "PONG"
        {
            return Ok(server);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("the server does not answer".to_owned())
}

fn client(server: &Server, allocator: &Allocator) -> Result<Run, String> {
    Ok(tool("redis-cli", allocator)?.arg("-s").arg(&server.socket))
}

fn load(server: &mut Server, allocator: &Allocator, dir: &Path) -> Result<String, String> {
    prove(server, allocator)?;
    let benchmark = tool("redis-benchmark", allocator)?.arg("-s").arg(&server.socket);
    let tests = "set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset";
    benchmark
        .args([
            "-q", "-n", "20000", "-c", "20", "-P", "8", "-d", "300", "-r", "20000", "-t", tests,
        ])
        .success()?;
    client(server, allocator)?.arg("flushall").success()?;

    let file = dir.join("commands");
    std::fs::write(&file, commands()).map_err(|e| e.to_string())?;
    let replies = client(server, allocator)?.input(&file).success()?.text();

    // A child forked from the server writes its data; the server reads it back.
    client(server, allocator)?.arg("save").success()?;
    let digest = client(server, allocator)?.args(["debug", "digest"]).success()?.text();
    client(server, allocator)?.arg("bgsave").success()?;
    for _ in 0..600 {
        let info = client(server, &Allocator::Glibc)?
            .args(["info", "persistence"])
            .success()?
            .text();
        if info.contains("rdb_bgsave_in_progress:0") {
            if !info.contains("rdb_last_bgsave_status:ok") {
                return Err(format!("the forked save failed:\n{info}"));
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    client(server, &Allocator::Glibc)?
        .args(["shutdown", "nosave"])
        .outcome()?;
    let status = server.child.wait().map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("the server ended with {status}"));
    }
    Ok(replies + &digest)
}

/// The server's own list of mappings has the library: a preload that was dropped would make this test idle.
fn prove(server: &Server, allocator: &Allocator) -> Result<(), String> {
    let Allocator::Variant(variant) = allocator else {
        return Ok(());
    };
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.child.id())).map_err(|e| e.to_string())?;
    let path = variant.path.to_string_lossy();
    if maps.contains(&*path) {
        Ok(())
    } else {
        Err(format!("{path} is not loaded into redis-server"))
    }
}

/// Every kind of value, growing and shrinking; only replies that have an order of their own.
fn commands() -> String {
    let mut text = String::from("debug digest\n");
    for i in 0..6000_u32 {
        let (key, long) = (i.wrapping_mul(7919) % 1500, "v".repeat((i % 700) as usize + 1));
        let _ = match i % 12 {
            0 => writeln!(text, "set s{key} {long}"),
            1 => writeln!(text, "append s{key} {long}"),
            2 => writeln!(text, "rpush l{} {long} {i} {key}", key % 40),
            3 => writeln!(text, "hset h{} f{key} {long}", key % 30),
            4 => writeln!(text, "zadd z{} {key} m{i}", key % 20),
            5 => writeln!(text, "sadd u{} {i} {key}", key % 20),
            6 => writeln!(text, "strlen s{key}"),
            7 => writeln!(text, "lpop l{}", key % 40),
            8 => writeln!(text, "setrange s{key} {} tail", i % 5000),
            9 => writeln!(text, "del s{}", (key + 11) % 1500),
            10 => writeln!(text, "zrange z{} 0 5 withscores", key % 20),
            _ => writeln!(text, "hget h{} f{key}", key % 30),
        };
    }
    for n in 0..20 {
        let _ = writeln!(text, "sort u{n}\nzcard z{n}\nllen l{n}\nhlen h{n}\ngetrange s{n} 0 20");
    }
    text += "eval \"local t = {} for i = 1, 20000 do t[i] = string.rep('x', i % 90) end return #table.concat(t)\" 0\n";
    text += "dbsize\n";
    text
}
