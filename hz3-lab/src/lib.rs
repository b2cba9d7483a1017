//! The lab: workloads, paired measurements with intervals, the ledger and its reports.
//!
//! A comparison goes through these hands: `hz3_project` finds libraries and folders, [`clients`] builds the workloads,
//! [`prove`] shows that a preloaded library is the one at work, [`child`] runs one fresh process and says what it cost,
//! [`compare`] schedules paired blocks, [`stats`] turns them into verdicts, [`record`] is what is kept.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod child;
pub mod clients;
pub mod commit;
pub mod compare;
pub mod counters;
pub mod disasm;
pub mod ending;
pub mod export;
pub mod expression;
pub mod figures;
pub mod fit;
pub mod identity;
pub mod ledger;
pub mod machine;
pub mod misuse;
pub mod profile;
pub mod prove;
pub mod record;
pub mod report;
pub mod rows;
pub mod stats;
pub mod table;
pub mod tails;
pub mod trace;
pub mod tune;
pub mod workload;
